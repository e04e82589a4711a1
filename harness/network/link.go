package network

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"redial/harness/plan"
)

// link is one client's network path to the server over pairs of connections: TCP in the real
// lab, in memory in the virtual lab. It waits only on channels and timers, so that it runs on a
// fake clock.
//
// Locks are taken in the order stream.mu, link.mu. Neither is held during a call of the Events,
// or while a goroutine waits.
type link struct {
	name   string
	index  int // among the links of its network
	events Events
	// reporting and acting let one call of the Events through at a time. They are channels
	// and not mutexes because a call may wait on a fake clock.
	reporting, acting chan struct{}

	// frameDelay, if not nil, returns the own delay of a frame. Connections and frames are
	// counted from 1, and the end of a stream counts as one more frame. See pace.
	frameDelay func(direction plan.Direction, connection, frame int) time.Duration
	// passing, if not nil, is called for every frame when its first bytes come.
	passing func(direction plan.Direction, connection, frame int)
	// listening, if not nil, stops listening for new connections if the link refuses them now,
	// and otherwise starts again. Without it, serve resets new connections during an Outage.
	listening func() error
	// moved, if not nil, takes another source address for a Switch and returns it; moves counts that.
	moved func() string
	moves atomic.Int32
	// switchPath, if not nil, changes the real network path of the client, which then loses
	// what is in flight.
	switchPath func() error
	// find returns another client's link or nil, for a fault of that client that waits for a
	// frame on this link.
	find func(name string) *link
	// remark, if not empty, is added to every report.
	remark string

	// direct is true while no silence, delay or limit is active and frames have no own delay.
	direct atomic.Bool
	// waiting is the number of armed faults in each direction.
	waiting [2]atomic.Int32
	// overall counts the frames in each direction over all connections, for Events.Traffic.
	overall [2]atomic.Int32

	work sync.WaitGroup // every goroutine and timer of the link

	mu          sync.Mutex
	closed      bool
	connections map[*connection]bool
	count       int // connections that reached the server
	armed       []*armedFault
	on          map[plan.FaultKind]*condition
	changed     chan struct{} // closed when on changes
	free        [2]time.Time  // when a limited direction has sent all booked bytes
}

// armedFault is a fault that waits for its frame.
type armedFault struct {
	plan.Fault
	seen  int // frames that matched so far
	fired bool
}

func newLink(name string, index int, events Events) *link {
	l := &link{
		name:        name,
		index:       index,
		events:      events,
		reporting:   make(chan struct{}, 1),
		acting:      make(chan struct{}, 1),
		connections: map[*connection]bool{},
		on:          map[plan.FaultKind]*condition{},
		changed:     make(chan struct{}),
	}
	l.direct.Store(true)
	return l
}

// pace gives every frame its own delay. It must be called before the link is used.
func (l *link) pace(delay func(direction plan.Direction, connection, frame int) time.Duration) {
	l.frameDelay = delay
	l.direct.Store(false)
}

// source is the source address of the link's connections from now on: 127.x.y.z with x.y for the link.
func (l *link) source() net.IP {
	return net.IPv4(127, byte(1+l.index>>8%254), byte(l.index), byte(1+l.moves.Load()%254))
}

// Connections returns how many connections have reached the server.
func (l *link) Connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// Arm makes f wait for its frame, counted from now on.
func (l *link) Arm(f plan.Fault) {
	f.At = f.At.WithDefaults()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = append(l.armed, &armedFault{Fault: f})
	l.waiting[index(f.At.Direction)].Add(1)
}

// Break injects f now.
func (l *link) Break(f plan.Fault) error {
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return fmt.Errorf("the link of %s is closed: nothing to break", l.name)
	}
	switch {
	case f.Kind.EndsConnections():
		if !l.breakConnections(f, l.openConnections(), "") {
			return fmt.Errorf("%s has no open connection: nothing to break by %s", l.name, f.Kind)
		}
	case f.Kind.Lasts():
		l.begin(f, l.name)
	case f.Kind == plan.Heal:
		if !l.heal(f, l.name) {
			return fmt.Errorf("nothing to heal on the link of %s", l.name)
		}
	default:
		return fmt.Errorf("%s is not a fault of a link", f.Kind)
	}
	return nil
}

// Close ends every connection at once and waits until every goroutine of the link has ended. It
// must not be called from the Events.
func (l *link) Close() {
	l.mu.Lock()
	l.closed = true
	for kind := range l.on {
		l.end(kind)
	}
	open := slices.Collect(maps.Keys(l.connections))
	l.mu.Unlock()
	for _, c := range open {
		c.abandon()
	}
	l.work.Wait()
}

