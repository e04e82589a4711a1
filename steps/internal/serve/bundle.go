package serve

import (
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// BundlePath is the path at which a page loads its client library, as with the official
// server.
const BundlePath = "/socket.io/socket.io.js"

// The layout of the steps' pages and their explanations are not part of any lesson. The
// function explain is called with words, which holds its texts by language and name.
var (
	//go:embed style.css
	style []byte
	//go:embed explain.js
	explain string
	//go:embed words.json
	words string
)

// ClientVersion is the pinned version of the client library.
const ClientVersion = "4.8.4"

// ErrNoBundle reports that the client library is missing, and how to fetch it.
var ErrNoBundle = errors.New("the pages need the Socket.IO client, which is not here yet: run make client")

// The builds of the client library: the one that the pages load, and the one with the parser
// of socket.io-msgpack-parser.
const (
	jsonBuild        = "socket.io.js"
	messagePackBuild = "socket.io.msgpack.min.js"
)

// Bundle returns the pinned socket.io.js from steps/node_modules, where npm installs it, or
// from the user's cache, where Fetch stores it. It is not embedded, so that the kit compiles
// before anything is fetched.
func Bundle() ([]byte, error) { return find(jsonBuild) }

// WithBundle serves BundlePath, the pages' stylesheet and the script that explains them, and
// passes every other request to step.
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
