// Package step3 adds a connection: the page and the server connect, and each notices when
// the connection ends.
//
// Read New: a Socket.IO server beside the page, and a handler that runs once for every page
// that connects. The page's part is in index.html, at io().
package step3

import (
	_ "embed"
	"io"
	"log"
	"net/http"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/steps/cures/handshake"
	"redial/steps/internal/serve"
)

// Page is the page that the server serves.
//
//go:embed index.html
var Page []byte

// New makes the server of this step.
func New(settings serve.Settings) (http.Handler, io.Closer, error) {
	settings = settings.WithDefaults()
	server := socket.NewServer(nil, settings.Options)

	_ = server.On("connection", func(args ...any) {
		client := args[0].(*socket.Socket)
		log.Printf("a page connected: %s", client.Id())

		_ = client.On("disconnect", func(args ...any) {
			log.Printf("a page disconnected: %s, because of %v", client.Id(), args[0])
		})
	})

	routes := http.NewServeMux()
	routes.Handle("GET /{$}", serve.Page(Page))
	routes.Handle("/socket.io/", handshake.Handler(server))
	return routes, serve.Closer{Server: server}, nil
}
