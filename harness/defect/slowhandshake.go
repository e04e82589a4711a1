package defect

import (
	"io"
	"net/http"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
	"redial/steps/cures/handshake"
	"redial/steps/cures/recovery"
)

// handshakeDelay is how long this server waits between sending the open packet and listening.
// It stands for a busy scheduler.
const handshakeDelay = 20 * time.Millisecond

// SlowHandshake makes a chat at level recovery behind the library's own handler, which sends
// the open packet before it listens. The delay makes that window long: packets that a client
// sends in it, such as its connect packet, are lost. Nor does the handler keep a browser from
// requesting the answer to one poll twice.
func SlowHandshake(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	return slowHandshake(options, func(server *socket.Server) http.Handler { return server.ServeHandler(nil) })
}

// SlowHandshakeFixed is the same chat behind package handshake, which fixes both.
func SlowHandshakeFixed(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	return slowHandshake(options, handshake.Handler)
}

func slowHandshake(options *socket.ServerOptions, handler func(*socket.Server) http.Handler) (http.Handler, io.Closer, error) {
	own := copied(options)
	(&recovery.Builder{Takeover: true, OffsetEvent: "offset"}).Apply(own)
	server := socket.NewServer(nil, own)
	memoryChat(server, func(_ *socket.Socket, value any) { _ = server.Sockets().Emit(contract.ChatEvent, value) })
	sockets := handler(server)
	// The delay has to run before the library's own listeners, so it is registered first.
	connections := server.Engine()
	listeners := connections.Listeners("connection")
	connections.RemoveAllListeners("connection")
	_ = connections.On("connection", func(...any) { time.Sleep(handshakeDelay) })
	_ = connections.On("connection", listeners...)
	return routes(sockets, "a chat that listens late"), closer(func() error { server.Close(nil); return nil }), nil
}
