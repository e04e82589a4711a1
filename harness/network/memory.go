package network

import (
	"cmp"
	"context"
	"hash/fnv"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"redial/harness/internal/splitmix"
	"redial/harness/plan"
)

// Memory is the network of the virtual lab: the same links as those of a [Proxy], over
// connections in memory, for clients and a server in one process and one testing/synctest
// bubble.
//
// The server listens with [Memory.Listen], anew after each restart. A client dials the Address
// of its link through [Memory.Dial].
//
// Every dial and every frame takes a delay of its own, which depends only on the seed, the
// client and the frame's number. So the order of events depends on the seed and not on the
// scheduler. The end of a stream counts as a frame, so a client notices the server's end only
// after a delay.
type Memory struct {
	events Events
	seed   uint64

	mu       sync.Mutex
	links    map[string]*memoryLink
	listener *Listener
	passed   []passed
}

// ServerAddress is the address at which the server is reached past the clients' links. It is
// that of a separate link, for the lab's reader, on which no fault is injected.
const ServerAddress = plan.Reader + addressSuffix

const addressSuffix = ".link:80"

// The latency of a frame is drawn from this range, which is that of a page and a server in one
// city. A dial takes one latency in each direction.
const minLatency, maxLatency = time.Millisecond, 5 * time.Millisecond

// NewMemory makes a network without a server.
func NewMemory(seed uint64, events Events) *Memory {
	return &Memory{events: events, seed: seed, links: map[string]*memoryLink{}}
}

// Link returns the client's link, and makes it if there is none.
func (m *Memory) Link(name string) (Link, error) { return m.link(name), nil }

func (m *Memory) link(name string) *memoryLink {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.links[name]; l != nil {
		return l
	}
	l := &memoryLink{link: newLink(name, len(m.links), m.events), seed: seedOf(m.seed, name)}
	l.pace(l.latency)
	l.passing = func(direction plan.Direction, connection, frame int) {
		at := time.Now()
		m.mu.Lock()
		defer m.mu.Unlock()
		m.passed = append(m.passed, passed{at, plan.Passed{Client: name, Connection: connection, Direction: direction, Number: frame}})
	}
	l.find = m.find
	l.moved = func() string {
		l.moves.Add(1)
		return l.source().String()
	}
	m.links[name] = l
	return l
}

func (m *Memory) find(name string) *link {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.links[name]; l != nil {
		return l.link
	}
	return nil
}

// passed is a frame with the time of its first bytes.
type passed struct {
	at time.Time
	plan.Passed
}

// Frames returns the frames so far, in order; those of one instant in the order of their
// clients' names. A fault can be injected at each of them in another run of the same plan with
// the same seed.
func (m *Memory) Frames() []plan.Passed {
	m.mu.Lock()
	sorted := slices.Clone(m.passed)
	m.mu.Unlock()
	slices.SortStableFunc(sorted, func(a, b passed) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.Client, b.Client), cmp.Compare(a.Direction, b.Direction),
			cmp.Compare(a.Connection, b.Connection), cmp.Compare(a.Number, b.Number))
	})
	frames := make([]plan.Passed, len(sorted))
	for i, f := range sorted {
		frames[i] = f.Passed
	}
	return frames
}

// Passed returns the number of frames so far.
func (m *Memory) Passed() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.passed)
}

// Dial connects to a link's Address, or to ServerAddress. The connection is refused while the
// server does not listen, and during an Outage.
func (m *Memory) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	name, isLink := strings.CutSuffix(address, addressSuffix)
	if !isLink {
		return nil, refused(address)
	}
	l := m.link(name)
	passed := time.NewTimer(l.dialTime())
	defer passed.Stop()
	select {
	case <-passed.C:
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: memoryAddress(address), Err: context.Cause(ctx)}
	}
	server := m.current()
	if server == nil || l.refuses() {
		return nil, refused(address)
	}
	source := l.from()
	client, inner := newPipe(source, memoryAddress(address))
	l.start(inner, func() (net.Conn, error) { return server.dial(source) })
	return client, nil
}

func refused(address string) error {
	return &net.OpError{Op: "dial", Net: "memory", Addr: memoryAddress(address), Err: syscall.ECONNREFUSED}
}

