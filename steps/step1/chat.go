// Package step1 is the project: a web server with one page, and no Socket.IO yet.
//
// Read New: it returns a handler for net/http, and an io.Closer that ends the server. Every
// step has this form, and a page beside it.
package step1

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
	routes.Handle("GET /{$}", serve.Page(Page))
	return routes, io.NopCloser(nil), nil
}
