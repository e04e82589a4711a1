package network

import (
	"net"
	"slices"
	"sync"
	"time"

	"redial/harness/plan"
)

const up, down = plan.Up, plan.Down

const (
	// A reader's buffer is small at first, because there may be thousands of connections,
	// and grows if the stream fills it.
	smallBuffer = 4 << 10
	largeBuffer = 256 << 10
	// maxQueue is how many bytes a silent or delayed direction queues before it stops
	// reading. maxLimitedQueue is the same for a limited direction, and smaller, so that the
	// limit slows the sender down.
	maxQueue        = 64 << 20
	maxLimitedQueue = 256 << 10
)

// stream is one direction of a connection.
//
// While nothing delays the frames, one goroutine reads, finds the frames and writes. During a
// delay, a silence or an act, the reader fills a queue and another goroutine, the runner,
// empties it. So the ends can send on, and the stream notices when they close. A reader that
// has to wait in the middle of a chunk becomes the runner and starts a new reader: see
// handOver. There is never more than one goroutine in pass.
type stream struct {
	c         *connection
	direction plan.Direction
	from, to  net.Conn

	// The fields up to mu belong to the goroutine that is in pass.
	framer    framer
	frames    int           // so far, the current one included
	arrived   time.Time     // when the current chunk was read
	extra     time.Duration // the current frame's own delay
	passedAt  time.Time     // when the frame before the current one has passed
	undecided []*armedFault // may fire at the current frame
	after     []*armedFault // fire after the current frame
	held      []byte        // the current frame's bytes while faults are undecided
	lost      bool          // nothing passes any more
	timer     *time.Timer   // for the frames' own delays
	// For Events.Traffic only: the current frame's number over all connections, its size so
	// far, and the frames that have ended but have not been forwarded.
	overall, size int
	noted         []noted

	mu      sync.Mutex
	queue   []item
	queued  int
	room    chan struct{} // closed when the queue shrinks; nil if nothing waits for that
	running bool          // there is a runner
	waiting bool          // the runner waits for the queue to grow
	more    chan struct{} // has an item when it has grown
	passing bool          // the reader itself is in pass
	ended   bool          // the reader has come to the end
}

// item is a queued chunk, or the end of the stream.
type item struct {
	data    []byte
	arrived time.Time
	end     error
}

func newStream(c *connection, direction plan.Direction, from, to net.Conn, shared *conversation) *stream {
	return &stream{
		c: c, direction: direction, from: from, to: to,
		framer: framer{direction: direction, shared: shared},
		more:   make(chan struct{}, 1),
	}
}

// read reads until the end of the stream, or until handOver has made this goroutine the runner
// and it has emptied the queue.
func (s *stream) read(early []byte) {
	if len(early) > 0 && !s.take(early) {
		return
	}
	buffer := make([]byte, smallBuffer)
	for {
		n, err := s.from.Read(buffer)
		if n > 0 && !s.take(buffer[:n]) {
			return
		}
		if err != nil {
			s.takeEnd(err)
			return
		}
		if n == len(buffer) && n < largeBuffer {
			buffer = make([]byte, 4*n)
		}
	}
}

// take forwards a chunk or queues it. It returns false if another goroutine has become the
// reader.
func (s *stream) take(data []byte) bool {
	if !s.c.open() {
		s.putDropped(data)
		return true
	}
	s.mu.Lock()
	s.passing = !s.running && s.c.link.direct.Load()
	direct := s.passing
	s.mu.Unlock()
	if !direct {
		s.put(item{data: slices.Clone(data), arrived: time.Now()})
		return true
	}
	s.pass(data, time.Now())
	s.mu.Lock()
	still := s.passing
	s.passing = false
	s.mu.Unlock()
	if !still {
		s.run()
	}
	return still
}

func (s *stream) takeEnd(err error) {
	s.traffic().ended(s.c, s.direction == up, s.direction == down)
	s.mu.Lock()
	s.ended = true
	direct := !s.running && s.c.link.direct.Load()
	s.mu.Unlock()
	switch {
	case !s.c.open():
		s.from.Close()
	case direct:
		s.end(err)
	default:
		s.put(item{arrived: time.Now(), end: err})
	}
}

// put queues an item that cannot pass now, and waits while the queue is full.
func (s *stream) put(i item) {
	for {
		now := s.c.link.impairment()
		bound := maxQueue
		if now.rate > 0 && !now.silent && now.delay == 0 {
			bound = maxLimitedQueue
		}
		s.mu.Lock()
		if s.queued < bound || i.end != nil {
			s.queue = append(s.queue, i)
			s.queued += len(i.data)
			switch {
			case !s.running:
				s.running = true
				s.c.work.Go(s.run)
			case s.waiting:
				s.waiting = false
				s.more <- struct{}{}
			}
			s.mu.Unlock()
			return
		}
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		s.mu.Unlock()
		if s.c.wait(0, room); !s.c.open() {
			return
		}
	}
}

