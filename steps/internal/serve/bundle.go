package serve

import (
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// BundlePath is where a page finds its client library, as the official server
// offers it.
const BundlePath = "/socket.io/socket.io.js"

// What the steps' pages look like and how they explain themselves is no part of any
// lesson. explain is called with words, the texts that it shows, by language and name.
var (
	//go:embed style.css
	style []byte
	//go:embed explain.js
	explain string
	//go:embed words.json
	words string
)

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

// WithBundle answers for BundlePath, the pages' stylesheet and the script that explains
// them, and leaves every other request to step.
func WithBundle(step http.Handler) http.Handler {
	routes := http.NewServeMux()
	routes.Handle("/", step)
	routes.HandleFunc("GET "+BundlePath, func(w http.ResponseWriter, r *http.Request) {
		bundle, err := Bundle()
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		write(w, "text/javascript", bundle)
	})
	routes.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		write(w, "text/css", style)
	})
	routes.HandleFunc("GET /explain.js", func(w http.ResponseWriter, r *http.Request) {
		write(w, "text/javascript", fmt.Appendf(nil, "%s(%s);\n", strings.TrimSpace(explain), words))
	})
	return routes
}

func write(w http.ResponseWriter, kind string, content []byte) {
	w.Header().Set("Content-Type", kind+"; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(content)
}
