package network

import (
	"fmt"
	"slices"
	"time"

	"redial/harness/plan"
)

// frameGap is the least time between two frames of a direction that have delays of
// their own. No two of them arrive at one instant, for what happens at one instant
// happens in any order.
const frameGap = time.Microsecond

// ownDelay gives the frame with the number its own delay, if frames have one.
func (s *stream) ownDelay(frame int) {
	if delay := s.c.link.frameDelay; delay != nil {
		s.extra = delay(s.direction, int(s.c.number.Load()), frame)
		if frame > 1 {
			s.passedAt = time.Now()
		}
	}
}

// awaitOwnDelay returns when the current frame would arrive on a link that nothing is
// wrong with. Only then is it counted, and does what waits for it happen: so two
// frames that set out at one instant, on two connections, are counted in one order.
func (s *stream) awaitOwnDelay() {
	for wait := time.Until(s.due(0)); wait > 0 && s.c.open(); wait = time.Until(s.due(0)) {
		s.handOver()
		s.sleep(wait)
	}
	s.lost = s.lost || !s.c.open()
}

// sleep returns when d has passed or the connection is over. It is called
// for every frame, so the timer is reused.
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

// due is when the current frame has been under way for long enough.
func (s *stream) due(delay time.Duration) time.Time {
	due := s.arrived.Add(delay + s.extra)
	if next := s.passedAt.Add(frameGap); s.c.link.frameDelay != nil && due.Before(next) {
		return next
	}
	return due
}

// holds tells whether the current frame must not pass yet.
func (s *stream) holds() bool {
	return slices.ContainsFunc(s.undecided, func(a *armedFault) bool { return !a.At.After })
}

// decide finds out which of the faults have been waiting for the current frame,
// as far as that can be told. It returns those to fire before the frame.
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

// fireAfter lets happen what waited for the frame that has just passed. Where instants
// have no length, the one at which the frame came is over before.
func (s *stream) fireAfter() {
	if s.c.link.frameDelay != nil {
		s.handOver()
		s.c.wait(frameGap/2, nil)
	}
	due := s.after
	s.after = nil
	s.fire(due)
}

// fire lets faults happen at the current frame. What can break nothing any more
// keeps waiting.
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
		case !a.IsLink():
			s.act(a.Fault)
		case a.Client != "" && a.Client != l.name:
			happened = l.breakOther(a.Fault)
		default:
			happened = l.breakAt(a.Fault, s.c, at)
		}
		if !happened {
			l.rearm(a)
		}
	}
	s.lost = s.lost || !s.c.open()
}

// act holds the frame until the owner has acted; the frame is then lost with its
// connection, if that is gone.
func (s *stream) act(f plan.Fault) {
	s.handOver()
	s.c.link.act(f)
	if !f.At.After && s.isGone() && s.c.claim(stateCut) {
		s.c.finishClaimed()
	}
}
