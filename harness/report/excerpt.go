package report

import (
	"fmt"
	"iter"
	"math"
	"slices"

	"redial/harness/check"
	"redial/harness/history"
)

// excerptEvents bounds how many events of a history a failure is told with.
const excerptEvents = 16

// An Excerpt is the events of a history that matter to an offence, in their order.
type Excerpt struct {
	Events []Numbered
	// Total is how many events the history has.
	Total int
}

// A Numbered event has its index in the history.
type Numbered struct {
	Index int
	history.Event
}

// excerpt shows the events that matter to the offence, each with its number from 1, as
// everywhere; "…" stands where others were left out, and ">" marks the offence.
func excerpt(r Result, s Style) []string {
	f := r.offence()
	chosen := r.Excerpt
	if chosen.Total == 0 {
		chosen = relevant(slices.Values(r.Events), f)
	}
	if chosen.Total == 0 {
		return nil
	}
	marked := -1
	if f != nil {
		marked = f.Event
	}
	lines := []string{fmt.Sprintf("  %-9s  %d of %s", "history", len(chosen.Events), count(chosen.Total, "event"))}
	names := 0
	for _, e := range chosen.Events {
		who, _ := describe(e.Event, 40)
		names = max(names, min(12, textWidth(who)))
	}
	before := -1
	for _, e := range chosen.Events {
		if e.Index > before+1 {
			lines = append(lines, "             …")
		}
		before = e.Index
		who, what := describe(e.Event, s.columns()-64)
		mark := "  "
		if e.Index == marked {
			mark = "> "
		}
		line := clip(fmt.Sprintf("    %s%4d %9s  %s  %s", mark, e.Index+1, clock(e.At), pad(clip(who, names), names), what), s.columns())
		if e.Index == marked {
			line = s.paint(red, line)
		}
		lines = append(lines, line)
	}
	if before < chosen.Total-1 {
		lines = append(lines, "             …")
	}
	return lines
}

// relevant chooses the events that the finding is about: what became of its message, what
// broke, and when its page came and went. Where there are too many, those nearest to the
// sending of the message stay; without a finding, the last ones. It holds no more of the
// history than a few times as many, however long that is.
func relevant(events iter.Seq[history.Event], f *check.Finding) Excerpt {
	var offence *Numbered
	// recent are the last that matter, and before and after those nearest to sent.
	var recent, before, after []Numbered
	sent, total := math.MaxInt, 0
	if f != nil {
		sent = f.Event
	}
	for e := range events {
		i := total
		total++
		if f != nil && i == f.Event {
			offence = &Numbered{i, e}
		}
		if f != nil && !matters(e, f) && i != f.Event {
			continue
		}
		recent = last(append(recent, Numbered{i, e}))
		if f != nil && e.Kind == history.Sent && f.Message != "" && e.Message == f.Message {
			sent, before, after = i, slices.Clone(recent), nil
			continue
		}
		if i <= sent {
			before = last(append(before, Numbered{i, e}))
		} else if len(after) < excerptEvents {
			after = append(after, Numbered{i, e})
		}
	}
	chosen := slices.Concat(before, after)
	if offence != nil && !slices.ContainsFunc(chosen, func(n Numbered) bool { return n.Index == offence.Index }) {
		chosen = append(chosen, *offence)
	}
	if len(chosen) > excerptEvents {
		slices.SortStableFunc(chosen, func(a, b Numbered) int { return rank(a.Index, sent, f.Event) - rank(b.Index, sent, f.Event) })
		chosen = chosen[:excerptEvents]
	}
	slices.SortFunc(chosen, func(a, b Numbered) int { return a.Index - b.Index })
	return Excerpt{chosen, total}
}

// last cuts a list to the end of it that an excerpt has room for.
func last(list []Numbered) []Numbered { return list[max(0, len(list)-excerptEvents):] }

// matters tells whether a person who looks into the finding needs the event.
func matters(e history.Event, f *check.Finding) bool {
	switch e.Kind {
	case history.Sent, history.Shown, history.Stored, history.Acknowledged, history.Refused:
		return f.Message != "" && e.Message == f.Message
	case history.FaultFired, history.FaultHealed, history.ServerStopped, history.ServerStarted, history.DataReplaced:
		return true
	case history.Opened, history.Closed, history.Connected, history.Disconnected:
		return e.Client != "" && e.Client == f.Client
	}
	return false
}

// rank orders events by how far they are from the sending; the offence comes first.
func rank(i, sent, offence int) int {
	if i == offence {
		return -1
	}
	return distance(i, sent)
}
