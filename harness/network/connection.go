package network

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// lingerTime is how long an end that was closed politely may take to close
	// its own side. What it says meanwhile is swallowed.
	lingerTime = time.Second
	// deliveryTime is how long a reset waits for what was sent before it to
	// arrive; the reset itself would discard it.
	deliveryTime = time.Second
	// maxEarly is how much is read from a connection that was made in silence.
	maxEarly = 1 << 20
)

// What a connection has come to.
const (
	stateOpen int32 = iota
	stateCut
	stateReset
	stateHalfOpen
	stateLost // half-open, and nothing reaches the client either
	stateGone
)

// connection is one connection of a client, and the one to the server that
// belongs to it. Once it is not open any more nothing passes; what its ends still
// say is read and thrown away until they close.
type connection struct {
	link   *link
	client net.Conn
	up     *stream
	down   *stream
	number atomic.Int64 // from 1; 0 before the server was reached

	state atomic.Int32
	over  chan struct{} // closed when the connection is not open any more
	gone  chan struct{} // closed when the link is closed
	leave sync.Once     // closes gone
	// broken: writing to one end failed. Its other direction is read to its end
	// before the other end is told.
	broken atomic.Bool
	// made is when the connection was made, and passed how long after that something was
	// written to an end of it.
	made   time.Time
	passed atomic.Int64

	work sync.WaitGroup // the goroutines of up and down

	mu     sync.Mutex
	server net.Conn // nil until the server was reached
}

func newConnection(l *link, client net.Conn) *connection {
	return &connection{link: l, client: client, made: time.Now(), over: make(chan struct{}), gone: make(chan struct{})}
}

// start serves a connection that a client has made, until both ends have ended.
// It returns at once.
func (l *link) start(client net.Conn, dial func() (net.Conn, error)) {
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.work.Add(1)
	}
	l.mu.Unlock()
	if closed {
		client.Close()
		return
	}
	go func() {
		defer l.work.Done()
		l.serve(client, dial)
	}()
}

func (l *link) serve(client net.Conn, dial func() (net.Conn, error)) {
	c := l.admit(client)
	if c == nil {
		reset(client)
		return
	}
	defer l.forget(c)
	early, alive := c.waitInSilence()
	if !alive {
		client.Close()
		return
	}
	server, err := dial()
	if err != nil {
		// Where there is no server, a client that dialled it would be refused.
		reset(client)
		return
	}
	if !c.reach(server) {
		client.Close()
		server.Close()
		return
	}
	c.work.Go(func() { c.down.read(nil) })
	c.up.read(early)
	c.work.Wait()
	c.claim(stateGone) // it has ended by itself
	client.Close()
	server.Close()
}

// reach joins the connection with the server. It is false when the connection
// was broken meanwhile.
func (c *connection) reach(server net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open() {
		return false
	}
	c.server = server
	talk := &conversation{}
	c.up = newStream(c, up, c.client, server, talk)
	c.down = newStream(c, down, server, c.client, talk)
	c.link.reached(c)
	return true
}

// idle is for how long nothing has passed.
func (c *connection) idle() time.Duration {
	return time.Since(c.made) - time.Duration(c.passed.Load())
}

func (c *connection) open() bool { return c.state.Load() == stateOpen }

func (c *connection) name() string {
	if n := c.number.Load(); n > 0 {
		return fmt.Sprintf("connection %d", n)
	}
	return "a connection that is not made yet"
}

// waitInSilence holds a connection that was made while nothing gets through: to
// the client its dial hangs. It returns what the client said meanwhile; a client
// that has given up is not alive, and the server never hears of it.
func (c *connection) waitInSilence() (early []byte, alive bool) {
	if !c.link.weather().silent {
		return nil, c.open()
	}
	ended := make(chan error, 1)
	go func() {
		var err error
		early, err = readEarly(c.client)
		ended <- err
	}()
	var err error
	reading := true
	for w := c.link.weather(); w.silent && c.open() && err == nil; w = c.link.weather() {
		select {
		case <-w.changed:
		case <-c.over:
		case err = <-ended:
			reading = false
		}
	}
	if reading {
		c.client.SetReadDeadline(time.Now())
		if err = <-ended; errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
		c.client.SetReadDeadline(time.Time{})
	}
	return early, err == nil && c.open() && !hungUp(c.client)
}

