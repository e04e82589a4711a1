package defect

import (
	"fmt"
	"io"
	"net/http"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
	"redial/steps/cures/handshake"
)

// copied returns a copy, because the caller's options must not change.
func copied(options *socket.ServerOptions) *socket.ServerOptions {
	own := socket.DefaultServerOptions()
	if options != nil {
		own.Assign(options)
	}
	return own
}

// onLibrary turns recovery on with the given adapter and the published tutorial's settings. An
// adapter of the caller that wraps others (such as the seam's) stays around it.
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

// memoryChat gives the server the behaviour of a chat that stores nothing: emit receives each
// message, which may be any JSON value.
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

// served puts the server behind package handshake, so that only the chat's own defect shows.
func served(server *socket.Server) (http.Handler, io.Closer, error) {
	return routes(handshake.Handler(server), "a chat that keeps nothing"), closer(func() error {
		server.Close(nil)
		return nil
	}), nil
}

// routes serves Socket.IO, and a sentence about the server at /.
func routes(sockets http.Handler, about string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", sockets)
	// The library would answer every path below its own, but it has no client bundle.
	mux.Handle(contract.ClientPath, http.NotFoundHandler())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, about) })
	return mux
}
