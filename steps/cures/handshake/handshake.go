// Package handshake works around two race conditions of github.com/zishang520/socket.io that
// lose packets of a client that sends early while it connects, and a gap in HTTP long-polling.
//
// Read [Handler] first, and use it in place of the server's own ServeHandler. It also frees what the library
// leaves in memory when a connection is closed; see leaveNothing.
//
// A socket that is registered too late is a defect in every namespace; the package works around
// it in the main namespace only, as it adds its middleware there.
//
// The package must not import the chat or the harness.
//
// # What it works around
//
// The listener that the library attaches too late: in TestAttachedLate the bare library does
// not answer the CONNECT packet. The socket that it registers too late: TestAFastPageIsHeard
// without connectFirst, where a connection is closed in some runs only (8 of 75 on two or four
// processors, none of 25 on one). The poll that a browser may send twice: TestAPollIsAskedOnce
// shows that the bare library lets a connection be used again, which is the condition for it.
// The goroutine and the queues that stay in memory: TestAClosedPageLeavesNothing, with the
// bare library's count beside ours. The room of 16 kB that each open connection holds for tasks
// that do not come: TestOpenConnectionHoldsNoRoomForTasks.
//
// Upstream, servers/engine would attach its listener before it sends the open packet, and call
// DoClose for a WebSocket that the client has closed; servers/socket would register the socket
// before it answers the CONNECT packet; pkg/queue would not need the finalizer, and would
// begin without room. "Connection: close" for polls can remain a wrapper of the handler.
package handshake

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/socket/v3"
)

// connectWithin bounds how long a connection may take to become one; the library's
// own bound is 45 s.
const connectWithin = 10 * time.Second

// connectFirst is a middleware that reads nothing from a page before its connection handler has
// returned.
//
// The library (servers/socket v3.0.2) answers a page's connect packet on another goroutine than
// the one that reads, and registers the socket a moment after the answer. An event that a page
// sends immediately, such as the contents of its outbox, can be read before that; the library
// then treats it as a protocol violation and closes the connection, and the event is lost.
// Middlewares run on the goroutine that reads, so this one blocks it.
func connectFirst(client *socket.Socket, next func(*socket.ExtendedError)) {
	collectable(client, "taskQueue")
	next(nil)
	// next has queued the connection handler: this function runs after it.
	connected := make(chan struct{})
	client.Enqueue(func() { close(connected) })
	// If the page has disconnected already, its queue does not run the function.
	timeout := time.NewTimer(connectWithin)
	defer timeout.Stop()
	select {
	case <-connected:
	case <-timeout.C:
	}
}

// Handler returns a server's handler for /socket.io/. It closes two race conditions: that
// of connectFirst, and that of a listener which the library attaches after it has sent the
// open packet (or, in an upgrade, after the handshake), so that it sometimes never answers
// the next packet of a fast page; see patient.
func Handler(server *socket.Server) http.Handler {
	server.Use(connectFirst)
	_ = server.On("connection", func(args ...any) { collectable(args[0], "taskQueue") }) // also those that are recovered: they pass by the middlewares
	library := server.ServeHandler(nil)                                                  // makes the engine, too
	_ = server.Engine().On("connection", func(args ...any) { leaveNothing(args[0].(engine.Socket)) })
	return patient(library)
}

// patient delays the first read from a WebSocket until the library's handler has returned,
// because all listeners are attached by then.
func patient(library http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			answerOnce(w)
		}
		patient := &patientWriter{ResponseWriter: w, attached: make(chan struct{})}
		defer patient.release()
		library.ServeHTTP(patient, r)
	})
}

// answerOnce keeps a browser from sending a request twice. When a request fails on a
// connection that was used before, the browser (and Go's client) assumes that the connection
// was closed while it was idle, and sends the request again without telling the page. For a
// polling request that is wrong: the answer that was cut off contained messages, and the
// next answer does not contain them; a POST that the server received is received again. On
// a connection of its own a request fails once, and the page receives the error.
func answerOnce(w http.ResponseWriter) { w.Header().Set("Connection", "close") }

// patientWriter hands out a connection that cannot be read from until release is called.
type patientWriter struct {
	http.ResponseWriter
	attached chan struct{}
	hijacked bool
}

// Hijack is called by the WebSocket handshake.
func (w *patientWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.hijacked = true
	// The bytes that the HTTP server has read already come first. They are copied, so that
	// its buffer of 4 KB can be freed.
	early, err := buffered.Peek(buffered.Reader.Buffered())
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	patient := &patientConn{Conn: conn, attached: w.attached, early: bytes.Clone(early)}
	// The library reads with a buffer of its own; of this one it only asks whether it is empty.
	return patient, bufio.NewReadWriter(bufio.NewReaderSize(patient, 16), buffered.Writer), nil
}

// release allows reading from the connection, when the library's handler has returned. The
// library refers to this writer for as long as the connection lasts, and never writes to it
// again. So release drops the HTTP server's writer, which holds some 10 KB of buffers.
func (w *patientWriter) release() {
	if w.hijacked {
		w.ResponseWriter = gone{}
	}
	close(w.attached)
}

// gone is the response to a request that has become a WebSocket.
type gone struct{}

func (gone) Header() http.Header       { return http.Header{} }
func (gone) Write([]byte) (int, error) { return 0, http.ErrHijacked }
func (gone) WriteHeader(int)           {}

type patientConn struct {
	net.Conn
	attached <-chan struct{}
	early    []byte
}

func (c *patientConn) Read(into []byte) (int, error) {
	<-c.attached
	if len(c.early) > 0 {
		n := copy(into, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(into)
}
