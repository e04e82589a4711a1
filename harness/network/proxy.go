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
	// dialTime bounds the dial to the server. On loopback it answers at once or
	// its queue is full.
	dialTime = 10 * time.Second
	// retryAccept is the pause after an accept that failed, for want of file
	// descriptors for instance.
	retryAccept = 10 * time.Millisecond
)

// Proxy is the network of the real lab: for each client a TCP port of its own on
// 127.0.0.1, or at the end of its [Path], whose connections go on to the server.
//
// Each link reaches the server from an address of its own in 127.0.0.0/8, which a
// [plan.Switch] changes. Where the system has only 127.0.0.1, or the server is not
// on IPv4 loopback, every link has the same address, and each report says so.
//
// It is our own and not Toxiproxy because a fault has to happen between two
// frames, which Toxiproxy does not know; the benchmarks compare the two.
type Proxy struct {
	target string
	events Events
	// addresses tells that links can have addresses of their own.
	addresses bool
	// named tells that the target's host is a name and not an address.
	named   bool
	dialing context.Context
	giveUp  context.CancelFunc

	mu     sync.Mutex
	links  map[string]*tcpLink
	closed bool
}

// NewProxy makes a proxy to the server at target, "host:port". Nothing is dialled
// before a client comes.
func NewProxy(target string, events Events) (*Proxy, error) {
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		return nil, fmt.Errorf("the proxy's target %q is not host:port: %w", target, err)
	}
	p := &Proxy{target: target, events: events, named: net.ParseIP(host) == nil, links: map[string]*tcpLink{}}
	p.dialing, p.giveUp = context.WithCancel(context.Background())
	p.addresses = hasLoopbackNetwork() && isLoopback(p.dialing, host)
	return p, nil
}

// hasLoopbackNetwork tells whether addresses like 127.1.0.1 can be used.
func hasLoopbackNetwork() bool {
	listener, err := net.Listen("tcp4", sourceAddress(0, 0).String()+":0")
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

// sourceAddress is where the connections of the link-th link come from after it
// has moved so many times: 127.x.y.z with x.y for the link.
func sourceAddress(link, moves int) net.IP {
	return net.IPv4(127, byte(1+link>>8%254), byte(link), byte(1+moves%254))
}

// A Path is a real network between a client and this machine, which a [plan.Switch]
// changes.
type Path interface {
	// Address is the host that the client reaches this machine at.
	Address() string
	// Next says where the client will be after a Switch.
	Next() string
	// Switch changes the network.
	Switch() error
}

// Link returns the link of the client called name, and makes it when there is
// none: from then on something listens at its Address.
func (p *Proxy) Link(name string) (Link, error) { return p.LinkOver(name, nil) }

// LinkOver is Link for a client that comes over the path; nil means over loopback. A
// Switch leaves its connections to the path: no end of them is told anything.
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

// Close closes every link: when it returns, none of their connections, listeners
// and goroutines is left. It must not be called from an event.
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

// tcpLink is a link with a listener before it.
type tcpLink struct {
	*link
	proxy   *Proxy
	path    Path // nil: loopback
	index   int
	address string
	release func() // lets go of the port

	accepting sync.WaitGroup

	mu       sync.Mutex
	target   string // empty: the proxy's
	moves    int
	listener net.Listener // nil while the door is shut
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
	l := &tcpLink{link: newLink(name, p.events), proxy: p, path: path, index: len(p.links), release: release}
	if path != nil {
		l.cross = path.Switch
	}
	l.address = fmt.Sprintf("%s:%d", host, port)
	l.door, l.moved, l.other = l.setDoor, l.move, p.find
	if !p.addresses {
		l.remark = "with no source address of its own"
	}
	if err := l.setDoor(true); err != nil {
		release()
		return nil, err
	}
	l.address = l.listener.Addr().String() // port 0 where none could be reserved
	return l, nil
}

// Address is the port that the client dials.
func (l *tcpLink) Address() string { return l.address }

// setDoor listens, or stops listening so that connections are refused.
func (l *tcpLink) setDoor(open bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != nil && !open {
		l.listener.Close()
		l.listener = nil
	}
	if l.listener != nil || !open || l.closed {
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

// listen takes the link's port. Where this process starts another one just as a
// listener is closed, the listener lives on in the child until that has become its
// own program; so a port that is taken is tried again, for a while.
func (l *tcpLink) listen() (net.Listener, error) {
	const every, tries = time.Millisecond, 2000
	for n := 1; ; n++ {
		listener, err := net.Listen("tcp4", l.address)
		if err == nil || n == tries || !errors.Is(err, syscall.EADDRINUSE) {
			return listener, err
		}
		pause := time.NewTimer(every)
		select {
		case <-pause.C:
		case <-l.proxy.dialing.Done():
			pause.Stop()
			return nil, err
		}
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
			pause := time.NewTimer(retryAccept)
			select {
			case <-pause.C:
			case <-l.proxy.dialing.Done():
				pause.Stop()
			}
		}
	}
}

// dial reaches the server from the link's own address.
func (l *tcpLink) dial() (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTime}
	if l.proxy.addresses {
		own := dialer
		own.LocalAddr = &net.TCPAddr{IP: l.source()}
		server, err := own.DialContext(l.proxy.dialing, "tcp", l.leadsTo())
		if err == nil || !l.proxy.named {
			return server, err
		}
		// A name like localhost may stand for an IPv6 address too.
	}
	return dialer.DialContext(l.proxy.dialing, "tcp", l.leadsTo())
}

// Lead leads the link's next connections to another server, "host:port". The ones that
// are open stay.
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

func (l *tcpLink) source() net.IP {
	l.mu.Lock()
	defer l.mu.Unlock()
	return sourceAddress(l.index, l.moves)
}

// move takes another source address, and says which.
func (l *tcpLink) move() string {
	l.mu.Lock()
	l.moves++
	l.mu.Unlock()
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
	l.setDoor(false)
	l.accepting.Wait()
	l.link.Close()
	l.release()
}
