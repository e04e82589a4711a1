package defect

import (
	"fmt"
	"io"
	"net/http"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"

	"redial/steps/handshake"
)

// PublishedRecovery makes a server that does what the published tutorial does at step
// 6: connection state recovery with the library's own adapter, and nothing that every
// new page is sent. It promises level recovery, and breaks that promise in four ways,
// each a row of the catalogue: a half-open switch of networks and a drop before any
// event are not recovered, a session that was restored and restored again goes deaf,
// and what is broadcast while a session is restored passes it by.
//
// What is said is given back as it is: any JSON value, as step 6 does.
func PublishedRecovery(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	own := socket.DefaultServerOptions()
	if options != nil {
		own.Assign(options)
	}
	recovery := socket.DefaultConnectionStateRecovery()
	recovery.SetSkipMiddlewares(true)
	recovery.SetMaxDisconnectionDuration(120_000)
	if own.GetRawConnectionStateRecovery() != nil {
		recovery.Assign(own.ConnectionStateRecovery())
	}
	own.SetConnectionStateRecovery(recovery)
	var adapter socket.AdapterConstructor = &socket.SessionAwareAdapterBuilder{}
	if around, ok := own.Adapter().(interface {
		Around(socket.AdapterConstructor) socket.AdapterConstructor
	}); ok {
		adapter = around.Around(adapter)
	}
	own.SetAdapter(adapter)

	server := socket.NewServer(nil, own)
	_ = server.On("connection", func(args ...any) {
		client := args[0].(*socket.Socket)
		_ = client.On(contract.ChatEvent, func(args ...any) {
			if len(args) == 0 {
				return
			}
			reply, asked := args[len(args)-1].(socket.Ack)
			if !asked || len(args) > 1 {
				_ = server.Sockets().Emit(contract.ChatEvent, args[0])
			}
			if asked {
				reply([]any{map[string]any{}}, nil)
			}
		})
	})
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", handshake.Handler(server))
	mux.Handle(contract.ClientPath, http.NotFoundHandler())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, "connection state recovery as published")
	})
	return mux, closer(func() error { server.Close(nil); return nil }), nil
}
