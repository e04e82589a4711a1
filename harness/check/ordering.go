package check

import (
	"iter"

	"redial/harness/contract"
)

// readLogOrder finds what stands in the log after a later message of its sender.
func (f *facts) readLogOrder() {
	order, onTab := newOrdering(int(f.orders)), newOrdering(len(f.views))
	if f.level.AtLeast(contract.DurableDelivery) {
		f.overtookOnTab = make([]int32, len(f.messages))
	}
	for id := range f.overtookInLog {
		f.overtookInLog[id] = -1
	}
	if !f.hasLog {
		return
	}
	for _, id := range f.story {
		m := &f.messages[id]
		if !m.isSent() {
			continue
		}
		if f.overtookOnTab != nil {
			f.overtookOnTab[id] = onTab.take(int(f.firstView[m.sender]), id, m.sentAt)
		}
		f.overtookInLog[id] = order.take(int(m.order), id, m.sentAt)
	}
}

// An ordering tells whether messages come in an order, for several orders at once: the
// messages of each sender have an order of their own.
type ordering struct {
	round   int32
	current []int32 // the round in which the order was last used
	highest []int
	message []int32 // the one that was highest
}

func newOrdering(orders int) ordering {
	return ordering{1, make([]int32, orders), make([]int, orders), make([]int32, orders)}
}

// reset forgets everything, in no time.
func (t *ordering) reset() { t.round++ }

// take notes that the message has the given rank in the order. It returns -1, or
// the message of a higher rank that came before.
func (t *ordering) take(order int, message int32, rank int) int32 {
	if t.current[order] == t.round && t.highest[order] > rank {
		return t.message[order]
	}
	t.current[order], t.highest[order], t.message[order] = t.round, rank, message
	return -1
}

// shown yields what a view shows, phantoms left out, in the order in which it
// first shows it; with it the message that it should have come before, or -1.
func (f *facts) shown(v *view) iter.Seq2[int32, int32] {
	if f.sentOrder.round == 0 {
		f.sentOrder, f.logOrder = newOrdering(int(f.orders)), newOrdering(1)
	}
	f.sentOrder.reset()
	f.logOrder.reset()
	return func(yield func(int32, int32) bool) {
		for place := range v.places() {
			id := f.inSight[place]
			if !f.phantom[id] && !yield(id, f.overtaken(id)) {
				return
			}
		}
	}
}

// shownBy yields what a view shows, phantoms included.
func (f *facts) shownBy(v *view) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for place := range v.places() {
			if !yield(f.inSight[place]) {
				return
			}
		}
	}
}

// isInPlace tells whether the log has the message once and where it belongs.
func (f *facts) isInPlace(id int32) bool { return f.rows[id] == 1 && f.overtookInLog[id] < 0 }

func (f *facts) overtaken(id int32) int32 {
	m := &f.messages[id]
	switch {
	case !f.hasLog && m.isSent():
		return f.sentOrder.take(int(m.order), id, m.sentAt)
	case f.hasLog && f.isInPlace(id):
		return f.logOrder.take(0, id, int(f.position[id]))
	}
	return -1
}
