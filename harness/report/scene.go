package report

import (
	"io"
	"slices"
	"strings"
	"time"

	"redial/harness/check"
	"redial/harness/history"
	"redial/harness/plan"
)

// Bounds of one scene. What does not fit is left out, counted and said.
const (
	sceneEvents   = 600
	sceneFrames   = 400
	sceneFindings = 40
	narrowest     = 320
	widest        = 8000
)

// A Scene draws a window of a run for a page on which a user explores it: time runs right,
// the server and its log are in the middle, the clients above and below. Messages are
// arrows from the sender to the server and from the server to each receiver.
//
// With Traffic every frame is drawn at the times at which it was sent and arrived. Without it
// (a history from a file) the arrows are made from the events, and marked as estimated.
//
// What is drawn has these attributes, so that a page can attach to it: data-kind (a kind
// of event, or frame, connection, session, page, waits, finding), data-lane (client:NAME,
// server:NODE, log), data-at (nanoseconds since the run began), data-client,
// data-message, data-event, data-frame and data-finding (indices in Events,
// Traffic.Frames and Findings), and data-packet (see [Packet]). The SVG itself has
// data-axis: JSON with the scale, and points of time and x, straight lines between them.
type Scene struct {
	Events  []history.Event
	Traffic history.Traffic
	// Findings are marked where they are, with their rule's sentence.
	Findings []check.Finding
	// From and To bound what is drawn. With To zero it goes to the end.
	From, To time.Duration
	// Width is in pixels. Zero means 1040. Below 600 the names of the lanes stand above
	// them.
	Width int
	// Scale is that of the time.
	Scale    Scale
	Language Language
	// Keeps is how long the server keeps a session after a disconnect that it has
	// noticed (maxDisconnectionDuration). Zero: it keeps none, or that is unknown.
	Keeps time.Duration
	// Legend explains below the drawing the signs that it has used. A page that redraws
	// has [Legend] once.
	Legend bool
	// Name says what is drawn, for those who do not see it.
	Name string
	// Bare leaves out the style sheet, for a page that has TimelineStyle once.
	Bare bool

	// only, if not nil, are the events to draw, which are an excerpt.
	only []int
	// strip draws low lanes, with signs alone, and a frame around the framed events.
	strip  bool
	framed []int
}

// LeftOut counts what there was no room for.
type LeftOut struct{ Events, Frames, Clients, Findings int }

// Draw writes the scene as SVG. What it had to leave out it says in the drawing too.
func (s Scene) Draw(w io.Writer) (LeftOut, error) {
	st := s.stage()
	st.draw()
	_, err := w.Write(st.finish())
	return st.left, err
}

// A stage is a scene that is being drawn.
type stage struct {
	Scene
	canvas
	scaled
	left   LeftOut
	narrow bool

	lanes  []stageLane
	names  map[string]int // of the lanes
	events []int          // to be drawn, in their order
	frames []int
	// carried are the messages in a frame, by its index; sent are the indices of the
	// Sent events of each message.
	carried map[int][]string
	sent    map[string][]int
	// home is the server of a client from a time on.
	home map[string][]residence
	// marks is where each drawn event has its sign; taken is how far a lane has signs.
	marks map[int]float64
	taken map[int]float64
	boxes []box
	signs map[string]bool
	// offsets are what the pages hold, while labels are written.
	offsets map[string]int64
	// seen is when the server is first seen to have a message.
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
	y    float64 // of its line
	top  float64
	size float64
	// towards is where the server is seen from a client: 1 below it, -1 above.
	towards float64
}

func (s Scene) stage() *stage {
	if s.Language == "" {
		s.Language = English
	}
	if s.Scale == "" {
		s.Scale = Logarithmic
	}
	if s.Width == 0 {
		s.Width = 1040
	}
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
	if s.Name == "" {
		s.Name = s.Language.Word("drawing")
	}
	st := &stage{
		Scene: s, narrow: s.Width < 600,
		carried: map[int][]string{}, sent: map[string][]int{}, home: map[string][]residence{},
		marks: map[int]float64{}, taken: map[int]float64{}, signs: map[string]bool{},
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

// importance of an event to a scene; 0 comes first, below 0 has no sign.
func importance(e history.Event) int {
	switch e.Kind {
	case history.FaultFired, history.FaultHealed, history.ServerStarted, history.ServerStopped, history.DataReplaced,
		history.Opened, history.Closed, history.Connected, history.Disconnected:
		return 0
	case history.Sent, history.Shown, history.Refused, history.Repeated, history.Stored, history.Found:
		if isMark(e.Message) {
			return 3
		}
		return 1
	case history.Acknowledged:
		return 2
	}
	return -1
}

// isMark tells whether the lab itself has a page send the message, as a barrier.
func isMark(text string) bool {
	return strings.Contains(text, " is here ") || strings.HasPrefix(text, plan.Reader+" ")
}

// choose picks what is drawn in the window.
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
		case len(st.carried[i]) > 0 && !isMark(st.carried[i][0]):
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
// Of those that are equally important it keeps some from everywhere.
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

// timeOf is when an event is drawn. A row of the log, which is read when the run ends, is
// drawn where the server is first seen to have it.
func (st *stage) timeOf(i int) plan.Duration {
	e := st.Events[i]
	if e.Kind != history.Stored {
		return e.At
	}
	if at, ok := st.firstSeen(e.Message); ok {
		return min(at, e.At)
	}
	return e.At
}

// firstSeen is when the server is first seen to have a message.
func (st *stage) firstSeen(message string) (at plan.Duration, ok bool) {
	if st.seen == nil {
		st.seen = map[string]plan.Duration{}
		note := func(message string, at plan.Duration) {
			if before, ok := st.seen[message]; !ok || at < before {
				st.seen[message] = at
			}
		}
		for i, found := range st.carried {
			if f := st.Traffic.Frames[i]; f.Direction == plan.Down {
				for _, m := range found {
					note(m, f.Left)
				}
			}
		}
		for _, e := range st.Events {
			if e.Kind == history.Shown || e.Kind == history.Acknowledged {
				note(e.Message, e.At)
			}
		}
	}
	at, ok = st.seen[message]
	return at, ok
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
