package serve

import (
	_ "embed"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
)

// BundlePath is where a page finds its client library, as the official server
// offers it.
const BundlePath = "/socket.io/socket.io.js"

// style is what the steps' pages look like, which is no part of any lesson.
//
//go:embed style.css
var style []byte

// ErrNoBundle says how the browser's client library is fetched.
var ErrNoBundle = errors.New("the pages need the Socket.IO client, which is not here yet: run make client")

// Bundle is the pinned socket.io.js, which npm has put into steps/node_modules. It
// is not part of the build, so that the kit builds before anything is fetched.
func Bundle() ([]byte, error) {
	const inModule = "steps/node_modules/socket.io-client/dist/socket.io.js"
	for _, folder := range moduleFolders() {
		if bundle, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(inModule))); err == nil {
			return bundle, nil
		}
	}
	return nil, ErrNoBundle
}

// moduleFolders lists where the module may be: the working folder or one above it,
// or else where this file was compiled.
func moduleFolders() []string {
	var folders []string
	if folder, err := os.Getwd(); err == nil {
		for parent := filepath.Dir(folder); parent != folder; folder, parent = parent, filepath.Dir(parent) {
			folders = append(folders, folder)
		}
	}
	if _, file, _, ok := runtime.Caller(0); ok {
		folders = append(folders, filepath.Join(filepath.Dir(file), "..", "..", ".."))
	}
	return folders
}

// WithBundle answers for BundlePath and the pages' stylesheet, and leaves every other
// request to step.
func WithBundle(step http.Handler) http.Handler {
	routes := http.NewServeMux()
	routes.Handle("/", step)
	routes.HandleFunc("GET "+BundlePath, func(w http.ResponseWriter, r *http.Request) {
		bundle, err := Bundle()
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(bundle)
	})
	routes.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(style)
	})
	return routes
}
