package report

import (
	"cmp"
	"fmt"
	"slices"

	"redial/harness/check"
	"redial/harness/history"
	"redial/harness/internal/words"
	"redial/harness/plan"
)

// Limits that keep a failure within one screen.
const (
	excerptEvents    = 16
	excerptElsewhere = 2 // of them, events of other pages that show the message
)

// An excerpt selects the events that explain a failure.
type excerpt struct {
	Abridged                // or the whole history, which has no At
	f        *check.Finding // nil if the failure has none
	// isIt and isOther tell whether a text is the finding's message, or its other one.
	isIt, isOther func(text string) bool
	chosen        []int // indices of events, in order
	// missing is the chosen event after which something should have happened and did not; -1
	// if the finding is about an event that should not have happened.
	missing int
	// sender is the client that sent the message.
	sender string
}

// index converts a position in events to an index in the whole history; -1 stays -1.
func (x excerpt) index(i int) int {
	if x.At == nil || i < 0 {
		return i
	}
	return x.At[i]
}

func newExcerpt(r Result) excerpt {
	x := excerpt{Abridged: Abridged{Events: r.Events, Total: len(r.Events)}, f: r.offence(), missing: -1}
	if r.Abridged.Total > 0 {
		x.Abridged, x.f = r.Abridged, r.Abridged.of(x.f)
	}
	if x.f == nil {
		for i := max(0, len(x.Events)-excerptEvents); i < len(x.Events); i++ {
			x.chosen = append(x.chosen, i)
		}
		return x
	}
	x.isIt, x.isOther = history.Is(x.f.Message), history.Is(x.f.Other)
	for _, e := range x.Events {
		if e.Kind == history.Sent && x.isAbout(e) {
			x.sender = e.Client
		}
	}
	x.missing = x.placeOfMissing()
	x.chosen = x.choose()
	return x
}

// placeOfMissing is the event by which the message was due, or at which the log was read.
func (x excerpt) placeOfMissing() int {
	last := len(x.Events) - 1
	switch x.f.Anomaly {
	case check.Lost:
		if x.f.Event >= 0 && x.f.Event <= last {
			return x.f.Event
		}
		return last
	case check.Unstored:
		for i, e := range slices.Backward(x.Events) {
			if e.Kind == history.LogRead {
				return i
			}
		}
		return last
	case check.Late:
		return last
	}
	return -1
}

// lack describes what is missing, and where.
func (x excerpt) lack() (who, what string) {
	switch x.f.Anomaly {
	case check.Unstored:
		return "log", "does not hold "
	case check.Late:
		return Visible(x.f.Client), "is not connected"
	}
	return Visible(x.f.Client), "does not show "
}

// How relevant an event is to the finding; immaterial ones are left out.
const (
	named      = iota // named by the finding
	itsMessage        // the message at its sender, in the log and at the page that broke the rule
	itsPage           // state of the page, its connection and the server
	elsewhere         // the message on other pages
	immaterial
)

// choose returns the most relevant events, and among equally relevant ones those nearest to
// where the message was sent or the rule was broken.
func (x excerpt) choose() []int {
	matters := make([]int, len(x.Events))
	sent := x.f.Event
	others := 0
	var chosen []int
	for i, e := range x.Events {
		if e.Kind == history.Sent && x.isAbout(e) {
			sent = i
		}
		matters[i] = x.matters(i)
		if matters[i] == elsewhere {
			if others++; others > excerptElsewhere {
				continue
			}
		}
		if matters[i] < immaterial {
			chosen = append(chosen, i)
		}
	}
	if len(chosen) > excerptEvents {
		slices.SortStableFunc(chosen, func(i, j int) int {
			away := func(i int) int {
				return min(distance(x.index(i), x.index(sent)), distance(x.index(i), x.index(x.f.Event)))
			}
			return cmp.Or(cmp.Compare(matters[i], matters[j]), cmp.Compare(away(i), away(j)))
		})
		chosen = chosen[:excerptEvents]
	}
	slices.Sort(chosen)
	return chosen
}

