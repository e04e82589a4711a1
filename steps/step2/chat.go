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
	routes.Handle("GET /{$}", serve.Page(Page))
	return routes, io.NopCloser(nil), nil
}
