package check

import (
	"cmp"
	"maps"
	"slices"
	"sort"

	"redial/harness/contract"
	"redial/harness/plan"
)

// rules has the function that reports every break of a rule to the counter: breaks of the log
// first, then those of the views in the order of their first events.
var rules = map[contract.RuleID]func(*facts, *counter){
	contract.NoPhantom:   noPhantom,
	contract.NoDuplicate: noDuplicate,
	contract.Order:       order,
	contract.NoLoss:      noLoss,
	contract.Agreement:   agreement,
	contract.Sends:       sends,
	contract.Convergence: convergence,
	contract.NoRepeat:    noRepeat,
}

// noPhantom blames each text that no client sent, or that was refused, once for the log and
// once for each view.
func noPhantom(f *facts, t *counter) {
	if !f.phantoms {
		return
	}
	blame := func(v *view, id int32, event int) {
		t.blame(contract.NoPhantom, Phantom, func() Finding {
			if refused := f.messages[id].refused; f.messages[id].isSent() {
				return f.finding(v, id, event, clause("only messages that the server has accepted"), clause("the server refused this one%s", at(refused))).naming(refused)
			}
			return f.phantomFinding(v, id, event)
		})
	}
	blamed := map[int32]bool{}
	for _, r := range f.log {
		if f.phantom[r.message] && !blamed[r.message] {
			blamed[r.message] = true
			blame(nil, r.message, r.event)
		}
	}
	for _, v := range f.views {
		for id := range f.shownBy(v) {
			if f.phantom[id] {
				blame(v, id, f.shownAt(v, id))
			}
		}
	}
}

// noDuplicate blames each message that a view shows more often than the log holds it. Every
// extra copy counts as duplicated.
func noDuplicate(f *facts, t *counter) {
	for _, v := range f.views {
		for _, place := range slices.Sorted(maps.Keys(v.again)) {
			id := f.firstShown[place]
			allowed := int(max(1, f.rows[id], f.messages[id].found))
			times := 1 + v.again[place].count
			if f.phantom[id] || times <= allowed {
				continue
			}
			t.duplicated(times-allowed, contract.NoDuplicate, Duplicated, func() Finding {
				expected := clause("to be shown once")
				if allowed > 1 {
					expected = clause("to be shown %d times, as often as the server's log holds it", allowed)
				}
				return f.finding(v, id, v.again[place].last, expected, clause("it is shown %d times", times))
			})
		}
	}
}

// order blames the log for each message that it holds after a later one of the same view
// (from durable-delivery on, of the same client), and each view for each message that it shows
// after a later one of the log. Without a log, each view is blamed for each message that it
// shows after a later one of the same sender.
func order(f *facts, t *counter) {
	if f.hasLog {
		for _, id := range f.reference {
			later := f.overtookInLog[id]
			if later < 0 && f.overtookInClient != nil && f.messages[id].isSent() {
				later = f.overtookInClient[id]
			}
			if later >= 0 {
				t.blame(contract.Order, Reordered, func() Finding {
					return f.misplaced(nil, id, later, f.storedAt(id, 1), f.sentBefore(id, later))
				})
			}
		}
	}
	for _, v := range f.views {
		for id, later := range f.shown(v) {
			if later >= 0 {
				t.blame(contract.Order, Reordered, func() Finding {
					why := f.sentBefore
					if f.hasLog {
						why = f.storedBefore
					}
					return f.misplaced(v, id, later, f.shownAt(v, id), why(id, later))
				})
			}
		}
	}
}

// noLoss blames each view for the messages that it is entitled to and does not show, and the
// sender's view for a message that must be known and is neither stored nor shown.
func noLoss(f *facts, t *counter) {
	for _, id := range f.sends {
		m := &f.messages[id]
		if !f.isMissing(id) || f.altered[id] || m.isAcknowledged() || m.isShown() || f.reachesOnlyOthers() {
			continue
		}
		t.blame(contract.NoLoss, Lost, func() Finding {
			why := f.mustBeKept(id)
			return f.finding(f.views[m.sender], id, f.restAt[id], why.clause, f.storedNowhere()).naming(why.events...)
		})
	}
	l := newLosses(f)
	for _, v := range f.views {
		for _, lost := range l.of(v) {
			t.blame(contract.NoLoss, Lost, func() Finding {
				event := lost.event
				if lost.connected >= 0 {
					event = f.dueAt(v, lost.event)
				}
				why, instead := f.entitled(v, lost), l.observed(lost.message)
				return f.finding(v, lost.message, event, why.clause, instead.clause).naming(append(why.events, instead.events...)...)
			})
		}
	}
}

