package serve

import (
	_ "embed"
	"errors"
	"net/http"
)

// BundlePath is where a page finds its client library, as the official server
// offers it.
const BundlePath = "/socket.io/socket.io.js"

// style is what the steps' pages look like, which is no part of any lesson.
//
//go:embed style.css
var style []byte

// ClientVersion is the client library that is pinned.
const ClientVersion = "4.8.4"

// ErrNoBundle says how the browser's client library is fetched.
var ErrNoBundle = errors.New("the pages need the Socket.IO client, which is not here yet: run make client")

// The builds of the client library: the one that the pages load, and the one with the
// parser of socket.io-msgpack-parser.
const (
	jsonBuild        = "socket.io.js"
	messagePackBuild = "socket.io.msgpack.min.js"
)

// Bundle is the pinned socket.io.js, which npm has put into steps/node_modules, or Fetch
// into the user's cache. It is not part of the build, so that the kit builds before
// anything is fetched.
func Bundle() ([]byte, error) { return find(jsonBuild) }

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
