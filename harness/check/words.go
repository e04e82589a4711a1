package check

import (
	"slices"
	"time"

	"redial/harness/contract"
)

// A reason is a clause of a finding, and the events that it names.
type reason struct {
	clause Clause
	events []int
}

// naming adds the events that the finding's clauses name.
func (f Finding) naming(events ...int) Finding {
	f.Named = append(f.Named, events...)
	return f
}

// number converts an index to the number that a person reads, which counts from 1.
func number(event int) int { return event + 1 }

func at(event int) Clause { return clause(" (event %d)", number(event)) }

func levelClause(level contract.Level) Clause { return Clause{Format: string(level)} }

func notInLog() Clause { return clause("the log does not hold it") }

// phantomFinding describes a text that no client sent. If it stands in its list in the place
// of a missing message, the finding names that message.
func (f *facts) phantomFinding(v *view, phantom int32, event int) Finding {
	list := slices.Values(f.listed)
	if v != nil {
		list = f.shownBy(v)
	}
	in := map[int32]bool{}
	for id := range list {
		in[id] = true
	}
	missing := slices.DeleteFunc(slices.Clone(f.sendOrder), func(id int32) bool {
		m := &f.messages[id]
		return in[id] || f.noEcho && m.isSent() && f.views[m.sender] == v
	})
	for _, a := range f.alteredAmong(list, missing) {
		if m := &f.messages[a.message]; a.phantom == phantom && m.isSent() {
			observed := clause("no client sent this text; it stands where %s%s is missing", quote(m.text), at(m.sentAt))
			finding := f.finding(v, phantom, event, onlySent(), observed).naming(m.sentAt)
			finding.Other = m.text
			return finding
		}
	}
	return f.finding(v, phantom, event, onlySent(), clause("no client sent this text"))
}

func onlySent() Clause { return clause("only messages that a client has sent, letter for letter") }

func (f *facts) storedNowhere() Clause {
	switch {
	case f.noEcho: // there is a log, and the page that sent it shows it
		return notInLog()
	case f.hasLog:
		return clause("neither the server's log nor any page has it")
	}
	return clause("no page shows it")
}

// mustBeKept explains why the message had to be stored, or shown where there is no log.
func (f *facts) mustBeKept(id int32) reason {
	m := &f.messages[id]
	kept := clause("to be shown")
	if f.hasLog {
		kept = clause("to be stored")
	}
	sender, sent := f.views[m.sender], m.sentAt
	switch {
	case f.healthy[id]:
		rest := f.restAt[id]
		return reason{clause("%s, because the page that sent it%s stayed connected for long enough for it to arrive%s", kept, at(sent), at(rest)), []int{sent, rest}}
	case f.isUp(sender):
		return reason{clause("%s: level %s promises it for what was sent%s on a page that is open and connected when the run ends", kept, levelClause(f.level), at(sent)), []int{sent}}
	}
	return reason{clause("%s: level %s promises it for what was sent%s in a browser that has a page open and connected when the run ends", kept, levelClause(f.level), at(sent)), []int{sent}}
}

// entitled explains why the view had to show the lost message.
func (f *facts) entitled(v *view, l loss) reason {
	if l.connected >= 0 {
		return f.wasPresent(v, l)
	}
	m := &f.messages[l.message]
	switch {
	case v.closed != never: // only with a log is a closed view entitled to rows
		known := f.storedAt(l.message, 1)
		return reason{clause("to be shown: level %s leaves no gap, and the server's log has it%s before a message that this page did show, until it was closed%s",
			levelClause(f.level), at(known), at(v.closed)), []int{known, v.closed}}
	case f.hasLog:
		return f.promised(clause("what is in the server's log"), f.storedAt(l.message, 1))
	case m.isShown():
		return f.promised(clause("what another page shows"), m.shown)
	case !m.isAcknowledged(): // with neither an echo nor a log, it may never have been
		return f.mustBeKept(l.message)
	}
	return f.promised(clause("what the server has acknowledged"), m.acknowledged)
}

func (f *facts) promised(what Clause, known int) reason {
	return reason{clause("to be shown: level %s promises %s%s to a page that is open and connected when the run ends", levelClause(f.level), what, at(known)), []int{known}}
}

// wasPresent is entitled for a message that was sent while the view was connected, or in a
// gap that connection state recovery covers.
func (f *facts) wasPresent(v *view, l loss) reason {
	sent, due := f.messages[l.message].sentAt, f.dueAt(v, l.event)
	next := v.connections.before(sent)
	since, last := v.connections[next-1], v.connections[v.connections.before(due)-1]
	if since.from == last.from {
		return reason{clause("to be shown by event %d, because the page was connected (since event %d) when it was sent%s, and stayed connected",
			number(due), number(since.from), at(sent)), []int{since.from, sent, due}}
	}
	back := v.connections[next].from
	limit := time.Duration(f.longestBreak())
	named := slices.Compact([]int{since.from, since.to, sent, back, last.from, due})
	if since.contains(sent) {
		return reason{clause("to be shown by event %d, because the page was connected (since event %d) when it was sent%s, and level recovery covers the break after that (events %d to %d)%s: shorter than %s, neither side asked for it, and the server kept running",
			number(due), number(since.from), at(sent), number(since.to), number(back), furtherBreaks(back, last), limit), named}
	}
	return reason{clause("to be shown by event %d, because level recovery covers the break (events %d to %d) in which it was sent%s%s: shorter than %s, neither side asked for it, and the server kept running",
		number(due), number(since.to), number(back), at(sent), furtherBreaks(back, last), limit), named}
}

// furtherBreaks adds the later gaps that are covered too.
func furtherBreaks(back int, last connection) Clause {
	if back == last.from {
		return Clause{}
	}
	return clause(", and those until event %d", number(last.from))
}

// misplaced describes two messages in the wrong order.
func (f *facts) misplaced(v *view, id, later int32, event int, why reason) Finding {
	finding := f.finding(v, id, event, why.clause, clause("it comes after %s", quote(f.text(later)))).naming(why.events...)
	finding.Other = f.text(later)
	return finding
}

// sentBefore explains the expected order of two messages by the order of sending,
func (f *facts) sentBefore(id, later int32) reason {
	first, second := f.messages[id].sentAt, f.messages[later].sentAt
	return reason{clause("to come before %s, because %s sent it first (event %d, then event %d)",
		quote(f.text(later)), f.views[f.messages[id].sender].client, number(first), number(second)), []int{first, second}}
}

// storedBefore by the order in the log,
func (f *facts) storedBefore(id, later int32) reason {
	first, second := f.storedAt(id, 1), f.storedAt(later, 1)
	return reason{clause("to come before %s, as in the server's log (event %d, then event %d)",
		quote(f.text(later)), number(first), number(second)), []int{first, second}}
}

// and seenBefore by the order in which they were first shown.
func (f *facts) seenBefore(id, later int32) reason {
	first, second := f.messages[id].shown, f.messages[later].shown
	return reason{clause("to come before %s, as they were first shown (event %d, then event %d): no one order fits what all pages show",
		quote(f.text(later)), number(first), number(second)), []int{first, second}}
}
