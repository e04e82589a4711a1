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

// condition is a fault that lasts: Silence, Outage, Delay or Limit.
type condition struct {
	fault plan.Fault
	timer *time.Timer
}

var lasting = []plan.FaultKind{plan.Silence, plan.Outage, plan.Delay, plan.Limit}

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
	switch f.Kind {
	case plan.Cut, plan.Reset, plan.HalfOpen, plan.Switch:
		if !l.breakConnections(f, l.openConnections(), "") {
			return fmt.Errorf("%s has no open connection: nothing to break by %s", l.name, f.Kind)
		}
	case plan.Silence, plan.Outage, plan.Delay, plan.Limit:
		l.begin(f, l.name)
	case plan.Heal:
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
		plan.Cut: stateCut, plan.Outage: stateCut, plan.Reset: stateReset,
		plan.HalfOpen: stateHalfOpen, plan.Switch: stateHalfOpen,
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
	if f.Kind == plan.Switch && l.moved != nil {
		where += ", from now on " + l.moved()
	}
	if f.Kind != plan.Outage { // which is told by begin
		l.tell(Fired{Fault: f, Where: where})
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

// begin puts a lasting condition on the link. Another one of its kind is over
// then. An Outage ends what is open.
func (l *link) begin(f plan.Fault, where string) {
	l.tell(Fired{Fault: f, Where: where})
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	before := l.end(f.Kind)
	c := &condition{fault: f}
	l.on[f.Kind] = c
	if f.For > 0 {
		l.work.Add(1)
		c.timer = time.AfterFunc(time.Duration(f.For), func() {
			defer l.work.Done()
			l.expire(c)
		})
	}
	l.conditionsChanged()
	l.mu.Unlock()

	if before != nil {
		l.tell(Fired{Fault: before.fault, Where: where + ", replaced", Healed: true})
	}
	if f.Kind == plan.Outage {
		l.shut()
		l.breakConnections(f, l.openConnections(), where)
	}
}

// end takes a condition off. The caller holds l.mu.
func (l *link) end(kind plan.FaultKind) *condition {
	c := l.on[kind]
	if c == nil {
		return nil
	}
	delete(l.on, kind)
	if c.timer != nil && c.timer.Stop() {
		l.work.Done()
	}
	return c
}

// conditionsChanged tells everybody who waits. The caller holds l.mu.
func (l *link) conditionsChanged() {
	_, outage := l.on[plan.Outage]
	lasts := len(l.on)
	if outage {
		lasts--
	}
	l.direct.Store(lasts == 0 && l.frameDelay == nil)
	close(l.changed)
	l.changed = make(chan struct{})
}

// expire heals what its time is over for.
func (l *link) expire(c *condition) {
	l.mu.Lock()
	current := l.on[c.fault.Kind] == c
	l.mu.Unlock()
	if !current {
		return
	}
	l.release(c, l.name+", after "+time.Duration(c.fault.For).String())
}

// heal ends every lasting condition. It is false when there is none.
func (l *link) heal(f plan.Fault, where string) bool {
	l.mu.Lock()
	var over []*condition
	for _, kind := range lasting {
		if c := l.on[kind]; c != nil {
			over = append(over, c)
		}
	}
	l.mu.Unlock()
	if len(over) == 0 {
		return false
	}
	l.tell(Fired{Fault: f, Where: where})
	for _, c := range over {
		l.release(c, where)
	}
	return true
}

// release tells that c is over, and then lets go of what it held.
func (l *link) release(c *condition, where string) {
	l.tell(Fired{Fault: c.fault, Where: where, Healed: true})
	l.mu.Lock()
	current := l.on[c.fault.Kind] == c
	if current {
		l.end(c.fault.Kind)
		l.conditionsChanged()
	}
	l.mu.Unlock()
	if !current || c.fault.Kind != plan.Outage {
		return
	}
	if err := l.open(); err != nil {
		l.tell(Fired{Fault: c.fault, Where: where + ", but it stays shut: " + err.Error()})
	}
}

func (l *link) shut() {
	if l.door != nil {
		l.door(false)
	}
}

func (l *link) open() error {
	if l.door == nil {
		return nil
	}
	return l.door(true)
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

// weather is what is on for a piece of data that wants to pass.
type weather struct {
	silent  bool
	delay   time.Duration
	rate    int // bytes per second; 0: no limit
	changed <-chan struct{}
}

func (l *link) weather() weather {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := weather{silent: l.on[plan.Silence] != nil, changed: l.changed}
	if c := l.on[plan.Delay]; c != nil {
		w.delay = time.Duration(c.fault.Delay)
	}
	if c := l.on[plan.Limit]; c != nil {
		w.rate = c.fault.BytesPerSecond
	}
	return w
}

// reserve books the way of n bytes through a limited direction, which all the
// link's connections share, and says when they are through.
func (l *link) reserve(direction plan.Direction, n, rate int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	free := &l.free[index(direction)]
	now := time.Now()
	if free.Before(now) {
		*free = now
	}
	*free = free.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	return free.Sub(now)
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
}

// isShut tells whether a new connection would be turned away.
func (l *link) isShut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed || l.on[plan.Outage] != nil
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
