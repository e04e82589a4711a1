package report

import (
	"io"
	"slices"
	"sort"
	"time"

	"redial/harness/check"
	"redial/harness/history"
)

// Bounds of one drawing. What does not fit is left out, counted and said.
const (
	eventsDrawn = 90
	lanesDrawn  = 14
)

// A Timeline draws one history twice, as a [Scene] each time: what is around the offence in
// full, and the whole run as a strip.
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

// Detail writes the drawing around the offence as SVG. It says how many events
// and clients it had to leave out.
func (t Timeline) Detail(w io.Writer) (eventsLeftOut, clientsLeftOut int, err error) {
	s := t.scene()
	s.only = t.choose(eventsDrawn)
	if len(s.only) > 0 {
		s.From = time.Duration(t.Events[s.only[0]].At)
		s.To = time.Duration(t.Events[s.only[len(s.only)-1]].At)
	}
	if t.Offence != nil && t.Offence.Event < 0 && len(t.Events) > 0 { // it is where the run ends
		s.To = time.Duration(t.Events[len(t.Events)-1].At)
	}
	// A short run is not stretched over the page, a full one fills it.
	s.Width = int(max(640, min(1160, 150+36*float64(len(s.only)))))
	left, err := s.Draw(w)
	return len(t.Events) - len(s.only), left.Clients, err
}

// Overview writes the whole run as a narrow strip of SVG, with a frame around the
// part that Detail draws.
func (t Timeline) Overview(w io.Writer) error {
	s := t.scene()
	s.strip = true
	s.framed = slices.DeleteFunc(t.choose(eventsDrawn), func(i int) bool { return distance(i, t.focus()) > eventsDrawn })
	_, err := s.Draw(w)
	return err
}

func (t Timeline) scene() Scene {
	s := Scene{Events: t.Events, Name: t.Name, Bare: t.Bare}
	if t.Offence != nil {
		s.Findings = []check.Finding{*t.Offence}
	}
	return s
}

func distance(a, b int) int { return max(a-b, b-a) }

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
