package report

import (
	"cmp"
	"slices"
	"sort"

	"redial/harness/check"
	"redial/harness/history"
	"redial/harness/plan"
)

// Bounds of one drawing. What does not fit is left out, counted and said.
const (
	eventsDrawn = 90
	lanesDrawn  = 14
)

// A Timeline draws one history: time runs to the right, with the server, each
// client and the log on a lane of its own. See svg.go for how it looks.
//
// Gaps in time are drawn on a logarithmic scale, because a run is bursts of
// milliseconds with tens of seconds of waiting between them. The labels are names,
// messages and terms of the protocol, so a drawing needs no translation.
type Timeline struct {
	Events []history.Event
	// Offence is the finding to mark; nil marks nothing.
	Offence *check.Finding
	// Name says what is drawn, for those who do not see it.
	Name string
	// Bare leaves out the style sheet, for a page that has TimelineStyle once.
	Bare bool
}

// laneKind is what a lane is for.
type laneKind int

const (
	serverLane laneKind = iota
	clientLane
	logLane
)

// spanKind is what holds over a stretch of a lane.
type spanKind int

const (
	serverUp spanKind = iota
	pageOpen
	isConnected
	isDisconnected
	underFault
)

// A span holds from one event to another, as indices; to is len(events) for what
// lasted until the end.
type span struct {
	kind     spanKind
	from, to int
	label    string
}

type lane struct {
	kind  laneKind
	name  string
	spans []span
}

// story is a history made ready to be drawn.
type story struct {
	events []history.Event
	lanes  []lane
	// hidden is the number of clients for which there was no lane.
	hidden int
	// senders maps the index of a Shown or Stored event to that of its Sent event.
	senders map[int]int
}

func (t Timeline) story() story {
	s := story{events: t.Events, senders: map[int]int{}}
	s.nameLanes(t.Offence)
	lastSent := map[string]int{}
	for i, e := range t.Events {
		switch e.Kind {
		case history.Sent:
			lastSent[e.Message] = i
		case history.Shown, history.Stored, history.Acknowledged:
			if from, ok := lastSent[e.Message]; ok {
				s.senders[i] = from
			}
		}
	}
	for i := range s.lanes {
		s.lanes[i].spans = s.spansOf(s.lanes[i])
	}
	return s
}

// nameLanes decides who has a lane. With more clients than fit, those who have
// to do with the offence come before the others.
func (s *story) nameLanes(offence *check.Finding) {
	var clients, servers []string
	hasLog := offence != nil && offence.Client == ""
	needed := map[string]bool{}
	for _, e := range s.events {
		switch e.Kind {
		case history.Stored, history.Found, history.LogRead:
			hasLog = true
			continue
		case history.ServerStarted, history.ServerStopped:
			if name := serverName(e.Node); !slices.Contains(servers, name) {
				servers = append(servers, name)
			}
		}
		if e.Client == "" || e.Client == plan.Reader {
			continue
		}
		if !slices.Contains(clients, e.Client) {
			clients = append(clients, e.Client)
		}
		if offence != nil && (e.Client == offence.Client || e.Kind == history.Sent && e.Message == offence.Message) {
			needed[e.Client] = true
		}
	}
	if len(servers) == 0 {
		servers = []string{serverName("")}
	}
	room := lanesDrawn - 1 - len(servers)
	if len(clients) > room {
		s.hidden = len(clients) - room
		kept := slices.Clone(clients)
		slices.SortStableFunc(kept, func(a, b string) int {
			return cmp.Compare(btoi(needed[b]), btoi(needed[a]))
		})
		kept = kept[:room]
		clients = slices.DeleteFunc(clients, func(c string) bool { return !slices.Contains(kept, c) })
	}
	for _, server := range servers {
		s.lanes = append(s.lanes, lane{kind: serverLane, name: server})
	}
	for _, c := range clients {
		s.lanes = append(s.lanes, lane{kind: clientLane, name: c})
	}
	if hasLog {
		s.lanes = append(s.lanes, lane{kind: logLane, name: "log"})
	}
}