// agreement blames the first view that shows a message which is not in the log, or an offset
// that differs from the log's. Without a log it blames views that contradict each other.
func agreement(f *facts, t *counter) {
	if !f.hasLog {
		blameDisagreement(f, t)
		return
	}
	for _, id := range f.sends {
		m := &f.messages[id]
		if !f.isMissing(id) || f.altered[id] || m.isAcknowledged() || !m.isShown() {
			continue
		}
		t.blame(contract.Agreement, Unstored, func() Finding {
			return f.finding(f.views[m.firstView], id, m.shown, clause("to be in the server's log, because a page shows it%s", at(m.shown)), notInLog())
		})
	}
	for _, wrong := range f.wrongOffsets() {
		by := f.offsets[wrong]
		t.blame(contract.Agreement, Reordered, func() Finding {
			return f.finding(f.views[by.view], wrong.message, by.event,
				clause("to be shown with offset %d, as in the server's log", f.log[f.firstRow[wrong.message]].offset),
				clause("it is shown with offset %d", wrong.offset))
		})
	}
}

// wrongOffsets returns the offsets that a message was shown with and that no row of it has,
// in the order in which they were first shown. Messages whose rows have no offset are skipped.
func (f *facts) wrongOffsets() []shownOffset {
	if len(f.offsets) == 0 {
		return nil
	}
	right := map[shownOffset]bool{}
	numbered := make([]bool, len(f.messages))
	for _, r := range f.log {
		right[shownOffset{r.message, r.offset}] = true
		numbered[r.message] = numbered[r.message] || r.offset != 0
	}
	var wrong []shownOffset
	for shown := range f.offsets {
		if numbered[shown.message] && !right[shown] && !f.phantom[shown.message] {
			wrong = append(wrong, shown)
		}
	}
	sort.Slice(wrong, func(i, j int) bool { return f.offsets[wrong[i]].event < f.offsets[wrong[j]].event })
	return wrong
}

// sends blames the log for an acknowledged message that it does not hold, and for a message
// that it holds more than once.
func sends(f *facts, t *counter) {
	for _, id := range f.sends {
		m := &f.messages[id]
		if f.isMissing(id) && !f.altered[id] && m.isAcknowledged() {
			t.blame(contract.Sends, Unstored, func() Finding {
				return f.finding(f.views[m.sender], id, m.acknowledged, clause("to be in the server's log, because the server acknowledged it%s", at(m.acknowledged)), notInLog())
			})
		}
	}
	for _, id := range f.reference {
		allowed := max(1, f.messages[id].found)
		if f.rows[id] <= allowed {
			continue
		}
		t.duplicated(int(f.rows[id]-allowed), contract.Sends, StoredTwice, func() Finding {
			expected := clause("to be in the server's log once")
			if allowed > 1 {
				expected = clause("to be in the server's log %d times, as before the run", allowed)
			}
			return f.finding(nil, id, f.storedAt(id, allowed+1), expected, clause("it is there %d times", f.rows[id]))
		})
	}
}

// convergence blames each view that is open and not connected at the end, unless the plan
// leaves it so.
func convergence(f *facts, t *counter) {
	for _, v := range f.views {
		if !f.isOpen(v) || v.isConnected() || leftDisconnected(f.plan, v.client, f.first) || f.isCutOff(v.client) {
			continue
		}
		t.blame(contract.Convergence, Late, func() Finding {
			event, observed := -1, clause("it never connected")
			if n := len(v.connections); n > 0 {
				event = v.connections[n-1].to
				observed = clause("it has been disconnected since event %d (%s)", number(event), v.connections[n-1].reason)
				if v.connections[n-1].reason == serverDisconnect {
					observed = clause("the server disconnected it (event %d), after which a page connects again only if it calls connect()", number(event))
				}
			}
			return f.finding(v, -1, event, clause("to be connected when the run ends"), observed)
		})
	}
}

// leftDisconnected reports whether the plan itself ends with the client's page disconnected,
// or with every server or the client's own stopped or paused: that is the first one, if the plan
// names none.
func leftDisconnected(p plan.Plan, client, first string) bool {
	down, disconnected := map[string]bool{}, false
	node := first
	for _, c := range p.Clients {
		if c.Name == client {
			node = cmp.Or(c.Node, first)
		}
	}
	for _, s := range p.Script {
		switch s.Do {
		case plan.StopServer, plan.KillServer, plan.PauseServer, plan.StartServer, plan.ContinueServer:
			up := s.Do == plan.StartServer || s.Do == plan.ContinueServer
			if s.Node == "" { // every server
				clear(down)
			}
			down[s.Node] = !up
		case plan.Move:
			if s.Client == client {
				node = s.Node
			}
		case plan.Disconnect, plan.Connect, plan.Open, plan.Refresh:
			if s.Client == client {
				disconnected = s.Do == plan.Disconnect
			}
		}
	}
	return down[""] || down[node] || disconnected
}

// noRepeat blames each resending of a message to a page that had been sent it before.
func noRepeat(f *facts, t *counter) {
	for _, r := range f.resent {
		t.blame(contract.NoRepeat, SentAgain, func() Finding {
			return f.finding(f.views[r.view], r.message, r.event, clause("it sent once: it has this message, or had asked for what comes after it"), clause("the server sent it again"))
		})
	}
}
