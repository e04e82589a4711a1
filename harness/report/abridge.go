package report

import (
	"iter"
	"slices"

	"redial/harness/check"
	"redial/harness/history"
)

// abridgedTo limits how many events an abridged history has before the message was sent, and
// how many after it, in addition to those that the finding names.
const abridgedTo = 200

// An Abridged is the part of a history that an excerpt may need, in its order.
type Abridged struct {
	Events []history.Event
	// At are the events' indices in the whole history, which has Total events.
	At    []int
	Total int
}

// Abridge keeps the events that may explain the verdict, from a history that is too long to
// hold in memory.
func (r *Result) Abridge(events iter.Seq[history.Event]) {
	f := r.offence()
	if f == nil {
		f = &check.Finding{Event: -1}
	}
	isIt, isOther := history.Is(f.Message), history.Is(f.Other)
	type numbered struct {
		at int
		history.Event
	}
	// The connections of other pages are collected separately, so that they take no room from
	// the events that explain the verdict. Without them a drawing would show those pages as
	// offline.
	var told, others nearest[numbered]
	var kept []numbered
	var newest, read numbered
	total := 0
	for e := range events {
		n := numbered{total, e}
		total++
		newest = n
		switch {
		case e.Kind == history.LogRead:
			read = n
		case n.at == f.Event || slices.Contains(f.Named, n.at):
			kept = append(kept, n)
		case r.offence() != nil && !mayMatter(e, f, isIt, isOther):
			if ofPage(e) {
				others.add(n)
			}
			continue
		}
		told.add(n)
		if e.Kind == history.Sent && f.Message != "" && isIt(e.Message) {
			told.center()
			others.center()
		}
	}
	all := slices.Concat(told.all(), others.all(), kept, []numbered{read, newest})
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

// nearest holds the last elements up to a center, and the first ones after it. The end is the
// center until one is set.
type nearest[T any] struct {
	recent, before, after []T
	centered              bool
}

func (n *nearest[T]) add(one T) {
	n.recent = append(n.recent, one)
	n.recent = n.recent[max(0, len(n.recent)-abridgedTo):]
	if n.centered && len(n.after) < abridgedTo {
		n.after = append(n.after, one)
	}
}

// center makes the element that was added last the center.
func (n *nearest[T]) center() { n.before, n.after, n.centered = slices.Clone(n.recent), nil, true }

func (n *nearest[T]) all() []T {
	if !n.centered {
		return n.recent
	}
	return slices.Concat(n.before, n.after)
}

func ofPage(e history.Event) bool {
	switch e.Kind {
	case history.Opened, history.Closed, history.Connected, history.Disconnected, history.Suspended, history.Resumed:
		return true
	}
	return false
}

// mayMatter reports whether an excerpt about the finding, with its message and its other one, could
// contain the event.
func mayMatter(e history.Event, f *check.Finding, isIt, isOther func(text string) bool) bool {
	switch e.Kind {
	case history.Sent, history.Shown, history.Removed, history.Repeated, history.Stored, history.Acknowledged, history.Refused:
		return e.Message != "" && (isIt(e.Message) || isOther(e.Message))
	}
	if ofPage(e) {
		return f.Client == "" || e.Client == f.Client
	}
	return e.Kind != history.Barrier && (e.Kind != history.Note || e.Client == "")
}

// position converts an index in the whole history to one in the abridged history, or -1.
func (a Abridged) position(at int) int {
	if i, found := slices.BinarySearch(a.At, at); found {
		return i
	}
	return -1
}

// of returns the finding with positions in the abridged history in place of indices.
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
