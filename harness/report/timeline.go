package report

import (
	"cmp"
	"slices"
	"time"

	"redial/harness/check"
	"redial/harness/history"
)

// Limits of one drawing. What exceeds them is left out and counted.
const (
	eventsDrawn = 90
	lanesDrawn  = 14
)

// A timeline draws one history as two [Scene]s: the events around the offence in full, and the
// whole run as a strip. The labels are names, messages and terms of the protocol, so a drawing
// needs no translation.
type timeline struct {
	Events  []history.Event
	Offence *check.Finding // to mark; nil marks nothing
	Name    string         // describes the drawing for screen readers
}

// detail is the drawing around the offence as SVG, with how many events and clients it leaves
// out.
func (t timeline) detail() (svg string, eventsLeftOut, clientsLeftOut int) {
	s := t.scene()
	s.only = t.choose()
	if len(s.only) > 0 {
		s.From = time.Duration(t.Events[s.only[0]].At)
		s.To = time.Duration(t.Events[s.only[len(s.only)-1]].At)
	}
	if t.Offence != nil && t.Offence.Event < 0 && len(t.Events) > 0 { // a finding without an event stands at the end of the run
		s.To = time.Duration(t.Events[len(t.Events)-1].At)
	}
	// The width grows with the events, so that a short run is not stretched over the page.
	s.Width = int(max(640, min(1160, 150+36*float64(len(s.only)))))
	svg, left := s.svg()
	return svg, len(t.Events) - len(s.only), left.Clients
}

// overview is the whole run as a narrow strip of SVG, with a frame around the part that detail
// draws.
func (t timeline) overview() string {
	s := t.scene()
	s.strip = true
	s.framed = slices.DeleteFunc(t.choose(), func(i int) bool { return distance(i, t.focus()) > eventsDrawn })
	return s.Draw()
}

func (t timeline) scene() Scene {
	s := Scene{Events: t.Events, Name: t.Name}
	if t.Offence != nil {
		s.Findings = []check.Finding{*t.Offence}
	}
	return s
}

func distance(a, b int) int { return max(a-b, b-a) }

// focus is the index of the event at the centre of the drawing: the offence, otherwise the
// first fault, otherwise the first event.
func (t timeline) focus() int {
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

// choose selects at most eventsDrawn events, in their order: first all that concern the offending
// message, then those nearest to the focus, then the latest changes of the connections
// concerned, and then others, nearest first.
func (t timeline) choose() []int {
	focus, concerns := t.focus(), t.concerns()
	chosen := make([]int, len(t.Events))
	importance := make([]int, len(t.Events))
	parties := t.parties()
	for i, e := range t.Events {
		chosen[i] = i
		ordinaryRow := e.Kind == history.Stored || e.Kind == history.Found
		switch {
		case i == focus || concerns(e):
			importance[i] = 0
		case distance(i, focus) <= eventsDrawn/6 && !ordinaryRow:
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
	if len(chosen) > eventsDrawn {
		slices.SortStableFunc(chosen, func(i, j int) int {
			return cmp.Or(importance[i]-importance[j], distance(i, focus)-distance(j, focus))
		})
		chosen = chosen[:eventsDrawn]
		slices.Sort(chosen)
	}
	return chosen
}

// backgroundDrawn limits the events of importance 2 that are drawn before others.
const backgroundDrawn = 16

// demote lowers the rank of events of importance 2, except for those nearest to the focus:
// otherwise a client with many reconnections would displace the events around the finding.
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

// parties are the clients that the offence concerns: the sender of the message, and the page
// that broke the rule. The server, whose name is empty, is one of them.
func (t timeline) parties() map[string]bool {
	parties := map[string]bool{"": true}
	if t.Offence == nil {
		return parties
	}
	parties[t.Offence.Client] = true
	concerns := t.concerns()
	for _, e := range t.Events {
		if e.Kind == history.Sent && concerns(e) {
			parties[e.Client] = true
		}
	}
	return parties
}

// concerns returns a function that reports whether an event is about the offending message.
func (t timeline) concerns() func(history.Event) bool {
	if t.Offence == nil || t.Offence.Message == "" {
		return func(history.Event) bool { return false }
	}
	isIt := history.Is(t.Offence.Message)
	return func(e history.Event) bool { return isIt(e.Message) }
}
