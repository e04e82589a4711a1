package network

import (
	"fmt"
	"slices"
	"time"

	"redial/harness/plan"
)

// frameGap is the least time between two frames in one direction of a paced link. Under a fake
// clock, the order of what happens at one instant is left to the scheduler, so no two frames
// arrive at one instant.
const frameGap = time.Microsecond

// ownDelay sets the frame's own delay, if the link is paced.
func (s *stream) ownDelay(frame int) {
	if delay := s.c.link.frameDelay; delay != nil {
		s.extra = delay(s.direction, int(s.c.number.Load()), frame)
		if frame > 1 {
			s.passedAt = time.Now()
		}
	}
}

// awaitOwnDelay waits for the current frame's own delay. The frame is counted after that, so
// that two frames that were sent at one instant on two connections are counted in an order that
// depends on the seed only.
func (s *stream) awaitOwnDelay() {
	for wait := time.Until(s.due(0)); wait > 0 && s.c.open(); wait = time.Until(s.due(0)) {
		s.handOver()
		s.sleep(wait)
	}
	s.lost = s.lost || !s.c.open()
}

// sleep returns when d has passed or the connection is over. It reuses one timer, because it
// is called for every frame.
func (s *stream) sleep(d time.Duration) {
	if s.timer == nil {
		s.timer = time.NewTimer(d)
	} else {
		s.timer.Reset(d)
	}
	select {
	case <-s.timer.C:
	case <-s.c.over:
		s.timer.Stop()
	}
}

// due is when the current frame arrives, with its own delay and another one.
func (s *stream) due(delay time.Duration) time.Time {
	due := s.arrived.Add(delay + s.extra)
	if next := s.passedAt.Add(frameGap); s.c.link.frameDelay != nil && due.Before(next) {
		return next
	}
	return due
}

// holds tells whether the current frame must not pass before it is known whether a fault fires
// at it.
func (s *stream) holds() bool {
	return slices.ContainsFunc(s.undecided, func(a *armedFault) bool { return !a.At.After })
}

// decide matches the undecided faults with what is known of the current frame. It returns
// those that fire before the frame.
func (s *stream) decide(ended bool) (before []*armedFault) {
	candidates := s.undecided
	s.undecided = nil
	for _, a := range candidates {
		matched, decided := s.framer.matches(a.At.Match, ended)
		switch {
		case !decided:
			s.undecided = append(s.undecided, a)
		case !matched || !s.c.link.counts(a):
		case a.At.After:
			s.after = append(s.after, a)
		default:
			before = append(before, a)
		}
	}
	return before
}

// fireAfter fires the faults that wait for the end of the frame that has just passed. On a
// paced link it waits half a gap first, so that the receiver has handled the frame by then.
func (s *stream) fireAfter() {
	if s.c.link.frameDelay != nil {
		s.handOver()
		s.c.wait(frameGap/2, nil)
	}
	due := s.after
	s.after = nil
	s.fire(due)
}

// fire fires faults at the current frame. Those that find nothing to break wait on.
func (s *stream) fire(due []*armedFault) {
	l := s.c.link
	where := fmt.Sprintf("%s, %s, frame %d %s", l.name, s.c.name(), s.frames, s.direction)
	for _, a := range due {
		at := where
		if a.At.After {
			at += ", after it"
		}
		happened := true
		switch {
		case !a.Kind.OnLink():
			s.act(a.Fault)
		case a.Client != "" && a.Client != l.name:
			other := l.find(a.Client)
			happened = other != nil && other.Break(a.Fault) == nil
		default:
			happened = l.breakAt(a.Fault, s.c, at)
		}
		if !happened {
			l.rearm(a)
		}
	}
	s.lost = s.lost || !s.c.open()
}

// act holds the frame until the owner has acted. If the connection has ended meanwhile, the
// frame is lost with it.
func (s *stream) act(f plan.Fault) {
	s.handOver()
	s.c.link.act(f)
	if !f.At.After && s.isGone() && s.c.claim(stateCut) {
		s.c.finishClaimed()
	}
}
