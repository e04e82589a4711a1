package check

import (
	"cmp"
	"slices"
	"sort"

	"redial/harness/contract"
)

// losses finds the messages that a view is entitled to and does not show, one view at a time.
type losses struct {
	*facts
	// certain holds the messages that exist, in the order in which they were sent.
	certain []int32
	// checked is, by message, the number of the last view that shows it, or for which it is
	// already listed as lost.
	checked []int32
	number  int32
	view    *view // the view being judged
	shows   int   // the number of different messages that it shows
	lost    []loss
}

func newLosses(f *facts) *losses {
	l := &losses{facts: f, checked: make([]int32, len(f.messages))}
	for _, id := range f.sends {
		m := &f.messages[id]
		exists := f.position[id] >= 0 || !f.hasLog && m.isAcknowledged() || f.reachesOnlyOthers() && f.mustBeKnown(id)
		if f.wasReplaced(id) {
			exists = min(m.acknowledged, m.shown) < f.replaced || f.healthy[id]
		}
		if exists && !f.phantom[id] {
			l.certain = append(l.certain, id)
		}
	}
	return l
}

// A loss is a message that a view is entitled to and does not show.
type loss struct {
	message int32
	// connected is the event that began the connection because of which the view is entitled
	// to the message; -1 where it is entitled to the whole log.
	connected int
	// event is the barrier at which the message was at rest, or the end of the view or run.
	event int
}

// of returns the messages that v has lost. The slice is valid until the next call.
func (l *losses) of(v *view) []loss {
	l.lost = l.lost[:0]
	last := l.markShown(v)
	if l.level.AtLeast(contract.ServerDelivery) {
		switch {
		case l.isUp(v):
			l.missRows(len(l.reference), l.ended)
			for _, id := range l.certain { // without a log: those that were acknowledged, and no page shows
				if !l.wasReplaced(id) {
					l.miss(loss{id, -1, l.ended})
				}
			}
		case v.closed != never:
			l.missRows(last, v.closed)
		}
	}
	for _, p := range l.presences(v) {
		l.missDuring(p)
	}
	if l.phantoms && len(l.lost) > 0 {
		l.removeAltered(v)
	}
	return l.lost
}

// markShown marks the messages that the view shows, and returns the highest position of
// those that the log holds in the right place; 0 without a log.
func (l *losses) markShown(v *view) int {
	l.number++
	l.view = v
	l.shows = 0
	last := int32(0)
	for id := range l.shownBy(v) {
		if !l.removedFrom(v, id) {
			l.checked[id] = l.number
			l.shows++
		}
		if l.isInPlace(id) {
			last = max(last, l.position[id])
		}
	}
	return int(last)
}

// removedFrom reports whether the view has removed a message that it has to go on showing. A page
// may show less while it is not connected, and begin anew when it notices that the server's data
// was replaced.
func (l *losses) removedFrom(v *view, id int32) bool {
	_, removed := v.removed[id]
	return removed && l.level.AtLeast(contract.ServerDelivery) && l.isUp(v) && !l.wasReplaced(id)
}

func (l *losses) miss(o loss) {
	if m := &l.messages[o.message]; l.noEcho && m.isSent() && l.views[m.sender] == l.view && !l.removedFrom(l.view, o.message) {
		return // the page shows its own message without an echo, and no event records that
	}
	if l.checked[o.message] != l.number {
		l.checked[o.message] = l.number
		l.lost = append(l.lost, o)
	}
}

// missRows requires the messages at the positions up to end.
func (l *losses) missRows(end, event int) {
	for _, id := range l.reference[:end] {
		if l.hasLog || !l.predatesReplacement(id) {
			l.miss(loss{id, -1, event})
		}
	}
}

// missDuring requires the messages that were sent, and came to rest, during the presence.
func (l *losses) missDuring(p presence) {
	first := sort.Search(len(l.certain), func(i int) bool { return l.messages[l.certain[i]].sentAt > p.from })
	for _, id := range l.certain[first:] {
		if l.messages[id].sentAt > p.lastBarrier {
			return
		}
		due := l.restAt[id] <= p.lastBarrier
		if due && l.wasReplaced(id) {
			due = l.dueAt(l.view, l.restAt[id]) < l.replaced
		}
		if due {
			l.miss(loss{id, p.from, l.restAt[id]})
		}
	}
}

// removeAltered removes the messages that the view shows in altered form: each breaks
// no-phantom, and is not also lost.
func (l *losses) removeAltered(v *view) {
	var missing []int32
	for _, o := range l.lost {
		if !l.removedFrom(v, o.message) { // the page showed it as it was sent
			missing = append(missing, o.message)
		}
	}
	slices.SortFunc(missing, func(a, b int32) int { return cmp.Compare(l.sendIndex[a], l.sendIndex[b]) })
	altered := map[int32]bool{}
	for _, a := range l.alteredAmong(l.shownBy(v), missing) {
		altered[a.message] = true
	}
	l.lost = slices.DeleteFunc(l.lost, func(o loss) bool { return altered[o.message] })
}

// observed describes what the view that was judged last shows instead of the message, and the
// events that it names.
func (l *losses) observed(id int32) reason {
	if removed, ok := l.view.removed[id]; ok {
		return reason{clause("the page showed it, and had removed it when the run ended%s", at(removed)), []int{removed}}
	}
	return reason{l.others(), nil}
}

func (l *losses) others() Clause {
	if l.shows == 0 {
		return clause("the page shows no message at all")
	}
	if l.shows == 1 {
		return clause("the page shows 1 other message and not this one")
	}
	return clause("the page shows %d other messages and not this one", l.shows)
}
