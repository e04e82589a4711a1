// Package step5 adds broadcasting: every connected page receives the messages of all pages.
// This is a complete chat as long as no connection breaks.
//
// Read the connection handler in New: one word has changed, client.Emit to server.Emit.
package step5

import (
	_ "embed"
	"io"
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

		// From the server to this page only.
		_ = client.Emit("welcome", map[string]any{
			"step":  5,
			"knows": []any{"text", map[string]any{"json": true}, "bytes"},
		}, []byte("hello"))

		// From one page to all of them, the sender included.
		_ = client.On("chat message", func(args ...any) {
			value, err := serve.Value(args)
			if err == nil {
				server.Emit("chat message", value)
			}
			serve.Answer(client, args, map[string]any{}, err)
		})
	})

	routes := http.NewServeMux()
	routes.Handle("GET /{$}", serve.Page(Page))
	routes.Handle("/socket.io/", handshake.Handler(server))
	return routes, serve.Closer{Server: server}, nil
}