// run empties the queue.
func (s *stream) run() {
	for {
		s.mu.Lock()
		if len(s.queue) == 0 && s.c.link.frameDelay != nil && !s.ended && s.c.open() {
			// The runner waits for the next frame: a new goroutine for each frame
			// would have to grow its stack each time.
			s.waiting = true
			s.mu.Unlock()
			select {
			case <-s.more:
			case <-s.c.over:
				s.stopWaiting()
			}
			continue
		}
		if len(s.queue) == 0 || !s.c.open() && s.traffic() == nil {
			ended := s.ended
			s.queue, s.queued, s.running = nil, 0, false
			s.mu.Unlock()
			if ended && !s.c.open() {
				s.from.Close()
			}
			return
		}
		next := s.queue[0]
		s.queue[0] = item{}
		s.queue = s.queue[1:]
		s.queued -= len(next.data)
		if s.room != nil {
			close(s.room)
			s.room = nil
		}
		s.mu.Unlock()
		if next.end != nil {
			s.arrived = next.arrived
			s.end(next.end)
			continue
		}
		if !s.c.open() {
			s.drop(next.data, next.arrived)
			continue
		}
		s.pass(next.data, next.arrived)
	}
}

// stopWaiting ends the wait of a runner whose connection is over. It empties the channel more.
func (s *stream) stopWaiting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.waiting {
		<-s.more
	}
	s.waiting = false
}

// handOver is called in pass before a wait. A reader becomes the runner, and a new goroutine
// becomes the reader.
func (s *stream) handOver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.passing {
		return
	}
	s.passing, s.running = false, true
	s.c.work.Go(func() { s.read(nil) })
}

// pass forwards a chunk, with a single write unless a fault fires in it.
func (s *stream) pass(data []byte, arrived time.Time) {
	s.arrived = arrived
	start := 0 // where the current frame begins; 0 also if that was in an earlier chunk
	sent := 0  // data[:sent] has been sent
	sendTo := func(at int) {
		if at > sent {
			s.send(data[sent:at])
			sent = at
			s.report(sent, s.lost)
		}
	}
	at := 0
	for at < len(data) && !s.lost {
		if !s.framer.inside {
			start = at
			if s.c.link.frameDelay != nil {
				sendTo(start)
				s.ownDelay(s.frames + 1)
				if s.awaitOwnDelay(); s.lost {
					break
				}
			}
			s.expect()
		}
		n, ended := s.framer.scan(data[at:])
		at += n
		s.size += n
		if ended {
			s.note(at)
		}
		if due := s.decide(ended); len(due) > 0 {
			sendTo(start)
			s.fire(due)
		}
		if ended && len(s.after) > 0 && !s.lost {
			sendTo(at)
			s.fireAfter()
		}
	}
	switch {
	case s.lost:
		s.held = nil
		s.report(len(data), true)
		s.drop(data[at:], arrived)
	case s.holds():
		sendTo(start)
		s.held = append(s.held, data[start:]...)
	default:
		s.send(data[sent:])
		s.report(len(data), s.lost)
	}
}

// expect prepares for a frame.
func (s *stream) expect() {
	s.frames++
	if passing := s.c.link.passing; passing != nil {
		passing(s.direction, int(s.c.number.Load()), s.frames)
	}
	s.framer.want = 0
	if s.traffic() != nil {
		s.framer.want = textKept
		s.overall, s.size = int(s.c.link.overall[index(s.direction)].Add(1)), 0
	}
	s.undecided = s.c.link.candidates(s.c, s.direction)
	for _, a := range s.undecided {
		if a.At.Match != "" {
			s.framer.want = max(s.framer.want, s.framer.wanted())
		}
	}
}

// isGone tells whether either end has closed, even if bytes that it sent before are unread.
func (s *stream) isGone() bool {
	if hungUp(s.from) || hungUp(s.to) {
		return true
	}
	// hungUp does not know about some ends (net.Pipe, or another system than Linux). Their
	// readers notice the end; on a fake clock they do before any time passes.
	s.c.wait(time.Nanosecond, nil)
	return !s.c.open() || s.c.up.hasEnded() || s.c.down.hasEnded()
}

func (s *stream) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// send writes the held bytes and then data, as fast as the link permits.
func (s *stream) send(data []byte) {
	if len(s.held) > 0 {
		data, s.held = append(s.held, data...), nil
	}
	for len(data) > 0 && !s.lost {
		n := s.permit(len(data))
		if n == 0 {
			s.lost = true
			return
		}
		if _, err := s.to.Write(data[:n]); err != nil {
			s.failed()
			return
		}
		s.c.passed.Store(int64(time.Since(s.c.made)))
		data = data[n:]
	}
}
