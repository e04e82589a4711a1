package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"redial/harness/check"
	"redial/harness/history"
	"redial/harness/plan"
)

// Limits of one scene. What exceeds them is left out, and the drawing states how much.
const (
	sceneEvents   = 600
	sceneFrames   = 400
	sceneFindings = 40
	narrowest     = 320
	widest        = 8000
)

// A Scene draws a window of a run for a page on which a user explores it. Time runs to the
// right; the server and its log are in the middle, the clients above and below. Messages are
// arrows from the sender to the server and from the server to each receiver.
//
// With Traffic, every frame is drawn at the times at which it was sent and received. Without
// it, as for a history from a file, the arrows are derived from the events and marked as
// estimated.
//
// Drawn elements have these attributes, so that a page can attach to them: data-kind (a kind
// of event, or frame, connection, session, page, waits, finding), data-lane (client:NAME,
// server:NODE, log), data-at (nanoseconds since the run began), data-client, data-message,
// data-event, data-frame and data-finding (indices in Events, Traffic.Frames and Findings),
// and data-packet (see [Packet]). The SVG itself has data-axis: JSON with the scale, and
// points of time and x, with straight lines between them.
type Scene struct {
	Events  []history.Event
	Traffic history.Traffic
	// Findings are marked at their events, with their rule's sentence.
	Findings []check.Finding
	// From and To limit the window. If To is zero, it ends with the run.
	From, To time.Duration
	// Width is in pixels. Zero means 1040. Below 600 the names of the lanes stand above them.
	Width    int
	Scale    Scale
	Language Language
	// Keeps is how long the server stores a session after it has detected a disconnect
	// (maxDisconnectionDuration). Zero means that it stores none, or that the time is unknown.
	Keeps time.Duration
	// Name describes the drawing for screen readers.
	Name string

	// only, if not nil, holds the indices of the events to draw, for an excerpt.
	only []int
	// strip draws low lanes with signs only, and a frame around the events in framed.
	strip  bool
	framed []int
}

// leftOut counts what exceeded the limits.
type leftOut struct{ Events, Frames, Clients, Findings int }

// Draw returns the scene as SVG, which needs [TimelineStyle] beside it.
func (s Scene) Draw() string {
	svg, _ := s.svg()
	return svg
}

func (s Scene) svg() (string, leftOut) {
	st := s.stage()
	st.draw()
	return st.finish(), st.left
}

// A stage is the state of one drawing.
type stage struct {
	Scene
	canvas
	scaled
	left   leftOut
	narrow bool

	lanes  []stageLane
	names  map[string]int // of the lanes
	events []int          // those drawn, in their order
	frames []int
	// carried maps a frame's index to the messages in it; sent maps the identity of a message
	// to the indices of its Sent events.
	carried map[int][]string
	sent    map[string][]int
	// home lists the servers of a client, each from a time on.
	home map[string][]residence
	// marks has the x of each drawn event's sign; taken has the x up to which a lane is
	// occupied.
	marks map[int]float64
	taken map[int]float64
	boxes []box
	// seen is when the server is first known to have a message, by its identity.
	seen   map[string]plan.Duration
	height float64
}

type residence struct {
	since plan.Duration
	node  string
}

type stageLane struct {
	kind laneKind
	name string
	id   string
	y    float64 // of the lane's line
	top  float64
	size float64
	// towards is the direction from a client to the server: 1 if it is below, -1 above.
	towards float64
}

func (s Scene) stage() *stage {
	s.Language = cmp.Or(s.Language, English)
	s.Scale = cmp.Or(s.Scale, Logarithmic)
	s.Width = cmp.Or(s.Width, 1040)
	s.Width = min(max(s.Width, narrowest), widest)
	from, to := plan.Duration(max(0, s.From)), plan.Duration(s.To)
	if to <= 0 {
		for _, e := range s.Events {
			to = max(to, e.At)
		}
		for _, f := range s.Traffic.Frames {
			to = max(to, f.At)
		}
	}
	s.Name = cmp.Or(s.Name, s.Language.Word("drawing"))
	st := &stage{
		Scene: s, narrow: s.Width < 600,
		carried: map[int][]string{}, sent: map[string][]int{}, home: map[string][]residence{},
		marks: map[int]float64{}, taken: map[int]float64{}, seen: map[string]plan.Duration{},
	}
	st.scaled.From, st.scaled.To = from, max(to, from+1)
	st.left.Frames = s.Traffic.LeftOut
	st.readMessages()
	st.arrange()
	st.choose()
	gutter, right := 108.0, 26.0
	if st.narrow {
		gutter, right = 14, 14
	}
	st.scaled = newScaled(s.Scale, from, st.scaled.To, st.times(), gutter, float64(s.Width)-right)
	return st
}

