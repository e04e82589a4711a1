package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"
	"github.com/gorilla/websocket"
)

const (
	// largestMessage bounds a message or an answer from the server. A server accepts 1 MB
	// from a client by default.
	largestMessage = 8 << 20
	// largestQueue bounds the queue of messages to a server that does not read, such as the
	// pongs to one that sends pings only.
	largestQueue = 100_000
	// mostControls bounds the WebSocket pings and pongs between two messages. A server that
	// sends nothing else would keep the page busy for as long as it likes.
	mostControls = 10_000
	// closeHandshakeTime is how long a page that has called close waits for the server's
	// close frame, and endTime how long it then waits for the server to close the connection.
	// The values are Chromium's.
	closeHandshakeTime = 10 * time.Second
	endTime            = 2 * time.Second
)

var errControls = fmt.Errorf("the server sent %d WebSocket pings or pongs and no message", mostControls)

// A message is a WebSocket message or a request's body.
type message struct {
	binary bool
	data   []byte
}

// messageOf converts a value that a script sends: bytes, which are copied, or a text.
func (w *Window) messageOf(given goja.Value) message {
	if data, ok := w.bytes(given); ok {
		return message{binary: true, data: data}
	}
	return message{data: []byte(text(given))}
}

// A socket is a WebSocket: one goroutine that dials and reads, one that writes, and the part that
// scripts see (websocket.go).
type socket struct {
	window   *Window
	script   scriptSocket
	ctx      context.Context
	cancel   context.CancelFunc
	conn     *websocket.Conn
	controls int // pings and pongs since the last message

	mu      sync.Mutex
	queue   []message
	closing []byte // the close frame's payload, after the queue; nil while open
	wake    chan struct{}
	written chan struct{} // closed when nothing more will be written

	// unsent counts the bytes that are not written yet. seen is the value for the script, which
	// changes only between tasks.
	unsent   atomic.Int64
	seen     int64
	seenTask uint64
}

// openSocket starts to connect.
func (w *Window) openSocket(address *url.URL, protocols []string) *socket {
	s := &socket{window: w, wake: make(chan struct{}, 1), written: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(w.network.ctx)
	w.sockets[s] = struct{}{}
	own := w.isOwn("a WebSocket", address)
	place := w.nextPlace()
	w.working.Go(func() {
		defer place.end()
		place.await(s.ctx)
		s.live(address, protocols, own, place.end)
	})
	return s
}

// tell runs arrival on the loop and waits for its end, so that a busy or suspended page makes its server
// wait.
func (s *socket) tell(arrival func()) { _ = s.window.loop.Do(context.Background(), arrival) }

// ended fires the events of a closed socket.
func (s *socket) ended(failed bool, code int, reason string, wasClean bool) {
	s.tell(func() {
		delete(s.window.sockets, s)
		s.closed(failed, code, reason, wasClean)
	})
}

// live dials, reads and ends the socket. connected is called when it has a connection or has failed.
func (s *socket) live(address *url.URL, protocols []string, own bool, connected func()) {
	defer s.cancel()
	if !own || s.dial(address, protocols, connected) != nil {
		connected()
		close(s.written)
		s.ended(true, websocket.CloseAbnormalClosure, "", false)
		return
	}
	defer s.conn.Close()
	s.tell(s.opened)
	s.window.working.Go(s.write)
	err := s.read()

	if errors.Is(err, websocket.ErrReadLimit) {
		s.window.loop.Post(func() {
			s.window.Report(fmt.Sprintf("the server sent a message of more than %d MB, which is not read", largestMessage>>20))
		})
	}
	var ended *websocket.CloseError
	var network net.Error
	switch {
	case errors.As(err, &ended) && ended.Code != websocket.CloseAbnormalClosure:
		s.tell(func() { s.script.state = socketClosing })
		s.awaitEnd()
		s.ended(false, ended.Code, ended.Text, true)
	case errors.As(err, &ended), errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, net.ErrClosed):
		s.ended(false, websocket.CloseAbnormalClosure, "", false)
	default: // the server broke the protocol
		s.ended(true, websocket.CloseAbnormalClosure, "", false)
	}
}

