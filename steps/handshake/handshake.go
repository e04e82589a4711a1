// Package handshake closes two races of github.com/zishang520/socket.io that lose
// what a fast client sends while it connects, and a gap in HTTP long-polling.
//
// [Handler] is all of it: use it in place of the server's own ServeHandler. It could
// be offered upstream; until then every server of this kit stands behind it. It also
// mends what the library leaves behind at the other end of a connection's life: see
// leaveNothing. It knows nothing of the chat, nor of the harness.
package handshake

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/socket/v3"
)

// connectWithin bounds how long a connection may take to become one; the library's
// own bound is 45 s.
const connectWithin = 10 * time.Second

// connectFirst is a middleware that lets a page connect before anything that it
// sends is read.
//
// The library (servers/socket v3.0.2) answers a page's connect packet on another
// goroutine than the one that reads, and registers the socket a moment after the
// answer. An event that a fast page sends at once, such as what it kept while it
// was offline, can be read before that; the library then takes it for a violation
// of the protocol and closes the connection, and the event is lost. Middlewares run
// on the goroutine that reads, so this one holds it up until the connection
// handler has returned.
func connectFirst(client *socket.Socket, next func(*socket.ExtendedError)) {
	collectable(client, "taskQueue")
	next(nil)
	// next has put the connecting on the socket's queue: this comes behind it.
	connected := make(chan struct{})
	client.Enqueue(func() { close(connected) })
	// The queue of a page that has left already takes nothing, and answers nothing.
	timeout := time.NewTimer(connectWithin)
	defer timeout.Stop()
	select {
	case <-connected:
	case <-timeout.C:
	}
}

// Handler gives a server's handler for /socket.io/. One race that it closes is told at
// connectFirst. The other is that the library attaches its listener after it has sent
// the open packet (or, in an upgrade, after the handshake), so that what a fast page
// sends next is sometimes never answered; see patient.
func Handler(server *socket.Server) http.Handler {
	server.Use(connectFirst)
	_ = server.On("connection", func(args ...any) { collectable(args[0], "taskQueue") }) // also those that are recovered: they pass by the middlewares
	library := server.ServeHandler(nil)                                                  // makes the engine, too
	_ = server.Engine().On("connection", func(args ...any) { leaveNothing(args[0].(engine.Socket)) })
	return patient(library)
}

// patient has nothing read from a WebSocket before the library's handler has returned; it
// returns when everything is attached.
func patient(library http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			answerOnce(w)
		}
		attached := make(chan struct{})
		defer close(attached)
		library.ServeHTTP(&patientWriter{w, attached}, r)
	})
}

// answerOnce keeps a browser from asking twice. A request that fails on a connection
// that was used before is sent again by the browser (and by Go's client), without a
// word to the page: it takes the connection to have been closed while it was idle. For
// a polling request that is wrong. The answer that was cut off had messages in it, or
// the answer to the connect packet, and the next one has not; and a POST that was heard
// is heard again. On a connection of its own a request fails once, and the page knows.
func answerOnce(w http.ResponseWriter) { w.Header().Set("Connection", "close") }

// patientWriter hands out a connection that is not read from before its time.
type patientWriter struct {
	http.ResponseWriter
	attached <-chan struct{}
}

// Hijack is what a WebSocket handshake calls.
func (w *patientWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	patient := &patientConn{conn, buffered.Reader, w.attached}
	return patient, bufio.NewReadWriter(bufio.NewReader(patient), buffered.Writer), nil
}

type patientConn struct {
	net.Conn
	from     io.Reader // what the HTTP server has read already comes first
	attached <-chan struct{}
}

func (c *patientConn) Read(into []byte) (int, error) {
	<-c.attached
	return c.from.Read(into)
}
