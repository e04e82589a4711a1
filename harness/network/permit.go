package network

import (
	"time"
)

// permit waits until something may pass, and says how many of n bytes; 0 when
// nothing ever will.
func (s *stream) permit(n int) int {
	l := s.c.link
	for {
		if !s.c.open() {
			return 0
		}
		if l.direct.Load() {
			return n
		}
		w := l.weather()
		due := time.Until(s.due(w.delay))
		switch {
		case w.silent:
			s.handOver()
			s.c.wait(0, w.changed)
		case due > 0:
			s.handOver()
			s.c.wait(due, w.changed)
		case w.rate > 0 && n > 0:
			s.handOver()
			// In pieces of a twentieth of a second, so that it flows.
			piece := min(n, max(1, w.rate/20))
			if s.c.wait(l.reserve(s.direction, piece, w.rate), w.changed) {
				return piece
			}
		default:
			return n
		}
	}
}

// failed notes that the end written to is broken. What it has said before is
// still passed on; then the other end is told.
func (s *stream) failed() {
	s.lost = true
	s.c.broken.Store(true)
	if s.opposite().hasEnded() {
		s.c.breakOff()
	}
}

func (s *stream) opposite() *stream {
	if s.direction == up {
		return s.c.down
	}
	return s.c.up
}

// end passes the end of the stream on: an end as an end, an error as a reset.
func (s *stream) end(err error) {
	s.ownDelay(s.frames + 1)
	s.permit(0)
	if !s.c.open() {
		s.from.Close()
		return
	}
	if s.c.broken.Load() || !isEnd(err) {
		s.c.breakOff()
		return
	}
	complete := s.framer.finish()
	if complete { // the end of the connection was the end of a frame
		s.fire(s.decide(true))
	}
	s.undecided = nil
	if !s.lost {
		s.send(nil)
	}
	if complete && !s.lost {
		s.fireAfter()
	}
	if s.c.open() {
		s.traffic().ended(s.c, s.direction == down, s.direction == up)
		closeWrite(s.to)
	}
}
