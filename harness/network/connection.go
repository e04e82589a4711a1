package network

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// lingerTime is how long an end may take to close its own direction after the other
	// one was closed. Bytes that it sends meanwhile are discarded.
	lingerTime = time.Second
	// deliveryTime is how long a reset waits for the bytes before it to arrive, because
	// it would discard them.
	deliveryTime = time.Second
	// maxEarly is how much is read from a connection that is made during a Silence.
	maxEarly = 1 << 20
)

// The states of a connection.
const (
	stateOpen int32 = iota
	stateCut
	stateReset
	stateHalfOpen
	stateLost // half-open, and nothing reaches the client either
	stateGone
)

// connection joins one connection of a client with one to the server. When it is no longer
// open, nothing passes: bytes from its ends are read and discarded until they close.
type connection struct {
	link   *link
	client net.Conn
	up     *stream
	down   *stream
	number atomic.Int64 // from 1; 0 before the server was reached
	// recorded is its place among the connections of Events.Traffic; 0 if it has none.
	recorded int

	state atomic.Int32
	over  chan struct{} // closed when the connection is no longer open
	gone  chan struct{} // closed when the link is closed
	leave sync.Once     // closes gone
	// broken means that writing to one end has failed. The bytes that this end has sent are
	// still forwarded before the other end is closed.
	broken atomic.Bool
	// made is when the connection was made, and passed how long after that the last bytes
	// were written to an end of it.
	made   time.Time
	passed atomic.Int64

	work sync.WaitGroup // the goroutines of up and down

	mu     sync.Mutex
	server net.Conn // nil until the server was reached
}

func newConnection(l *link, client net.Conn) *connection {
	return &connection{link: l, client: client, made: time.Now(), over: make(chan struct{}), gone: make(chan struct{})}
}

// start serves a client's connection on a goroutine until both ends have ended.
func (l *link) start(client net.Conn, dial func() (net.Conn, error)) {
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.work.Go(func() { l.serve(client, dial) })
	}
	l.mu.Unlock()
	if closed {
		client.Close()
	}
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
		reset(client) // without the link, the client's dial would be refused
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
	c.claim(stateGone) // unless a fault has ended it
	client.Close()
	server.Close()
}

// reach joins the connection with the server. It returns false if the connection was broken
// meanwhile.
func (c *connection) reach(server net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open() {
		return false
	}
	c.server = server
	shared := &conversation{}
	c.up = newStream(c, up, c.client, server, shared)
	c.down = newStream(c, down, server, c.client, shared)
	c.link.reached(c)
	return true
}

// idle is the time since bytes have passed.
func (c *connection) idle() time.Duration {
	return time.Since(c.made) - time.Duration(c.passed.Load())
}

func (c *connection) open() bool { return c.state.Load() == stateOpen }

func (c *connection) name() string {
	if n := c.number.Load(); n > 0 {
		return fmt.Sprintf("connection %d", n)
	}
	return "a connection that has not reached the server"
}

// waitInSilence holds a connection that is made during a Silence until that ends. It returns
// the bytes that the client has sent meanwhile. If the client has closed the connection, alive
// is false and the server is not dialled.
func (c *connection) waitInSilence() (early []byte, alive bool) {
	if !c.link.impairment().silent {
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
	for now := c.link.impairment(); now.silent && c.open() && err == nil; now = c.link.impairment() {
		select {
		case <-now.changed:
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

// wait returns when d has passed (0 means never), changed is closed or the connection is over.
// It returns true if d has passed.
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

// claim changes the state of an open connection, so that nothing passes any more. If it returns
// true, the caller calls finishClaimed next.
func (c *connection) claim(state int32) bool {
	if !c.state.CompareAndSwap(stateOpen, state) {
		return false
	}
	close(c.over)
	return true
}

// finishClaimed closes the ends as the new state demands.
func (c *connection) finishClaimed() {
	c.mu.Lock()
	client, server := c.client, c.server
	c.mu.Unlock()
	ends := []net.Conn{client}
	if server != nil {
		ends = append(ends, server)
	}
	for _, end := range ends {
		end.SetWriteDeadline(time.Now()) // interrupts a write
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

// breakOff resets both ends after one of them has failed without a fault.
func (c *connection) breakOff() {
	if c.claim(stateReset) {
		c.finishClaimed()
	}
}

// abandon closes both ends at once, because the link is closed.
func (c *connection) abandon() {
	c.claim(stateGone)
	c.leave.Do(func() { close(c.gone) })
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Load() == stateLost {
		reset(c.client) // or the system would retransmit over a path that is gone
	} else {
		c.client.Close()
	}
	if c.server != nil {
		c.server.Close()
	}
}

// awaitDelivery polls until the systems of all ends have received what was sent to them, or
// deliveryTime has passed. The system does not notify of that.
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

// hangUp closes the direction to an end and gives it lingerTime to close the other one.
func hangUp(end net.Conn) {
	closeWrite(end)
	end.SetReadDeadline(time.Now().Add(lingerTime))
}

// closeWrite closes the direction to an end; a connection without half-close (net.Pipe) is
// closed.
func closeWrite(end net.Conn) {
	if half, ok := end.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
		return
	}
	end.Close()
}

// reset closes an end with a TCP reset, if it is able to.
func reset(end net.Conn) {
	if tcp, ok := end.(interface{ SetLinger(seconds int) error }); ok {
		tcp.SetLinger(0)
	}
	end.Close()
}

// hungUp tells whether the other end has closed, even if bytes that it sent before are unread.
func hungUp(end net.Conn) bool {
	if memory, ok := end.(*pipeEnd); ok {
		return memory.hungUp()
	}
	return socketHungUp(end)
}