// Close ends every connection and goroutine of the network.
func (m *Memory) Close() error {
	m.mu.Lock()
	links, listener := m.links, m.listener
	m.links = map[string]*memoryLink{}
	m.mu.Unlock()
	if listener != nil {
		listener.Vanish()
	}
	for _, l := range links {
		l.Close()
	}
	if listener != nil {
		listener.CloseAll()
	}
	return nil
}

// memoryLink is a link whose address is a name.
type memoryLink struct {
	*link
	seed uint64

	mu    sync.Mutex
	dials int
}

// Address is what the client dials.
func (l *memoryLink) Address() string { return l.name + addressSuffix }

// latency is how long a frame takes.
func (l *memoryLink) latency(direction plan.Direction, connection, frame int) time.Duration {
	return l.draw(uint64(index(direction)), uint64(connection), uint64(frame))
}

// dialTime is how long the next dial takes.
func (l *memoryLink) dialTime() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dials++
	return l.draw(2, uint64(l.dials), 0) + l.draw(2, uint64(l.dials), 1)
}

// from is where a new connection comes from, in the same ranges as those of a Proxy.
func (l *memoryLink) from() net.Addr {
	const firstPort, ports = 32768, 28232 // Linux's ephemeral ports
	l.mu.Lock()
	defer l.mu.Unlock()
	return &net.TCPAddr{IP: l.source(), Port: firstPort + l.dials%ports}
}

// draw derives a latency from the link's seed and the numbers.
func (l *memoryLink) draw(numbers ...uint64) time.Duration {
	drawn := l.seed
	for _, n := range numbers {
		drawn = splitmix.Mix(drawn + n)
	}
	return minLatency + time.Duration(drawn%uint64(maxLatency-minLatency))
}

func seedOf(seed uint64, name string) uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name))
	return splitmix.Mix(seed ^ hash.Sum64())
}

// Listen gives the server a listener, in place of an earlier one. Without an open listener,
// connections are refused.
func (m *Memory) Listen() *Listener {
	l := &Listener{arrived: make(chan net.Conn), over: make(chan struct{}), open: map[*pipeEnd]bool{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listener = l
	return l
}

// current is the open listener, or nil.
func (m *Memory) current() *Listener {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listener == nil || m.listener.isClosed() {
		return nil
	}
	return m.listener
}

// A Listener is the net.Listener of one run of the server.
type Listener struct {
	arrived chan net.Conn
	over    chan struct{}

	mu     sync.Mutex
	closed bool
	open   map[*pipeEnd]bool // the server's ends
}

func (l *Listener) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// dial makes a connection from the source address.
func (l *Listener) dial(source net.Addr) (net.Conn, error) {
	near, server := newPipe(source, memoryAddress(ServerAddress))
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.open[server] = true
		server.onClose = func() { l.forget(server) }
		server.late = true
	}
	l.mu.Unlock()
	if !closed {
		select {
		case l.arrived <- server:
			return near, nil
		case <-l.over:
		}
	}
	server.close()
	return nil, refused(ServerAddress)
}

func (l *Listener) forget(end *pipeEnd) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, end)
}

// Accept waits for the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.arrived:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

// Close refuses new connections; open ones stay open.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.over)
	}
	return nil
}

// Vanish has the effects of the end of the server's process: new connections are refused, and
// the open ones are closed for their clients. The server's goroutines still run, so their
// writes are discarded and their reads block until the server closes the connections.
func (l *Listener) Vanish() {
	_ = l.Close()
	for _, end := range l.ends() {
		end.vanish()
	}
}

// CloseAll closes the connections that the server has left open.
func (l *Listener) CloseAll() {
	_ = l.Close()
	for _, end := range l.ends() {
		end.close()
	}
}

func (l *Listener) ends() []*pipeEnd {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.open))
}

// Addr is ServerAddress.
func (l *Listener) Addr() net.Addr { return memoryAddress(ServerAddress) }

// memoryAddress is the name of an end of a connection in memory.
type memoryAddress string

func (memoryAddress) Network() string  { return "memory" }
func (a memoryAddress) String() string { return string(a) }