func (x excerpt) isAbout(e history.Event) bool {
	return x.f.Message != "" && x.isIt(e.Message)
}

func (x excerpt) matters(i int) int {
	e := x.Events[i]
	isNamed := i == x.f.Event || slices.Contains(x.f.Named, i)
	mine := e.Client != "" && e.Client == cmp.Or(x.f.Client, x.sender)
	about := x.isAbout(e) || x.f.Other != "" && x.isOther(e.Message)
	onOther := (e.Kind == history.Shown || e.Kind == history.Removed) && e.Client != x.f.Client
	switch e.Kind {
	case history.Sent, history.Refused, history.Acknowledged, history.Stored, history.Shown, history.Removed, history.Repeated:
		switch {
		case isNamed:
			return named
		case !about, (e.Kind == history.Acknowledged || onOther) && !x.isAbout(e):
			return immaterial
		case onOther:
			return elsewhere
		}
		return itsMessage
	case history.FaultFired, history.FaultHealed:
		endsTwice := e.Kind == history.FaultFired && e.FaultKind == plan.Heal && x.healsNext(i)
		if !endsTwice && (mine || e.Client == "" || e.Client == x.sender) {
			return itsPage
		}
		return immaterial
	case history.Opened, history.Closed, history.Connected, history.Disconnected, history.Suspended, history.Resumed:
		switch {
		case isNamed:
			return named
		case mine:
			return itsPage
		}
		return immaterial
	case history.ServerStopped, history.DataReplaced:
		return itsPage
	case history.Note:
		if e.Client == "" { // from the lab itself, such as that the database is locked
			return itsPage
		}
	case history.TimedOut:
		if x.f.Anomaly == check.Late || x.isAbout(e) {
			return itsPage
		}
	case history.ServerStarted:
		if slices.ContainsFunc(x.Events[:i], func(e history.Event) bool { return e.Kind == history.ServerStopped }) {
			return itsPage
		}
		return immaterial
	}
	if isNamed || i == x.missing {
		return named
	}
	return immaterial
}

// healsNext reports whether the next fault event is a heal: then the end of the fault is shown
// once, by that event.
func (x excerpt) healsNext(i int) bool {
	for _, e := range x.Events[i+1:] {
		if e.Kind == history.FaultFired || e.Kind == history.FaultHealed {
			return e.Kind == history.FaultHealed
		}
	}
	return false
}

// list prints the events, each with its number in the whole history from 1, as every other
// output does. "…" stands for omitted events, and ">" marks the offence.
func (x excerpt) list(s Style) []string {
	lines := []string{fmt.Sprintf("  %-9s  %d of %s", "history", len(x.chosen), words.Count(x.Total, "event"))}
	names := 0
	for _, i := range x.chosen {
		who, _ := describe(x.Events[i], 40)
		names = max(names, min(12, textWidth(who)))
	}
	line := func(mark, number, time, who, what string) {
		line := Clip(fmt.Sprintf("    %s%5s %9s  %s  %s", mark, number, time, pad(Clip(who, names), names), what), s.columns())
		if mark == ">" {
			line = s.paint(red, line)
		}
		lines = append(lines, line)
	}
	before := -1
	for _, i := range x.chosen {
		if x.index(i) > before+1 {
			lines = append(lines, "             …")
		}
		before = x.index(i)
		who, what := describe(x.Events[i], s.columns()-64)
		mark := " "
		if x.f != nil && i == x.f.Event && x.missing < 0 {
			mark = ">"
		}
		line(mark, fmt.Sprint(before+1), clock(x.Events[i].At), who, what)
		if i == x.missing {
			who, what := x.lack()
			if x.f.Message != "" {
				what += quoted(x.f.Message, s.columns()-64)
			}
			names = max(names, min(12, textWidth(who)))
			line(">", "", "", who, what)
		}
	}
	if before < x.Total-1 {
		lines = append(lines, "             …")
	}
	return lines
}
