package network

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"redial/harness/plan"
)

const (
	// textKept is how much of a frame's text is recorded.
	textKept = 500
	// framesKept bounds a recording; later frames are only counted.
	framesKept = 20000
)

// A Traffic records every frame and connection of a network that has it in its
// [Events]. It is safe for concurrent use.
type Traffic struct {
	mu          sync.Mutex
	frames      []Frame
	connections []Connection
	leftOut     int
}

// A Frame is one frame that an end has sent.
type Frame struct {
	plan.Passed
	// Overall is its number among the client's frames in that direction over all
	// connections, by which a fault counts that names no connection. It is 0 for a frame that
	// was sent on a broken connection, at which no fault fires.
	Overall int
	// Left is when it came from its sender, At when it was forwarded or, if Lost, dropped.
	Left, At time.Time
	Lost     bool
	// Type is http, text, binary, more (the continuation of a fragment), close, ping,
	// pong or bytes (a chunk of an opaque stream).
	Type string
	// Size is the number of its bytes, head included.
	Size int
	// Text is the beginning of its payload, and for an HTTP message its first line before
	// that. It is empty if a compressed payload cannot be read.
	Text string
}

// A Connection is one connection of a client that reached the server.
type Connection struct {
	Client string
	Number int
	Opened time.Time
	// Ended is when it ended for the client, Noticed when it did for the server; zero means
	// not yet. For a half-open connection they are far apart.
	Ended, Noticed time.Time
}

// Recorded returns the recording so far, and how many frames were left out of it.
func (t *Traffic) Recorded() (frames []Frame, connections []Connection, leftOut int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.frames), slices.Clone(t.connections), t.leftOut
}

// opened records a connection that has reached the server. It returns its place in the recording,
// from 1; 0 if it has none.
func (t *Traffic) opened(client string, number int) (place int) {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.connections) == framesKept {
		return 0
	}
	t.connections = append(t.connections, Connection{Client: client, Number: number, Opened: time.Now()})
	return len(t.connections)
}

// ended records that the client or the server has noticed the end of the connection.
func (t *Traffic) ended(c *connection, client, server bool) {
	if t == nil || c.recorded == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	to := &t.connections[c.recorded-1]
	if client && to.Ended.IsZero() {
		to.Ended = time.Now()
	}
	if server && to.Noticed.IsZero() {
		to.Noticed = time.Now()
	}
}

func (t *Traffic) add(f Frame) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.frames) == framesKept {
		t.leftOut++
		return
	}
	t.frames = append(t.frames, f)
}

// noted is a complete frame that has not been forwarded. It ends at the index end of the
// current chunk.
type noted struct {
	Frame
	end int
}

func (s *stream) traffic() *Traffic { return s.c.link.events.Traffic }

// note notes the frame that has just ended at the index of the chunk.
func (s *stream) note(end int) {
	if s.traffic() == nil {
		return
	}
	s.noted = append(s.noted, noted{Frame{
		Passed: plan.Passed{
			Client: s.c.link.name, Connection: int(s.c.number.Load()), Direction: s.direction, Number: s.frames,
		},
		Overall: s.overall, Left: s.arrived, Type: s.framer.kind(), Size: s.size, Text: s.framer.text(),
	}, end})
}

// report records the noted frames that end at or before the index of the chunk.
func (s *stream) report(upTo int, lost bool) {
	n := 0
	for ; n < len(s.noted) && s.noted[n].end <= upTo; n++ {
		f := s.noted[n].Frame
		f.At, f.Lost = time.Now(), lost
		s.traffic().add(f)
	}
	s.noted = s.noted[n:]
	if len(s.noted) == 0 {
		s.noted = nil
	}
}

// drop records the frames of a chunk, or of its rest, that are not forwarded.
func (s *stream) drop(data []byte, arrived time.Time) {
	if s.traffic() == nil {
		return
	}
	s.arrived = arrived
	for at := 0; at < len(data); {
		if !s.framer.inside {
			s.frames++
			s.overall, s.size, s.framer.want = 0, 0, textKept
		}
		n, ended := s.framer.scan(data[at:])
		at += n
		s.size += n
		if ended {
			s.note(at)
		}
	}
	s.report(len(data), true)
}

// putDropped queues a chunk of a broken connection, so that the runner records its frames.
func (s *stream) putDropped(data []byte) {
	if s.traffic() == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queued > maxLimitedQueue {
		return
	}
	s.queue = append(s.queue, item{data: bytes.Clone(data), arrived: time.Now()})
	s.queued += len(data)
	if !s.running {
		s.running = true
		s.c.work.Go(s.run)
	}
}

// kind is a frame's Type.
func (f *framer) kind() string {
	switch {
	case f.packets:
		return "http"
	case f.shared.protocol() != protocolWebSocket:
		return "bytes"
	}
	return cmp.Or(kinds[f.header.OpCode], "bytes")
}

var kinds = map[ws.OpCode]string{
	ws.OpContinuation: "more", ws.OpText: "text", ws.OpBinary: "binary",
	ws.OpClose: "close", ws.OpPing: "ping", ws.OpPong: "pong",
}

func (f *framer) text() string {
	payload := f.content()
	payload = payload[:min(len(payload), textKept)]
	if !f.packets {
		// Only the first frame of a compressed message has a reserved bit.
		if f.shared.protocol() == protocolWebSocket && (f.header.Rsv != 0 || f.inflates()) && !f.plain {
			return ""
		}
		return string(payload)
	}
	if len(payload) == 0 {
		return f.startLine
	}
	return f.startLine + "\n" + string(payload)
}
