package serve

import (
	_ "embed"
	"errors"
	"net/http"
	"os"
	"path/filepath"
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

// The builds of the client library: the one that the pages load, and the one with the
// parser of socket.io-msgpack-parser.
const (
	jsonBuild        = "socket.io.js"
	messagePackBuild = "socket.io.msgpack.min.js"
)

// inFolder is where npm puts a build of the client library.
func inFolder(build string) string {
	return filepath.Join("node_modules", "socket.io-client", "dist", build)
}

// Bundle is the pinned socket.io.js, which npm has put into steps/node_modules, or Fetch
// into the user's cache. It is not part of the build, so that the kit builds before
// anything is fetched.
func Bundle() ([]byte, error) { return find(jsonBuild) }

func find(build string) ([]byte, error) {
	folders := stepsFolders()
	if cache, err := cacheFolder(); err == nil {
		folders = append(folders, cache)
	}
	for _, folder := range folders {
		if bundle, err := os.ReadFile(filepath.Join(folder, inFolder(build))); err == nil {
			return bundle, nil
		}
	}
	return nil, ErrNoBundle
}

// stepsFolders lists where the folder steps of the module may be: in the working folder or
// in one above it.
func stepsFolders() (folders []string) {
	folder, err := os.Getwd()
	if err != nil {
		return nil
	}
	for parent := filepath.Dir(folder); parent != folder; folder, parent = parent, filepath.Dir(parent) {
		folders = append(folders, filepath.Join(folder, "steps"))
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
