package check

import (
	"iter"
	"slices"

	"redial/harness/contract"
)

// facts is what the rules ask about, worked out once when the history is over.
// Slices are indexed by message unless they say otherwise.
type facts struct {
	*Checker
	rows    []int32 // how often the log holds it
	phantom []bool  // somebody shows or stores it, and nobody rightly sent it
	// phantoms is false where there are none at all, which saves looking.
	phantoms bool
	// story holds every message but the phantoms, once, in the order of the log;
	// without a log in the order of first sight. position is the index into it, -1
	// for what is not in it.
	story    []int32
	position []int32
	firstRow []int32 // index into the log; meant for what is in it
	// overtookInLog is the later message of the same sender that the log holds
	// before it, or -1.
	overtookInLog []int32
	// overtookOnTab is the same for what its client said on any page before or after;
	// nil below durable-delivery.
	overtookOnTab []int32
	// altered: not in the story, where a phantom stands in its place.
	altered []bool
	// said holds the messages that can be missing anywhere: what was Found and is
	// still in the log, in its order, then what was sent.
	said    []int32
	saidAt  []int32 // the index into said; meant for what is in it
	restAt  []int   // the barrier from which on it is at rest
	healthy []bool  // said in health
	// readFrom is when the reader of the log said what it read up to, or never: what
	// came to light later may stand behind it.
	readFrom int
	// browsers and firstView are by view: its browser, and its client's first view.
	browsers  []*browser
	firstView []int32

	sentOrder ordering
	logOrder  ordering
}

func newFacts(c *Checker) *facts {
	n := len(c.messages)
	f := &facts{
		Checker:       c,
		rows:          make([]int32, n),
		phantom:       make([]bool, n),
		position:      make([]int32, n),
		firstRow:      make([]int32, n),
		overtookInLog: make([]int32, n),
		altered:       make([]bool, n),
		saidAt:        make([]int32, n),
		restAt:        make([]int, n),
		healthy:       make([]bool, n),
		browsers:      make([]*browser, len(c.views)),
		firstView:     make([]int32, len(c.views)),
	}
	f.findBrowsers()
	for i, r := range c.log {
		if f.rows[r.message] == 0 {
			f.firstRow[r.message] = int32(i)
		}
		f.rows[r.message]++
	}
	f.findPhantoms()
	f.tellStory()
	f.findReading()
	f.findRest()
	f.findAltered()
	f.readLogOrder()
	return f
}

// findReading finds what no page has sent, last.
func (f *facts) findReading() {
	f.readFrom = never
	for _, id := range slices.Backward(f.sends) {
		if m := &f.messages[id]; !f.views[m.sender].isPage && f.rows[id] > 0 {
			f.readFrom = m.sentAt
			return
		}
	}
}

func (f *facts) findPhantoms() {
	for id := range f.messages {
		m := &f.messages[id]
		seen := m.isShown() || f.rows[id] > 0
		f.phantom[id] = seen && (m.isRefused() || !m.isSent() && m.found == 0)
		f.phantoms = f.phantoms || f.phantom[id]
	}
}

// tale yields the messages of the log, or in the order of first sight, phantoms
// and repeats included.
func (f *facts) tale() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		if !f.hasLog {
			for _, id := range f.inSight {
				if !yield(id) {
					return
				}
			}
			return
		}
		for i := range f.log {
			if !yield(f.log[i].message) {
				return
			}
		}
	}
}

func (f *facts) tellStory() {
	for id := range f.position {
		f.position[id] = -1
	}
	for id := range f.tale() {
		if f.position[id] < 0 && !f.phantom[id] {
			f.position[id] = int32(len(f.story))
			f.story = append(f.story, id)
			if !f.messages[id].isSent() {
				f.said = append(f.said, id)
			}
		}
	}
	f.said = append(f.said, f.sends...)
	for i, id := range f.said {
		f.saidAt[id] = int32(i)
	}
}

// barrierAfter is the first barrier after the event, or never.
func (f *facts) barrierAfter(event int) int {
	i, _ := slices.BinarySearch(f.barriers, event+1)
	if event == never || i == len(f.barriers) {
		return never
	}
	return f.barriers[i]
}

func (f *facts) findRest() {
	for _, id := range f.sends {
		m := &f.messages[id]
		sender := f.views[m.sender]
		barrier := f.barrierAfter(m.sentAt)
		if c, connected := sender.connectedAt(m.sentAt); connected && barrier < c.to {
			f.healthy[id], f.restAt[id] = true, barrier
			continue
		}
		if sender.isPage && !f.level.AtLeast(contract.ClientDelivery) {
			f.restAt[id] = min(f.carriedBy(sender, m.sentAt), f.knownBy(m))
			continue
		}
		kept := f.browsers[m.sender]
		if kept.connectedAt(barrier) || !sender.isPage {
			f.restAt[id] = barrier
			continue
		}
		if kept.restful == nil {
			kept.restful = f.restful(kept.connections)
		}
		i, _ := slices.BinarySearchFunc(kept.connections, barrier, func(c connection, event int) int { return c.from - event })
		f.restAt[id] = min(kept.restful[i], f.barrierAfter(max(m.sentAt, kept.closed)), f.knownBy(m))
	}
}