// importance ranks the events for the limit: 0 is drawn first, and a negative one has no sign.
func importance(e history.Event) int {
	switch e.Kind {
	case history.FaultFired, history.FaultHealed, history.ServerStarted, history.ServerStopped, history.DataReplaced,
		history.Opened, history.Closed, history.Connected, history.Disconnected, history.Suspended, history.Resumed:
		return 0
	case history.Sent, history.Shown, history.Removed, history.Refused, history.Repeated, history.Stored, history.Found:
		if IsBarrier(e.Message) {
			return 3
		}
		return 1
	case history.Acknowledged:
		return 2
	}
	return -1
}

// IsBarrier reports whether the lab had a page send the message as a barrier.
func IsBarrier(message string) bool {
	return strings.Contains(message, " is here ") || strings.HasPrefix(message, plan.Reader+" ")
}

// choose selects the events and frames of the window, within the limits.
func (st *stage) choose() {
	found := map[int]bool{}
	for _, f := range st.Findings {
		found[f.Event] = true
	}
	rank := map[int]int{}
	for i, e := range st.Events {
		r := importance(e)
		if st.only != nil {
			if _, chosen := slices.BinarySearch(st.only, i); !chosen {
				continue
			}
		}
		if r < 0 || !st.scaled.has(st.timeOf(i)) || st.laneOf(e) < 0 {
			continue
		}
		if found[i] {
			r = 0
		}
		rank[i] = r
		st.events = append(st.events, i)
	}
	st.events, st.left.Events = mostImportant(st.events, rank, sceneEvents)
	rank = map[int]int{}
	for i, f := range st.Traffic.Frames {
		if f.Left > st.scaled.To || f.At < st.scaled.From || st.lane("client:"+f.Client) < 0 {
			continue
		}
		rank[i] = 2
		switch packet := Packet(f); {
		case len(st.carried[i]) > 0 && !IsBarrier(st.carried[i][0]):
			rank[i] = 0
		case f.Lost, packet == "connect", packet == "open", packet == "error", packet == "disconnect":
			rank[i] = 1
		case packet == "ping", packet == "pong", packet == "http":
			rank[i] = 3
		}
		st.frames = append(st.frames, i)
	}
	var left int
	st.frames, left = mostImportant(st.frames, rank, sceneFrames)
	st.left.Frames += left
}

// mostImportant keeps at most limit of the indices, in their order, and counts the others.
// Among equally important ones it keeps an even sample, so that no part of the run is left
// empty.
func mostImportant(list []int, rank map[int]int, limit int) (kept []int, left int) {
	if len(list) <= limit {
		return list, 0
	}
	for r := 0; len(kept) < limit; r++ {
		var equals []int
		for _, i := range list {
			if rank[i] == r {
				equals = append(equals, i)
			}
		}
		n := min(len(equals), limit-len(kept))
		for k := range n {
			kept = append(kept, equals[k*len(equals)/n])
		}
	}
	slices.Sort(kept)
	return kept, len(list) - limit
}

// timeOf is when an event is drawn. The log is read only when the run ends, so a row is drawn
// at the time at which the server is first known to have the message.
func (st *stage) timeOf(i int) plan.Duration {
	e := st.Events[i]
	if e.Kind == history.Stored {
		if at, ok := st.seen[history.Identity(e.Message)]; ok {
			return min(at, e.At)
		}
	}
	return e.At
}

// times are the instants at which something is drawn.
func (st *stage) times() (list []plan.Duration) {
	for _, i := range st.events {
		list = append(list, st.timeOf(i))
	}
	for _, i := range st.frames {
		f := st.Traffic.Frames[i]
		list = append(list, f.Left, f.At)
	}
	for _, c := range st.Traffic.Connections {
		if st.scaled.has(c.Noticed) {
			list = append(list, c.Noticed)
		}
	}
	return list
}
