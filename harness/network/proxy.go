package network

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	// dialTime bounds the dial to the server. A server on loopback answers at once, unless
	// its accept queue is full.
	dialTime = 10 * time.Second
	// retryAccept is the pause after a failed accept, for instance for lack of file
	// descriptors.
	retryAccept = 10 * time.Millisecond
)

// Proxy is the network of the real lab. For each client it has a TCP port on 127.0.0.1, or at
// the end of its [Path], and forwards the connections to the server.
//
// Each link reaches the server from its own source address in 127.0.0.0/8, which a
// [plan.Switch] changes. If the system has only 127.0.0.1, or the server is not on IPv4
// loopback, all links have the same address, and each report says so.
//
// Toxiproxy would not do, because a fault has to happen between two frames, which Toxiproxy does
// not know. The benchmarks compare the two.
type Proxy struct {
	target string
	events Events
	// addresses means that each link has its own source address.
	addresses bool
	// named means that the target's host is a name and not an IP address.
	named   bool
	dialing context.Context
	giveUp  context.CancelFunc

	mu     sync.Mutex
	links  map[string]*tcpLink
	closed bool
}

// NewProxy makes a proxy to the server at target, "host:port". It dials the server only when a
// client connects.
func NewProxy(target string, events Events) (*Proxy, error) {
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		return nil, fmt.Errorf("the proxy's target %q is not host:port: %w", target, err)
	}
	p := &Proxy{target: target, events: events, named: net.ParseIP(host) == nil, links: map[string]*tcpLink{}}
	p.dialing, p.giveUp = context.WithCancel(context.Background())
	p.addresses = HasLoopbackNetwork() && isLoopback(p.dialing, host)
	return p, nil
}

// HasLoopbackNetwork reports whether addresses like 127.1.0.1 can be used.
func HasLoopbackNetwork() bool {
	listener, err := net.Listen("tcp4", new(link).source().String()+":0")
	if err != nil {
		return false
	}
	listener.Close()
	return true
}

func isLoopback(ctx context.Context, host string) bool {
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	return err == nil && len(addresses) > 0 && addresses[0].IsLoopback()
}

// A Path is a real network between a client and this machine, which a [plan.Switch]
// changes.
type Path interface {
	// Address is the host at which the client reaches this machine.
	Address() string
	// Next describes where the client's connections come from after a Switch.
	Next() string
	// Switch changes the network.
	Switch() error
}

// Link returns the client's link, and makes it if there is none. The link listens at its Address
// then.
func (p *Proxy) Link(name string) (Link, error) { return p.LinkOver(name, nil) }

// LinkOver is Link for a client that connects over the path; nil means over loopback. A Switch
// closes none of the client's connections: only the path changes.
func (p *Proxy) LinkOver(name string, path Path) (Link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.links[name]; l != nil {
		return l, nil
	}
	if p.closed {
		return nil, errors.New("the proxy is closed: it makes no more links")
	}
	l, err := p.newLink(name, path)
	if err != nil {
		return nil, fmt.Errorf("no port for the link of %s: %w", name, err)
	}
	p.links[name] = l
	return l, nil
}

// Close closes every link. When it returns, all their connections, listeners and goroutines have
// ended. It must not be called from the Events.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	links := p.links
	p.links = nil
	p.mu.Unlock()
	p.giveUp()
	for _, l := range links {
		l.close()
	}
	return nil
}

// find is the link of a client, or nil.
func (p *Proxy) find(name string) *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.links[name]; l != nil {
		return l.link
	}
	return nil
}

// tcpLink is a link with a TCP listener.
type tcpLink struct {
	*link
	proxy   *Proxy
	path    Path // nil means loopback
	address string
	release func() // releases the port

	accepting sync.WaitGroup

	mu       sync.Mutex
	target   string       // empty means the proxy's
	listener net.Listener // nil while connections are refused
	closed   bool
}

func (p *Proxy) newLink(name string, path Path) (*tcpLink, error) {
	host := "127.0.0.1"
	if path != nil {
		host = path.Address()
	}
	port, release, err := reservePort(host)
	if err != nil {
		return nil, err
	}
	l := &tcpLink{link: newLink(name, len(p.links), p.events), proxy: p, path: path, release: release}
	if path != nil {
		l.switchPath = path.Switch
	}
	l.address = fmt.Sprintf("%s:%d", host, port)
	l.listening, l.moved, l.find = l.setListening, l.move, p.find
	if !p.addresses {
		l.remark = "with no source address of its own"
	}
	if err := l.setListening(); err != nil {
		release()
		return nil, err
	}
	l.address = l.listener.Addr().String() // port 0 where none could be reserved
	return l, nil
}

// Address is the port that the client dials.
func (l *tcpLink) Address() string { return l.address }

// setListening listens, or stops listening so that connections are refused. It decides by the
// state of the link now: an Outage may end before the call that its begin makes.
func (l *tcpLink) setListening() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	on := !l.closed && !l.refuses()
	if l.listener != nil && !on {
		l.listener.Close()
		l.listener = nil
	}
	if l.listener != nil || !on {
		return nil
	}
	listener, err := l.listen()
	if err != nil {
		return err
	}
	l.listener = listener
	l.accepting.Go(func() { l.accept(listener) })
	return nil
}

// listen listens on the link's port. It retries for two seconds if the port is in use: a child
// process that is being forked while a listener is closed inherits it, and has it until its
// exec.
func (l *tcpLink) listen() (net.Listener, error) {
	const every, attempts = time.Millisecond, 2000
	for n := 1; ; n++ {
		listener, err := net.Listen("tcp4", l.address)
		if err == nil || n == attempts || !errors.Is(err, syscall.EADDRINUSE) || !l.pause(every) {
			return listener, err
		}
	}
}

// pause waits. It returns false if the proxy was closed meanwhile.
func (l *tcpLink) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-l.proxy.dialing.Done():
		return false
	}
}

func (l *tcpLink) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		switch {
		case err == nil:
			l.start(client, l.dial)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			l.pause(retryAccept)
		}
	}
}

// dial dials the server from the link's own source address.
func (l *tcpLink) dial() (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTime}
	if l.proxy.addresses {
		own := dialer
		own.LocalAddr = &net.TCPAddr{IP: l.source()}
		server, err := own.DialContext(l.proxy.dialing, "tcp", l.leadsTo())
		if err == nil || !l.proxy.named {
			return server, err
		}
		// A name like localhost may also have an IPv6 address.
	}
	return dialer.DialContext(l.proxy.dialing, "tcp", l.leadsTo())
}

// Lead implements [Leader].
func (l *tcpLink) Lead(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.target = address
}

func (l *tcpLink) leadsTo() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return cmp.Or(l.target, l.proxy.target)
}

// move takes another source address and returns it.
func (l *tcpLink) move() string {
	l.moves.Add(1)
	if l.path != nil {
		return l.path.Next()
	}
	if !l.proxy.addresses {
		return "127.0.0.1 as before"
	}
	return l.source().String()
}

func (l *tcpLink) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	_ = l.setListening()
	l.accepting.Wait()
	l.link.Close()
	l.release()
}
