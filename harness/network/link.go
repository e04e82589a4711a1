package network

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"redial/harness/plan"
)

// link is one client's way to the server over any pair of connections: TCP in
// the real lab, memory in a virtual one. It waits on channels and timers only, so
// that it runs on a fake clock.
//
// Locks, in the order in which they are taken: stream.mu, link.mu. Neither is held
// while an event is told, or while anything waits.
type link struct {
	name   string
	events Events
	// telling and acting let one event through at a time. They are channels and
	// not mutexes because an event may wait on a fake clock.
	telling, acting chan struct{}

	// frameDelay, when not nil, gives each frame a delay of its own: how long the
	// frame with that number takes in that direction of that connection, both
	// counted from 1. The end of a stream counts as one more frame. See pace.
	frameDelay func(direction plan.Direction, connection, frame int) time.Duration
	// passing, when not nil, is told of every frame as its first bytes come.
	passing func(direction plan.Direction, connection, frame int)
	// door, when not nil, is told to shut out new connections, or to let them in
	// again. Without it serve resets what comes to a shut door.
	door func(open bool) error
	// moved, when not nil, is told to take another source address, and says where
	// the link comes from now.
	moved func() string
	// cross, when not nil, changes the real network that the client comes over, which then
	// loses what is on its way.
	cross func() error
	// other, when not nil, finds another client's link, for a fault that waits for
	// a frame on this one.
	other func(name string) *link
	// remark, when not empty, is added to every report.
	remark string

	// direct is true while nothing is to be held up: no silence, delay or limit.
	direct atomic.Bool
	// waiting is the number of armed faults in each direction.
	waiting [2]atomic.Int32

	work sync.WaitGroup // every goroutine and timer of the link

	mu          sync.Mutex
	closed      bool
	connections map[*connection]bool
	count       int // connections that reached the server
	armed       []*armedFault
	on          map[plan.FaultKind]*condition
	changed     chan struct{} // closed when on changes
	free        [2]time.Time  // when a limited direction has room again
}

// armedFault waits for its frame.
type armedFault struct {
	plan.Fault
	seen  int // frames that matched so far
	fired bool
}

func newLink(name string, events Events) *link {
	l := &link{
		name:        name,
		events:      events,
		telling:     make(chan struct{}, 1),
		acting:      make(chan struct{}, 1),
		connections: map[*connection]bool{},
		on:          map[plan.FaultKind]*condition{},
		changed:     make(chan struct{}),
	}
	l.direct.Store(true)
	return l
}

// pace gives every frame a delay of its own. It is for a link that is not in use yet.
func (l *link) pace(delay func(direction plan.Direction, connection, frame int) time.Duration) {
	l.frameDelay = delay
	l.direct.Store(false)
}

// Connections counts the connections that reached the server.
func (l *link) Connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// Arm lets f wait for its frame, counted from now on.
func (l *link) Arm(f plan.Fault) {
	if f.At.Direction == "" {
		f.At.Direction = plan.Up
	}
	if f.At.Number == 0 {
		f.At.Number = 1
	}
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

// Close ends every connection at once, and every goroutine before it returns. It
// must not be called from an event.
func (l *link) Close() {
	l.mu.Lock()
	l.closed = true
	for kind := range l.on {
		l.end(kind)
	}
	open := make([]*connection, 0, len(l.connections))
	for c := range l.connections {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		c.abandon()
	}
	l.work.Wait()
}

// breakConnections ends connections in the way of f.Kind, and with Switch moves
// the link. It is false when none of them was open any more.
func (l *link) breakConnections(f plan.Fault, connections []*connection, frame string) bool {
	ends := map[plan.FaultKind]int32{
		plan.Cut: stateCut, plan.Outage: stateCut, plan.IdleClose: stateCut, plan.Reset: stateReset,
		plan.HalfOpen: stateHalfOpen, plan.Switch: stateHalfOpen,
	}
	if l.cross != nil {
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
	where := frame
	if where == "" {
		where = l.name + ", " + numbers(claimed)
	}
	for _, c := range claimed {
		if c.state.Load() == stateLost {
			c.awaitDelivery([]net.Conn{c.client}) // of the frames before
		}
	}
	if f.Kind == plan.Switch && l.moved != nil {
		where += ", from now on " + l.moved()
	}
	if f.Kind != plan.Outage { // which is told by begin
		l.tell(Fired{Fault: f, Where: where})
	}
	if f.Kind == plan.Switch && l.cross != nil {
		if err := l.cross(); err != nil {
			l.tell(Fired{Fault: f, Where: where + ", but the network stays as it was: " + err.Error()})
		}
	}
	for _, c := range claimed {
		c.finishClaimed()
	}
	return true
}

func numbers(connections []*connection) string {
	list := make([]string, len(connections))
	for i, c := range connections {
		list[i] = c.name()
	}
	return strings.Join(list, " and ")
}

// tell reports one event, one at a time.
func (l *link) tell(f Fired) {
	if l.events.Fired == nil {
		return
	}
	if l.remark != "" {
		f.Where += " (" + l.remark + ")"
	}
	l.telling <- struct{}{}
	defer func() { <-l.telling }()
	l.events.Fired(f)
}

// act hands a fault over that is not the network's, one at a time. It does not
// hold up tell: a page that is loaded again in an act passes the link.
func (l *link) act(f plan.Fault) {
	if l.events.Act == nil {
		return
	}
	l.acting <- struct{}{}
	defer func() { <-l.acting }()
	l.events.Act(f)
}

// candidates are the armed faults that the next frame of c may be the frame of.
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

// counts tells a that a frame matched. It is true, once, for a's own frame: then
// a is disarmed.
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
	for i, other := range l.armed {
		if other == a {
			l.armed = append(l.armed[:i:i], l.armed[i+1:]...)
			break
		}
	}
	l.waiting[index(a.At.Direction)].Add(-1)
	return true
}

// rearm puts back a fault whose connection was gone before it could fire: it
// takes the next frame that matches.
func (l *link) rearm(a *armedFault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.seen, a.fired = a.At.Number-1, false
	l.armed = append(l.armed, a)
	l.waiting[index(a.At.Direction)].Add(1)
}

// admit registers a client's connection; nil when the door is shut.
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

// reached counts a connection that has reached the server.
func (l *link) reached(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	c.number.Store(int64(l.count))
	l.limitIdling(c)
	l.events.Traffic.opened(l.name, l.count)
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

// breakAt injects f at a frame on c. It is false when there was nothing to break.
func (l *link) breakAt(f plan.Fault, c *connection, where string) bool {
	switch f.Kind {
	case plan.Cut, plan.Reset, plan.HalfOpen:
		return l.breakConnections(f, []*connection{c}, where)
	case plan.Switch:
		return l.breakConnections(f, l.openConnections(), where)
	case plan.Heal:
		return l.heal(f, where)
	}
	l.begin(f, where)
	return true
}

// breakOther injects f on the link of another client.
func (l *link) breakOther(f plan.Fault) bool {
	if l.other == nil {
		return false
	}
	other := l.other(f.Client)
	return other != nil && other.Break(f) == nil
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
