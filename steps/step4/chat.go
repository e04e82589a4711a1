// Package step4 adds events: the page sends a message, and the server receives it and
// replies.
//
// Read the connection handler in New. An event carries any JSON value, or bytes, in both
// directions.
package step4

import (
	_ "embed"
	"fmt"
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

		// From the server to this page: nested JSON, and bytes.
		_ = client.Emit("welcome", map[string]any{
			"step":  4,
			"knows": []any{"text", map[string]any{"json": true}, "bytes"},
		}, []byte("hello"))

		// From the page to the server, and back to the same page.
		_ = client.On("chat message", func(args ...any) {
			value, err := serve.Value(args)
			if err == nil {
				log.Printf("%s sent %.200q", client.Id(), fmt.Sprint(value))
				_ = client.Emit("chat message", value)
			}
			serve.Answer(client, args, map[string]any{}, err)
		})
	})

	routes := http.NewServeMux()
	routes.Handle("GET /{$}", serve.Page(Page))
	routes.Handle("/socket.io/", handshake.Handler(server))
	return routes, serve.Closer{Server: server}, nil
}
