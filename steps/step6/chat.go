// Package step6 adds connection state recovery: a page whose connection broke for a short
// time gets its session back, and the messages that it missed.
//
// Read New: the option that enables recovery, and the use of Recovered. The server holds
// sessions and messages in memory, so a restart loses them; step 7 solves that.
package step6

import (
	_ "embed"
	"io"
	"net/http"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/steps/cures/backpressure"
	"redial/steps/cures/handshake"
	"redial/steps/cures/recovery"
	"redial/steps/internal/serve"
)

// Page is the page that the server serves.
//
//go:embed index.html
var Page []byte

// New makes the server of this step.
func New(settings serve.Settings) (http.Handler, io.Closer, error) {
	settings = settings.WithDefaults()
	// The server holds sessions and recent messages in memory. The library's own adapter
	// can lose a message while it restores a session; package recovery does not. Takeover
	// is for a phone that switches from WiFi to 4G: it reconnects before the server has
	// noticed that the old connection is dead.
	(&recovery.Builder{
		Takeover:         true,
		OffsetEvent:      "offset",
		MaxDisconnection: settings.MaxDisconnection,
	}).Apply(settings.Options)
	server := socket.NewServer(nil, settings.Options)
	// A page that reads nothing while others send is disconnected before the data that
	// waits for it fills the memory. When it reconnects, it catches up like any other page.
	backpressure.Limit{}.Apply(server)

	_ = server.On("connection", func(args ...any) {
		client := args[0].(*socket.Socket)

		// A page that reconnects names the last event that it received. OffsetEvent is
		// the first event of every page, so that each has one to name. A recovered page
		// has received its welcome before.
		if !client.Recovered() {
			_ = client.Emit("welcome", map[string]any{
				"step":  6,
				"knows": []any{"text", map[string]any{"json": true}, "bytes"},
			}, []byte("hello"))
		}

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
