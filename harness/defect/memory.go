package defect

import (
	"fmt"
	"io"
	"net/http"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
	"redial/steps/cures/handshake"
)

// copied is options of one's own.
func copied(options *socket.ServerOptions) *socket.ServerOptions {
	own := socket.DefaultServerOptions()
	if options != nil {
		own.Assign(options)
	}
	return own
}

// onLibrary turns recovery on as published, with the adapter.
func onLibrary(options *socket.ServerOptions, adapter socket.AdapterConstructor) {
	recovery := socket.DefaultConnectionStateRecovery()
	recovery.SetSkipMiddlewares(true)
	recovery.SetMaxDisconnectionDuration(120_000)
	if options.GetRawConnectionStateRecovery() != nil {
		recovery.Assign(options.ConnectionStateRecovery())
	}
	options.SetConnectionStateRecovery(recovery)
	if around, ok := options.Adapter().(interface {
		Around(socket.AdapterConstructor) socket.AdapterConstructor
	}); ok {
		adapter = around.Around(adapter)
	}
	options.SetAdapter(adapter)
}

// memoryChat gives the server the behaviour of a chat that keeps nothing: say has each
// message, any JSON value.
func memoryChat(server *socket.Server, emit func(client *socket.Socket, value any)) {
	_ = server.On("connection", func(args ...any) {
		client := args[0].(*socket.Socket)
		_ = client.On(contract.ChatEvent, func(args ...any) {
			if len(args) == 0 {
				return
			}
			reply, asked := args[len(args)-1].(socket.Ack)
			if !asked || len(args) > 1 {
				emit(client, args[0])
			}
			if asked {
				reply([]any{map[string]any{}}, nil)
			}
		})
	})
}

// served is the server behind package handshake.
func served(server *socket.Server) (http.Handler, io.Closer, error) {
	return routes(handshake.Handler(server), "a chat that keeps nothing"), closer(func() error {
		server.Close(nil)
		return nil
	}), nil
}

// routes serves Socket.IO, and a line about the server at /.
func routes(sockets http.Handler, about string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", sockets)
	// The library answers every path below its own; the client's it does not have.
	mux.Handle(contract.ClientPath, http.NotFoundHandler())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, about) })
	return mux
}
