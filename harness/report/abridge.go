package report

import (
	"iter"
	"slices"

	"redial/harness/check"
	"redial/harness/history"
)

// abridgedTo bounds how many events an abridged history has before the sending of the
// message, and how many after it, beside those that the finding names.
const abridgedTo = 200

// An Abridged is the part of a history that an excerpt may be made of, in its order.
type Abridged struct {
	Events []history.Event
	// At are their indices in the history, which has Total events.
	At    []int
	Total int
}

// Abridge keeps the events that may matter to the verdict, out of a history that is too long
// to hold.
func (r *Result) Abridge(events iter.Seq[history.Event]) {
	f := r.offence()
	if f == nil {
		f = &check.Finding{Event: -1}
	}
	type numbered struct {
		at int
		history.Event
	}
	last := func(list []numbered) []numbered { return list[max(0, len(list)-abridgedTo):] }
	// recent are the last that may matter, before and after those nearest to the sending.
	var recent, before, after, kept []numbered
	var newest, read numbered
	total, sent := 0, false
	for e := range events {
		n := numbered{total, e}
		total++
		newest = n
		switch {
		case e.Kind == history.LogRead:
			read = n
		case n.at == f.Event || slices.Contains(f.Named, n.at):
			kept = append(kept, n)
		case r.offence() != nil && !mayMatter(e, f):
			continue
		}
		recent = last(append(recent, n))
		switch {
		case e.Kind == history.Sent && f.Message != "" && e.Message == f.Message:
			sent, before, after = true, slices.Clone(recent), nil
		case !sent:
			before = recent
		case len(after) < abridgedTo:
			after = append(after, n)
		}
	}
	all := slices.Concat(before, after, kept, []numbered{read, newest})
	slices.SortStableFunc(all, func(a, b numbered) int { return a.at - b.at })
	all = slices.CompactFunc(all, func(a, b numbered) bool { return a.at == b.at })
	r.Abridged = Abridged{Total: total}
	for _, n := range all {
		if n.Kind != "" {
			r.Abridged.Events = append(r.Abridged.Events, n.Event)
			r.Abridged.At = append(r.Abridged.At, n.at)
		}
	}
}

// mayMatter tells whether an excerpt about the finding may have the event.
func mayMatter(e history.Event, f *check.Finding) bool {
	switch e.Kind {
	case history.Sent, history.Shown, history.Repeated, history.Stored, history.Acknowledged, history.Refused:
		return e.Message != "" && (e.Message == f.Message || e.Message == f.Other)
	case history.Opened, history.Closed, history.Connected, history.Disconnected:
		return f.Client == "" || e.Client == f.Client
	}
	return e.Kind != history.Note && e.Kind != history.Settled
}

// position is where the event of that index is in the abridged history, or -1.
func (a Abridged) position(at int) int {
	if i, found := slices.BinarySearch(a.At, at); found {
		return i
	}
	return -1
}

// of is the finding with positions in place of indices.
func (a Abridged) of(f *check.Finding) *check.Finding {
	if f == nil {
		return nil
	}
	moved := *f
	moved.Event, moved.Named = a.position(f.Event), nil
	for _, at := range f.Named {
		if i := a.position(at); i >= 0 {
			moved.Named = append(moved.Named, i)
		}
	}
	return &moved
}