func readEarly(from net.Conn) (early []byte, err error) {
	buffer := make([]byte, smallBuffer)
	for len(early) < maxEarly {
		n, err := from.Read(buffer)
		early = append(early, buffer[:n]...)
		if err != nil {
			return early, err
		}
	}
	return early, nil
}

// wait returns when d has passed (0: never), when changed is closed or when the
// connection is over. It tells whether it was the time.
func (c *connection) wait(d time.Duration, changed <-chan struct{}) bool {
	var passed <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		passed = timer.C
	}
	select {
	case <-passed:
		return true
	case <-changed:
	case <-c.over:
	}
	return false
}

// claim makes the connection what state says, if it is open. From then on nothing
// passes. Whoever claims it calls finishClaimed next.
func (c *connection) claim(state int32) bool {
	if !c.state.CompareAndSwap(stateOpen, state) {
		return false
	}
	close(c.over)
	return true
}

// finishClaimed tells the ends what has become of the connection.
func (c *connection) finishClaimed() {
	c.mu.Lock()
	client, server := c.client, c.server
	c.mu.Unlock()
	ends := []net.Conn{client}
	if server != nil {
		ends = append(ends, server)
	}
	for _, end := range ends {
		end.SetWriteDeadline(time.Now()) // ends a write that is under way
	}
	state := c.state.Load()
	c.link.events.Traffic.ended(c, state != stateLost, state == stateCut || state == stateReset)
	switch state {
	case stateCut:
		for _, end := range ends {
			hangUp(end)
		}
	case stateHalfOpen:
		hangUp(client)
	case stateReset:
		c.awaitDelivery(ends)
		for _, end := range ends {
			reset(end)
		}
	}
}

// breakOff resets both ends because one of them has broken by itself.
func (c *connection) breakOff() {
	if c.claim(stateReset) {
		c.finishClaimed()
	}
}

// abandon ends everything at once, for the link is closed.
func (c *connection) abandon() {
	c.claim(stateGone)
	c.leave.Do(func() { close(c.gone) })
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Load() == stateLost {
		reset(c.client) // else the system would go on sending what nobody can receive
	} else {
		c.client.Close()
	}
	if c.server != nil {
		c.server.Close()
	}
}

// awaitDelivery returns when both ends' systems have received what was sent, or
// after deliveryTime. There is nothing to be told by, so it asks.
func (c *connection) awaitDelivery(ends []net.Conn) {
	const every = time.Millisecond
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for range deliveryTime / every {
		all := true
		for _, end := range ends {
			all = all && delivered(end)
		}
		if all {
			return
		}
		select {
		case <-ticker.C:
		case <-c.gone:
			return
		}
	}
}

// closeWriter is a connection that can be closed in one direction.
type closeWriter interface{ CloseWrite() error }

// hangUp tells an end, politely, that there is nothing more to come, and gives it
// lingerTime to close too.
func hangUp(end net.Conn) {
	closeWrite(end)
	end.SetReadDeadline(time.Now().Add(lingerTime))
}

// closeWrite passes an end of stream on. A connection that knows only one way to
// close is closed.
func closeWrite(end net.Conn) {
	if half, ok := end.(closeWriter); ok {
		half.CloseWrite()
		return
	}
	end.Close()
}

// reset closes an end with a TCP reset, where there is such a thing.
func reset(end net.Conn) {
	if tcp, ok := end.(interface{ SetLinger(seconds int) error }); ok {
		tcp.SetLinger(0)
	}
	end.Close()
}

// hungUp tells whether the other end has closed, even while something it said
// before that is still unread.
func hungUp(end net.Conn) bool {
	if memory, ok := end.(*pipeEnd); ok {
		return memory.hungUp()
	}
	return socketHungUp(end)
}

// isEnd tells an end of stream from an error.
func isEnd(err error) bool { return errors.Is(err, io.EOF) }
