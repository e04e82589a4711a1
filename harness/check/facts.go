package check

import (
	"slices"
	"sort"

	"redial/harness/contract"
)

// facts are what the rules ask about, computed once for a verdict. Slices are indexed by
// message unless their comment states another index.
type facts struct {
	*Checker
	// listed holds the messages of the log, with phantoms and repeats; without a log, the
	// messages in the order in which any page first showed them.
	listed  []int32
	rows    []int32 // the number of rows in the log
	phantom []bool  // it was never sent, or was refused
	// phantoms tells that there is at least one, which need not be shown or stored.
	phantoms bool
	// reference holds every message of listed but the phantoms, once, in its order. position is
	// the index into it, or -1.
	reference []int32
	position  []int32
	firstRow  []int32 // index into the log, for messages that are in it
	// overtookInLog is the later message of the same sender that the log holds
	// before it, or -1.
	overtookInLog []int32
	// overtookInClient is the same over all views of the sender's client; nil below
	// durable-delivery.
	overtookInClient []int32
	// altered tells that the message is missing, and that a phantom stands in its place.
	altered []bool
	// sendOrder holds the messages that can be missing: those that were Found and are still
	// in the log, in its order, and then those that were sent.
	sendOrder []int32
	sendIndex []int32 // the index into sendOrder, for messages that are in it
	restAt    []int   // the barrier from which on it is at rest
	healthy   []bool  // sent in health
	// markedAt is the event of the message up to which the log was read, or never. A
	// message that was shown or acknowledged only later may stand behind that one.
	markedAt int
	// browsers and firstView are indexed by view: its browser, and its client's first view.
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
		sendIndex:     make([]int32, n),
		restAt:        make([]int, n),
		healthy:       make([]bool, n),
		browsers:      make([]*browser, len(c.views)),
		firstView:     make([]int32, len(c.views)),
		sentOrder:     newOrdering(int(c.orders)),
		logOrder:      newOrdering(1),
	}
	f.findBrowsers()
	for i, r := range c.log {
		if f.rows[r.message] == 0 {
			f.firstRow[r.message] = int32(i)
		}
		f.rows[r.message]++
		f.listed = append(f.listed, r.message)
	}
	if !c.hasLog {
		f.listed = c.firstShown
	}
	f.findPhantoms()
	f.findReference()
	f.findLogMark()
	f.findRest()
	f.findAltered()
	f.readLogOrder()
	return f
}

// findLogMark finds the last stored message that was sent by no page: the log reader's own, or
// the last one of a stream.
func (f *facts) findLogMark() {
	f.markedAt = never
	for _, id := range slices.Backward(f.sends) {
		if m := &f.messages[id]; !f.views[m.sender].isPage && f.rows[id] > 0 {
			f.markedAt = m.sentAt
			return
		}
	}
}

func (f *facts) findPhantoms() {
	for id := range f.messages {
		m := &f.messages[id]
		f.phantom[id] = m.isRefused() || !m.isSent() && m.found == 0
		f.phantoms = f.phantoms || f.phantom[id]
	}
}

func (f *facts) findReference() {
	for id := range f.position {
		f.position[id] = -1
	}
	for _, id := range f.listed {
		if f.position[id] < 0 && !f.phantom[id] {
			f.position[id] = int32(len(f.reference))
			f.reference = append(f.reference, id)
			if !f.messages[id].isSent() {
				f.sendOrder = append(f.sendOrder, id)
			}
		}
	}
	f.sendOrder = append(f.sendOrder, f.sends...)
	for i, id := range f.sendOrder {
		f.sendIndex[id] = int32(i)
	}
}

// barrierAfter returns the first barrier after the event, or never.
func (f *facts) barrierAfter(event int) int {
	i, _ := slices.BinarySearch(f.barriers, event+1)
	if event == never || i == len(f.barriers) {
		return never
	}
	return f.barriers[i]
}

// barrierFor returns the first barrier after the event at which the view is not blocked, or never.
func (f *facts) barrierFor(v *view, event int) int {
	barrier := f.barrierAfter(event)
	for v.wasBlockedAt(barrier) {
		barrier = f.barrierAfter(barrier)
	}
	return barrier
}

func (f *facts) findRest() {
	pages := map[int32]*browser{} // by view: each page as a browser of its own, that is never gone
	for _, id := range f.sends {
		m := &f.messages[id]
		sender := f.views[m.sender]
		barrier := f.barrierFor(sender, m.sentAt)
		c, _ := sender.connections.at(m.sentAt)
		f.healthy[id] = barrier < c.proved
		if sender.isPage && !f.level.AtLeast(contract.ClientDelivery) {
			f.restAt[id] = min(f.restByConnection(sender, m.sentAt), f.restByLaterMessage(m))
			continue
		}
		if !sender.isPage {
			f.restAt[id] = barrier
			continue
		}
		shared := m.sentAt // the event since which another page of the browser may send it
		f.restAt[id] = f.restByLaterMessage(m)
		if !f.level.AtLeast(contract.DurableDelivery) {
			shared = max(shared, sender.closed)
			if pages[m.sender] == nil {
				pages[m.sender] = &browser{connections: sender.proved(), closed: never}
			}
			f.restAt[id] = min(f.restAt[id], f.restIn(pages[m.sender], m.sentAt))
		}
		f.restAt[id] = min(f.restAt[id], f.restIn(f.browsers[m.sender], shared))
	}
}

