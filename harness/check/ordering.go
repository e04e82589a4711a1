package check

import (
	"iter"

	"redial/harness/contract"
)

// readLogOrder finds the messages that the log holds after a later message of the same
// sender.
func (f *facts) readLogOrder() {
	order, ofClient := newOrdering(int(f.orders)), newOrdering(len(f.views))
	if f.level.AtLeast(contract.DurableDelivery) {
		f.overtookInClient = make([]int32, len(f.messages))
	}
	for id := range f.overtookInLog {
		f.overtookInLog[id] = -1
	}
	for _, id := range f.reference {
		m := &f.messages[id]
		if !m.isSent() {
			continue
		}
		if f.overtookInClient != nil {
			f.overtookInClient[id] = ofClient.take(int(f.firstView[m.sender]), id, m.sentAt)
		}
		f.overtookInLog[id] = order.take(int(m.order), id, m.sentAt)
	}
}

// An ordering finds messages that are out of order, in several independent orders at once.
type ordering struct {
	round   int32
	current []int32 // by order, the round in which it was last used
	highest []int   // the highest rank so far
	message []int32 // the message of that rank
}

func newOrdering(orders int) ordering {
	return ordering{1, make([]int32, orders), make([]int, orders), make([]int32, orders)}
}

// reset empties all orders, in constant time.
func (t *ordering) reset() { t.round++ }

// take adds the message with its rank to the order. It returns the message of a higher rank
// that came before, or -1.
func (t *ordering) take(order int, message int32, rank int) int32 {
	if t.current[order] == t.round && t.highest[order] > rank {
		return t.message[order]
	}
	t.current[order], t.highest[order], t.message[order] = t.round, rank, message
	return -1
}

// shown yields the messages that a view shows, without phantoms, in the order in which it
// first shows them; and for each the message that it should have preceded, or -1.
func (f *facts) shown(v *view) iter.Seq2[int32, int32] {
	f.sentOrder.reset()
	f.logOrder.reset()
	return func(yield func(int32, int32) bool) {
		for id := range f.shownBy(v) {
			if !f.phantom[id] && !yield(id, f.overtaken(id)) {
				return
			}
		}
	}
}

// shownBy yields the messages that a view shows, with phantoms, in the order in which it first
// showed them.
func (f *facts) shownBy(v *view) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for _, r := range v.runs {
			for _, id := range f.firstShown[r.from : r.from+r.count] {
				if !yield(id) {
					return
				}
			}
		}
	}
}

// isInPlace reports whether the log has the message once and in its sender's order. A message
// that was known before the server's data was replaced may come to another place in the new log.
func (f *facts) isInPlace(id int32) bool {
	return f.rows[id] == 1 && f.overtookInLog[id] < 0 && !f.predatesReplacement(id)
}

func (f *facts) overtaken(id int32) int32 {
	m := &f.messages[id]
	switch {
	case !f.hasLog && m.isSent():
		return f.sentOrder.take(int(m.order), id, m.sentAt)
	case f.isInPlace(id):
		return f.logOrder.take(0, id, int(f.position[id]))
	}
	return -1
}
