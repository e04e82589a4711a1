package servers

import (
	"context"
	"net"
	"sync"
	"time"
)

// relayTimeout bounds the dial to what is behind a relay.
const relayTimeout = 5 * time.Second

// A relay is the way from one server to something that it stands on. As a part of a
// cluster it can be closed (Stop, Kill: connections are cut, and new ones refused) and
// go silent (Pause: they stay, and nothing passes).
//
// It is no link of package network: what passes here is not HTTP, and there is no frame
// to wait for.
type relay struct {
	address, to string

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
	passing  chan struct{} // closed while something passes
	running  sync.WaitGroup
}

func newRelay(to string) (*relay, error) {
	r := &relay{address: "127.0.0.1:0", to: to, open: map[net.Conn]bool{}, passing: make(chan struct{})}
	close(r.passing)
	return r, r.Start(context.Background())
}

// Start listens, at the first time on any free port and then on the same.
func (r *relay) Start(context.Context) error {
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.address, r.listener = listener.Addr().String(), listener
	r.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r.running.Go(func() { r.pass(conn) })
		}
	})
	return nil
}

// pass carries bytes both ways until one end closes.
func (r *relay) pass(from net.Conn) {
	defer r.forget(from)
	r.keep(from)
	r.awaitPassing()
	to, err := net.DialTimeout("tcp", r.to, relayTimeout)
	if err != nil {
		return
	}
	defer r.forget(to)
	r.keep(to)
	back := make(chan struct{})
	go func() {
		defer close(back)
		r.carry(from, to)
		_ = from.Close()
	}()
	r.carry(to, from)
	_ = to.Close()
	<-back
}

func (r *relay) carry(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		r.awaitPassing()
		if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
			return
		}
	}
}

func (r *relay) awaitPassing() {
	r.mu.Lock()
	passing := r.passing
	r.mu.Unlock()
	<-passing
}

// keep notes a connection for Kill. One that was being taken when Kill came is closed.
func (r *relay) keep(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[conn] = true
	if r.listener == nil {
		_ = conn.Close()
	}
}

func (r *relay) forget(conn net.Conn) {
	_ = conn.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, conn)
}

// Stop and Kill are one.
func (r *relay) Stop(context.Context) error { return r.Kill() }

// Kill cuts every connection and takes no more.
func (r *relay) Kill() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != nil {
		_ = r.listener.Close()
		r.listener = nil
	}
	for conn := range r.open {
		_ = conn.Close()
	}
	return nil
}

// Pause holds what comes from now on.
func (r *relay) Pause() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.passing:
		r.passing = make(chan struct{})
	default:
	}
	return nil
}

// Continue lets it pass, late.
func (r *relay) Continue() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.passing:
	default:
		close(r.passing)
	}
	return nil
}

// Close ends all of it.
func (r *relay) Close() error {
	_ = r.Continue()
	_ = r.Kill()
	r.running.Wait()
	return nil
}
