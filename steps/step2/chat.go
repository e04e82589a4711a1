// Package step2 adds a page: a form, a list of messages, and a script that moves text from
// the form to the list.
//
// Read index.html; the server is that of step 1. The page does not communicate yet.
package step2

import (
	_ "embed"
	"io"
	"net/http"

	"redial/steps/internal/serve"
)

// Page is the page that the server serves.
//
//go:embed index.html
var Page []byte

// New makes the server of this step.
func New(serve.Settings) (http.Handler, io.Closer, error) {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(Page)
	})
	return routes, io.NopCloser(nil), nil
}