// serverName heads the lane of a server: of the one, or of one in a cluster.
func serverName(node string) string {
	if node == "" {
		return "server"
	}
	return node
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// laneOf is the lane that an event belongs to, or -1.
func (s story) laneOf(e history.Event) int {
	kind, name := clientLane, e.Client
	switch e.Kind {
	case history.ServerStarted, history.ServerStopped, history.DataReplaced:
		kind, name = serverLane, serverName(e.Node)
	case history.Stored, history.Found:
		kind = logLane
	case history.FaultFired, history.FaultHealed:
		if e.FaultKind == plan.Crash || e.FaultKind == plan.Restart {
			kind, name = serverLane, serverName(e.Node)
		}
	}
	return s.lane(kind, name)
}

func (s story) lane(kind laneKind, name string) int {
	return slices.IndexFunc(s.lanes, func(l lane) bool {
		return l.kind == kind && (kind == logLane || l.name == name)
	})
}

// spansOf follows one lane through the whole history.
func (s story) spansOf(l lane) []span {
	var spans []span
	open := map[spanKind]int{}
	end := func(kind spanKind, at int) {
		if i, ok := open[kind]; ok {
			spans[i].to = at
			delete(open, kind)
		}
	}
	begin := func(kind spanKind, at int, label string) {
		end(kind, at)
		open[kind] = len(spans)
		spans = append(spans, span{kind, at, len(s.events), label})
	}
	if l.kind == serverLane && s.wasUp(l) {
		begin(serverUp, 0, "")
	}
	for i, e := range s.events {
		at := s.laneOf(e)
		if at < 0 || s.lanes[at].kind != l.kind || s.lanes[at].name != l.name {
			continue
		}
		switch e.Kind {
		case history.ServerStarted:
			begin(serverUp, i, "")
		case history.ServerStopped:
			end(serverUp, i)
		case history.Opened:
			begin(pageOpen, i, viewLabel(e.View))
			end(isConnected, i)
			begin(isDisconnected, i, "")
		case history.Closed:
			end(pageOpen, i)
			end(isConnected, i)
			end(isDisconnected, i)
		case history.Connected:
			end(isDisconnected, i)
			begin(isConnected, i, "")
		case history.Disconnected:
			end(isConnected, i)
			begin(isDisconnected, i, "")
		case history.FaultFired:
			if e.FaultKind.Lasts() {
				begin(underFault, i, string(e.FaultKind))
			}
		case history.FaultHealed:
			end(underFault, i)
		}
	}
	return spans
}

// wasUp tells whether the server ran before the history says anything of it.
func (s story) wasUp(l lane) bool {
	for _, e := range s.events {
		if serverName(e.Node) != l.name {
			continue
		}
		switch e.Kind {
		case history.ServerStarted:
			return false
		case history.ServerStopped:
			return true
		}
	}
	return true
}

func viewLabel(view int) string {
	if view < 2 {
		return ""
	}
	return "view " + itoa(view)
}

// focus is the index of the event that a drawing is about: the offence, or else
// the first fault, or else the beginning.
func (t Timeline) focus() int {
	if t.Offence != nil {
		if t.Offence.Event >= 0 && t.Offence.Event < len(t.Events) {
			return t.Offence.Event
		}
		return max(0, len(t.Events)-1)
	}
	for i, e := range t.Events {
		if e.Kind == history.FaultFired {
			return i
		}
	}
	return 0
}

// choose picks at most limit events to draw, in their order: all that concerns
// the offending message, what is nearest to the focus, what happened last to the
// connections of those concerned, and then whatever still fits, nearest first.
func (t Timeline) choose(limit int) []int {
	focus := t.focus()
	chosen := make([]int, len(t.Events))
	importance := make([]int, len(t.Events))
	parties := t.parties()
	for i, e := range t.Events {
		chosen[i] = i
		ordinaryRow := e.Kind == history.Stored || e.Kind == history.Found
		switch {
		case i == focus || t.concerns(e):
			importance[i] = 0
		case distance(i, focus) <= limit/6 && !ordinaryRow:
			importance[i] = 1
		case e.Message == "" && parties[e.Client]:
			importance[i] = 2
		case !ordinaryRow:
			importance[i] = 3
		default:
			importance[i] = 4
		}
	}
	demote(importance, focus)
	if len(chosen) > limit {
		sort.SliceStable(chosen, func(a, b int) bool {
			i, j := chosen[a], chosen[b]
			if importance[i] != importance[j] {
				return importance[i] < importance[j]
			}
			return distance(i, focus) < distance(j, focus)
		})
		chosen = chosen[:limit]
		slices.Sort(chosen)
	}
	return chosen
}

// backgroundDrawn is how many events of importance 2 are drawn before others.
const backgroundDrawn = 16

// demote makes events of importance 2 ordinary ones, but for those nearest to the
// focus: the background of a finding must not crowd out its surroundings.
func demote(importance []int, focus int) {
	kept := 0
	for away := range len(importance) {
		for _, i := range []int{focus - away, focus + away} {
			if i < 0 || i >= len(importance) || importance[i] != 2 {
				continue
			}
			if kept++; kept > backgroundDrawn {
				importance[i] = 3
			}
		}
	}
}

// parties are the clients that the offence is about: who sent the message, and
// where it went wrong. The server, which has no name, is one of them.
func (t Timeline) parties() map[string]bool {
	parties := map[string]bool{"": true}
	if t.Offence == nil {
		return parties
	}
	parties[t.Offence.Client] = true
	for _, e := range t.Events {
		if e.Kind == history.Sent && t.concerns(e) {
			parties[e.Client] = true
		}
	}
	return parties
}

// concerns tells whether an event is about the offending message.
func (t Timeline) concerns(e history.Event) bool {
	return t.Offence != nil && t.Offence.Message != "" && e.Message == t.Offence.Message
}