// knownBy is the first barrier before which something was said when the message had been
// shown or acknowledged. Who shows what was said then has been sent the message too; one
// that turned up behind all that was said may still be on its way to some.
func (f *facts) knownBy(m *message) int {
	known := max(m.sentAt, min(m.shown, m.acknowledged))
	i, _ := slices.BinarySearchFunc(f.sends, known+1, func(id int32, event int) int { return f.messages[id].sentAt - event })
	if known == never || i == len(f.sends) {
		return never
	}
	return f.barrierAfter(f.messages[f.sends[i]].sentAt)
}

// carriedBy is the first barrier that the connection has lasted to which carried what
// the view said at the event, or never. That is the connection that it had, or else the
// next one.
func (f *facts) carriedBy(v *view, event int) int {
	i, _ := slices.BinarySearchFunc(v.connections, event, func(c connection, event int) int { return c.from - event })
	if _, connected := v.connectedAt(event); connected {
		i--
	}
	if i == len(v.connections) {
		return never
	}
	if b := f.barrierAfter(max(event, v.connections[i].from)); b < v.connections[i].to {
		return b
	}
	return never
}

// restful returns, for each of the connections, the first barrier in it or in a later
// one; and never behind the last.
func (f *facts) restful(connections []connection) []int {
	first := make([]int, len(connections)+1)
	first[len(connections)] = never
	for i, c := range slices.Backward(connections) {
		first[i] = first[i+1]
		if b := f.barrierAfter(c.from); b < c.to {
			first[i] = b
		}
	}
	return first
}

// mustBeKnown tells whether a message has to be in the log, or on a page, even if
// nobody ever answered: it was said in health, or (from client-delivery on) on a
// page that is open and connected at the end, or (from durable-delivery on) in a
// browser that has such a page then.
func (f *facts) mustBeKnown(id int32) bool {
	m := &f.messages[id]
	switch {
	case m.isRefused():
		return false
	case f.healthy[id]:
		return true
	}
	return f.level.AtLeast(contract.ClientDelivery) && f.isUp(f.views[m.sender]) ||
		f.level.AtLeast(contract.DurableDelivery) && f.browsers[m.sender].up
}

// isOpen tells whether the view is a page at the end of the run.
func (f *facts) isOpen(v *view) bool { return f.ended != never && v.isPage && v.closed == never }

// isUp tells whether it is connected then, too.
func (f *facts) isUp(v *view) bool { return f.isOpen(v) && v.isConnected() }

// isMissing tells whether somebody is to blame for the message not being known:
// it is not in the log, and was acknowledged, or shown, before the log was read, or must
// be known; or there is no log, and it must be known, and nobody shows it. (Without a log, what
// was acknowledged is asked of every view that is entitled to it.)
func (f *facts) isMissing(id int32) bool {
	m := &f.messages[id]
	switch {
	case f.position[id] >= 0 || m.isRefused() || f.isWiped(id):
		return false
	case f.hasLog:
		return min(m.acknowledged, m.shown) < f.readFrom || f.mustBeKnown(id)
	}
	return !m.isAcknowledged() && f.mustBeKnown(id)
}

// reachesOnlyOthers tells that a message which is shown nowhere may have reached nobody and
// be no loss: where there is neither an echo nor a log, it exists for those alone who are
// entitled to it.
func (f *facts) reachesOnlyOthers() bool { return f.noEcho && !f.hasLog }

// isWiped tells whether the message was known before the server's data was replaced:
// then it is nobody's fault that the log does not have it.
func (f *facts) isWiped(id int32) bool {
	m := &f.messages[id]
	return min(m.acknowledged, m.shown) < f.replaced
}

// findAltered finds the missing messages that the log has altered; without a log,
// those that the page has altered which sent them.
func (f *facts) findAltered() {
	if !f.phantoms {
		return
	}
	missing := map[int32][]int32{} // by sender
	for _, id := range f.sends {
		if f.isMissing(id) {
			sender := f.messages[id].sender
			if f.hasLog {
				sender = 0 // all in one list
			}
			missing[sender] = append(missing[sender], id)
		}
	}
	for sender, ids := range missing {
		list := f.shownBy(f.views[sender])
		if f.hasLog {
			list = f.tale()
		}
		for _, a := range f.alteredAmong(list, ids) {
			f.altered[a.message] = true
		}
	}
}
