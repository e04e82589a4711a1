package network

import (
	"fmt"
	"time"

	"redial/harness/plan"
)

// condition is a lasting fault that is active: Silence, Outage, Delay, Limit or IdleClose.
type condition struct {
	fault plan.Fault
	timer *time.Timer
}

// begin activates a lasting fault on the link, in place of an active one of the same kind. An
// Outage closes the open connections.
func (l *link) begin(f plan.Fault, where string) {
	if f.Kind != plan.IdleClose { // an IdleClose fires when it closes a connection
		l.report(Fired{Fault: f, Where: where})
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
		l.report(Fired{Fault: before.fault, Where: where + ", replaced", Healed: true})
	}
	if f.Kind == plan.Outage {
		if l.listening != nil {
			_ = l.listening()
		}
		l.breakConnections(f, l.openConnections(), where)
	}
}

// end removes an active condition and returns it, or nil. The caller holds l.mu.
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

// conditionsChanged wakes the goroutines that wait for a change. The caller holds l.mu.
func (l *link) conditionsChanged() {
	delaying := l.on[plan.Silence] != nil || l.on[plan.Delay] != nil || l.on[plan.Limit] != nil
	l.direct.Store(!delaying && l.frameDelay == nil)
	close(l.changed)
	l.changed = make(chan struct{})
}

// expire ends c when its time is over, unless a heal or another fault has ended it before.
func (l *link) expire(c *condition) {
	l.mu.Lock()
	current := l.on[c.fault.Kind] == c
	l.mu.Unlock()
	if current {
		l.release(c, l.name+", after "+time.Duration(c.fault.For).String())
	}
}

// heal ends every active condition. It returns false if there is none.
func (l *link) heal(f plan.Fault, where string) bool {
	l.mu.Lock()
	var active []*condition
	for _, kind := range plan.Lasting {
		if c := l.on[kind]; c != nil {
			active = append(active, c)
		}
	}
	l.mu.Unlock()
	if len(active) == 0 {
		return false
	}
	l.report(Fired{Fault: f, Where: where})
	for _, c := range active {
		l.release(c, where)
	}
	return true
}

// release reports that c is over and then ends it, so that the report precedes the frames that
// c held.
func (l *link) release(c *condition, where string) {
	l.report(Fired{Fault: c.fault, Where: where, Healed: true})
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
	if l.listening == nil {
		return
	}
	if err := l.listening(); err != nil {
		l.report(Fired{Fault: c.fault, Where: where, Failed: fmt.Errorf("it refuses connections still: %w", err)})
	}
}

// limitIdling starts a goroutine that cuts c when it has been idle, while an IdleClose is
// active and c has reached the server. The caller holds l.mu.
func (l *link) limitIdling(c *connection) {
	active := l.on[plan.IdleClose]
	if active == nil || c.number.Load() == 0 {
		return
	}
	l.work.Go(func() {
		for c.open() {
			l.mu.Lock()
			current, changed := l.on[plan.IdleClose] == active, l.changed
			l.mu.Unlock()
			if !current {
				return
			}
			idle := time.Duration(active.fault.Idle)
			if left := idle - c.idle(); left > 0 {
				c.wait(left, changed)
				continue
			}
			l.breakConnections(active.fault, []*connection{c}, fmt.Sprintf("%s, %s, idle for %s", l.name, c.name(), idle))
		}
	})
}

// impairment is what delays the data on a link at a moment.
type impairment struct {
	silent  bool
	delay   time.Duration
	rate    int             // bytes per second; 0 means no limit
	changed <-chan struct{} // closed when the impairment is another one
}

func (l *link) impairment() impairment {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := impairment{silent: l.on[plan.Silence] != nil, changed: l.changed}
	if c := l.on[plan.Delay]; c != nil {
		now.delay = time.Duration(c.fault.Delay)
	}
	if c := l.on[plan.Limit]; c != nil {
		now.rate = c.fault.BytesPerSecond
	}
	return now
}

// reserve books n bytes in a limited direction, whose rate all the link's connections share,
// and returns how long they take, those booked before included.
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

// refuses tells whether the link refuses new connections.
func (l *link) refuses() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed || l.on[plan.Outage] != nil
}
