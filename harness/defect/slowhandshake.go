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

// handshakeDelay is how long the library takes, here, between sending the open packet and
// listening to what comes: as if the scheduler had other things to do.
const handshakeDelay = 20 * time.Millisecond

// SlowHandshake makes a chat at level recovery behind the library's own handler, which listens a
// moment after it has sent the open packet. Here that is a long moment. What a client
// sends in it, such as its connect packet, is never heard. And nothing keeps a browser
// from asking twice for the answer to a poll.
func SlowHandshake(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	return slowHandshake(options, func(server *socket.Server) http.Handler { return server.ServeHandler(nil) })
}

// SlowHandshakeFixed is the same behind package handshake, which makes it right.
func SlowHandshakeFixed(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	return slowHandshake(options, handshake.Handler)
}

func slowHandshake(options *socket.ServerOptions, handler func(*socket.Server) http.Handler) (http.Handler, io.Closer, error) {
	own := copied(options)
	(&recovery.Builder{Takeover: true, OffsetEvent: "offset"}).Apply(own)
	server := socket.NewServer(nil, own)
	memoryChat(server, func(_ *socket.Socket, value any) { _ = server.Sockets().Emit(contract.ChatEvent, value) })
	sockets := handler(server)
	// Before the listeners that there are.
	connections := server.Engine()
	listeners := connections.Listeners("connection")
	connections.RemoveAllListeners("connection")
	_ = connections.On("connection", func(...any) { time.Sleep(handshakeDelay) })
	_ = connections.On("connection", listeners...)
	return routes(sockets, "a chat that listens late"), closer(func() error { server.Close(nil); return nil }), nil
}