// breakConnections ends connections in the way of f.Kind, and a Switch also moves the link. It
// returns false if none of them was open. The report says where; empty means that it names the
// connections.
func (l *link) breakConnections(f plan.Fault, connections []*connection, where string) bool {
	ends := map[plan.FaultKind]int32{
		plan.Cut: stateCut, plan.Outage: stateCut, plan.IdleClose: stateCut, plan.Reset: stateReset,
		plan.HalfOpen: stateHalfOpen, plan.Switch: stateHalfOpen,
	}
	if l.switchPath != nil {
		ends[plan.Switch] = stateLost
	}
	var claimed []*connection
	for _, c := range connections {
		if c.claim(ends[f.Kind]) {
			claimed = append(claimed, c)
		}
	}
	if len(claimed) == 0 {
		return false
	}
	var names []string
	for _, c := range claimed {
		names = append(names, c.name())
		if c.state.Load() == stateLost {
			c.awaitDelivery([]net.Conn{c.client}) // of the frames before the fault
		}
	}
	if where == "" {
		where = l.name + ", " + strings.Join(names, " and ")
	}
	if f.Kind == plan.Switch && l.moved != nil {
		where += ", from now on " + l.moved()
	}
	if f.Kind != plan.Outage { // which begin reports
		l.report(Fired{Fault: f, Where: where})
	}
	if f.Kind == plan.Switch && l.switchPath != nil {
		if err := l.switchPath(); err != nil {
			l.report(Fired{Fault: f, Where: where, Failed: fmt.Errorf("the network stays as it was: %w", err)})
		}
	}
	for _, c := range claimed {
		c.finishClaimed()
	}
	return true
}

// report calls Events.Fired, one call at a time.
func (l *link) report(f Fired) {
	if l.events.Fired == nil {
		return
	}
	if l.remark != "" {
		f.Where += " (" + l.remark + ")"
	}
	l.reporting <- struct{}{}
	defer func() { <-l.reporting }()
	l.events.Fired(f)
}

// act calls Events.Act, one call at a time. A report may come meanwhile: a page that an act
// loads again uses the link.
func (l *link) act(f plan.Fault) {
	if l.events.Act == nil {
		return
	}
	l.acting <- struct{}{}
	defer func() { <-l.acting }()
	l.events.Act(f)
}

// candidates returns the armed faults that may wait for the next frame of c.
func (l *link) candidates(c *connection, direction plan.Direction) []*armedFault {
	if l.waiting[index(direction)].Load() == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []*armedFault
	for _, a := range l.armed {
		if a.At.Direction == direction && (a.At.Connection == 0 || a.At.Connection == int(c.number.Load())) {
			list = append(list, a)
		}
	}
	return list
}

// counts counts a frame that a matches. It returns true once, for a's own frame, and disarms a
// then.
func (l *link) counts(a *armedFault) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.fired {
		return false
	}
	if a.seen++; a.seen < a.At.Number {
		return false
	}
	a.fired = true
	l.armed = slices.DeleteFunc(l.armed, func(other *armedFault) bool { return other == a })
	l.waiting[index(a.At.Direction)].Add(-1)
	return true
}

// rearm arms a fault again whose connection ended before it could fire, for the next frame that
// matches.
func (l *link) rearm(a *armedFault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.seen, a.fired = a.At.Number-1, false
	l.armed = append(l.armed, a)
	l.waiting[index(a.At.Direction)].Add(1)
}

// admit registers a client's connection. It returns nil if the link is closed or an Outage is
// active.
func (l *link) admit(client net.Conn) *connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.on[plan.Outage] != nil {
		return nil
	}
	c := newConnection(l, client)
	l.connections[c] = true
	return c
}

// reached numbers a connection that has reached the server.
func (l *link) reached(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	c.number.Store(int64(l.count))
	l.limitIdling(c)
	c.recorded = l.events.Traffic.opened(l.name, l.count)
}

func (l *link) forget(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.connections, c)
}

func index(d plan.Direction) int {
	if d == plan.Down {
		return 1
	}
	return 0
}

// breakAt injects f at a frame on c. It returns false if there was nothing to break.
func (l *link) breakAt(f plan.Fault, c *connection, where string) bool {
	switch {
	case f.Kind == plan.Switch:
		return l.breakConnections(f, l.openConnections(), where)
	case f.Kind.EndsConnections():
		return l.breakConnections(f, []*connection{c}, where)
	case f.Kind == plan.Heal:
		return l.heal(f, where)
	}
	l.begin(f, where)
	return true
}

func (l *link) openConnections() []*connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	var open []*connection
	for c := range l.connections {
		if c.open() {
			open = append(open, c)
		}
	}
	slices.SortFunc(open, func(a, b *connection) int { return int(a.number.Load() - b.number.Load()) })
	return open
}