// restIn returns the first barrier after the event at which a page of the browser is connected, or
// all of them are gone for good.
func (f *facts) restIn(b *browser, event int) int {
	barrier := f.barrierAfter(event)
	if _, connected := b.connections.at(barrier); connected {
		return barrier
	}
	if b.restBarriers == nil {
		b.restBarriers = f.restBarriers(b.connections)
	}
	return min(b.restBarriers[b.connections.before(barrier)], f.barrierAfter(max(event, b.closed)))
}

// restByLaterMessage returns the first barrier before which another message was sent after
// this one had been shown or acknowledged. A page that shows the later message has been sent
// this one too. Without a later message, this one may still be on its way to some pages.
func (f *facts) restByLaterMessage(m *message) int {
	known := max(m.sentAt, min(m.shown, m.acknowledged))
	i := sort.Search(len(f.sends), func(i int) bool { return f.messages[f.sends[i]].sentAt > known })
	if i == len(f.sends) {
		return never
	}
	return f.barrierAfter(f.messages[f.sends[i]].sentAt)
}

// restByConnection returns the first barrier within the connection that carried the message
// which the view sent at the event, or never. That is the view's connection at the event, or
// else the next one.
func (f *facts) restByConnection(v *view, event int) int {
	i := v.connections.before(event)
	if _, connected := v.connections.at(event); connected {
		i--
	}
	if i == len(v.connections) {
		return never
	}
	if b := f.barrierFor(v, max(event, v.connections[i].from)); b < v.connections[i].proved {
		return b
	}
	return never
}

// restBarriers returns, for each connection, the first barrier in it or in a later one. The
// last element, after all connections, is never.
func (f *facts) restBarriers(connections []connection) []int {
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

// mustBeKnown reports whether a message has to be in the log, or on a page, even if it was
// never acknowledged: it was sent in health, or (from client-delivery on) on a page that is
// open and connected at the end, or (from durable-delivery on) in a browser that has such a
// page then.
func (f *facts) mustBeKnown(id int32) bool {
	sender := f.messages[id].sender
	return f.healthy[id] ||
		f.level.AtLeast(contract.ClientDelivery) && f.isUp(f.views[sender]) ||
		f.level.AtLeast(contract.DurableDelivery) && f.browsers[sender].up
}

// isOpen reports whether the view is an open page at the end of the run.
func (f *facts) isOpen(v *view) bool { return f.ended != never && v.isPage && v.closed == never }

// isUp reports whether the view is open and connected, and not blocked, at the end of the run.
func (f *facts) isUp(v *view) bool { return f.isOpen(v) && v.isConnected() && !v.unproved }

// isMissing reports whether a message is missing against a promise. With a log: it is not
// stored, and before the log was read it was acknowledged or shown, or was sent and must be
// known. Without a log: no page shows it, and it must be known. (Without a log, a message that
// was acknowledged is judged by view instead: each entitled view that lacks it has lost it.)
func (f *facts) isMissing(id int32) bool {
	m := &f.messages[id]
	switch {
	case f.position[id] >= 0 || m.isRefused() || f.predatesReplacement(id):
		return false
	case f.hasLog:
		return min(m.acknowledged, m.shown) < f.markedAt || m.sentAt < f.markedAt && f.mustBeKnown(id)
	}
	return !m.isAcknowledged() && f.mustBeKnown(id)
}

// reachesOnlyOthers reports whether there is neither an echo nor a log. A message that no page
// shows is then lost only for the other views that are entitled to it, and there may be none.
func (f *facts) reachesOnlyOthers() bool { return f.noEcho && !f.hasLog }

// predatesReplacement reports whether the message was acknowledged or shown before the
// server's data was replaced, so that the log need not have it. Without an echo nothing may show
// that the server had it, so there it is enough that the message was at rest.
func (f *facts) predatesReplacement(id int32) bool {
	m := &f.messages[id]
	return min(m.acknowledged, m.shown) < f.replaced || f.noEcho && m.isSent() && f.restAt[id] < f.replaced
}

// wasReplaced reports whether the message may have gone with the server's data. A page has to
// show it all the same if it was connected when the message was at rest before that.
func (f *facts) wasReplaced(id int32) bool {
	return f.predatesReplacement(id) && (!f.hasLog || f.position[id] < 0)
}

// findAltered finds the missing messages that the log holds in altered form; without a log,
// those that the sender's page shows in altered form.
func (f *facts) findAltered() {
	if !f.phantoms {
		return
	}
	missing := map[int32][]int32{} // by sender
	for _, id := range f.sends {
		if f.isMissing(id) {
			sender := f.messages[id].sender
			if f.hasLog {
				sender = 0 // the log is one list for all senders
			}
			missing[sender] = append(missing[sender], id)
		}
	}
	for sender, ids := range missing {
		list := f.shownBy(f.views[sender])
		if f.hasLog {
			list = slices.Values(f.listed)
		}
		for _, a := range f.alteredAmong(list, ids) {
			f.altered[a.message] = true
		}
	}
}
