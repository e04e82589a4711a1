package check

import (
	"cmp"
	"slices"
	"sort"

	"redial/harness/contract"
	"redial/harness/internal/words"
)

// losses finds what views are entitled to and do not show, one view at a time.
type losses struct {
	*facts
	// certain holds the messages that exist, in the order in which they were sent.
	certain []int32
	// settled is, by message, the number of the view for which it needs no more
	// looking at: it is shown there, or found to be lost.
	settled []int32
	number  int32
	// view is the one that is being looked at.
	view *view
	// shows is how many different messages the view shows.
	shows int
	lost  []loss
}

func newLosses(f *facts) *losses {
	l := &losses{facts: f, settled: make([]int32, len(f.messages))}
	for _, id := range f.sends {
		m := &f.messages[id]
		exists := f.position[id] >= 0 || !f.hasLog && m.isAcknowledged() || f.reachesOnlyOthers() && f.mustBeKnown(id)
		exists = exists && (f.hasLog || !f.isWiped(id))
		if exists && !f.phantom[id] {
			l.certain = append(l.certain, id)
		}
	}
	return l
}

// A loss is a message that a view is entitled to and does not show.
type loss struct {
	message int32
	// connected is the event that began the connection that entitles the view to
	// it; -1 where it is entitled to the whole log.
	connected int
	// event is the one by which it was at rest, or by which the log had to be shown.
	event int
}

// of returns what v has lost. The slice is good until the next call.
func (l *losses) of(v *view) []loss {
	l.lost = l.lost[:0]
	if !v.isPage {
		return nil
	}
	last := l.look(v)
	if l.level.AtLeast(contract.ServerDelivery) {
		switch {
		case l.isUp(v):
			l.whole(v, len(l.story), l.ended)
			l.untold()
		case l.hasLog && v.closed != never:
			l.whole(v, last, v.closed)
		}
	}
	for _, p := range l.presences(v) {
		l.during(p)
	}
	if l.phantoms && len(l.lost) > 0 {
		l.excuse(v)
	}
	return l.lost
}

// look marks what the view shows, and returns the highest position of it that
// can be relied on.
func (l *losses) look(v *view) int {
	l.number++
	l.view = v
	l.shows = 0
	last := int32(0)
	for id := range l.shownBy(v) {
		l.settled[id] = l.number
		l.shows++
		if l.isInPlace(id) {
			last = max(last, l.position[id])
		}
	}
	return int(last)
}

func (l *losses) owed(o loss) {
	if m := &l.messages[o.message]; l.noEcho && m.isSent() && l.views[m.sender] == l.view {
		return // its page shows it by itself, which nobody recorded
	}
	if l.settled[o.message] != l.number {
		l.settled[o.message] = l.number
		l.lost = append(l.lost, o)
	}
}

// whole asks for the rows at the positions up to end, but for those that the view
// did not ask for.
func (l *losses) whole(v *view, end, event int) {
	for _, id := range l.story[:end] {
		if l.hasLog && (v.after == 0 || l.log[l.firstRow[id]].offset > v.after) || !l.hasLog && !l.isWiped(id) {
			l.owed(loss{id, -1, event})
		}
	}
}

// untold asks, where there is no log, for what was acknowledged and nobody shows.
func (l *losses) untold() {
	for _, id := range l.certain {
		if !l.hasLog && l.position[id] < 0 {
			l.owed(loss{id, -1, l.ended})
		}
	}
}

// during asks for what was sent, and came to rest, while the view was present.
func (l *losses) during(p presence) {
	first := sort.Search(len(l.certain), func(i int) bool { return l.messages[l.certain[i]].sentAt > p.from })
	for _, id := range l.certain[first:] {
		if l.messages[id].sentAt > p.settled {
			return
		}
		if l.restAt[id] <= p.settled {
			l.owed(loss{id, p.from, l.restAt[id]})
		}
	}
}

// excuse takes from the losses what the view shows altered.
func (l *losses) excuse(v *view) {
	missing := make([]int32, len(l.lost))
	for i, o := range l.lost {
		missing[i] = o.message
	}
	slices.SortFunc(missing, func(a, b int32) int { return cmp.Compare(l.saidAt[a], l.saidAt[b]) })
	altered := map[int32]bool{}
	for _, a := range l.alteredAmong(l.shownBy(v), missing) {
		altered[a.message] = true
	}
	l.lost = slices.DeleteFunc(l.lost, func(o loss) bool { return altered[o.message] })
}

// observed is what the view that was judged last shows instead of what it lost.
func (l *losses) observed() string {
	if l.shows == 0 {
		return "the page shows no message at all"
	}
	return "the page shows " + words.Count(l.shows, "other message") + " and not this one"
}
