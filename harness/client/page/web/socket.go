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
	// largestMessage bounds what a page takes in one message or answer. A server takes
	// 1 MB from a client, unless it is told otherwise.
	largestMessage = 8 << 20
	// largestQueue bounds what a page has written and its connection has not taken, in
	// messages: the answers to a server that sends pings and does not read.
	largestQueue = 100_000
	// closeHandshakeTime is how long a page that called close waits for the
	// server's close frame, endTime how long one that has got it waits for the
	// server to end the connection. Chromium's figures.
	closeHandshakeTime = 10 * time.Second
	endTime            = 2 * time.Second
)

// A message is what goes through a WebSocket or in a request's body.
type message struct {
	binary bool
	data   []byte
}

// messageOf takes what a script sends: bytes, of which a copy is made, or a text.
func (w *Window) messageOf(given goja.Value) message {
	if data, ok := w.bytes(given); ok {
		return message{binary: true, data: data}
	}
	return message{data: []byte(text(given))}
}

// A socket is a WebSocket: one goroutine that dials and reads, one that writes, and what
// a script sees of it (websocket.go).
type socket struct {
	window *Window
	script scriptSocket
	ctx    context.Context
	cancel context.CancelFunc
	conn   *websocket.Conn

	mu      sync.Mutex
	queue   []message
	closing []byte // the close frame's payload, after the queue; nil while open
	wake    chan struct{}
	written chan struct{} // closed when nothing more will be written

	// unsent is what was sent and is not yet written; seen is what the script sees
	// of that, which changes between tasks only.
	unsent   atomic.Int64
	seen     int64
	seenTask uint64
}

// openSocket begins to connect.
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

// tell runs what an arrival comes to for the script and waits until it has been dealt
// with: so a page that is busy, or suspended, holds up its server.
func (s *socket) tell(arrival func()) { _ = s.window.loop.Do(context.Background(), arrival) }

// ended tells the script that the socket is closed.
func (s *socket) ended(failed bool, code int, reason string, wasClean bool) {
	s.tell(func() {
		delete(s.window.sockets, s)
		s.closed(failed, code, reason, wasClean)
	})
}

// live is the socket's life: dial, read, end. connected is called when there is a
// connection, or will be none.
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
				// The library does not heed ctx while it shakes hands.
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
	s.conn = conn
	return nil
}

func (s *socket) read() error {
	buffer := make([]byte, 4<<10)
	for {
		kind, data, err := s.conn.NextReader()
		if err != nil {
			return err
		}
		// A text is read where it stays: a copy of a large one would be as large.
		var whole strings.Builder
		if _, err := io.CopyBuffer(&whole, data, buffer); err != nil {
			return err
		}
		s.tell(func() { s.arrived(kind == websocket.BinaryMessage, whole.String()) })
	}
}

// awaitEnd lets the server, which has to, end the connection first.
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
			return // the reader hears of it, or of what the server said last
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

// close begins the closing handshake. Code 0 means a close frame without one.
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

// buffered is what bufferedAmount shows: steady for the length of a task.
func (s *socket) buffered() int64 {
	current := s.unsent.Load()
	if s.seenTask == s.window.task+1 && current < s.seen {
		return s.seen
	}
	s.seen, s.seenTask = current, s.window.task+1
	return current
}

// goAway is what a browser does with a WebSocket of a page that is left: close
// frame 1001 behind what was sent before. waitForLastWords waits until that is
// written, or can no longer be, or patience has run out.
func (s *socket) goAway() { s.close(websocket.CloseGoingAway, "") }

func (s *socket) waitForLastWords(patience <-chan time.Time) {
	select {
	case <-s.written:
	case <-patience:
		s.cancel()
	}
}
