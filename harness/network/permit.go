package network

import (
	"errors"
	"io"
	"time"
)

// permit waits until some of n bytes may pass and returns how many; 0 if the connection is over.
func (s *stream) permit(n int) int {
	l := s.c.link
	for {
		if !s.c.open() {
			return 0
		}
		if l.direct.Load() {
			return n
		}
		now := l.impairment()
		due := time.Until(s.due(now.delay))
		switch {
		case now.silent:
			s.handOver()
			s.c.wait(0, now.changed)
		case due > 0:
			s.handOver()
			s.c.wait(due, now.changed)
		case now.rate > 0 && n > 0:
			s.handOver()
			// Pieces of a twentieth of a second keep the flow steady.
			piece := min(n, max(1, now.rate/20))
			if s.c.wait(l.reserve(s.direction, piece, now.rate), now.changed) {
				return piece
			}
		default:
			return n
		}
	}
}

// failed records that writing to an end has failed. The bytes that this end has sent before are
// still forwarded; after that both ends are reset.
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

// end forwards the end of the stream: an EOF as an EOF, any other error as a reset.
func (s *stream) end(err error) {
	s.ownDelay(s.frames + 1)
	s.permit(0)
	if !s.c.open() {
		s.from.Close()
		return
	}
	if s.c.broken.Load() || !errors.Is(err, io.EOF) {
		s.c.breakOff()
		return
	}
	complete := s.framer.finish()
	if complete { // the frame ends with the connection
		s.note(0)
		s.fire(s.decide(true))
	}
	s.undecided = nil
	if !s.lost {
		s.send(nil)
	}
	s.report(0, s.lost)
	if complete && !s.lost {
		s.fireAfter()
	}
	if s.c.open() {
		s.traffic().ended(s.c, s.direction == down, s.direction == up)
		closeWrite(s.to)
	}
}
