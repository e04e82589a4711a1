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

// Memory is the network of the virtual lab: the same links as a [Proxy]'s, over
// connections in memory, for clients and a server that live in one process (and
// one testing/synctest bubble).
//
// The server listens with [Memory.Listen], once a life; a client dials through
// [Memory.Dial] the Address of its link.
//
// Every dial and every frame takes a little time of its own, drawn from the seed
// and from nothing else than whose it is and which one. So what happens in which
// order is the seed's doing and not the scheduler's. The end of a stream counts as
// a frame here: a client hears of its server's death a moment later.
type Memory struct {
	events Events
	seed   uint64

	mu       sync.Mutex
	links    map[string]*memoryLink
	listener *Listener
	passed   []passed
}

// ServerAddress is what is dialled to reach the server past every client's link.
// It is the address of a link of its own, the lab's reader's, which nothing breaks.
const ServerAddress = plan.Reader + addressSuffix

const addressSuffix = ".link:80"

// The time that a frame takes, one way, is drawn from this range: what a page and
// a server in one city see. A dial takes one way there and one back.
const shortestWay, longestWay = time.Millisecond, 5 * time.Millisecond

// NewMemory makes a network without a server.
func NewMemory(seed uint64, events Events) *Memory {
	return &Memory{events: events, seed: seed, links: map[string]*memoryLink{}}
}

// Link returns the link of the client called name, and makes it when there is none.
func (m *Memory) Link(name string) (Link, error) { return m.link(name), nil }

func (m *Memory) link(name string) *memoryLink {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.links[name]; l != nil {
		return l
	}
	l := &memoryLink{link: newLink(name, m.events), index: len(m.links), seed: seedOf(m.seed, name)}
	l.pace(l.way)
	l.passing = func(direction plan.Direction, connection, frame int) {
		at := time.Now()
		m.mu.Lock()
		defer m.mu.Unlock()
		m.passed = append(m.passed, passed{at, plan.Passed{Client: name, Connection: connection, Direction: direction, Number: frame}})
	}
	l.other = m.find
	l.moved = l.move
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

// passed is a frame, and when its first bytes came.
type passed struct {
	at time.Time
	plan.Passed
}

// Frames returns every frame that came so far, in order; those of one instant in
// the order of their clients' names. Each is a place where another run of the same
// plan, with the same seed, can be broken.
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

// Passed counts the frames that came so far.
func (m *Memory) Passed() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.passed)
}

// Dial connects to a link's Address, or to ServerAddress. It is refused while
// nobody listens, and in an Outage.
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
	if server == nil || l.isShut() {
		return nil, refused(address)
	}
	source := l.source()
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

// memoryLink is a link with a name for an address.
type memoryLink struct {
	*link
	index int
	seed  uint64

	mu    sync.Mutex
	dials int
	moves int
}

// Address is what the client dials.
func (l *memoryLink) Address() string { return l.name + addressSuffix }

// way is how long a frame takes.
func (l *memoryLink) way(direction plan.Direction, connection, frame int) time.Duration {
	return l.draw(uint64(index(direction)), uint64(connection), uint64(frame))
}

// dialTime is how long the next dial takes.
func (l *memoryLink) dialTime() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dials++
	return l.draw(2, uint64(l.dials), 0) + l.draw(2, uint64(l.dials), 1)
}

// source is the address that a connection made now comes from, as in a Proxy.
func (l *memoryLink) source() net.Addr {
	const firstPort, ports = 32768, 28232 // Linux's ephemeral ports
	l.mu.Lock()
	defer l.mu.Unlock()
	return &net.TCPAddr{IP: sourceAddress(l.index, l.moves), Port: firstPort + l.dials%ports}
}

// move takes another source address, and says which.
func (l *memoryLink) move() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moves++
	return sourceAddress(l.index, l.moves).String()
}

// draw makes a way's time out of the link's seed and the numbers.
func (l *memoryLink) draw(numbers ...uint64) time.Duration {
	drawn := l.seed
	for _, n := range numbers {
		drawn = splitmix.Mix(drawn + n)
	}
	return shortestWay + time.Duration(drawn%uint64(longestWay-shortestWay))
}

func seedOf(seed uint64, name string) uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name))
	return splitmix.Mix(seed ^ hash.Sum64())
}

// Listen gives the server a listener, in place of the one before. Until then, and
// when it is closed, connections are refused.
func (m *Memory) Listen() *Listener {
	l := &Listener{arrived: make(chan net.Conn), over: make(chan struct{}), open: map[*pipeEnd]bool{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listener = l
	return l
}

// current is what listens now, or nil.
func (m *Memory) current() *Listener {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listener == nil || m.listener.isClosed() {
		return nil
	}
	return m.listener
}

// A Listener is where one life of the server gets its connections. It makes a
// net.Listener.
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

// dial makes a connection that comes from the address.
func (l *Listener) dial(source net.Addr) (net.Conn, error) {
	near, server := newPipe(source, memoryAddress(ServerAddress))
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.open[server] = true
		server.closed = func() { l.forget(server) }
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

// Close lets nobody in any more; connections that were made stay.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.over)
	}
	return nil
}

// Vanish is what comes of it when the server's process has ended: nobody listens,
// and every connection that is left is closed for its client. The server's
// goroutines, which do not know that they are dead, write into the void and wait
// for what never comes; so they can be closed in their own way.
func (l *Listener) Vanish() {
	_ = l.Close()
	for _, end := range l.ends() {
		end.vanish()
	}
}

// CloseAll closes what connections the server itself has left open.
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

// memoryAddress names an end of a connection in memory.
type memoryAddress string

func (memoryAddress) Network() string  { return "memory" }
func (a memoryAddress) String() string { return string(a) }