func (s *socket) dial(address *url.URL, protocols []string, connected func()) error {
	w := s.window
	dialer := websocket.Dialer{
		NetDialContext: func(ctx context.Context, network, host string) (net.Conn, error) {
			conn, err := w.network.dial(ctx, network, host)
			connected()
			if err == nil {
				// The library ignores ctx during the handshake.
				context.AfterFunc(s.ctx, func() { _ = conn.Close() })
			}
			return conn, err
		},
		Subprotocols: protocols,
		Jar:          w.options.Cookies,
	}
	header := http.Header{"Origin": {w.origin()}, "User-Agent": {UserAgent}}
	conn, _, err := dialer.DialContext(s.ctx, address.String(), header)
	if err != nil {
		return err
	}
	conn.SetReadLimit(largestMessage)
	conn.SetPingHandler(s.bounded(conn.PingHandler()))
	conn.SetPongHandler(s.bounded(conn.PongHandler()))
	s.conn = conn
	return nil
}

// bounded is the handler of a ping or a pong, up to the bound.
func (s *socket) bounded(handle func(string) error) func(string) error {
	return func(payload string) error {
		if s.controls++; s.controls > mostControls {
			return errControls
		}
		return handle(payload)
	}
}

func (s *socket) read() error {
	buffer := make([]byte, 4<<10)
	for {
		kind, data, err := s.conn.NextReader()
		if err != nil {
			return err
		}
		s.controls = 0
		// Reading into the builder avoids another copy of a large text.
		var whole strings.Builder
		if _, err := io.CopyBuffer(&whole, data, buffer); err != nil {
			return err
		}
		s.tell(func() { s.arrived(kind == websocket.BinaryMessage, whole.String()) })
	}
}

// awaitEnd waits for the server to close the connection first, as the protocol demands.
func (s *socket) awaitEnd() {
	_ = s.conn.NetConn().SetReadDeadline(time.Now().Add(endTime))
	_, _ = io.Copy(io.Discard, s.conn.NetConn())
}

// write sends what is queued and, when the socket is being closed, the close frame.
func (s *socket) write() {
	defer close(s.written)
	for {
		next, closing, ok := s.next()
		if !ok {
			return
		}
		var err error
		switch {
		case closing != nil:
			_ = s.conn.WriteMessage(websocket.CloseMessage, closing)
			return
		case next.binary:
			err = s.conn.WriteMessage(websocket.BinaryMessage, next.data)
		default:
			err = s.conn.WriteMessage(websocket.TextMessage, next.data)
		}
		if err != nil {
			return // the reader reports the end, after the last frames of the server
		}
		s.unsent.Add(-int64(len(next.data)))
	}
}

// next waits for something to write.
func (s *socket) next() (next message, closing []byte, ok bool) {
	for {
		s.mu.Lock()
		if len(s.queue) > 0 {
			next, s.queue = s.queue[0], s.queue[1:]
			s.mu.Unlock()
			return next, nil, true
		}
		closing = s.closing
		s.mu.Unlock()
		if closing != nil {
			return message{}, closing, true
		}
		select {
		case <-s.wake:
		case <-s.ctx.Done():
			return message{}, nil, false
		}
	}
}

func (s *socket) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *socket) send(m message) {
	s.mu.Lock()
	waiting := len(s.queue)
	if waiting < largestQueue {
		s.unsent.Add(int64(len(m.data)))
		s.queue = append(s.queue, m)
	}
	s.mu.Unlock()
	if waiting >= largestQueue {
		if s.ctx.Err() == nil {
			s.window.Report(fmt.Sprintf("the server does not read: %d messages wait for it, and the connection is given up", waiting))
		}
		s.cancel()
	}
	s.signal()
}

// close starts the closing handshake. Code 0 means a close frame without a code.
func (s *socket) close(code int, reason string) {
	payload := []byte{}
	if code != 0 {
		payload = websocket.FormatCloseMessage(code, reason)
	}
	s.mu.Lock()
	if s.closing == nil {
		s.closing = payload
	}
	s.mu.Unlock()
	s.signal()
	s.window.loop.After(closeHandshakeTime, s.cancel)
}

// buffered is bufferedAmount, which does not decrease during a task.
func (s *socket) buffered() int64 {
	current := s.unsent.Load()
	if s.seenTask == s.window.task+1 && current < s.seen {
		return s.seen
	}
	s.seen, s.seenTask = current, s.window.task+1
	return current
}

// goAway sends a close frame 1001 behind the queued messages, as a browser does when a page is left.
func (s *socket) goAway() { s.close(websocket.CloseGoingAway, "") }

// awaitWritten waits until the queue is written or writing has failed, or cancels the socket when late
// fires.
func (s *socket) awaitWritten(late <-chan time.Time) {
	select {
	case <-s.written:
	case <-late:
		s.cancel()
	}
}
