package network

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"redial/harness/plan"
)

// bound is how long a test waits for what must happen.
const bound = time.Minute

// never is how long a test waits to see that something does not happen.
const never = 50 * time.Millisecond

// rig is a proxy between a client and a server whose connections a test handles itself.
type rig struct {
	t        *testing.T
	proxy    *Proxy
	link     Link
	accepted chan *net.TCPConn
	fired    chan Fired
	act      func(plan.Fault)
	close    func()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, accepted: make(chan *net.TCPConn, 100), fired: make(chan Fired, 100)}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			r.accepted <- c.(*net.TCPConn)
		}
	}()
	r.proxy, err = NewProxy(listener.Addr().String(), Events{
		Fired: func(f Fired) { r.fired <- f },
		Act:   func(f plan.Fault) { r.act(f) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.link, err = r.proxy.Link("alice"); err != nil {
		t.Fatal(err)
	}
	r.close = func() {
		r.proxy.Close()
		listener.Close()
		<-accepting
		for len(r.accepted) > 0 {
			(<-r.accepted).Close()
		}
	}
	t.Cleanup(r.close)
	return r
}

// end is one end of a connection, at which a test sends and receives.
type end struct {
	t *testing.T
	*net.TCPConn
	in *bufio.Reader
}

func newEnd(t *testing.T, c net.Conn) *end {
	t.Cleanup(func() { c.Close() })
	return &end{t, c.(*net.TCPConn), bufio.NewReader(c)}
}

// connect makes a connection through the proxy and returns both its ends.
func (r *rig) connect() (client, server *end) {
	r.t.Helper()
	before := r.link.Connections()
	c, err := net.Dial("tcp", r.link.Address())
	if err != nil {
		r.t.Fatal(err)
	}
	client, server = newEnd(r.t, c), r.server()
	r.await("the connection is counted", func() bool { return r.link.Connections() > before })
	return client, server
}

// server is the server's end of the next connection that reaches it.
func (r *rig) server() *end {
	r.t.Helper()
	select {
	case s := <-r.accepted:
		return newEnd(r.t, s)
	case <-time.After(bound):
		r.t.Fatal("no connection reached the server")
		return nil
	}
}

// upgraded is connect followed by a WebSocket handshake, which is frame 1 in each direction.
func (r *rig) upgraded() (client, server *end) {
	r.t.Helper()
	client, server = r.connect()
	client.send(upgradeRequest)
	server.receive(upgradeRequest)
	server.send(upgradeResponse)
	client.receive(upgradeResponse)
	return client, server
}

// awaitFired waits for the next report.
func (r *rig) awaitFired() Fired {
	r.t.Helper()
	select {
	case f := <-r.fired:
		return f
	case <-time.After(bound):
		r.t.Fatal("no fault fired")
		return Fired{}
	}
}

// await polls until the condition holds.
func (r *rig) await(what string, met func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(bound); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("not within %v: %s", bound, what)
		}
	}
}

func (r *rig) nothingFired() {
	r.t.Helper()
	select {
	case f := <-r.fired:
		r.t.Fatalf("%s fired too: %s", f.Fault.Kind, f.Where)
	default:
	}
}

func (r *rig) mustBreak(f plan.Fault) {
	r.t.Helper()
	if err := r.link.Break(f); err != nil {
		r.t.Fatal(err)
	}
}

func (e *end) send(text string) {
	e.t.Helper()
	if err := e.trySend(text); err != nil {
		e.t.Fatal(err)
	}
}

// sendAsync sends on another goroutine, for what does not fit into buffers.
func (e *end) sendAsync(text string) {
	go func() {
		if err := e.trySend(text); err != nil {
			e.t.Error(err)
		}
	}()
}

func (e *end) trySend(text string) error {
	e.SetWriteDeadline(time.Now().Add(bound))
	if _, err := io.WriteString(e.TCPConn, text); err != nil {
		return fmt.Errorf("sending %.40q: %w", text, err)
	}
	return nil
}

func (e *end) receive(text string) {
	e.t.Helper()
	got := make([]byte, len(text))
	e.SetReadDeadline(time.Now().Add(bound))
	n, err := io.ReadFull(e.in, got)
	if err != nil || string(got) != text {
		e.t.Fatalf("received %.60q (%v), want %.60q", got[:n], err, text)
	}
}

func (e *end) receiveNothing() {
	e.t.Helper()
	e.SetReadDeadline(time.Now().Add(never))
	b, err := e.in.ReadByte()
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		e.t.Fatalf("received %q (%v), want nothing", b, err)
	}
}

// receiveEnd checks that the stream ends with the error, and that no bytes come before that.
func (e *end) receiveEnd(want error) {
	e.t.Helper()
	e.SetReadDeadline(time.Now().Add(bound))
	rest, err := io.ReadAll(e.in)
	if err == nil {
		err = io.EOF
	}
	if len(rest) > 0 || !errors.Is(err, want) {
		e.t.Fatalf("received %.60q and then %v, want %v", rest, err, want)
	}
}

var errReset error = syscall.ECONNRESET

func upFrame(text string) string {
	return string(frameBytes(0x81, []byte(text), []byte{1, 2, 3, 4}))
}

func downFrame(text string) string { return string(frameBytes(0x81, []byte(text), nil)) }

func pattern(n int) []byte {
	return bytes.Repeat([]byte("0123456789abcdef\n"), n/17+1)[:n]
}
