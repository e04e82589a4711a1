package network

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"redial/harness/plan"
)

// condition is a fault that lasts: Silence, Outage, Delay, Limit or IdleClose.
type condition struct {
	fault plan.Fault
	timer *time.Timer
}

var lasting = plan.Lasting

// begin puts a lasting condition on the link. Another one of its kind is over
// then. An Outage ends what is open.
func (l *link) begin(f plan.Fault, where string) {
	if f.Kind != plan.IdleClose { // which fires when it closes a connection
		l.tell(Fired{Fault: f, Where: where})
	}
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
	if f.Kind == plan.IdleClose {
		for c := range l.connections {
			l.limitIdling(c)
		}
	}
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
	holdsUp := slices.ContainsFunc(slices.Collect(maps.Keys(l.on)), func(kind plan.FaultKind) bool {
		return kind != plan.Outage && kind != plan.IdleClose
	})
	l.direct.Store(!holdsUp && l.frameDelay == nil)
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

// limitIdling has a connection that reached the server cut when it is idle, while an
// IdleClose is on. The caller holds l.mu.
func (l *link) limitIdling(c *connection) {
	on := l.on[plan.IdleClose]
	if on == nil || c.number.Load() == 0 {
		return
	}
	l.work.Go(func() {
		for c.open() {
			l.mu.Lock()
			current, changed := l.on[plan.IdleClose] == on, l.changed
			l.mu.Unlock()
			if !current {
				return
			}
			idle := time.Duration(on.fault.Idle)
			if left := idle - c.idle(); left > 0 {
				c.wait(left, changed)
				continue
			}
			l.breakConnections(on.fault, []*connection{c}, fmt.Sprintf("%s, %s, idle for %s", l.name, c.name(), idle))
		}
	})
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

// isShut tells whether a new connection would be turned away.
func (l *link) isShut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed || l.on[plan.Outage] != nil
}
