package defect

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
	"redial/steps/handshake"
	"redial/steps/recovery"
)

// lateBy is how long the open packet is on its way before the library goes on: as if the
// scheduler had other things to do.
const lateBy = 20 * time.Millisecond

// Late makes a chat at level recovery behind the library's own handler, which listens a
// moment after it has sent the open packet. Here that is a long moment. What a client
// sends in it, such as its connect packet, is never heard.
func Late(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	return late(options, func(server *socket.Server) http.Handler { return server.ServeHandler(nil) })
}

// LateAndHandled is the same behind package handshake, which makes it right.
func LateAndHandled(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	return late(options, handshake.Handler)
}

func late(options *socket.ServerOptions, handler func(*socket.Server) http.Handler) (http.Handler, io.Closer, error) {
	own := copied(options)
	(&recovery.Builder{Takeover: true, OffsetEvent: "offset"}).Apply(own)
	server := socket.NewServer(nil, own)
	memoryChat(server, func(_ *socket.Socket, value any) { _ = server.Sockets().Emit(contract.ChatEvent, value) })
	inner := handler(server)
	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(lateWriter{w}, r) })
	return routes(outer, "a chat that listens late"), closer(func() error { server.Close(nil); return nil }), nil
}

// lateWriter hands out a connection whose second write, the open packet behind the
// handshake's answer, takes its time to return.
type lateWriter struct{ http.ResponseWriter }

func (w lateWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	return &lateConn{Conn: conn}, buffered, err
}

type lateConn struct {
	net.Conn
	writes atomic.Int32
}

func (c *lateConn) Write(data []byte) (int, error) {
	n, err := c.Conn.Write(data)
	if c.writes.Add(1) == 2 {
		time.Sleep(lateBy)
	}
	return n, err
}
