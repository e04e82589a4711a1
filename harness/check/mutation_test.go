package check

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

// TestRightRunPasses draws runs of a right server, and wants a clean pass.
func TestRightRunPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		run := rightRun(t, rapid.Bool().Draw(t, "keeps a log"))
		if v := Judge(run.events); v.Outcome != Pass || len(v.Findings) > 0 {
			t.Fatalf("a right run is judged\n%s%s", verdictText(v), listing(run.events))
		}
	})
}

// TestOneMutationOneRule spoils right runs in one place each, and wants the rule
// that this is for to be blamed, and no other.
func TestOneMutationOneRule(t *testing.T) {
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			tried := 0
			rapid.Check(t, func(t *rapid.T) {
				run := rightRun(t, m.log == withLog || m.log == either && rapid.Bool().Draw(t, "keeps a log"))
				spoiled, rule := m.spoil(t, run)
				if rule == "" {
					return // the run has no place for this mutation
				}
				tried++
				v := Judge(spoiled)
				if blamed := slices.Collect(maps.Keys(v.Counts)); !slices.Equal(blamed, []contract.RuleID{rule}) {
					t.Fatalf("want only %s blamed, got\n%s%s", rule, verdictText(v), listing(spoiled))
				}
				if v.Outcome != Fail || v.Rule() != rule {
					t.Fatalf("want it failed by %s, got %s by %q", rule, v.Outcome, v.Rule())
				}
			})
			if tried == 0 {
				t.Error("no run had a place for it")
			}
		})
	}
}

type logWish int

const (
	either logWish = iota
	withLog
	withoutLog
)

// A mutation returns the spoiled history and the rule that it breaks; no rule if
// the run has no place for it.
var mutations = []struct {
	name  string
	log   logWish
	spoil func(*rapid.T, *simulation) ([]history.Event, contract.RuleID)
}{
	{"drop a showing", either, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, func(i int) bool { return run.isEntitled(i) })
		if !ok {
			return nil, ""
		}
		return slices.Delete(run.copy(), i, i+1), contract.NoLoss
	}},
	{"show twice", either, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, run.isShowing)
		if !ok {
			return nil, ""
		}
		return slices.Insert(run.copy(), i+1, run.events[i]), contract.NoDuplicate
	}},
	{"swap two of a page", either, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, func(i int) bool { return run.isShowing(i) && run.next(i) > 0 })
		if !ok {
			return nil, ""
		}
		events, j := run.copy(), run.next(i)
		first, second := events[i].Message, events[j].Message
		events[i].Message, events[j].Message = second, first
		switch {
		case run.keepsLog || run.order[first] == run.order[second]:
			return events, contract.Order
		case run.bothShownElsewhere(i, j):
			return events, contract.Agreement
		}
		return nil, ""
	}},
	{"show what nobody sent", either, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, run.isShowing)
		if !ok {
			return nil, ""
		}
		ghost := run.events[i]
		ghost.Message = "ghost"
		return slices.Insert(run.copy(), i+rapid.IntRange(0, 1).Draw(t, "after"), ghost), contract.NoPhantom
	}},
	{"alter a showing", either, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, run.isShowing)
		if !ok {
			return nil, ""
		}
		events := run.copy()
		events[i].Message += "!"
		return events, contract.NoPhantom
	}},
	{"alter everywhere", either, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, run.isShowing)
		if !ok {
			return nil, ""
		}
		events, text := run.copy(), run.events[i].Message
		for i := range events {
			if e := &events[i]; e.Message == text && (e.Kind == history.Shown || e.Kind == history.Stored) {
				e.Message += "!"
			}
		}
		return events, contract.NoPhantom
	}},
	{"acknowledge and do not store", withLog, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, func(i int) bool {
			return run.events[i].Kind == history.Stored && run.acknowledged[run.events[i].Message]
		})
		if !ok {
			return nil, ""
		}
		return slices.Delete(run.copy(), i, i+1), contract.Sends
	}},
	{"show and do not store", withLog, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, func(i int) bool { return run.events[i].Kind == history.Stored })
		if !ok {
			return nil, ""
		}
		text := run.events[i].Message
		return slices.DeleteFunc(run.copy(), func(e history.Event) bool {
			return e.Message == text && (e.Kind == history.Stored || e.Kind == history.Acknowledged)
		}), contract.Agreement
	}},
	{"store twice", withLog, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, func(i int) bool { return run.events[i].Kind == history.Stored })
		if !ok {
			return nil, ""
		}
		return slices.Insert(run.copy(), i, run.events[i]), contract.Sends
	}},
	{"swap a sender's two in the log", withLog, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, func(i int) bool {
			a, b := run.events[i], run.events[min(i+1, len(run.events)-1)]
			return a.Kind == history.Stored && b.Kind == history.Stored && run.order[a.Message] == run.order[b.Message]
		})
		if !ok {
			return nil, ""
		}
		events := run.copy()
		events[i], events[i+1] = events[i+1], events[i]
		return events, contract.Order
	}},
	{"keep nothing of it", withLog, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, func(i int) bool { return run.events[i].Kind == history.Sent && run.mustOutlive(run.events[i]) })
		if !ok {
			return nil, ""
		}
		text := run.events[i].Message
		return slices.DeleteFunc(run.copy(), func(e history.Event) bool {
			return e.Message == text && e.Kind != history.Sent
		}), contract.NoLoss
	}},
	{"swap what two views of a client sent", withLog, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, func(i int) bool {
			a, b := run.events[i], run.events[min(i+1, len(run.events)-1)]
			return run.level == contract.DurableDelivery && a.Kind == history.Stored && b.Kind == history.Stored &&
				run.sender[a.Message].name == run.sender[b.Message].name && run.sender[a.Message] != run.sender[b.Message]
		})
		if !ok {
			return nil, ""
		}
		events := run.copy()
		a, b := events[i].Message, events[i+1].Message
		for i := range events { // in the log and on the pages: only the order is wrong
			if e := &events[i]; e.Kind == history.Stored || e.Kind == history.Shown {
				switch e.Message {
				case a:
					e.Message = b
				case b:
					e.Message = a
				}
			}
		}
		// A page that was shown one before the other was sent would show a wonder.
		for _, text := range []string{a, b} {
			sent := slices.IndexFunc(events, func(e history.Event) bool { return e.Kind == history.Sent && e.Message == text })
			known := slices.IndexFunc(events, func(e history.Event) bool {
				return (e.Kind == history.Shown || e.Kind == history.Acknowledged) && e.Message == text
			})
			if known >= 0 && known < sent {
				return nil, ""
			}
		}
		if run.shownApart(a, b) {
			return nil, ""
		}
		return events, contract.Order
	}},
	{"do not come back", either, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		who := rapid.SampledFrom(run.pages).Draw(t, "who")
		gone := history.Event{Kind: history.Disconnected, Client: who.name, View: who.view, Detail: "transport close"}
		return slices.Insert(run.copy(), len(run.events)-1, gone), contract.Convergence
	}},
}

// A simulation is a chat that does everything right: one order for all, pages that
// show it without a gap from where they came in, and what is said offline waits.
type simulation struct {
	keepsLog     bool
	level        contract.Level
	events       []history.Event
	at           plan.Duration
	log          []string
	pages        []*simulated
	sender       map[string]simulatedName
	order        map[string]simulatedOrder // messages with the same one are in order
	acknowledged map[string]bool
}

type simulatedName struct {
	name string
	view int
}

type simulatedOrder struct {
	simulatedName
	ended int
}

type simulated struct {
	simulatedName
	connected bool
	ended     int // connections
	came      int // the event of the first Connected of the view
	next      int // in the log
	waiting   []string
}

func rightRun(t *rapid.T, keepsLog bool) *simulation {
	s := &simulation{keepsLog: keepsLog, sender: map[string]simulatedName{}, order: map[string]simulatedOrder{}, acknowledged: map[string]bool{}}
	s.level = contract.Recovery
	if keepsLog {
		s.level = rapid.SampledFrom([]contract.Level{contract.ClientDelivery, contract.DurableDelivery}).Draw(t, "level")
	}
	s.add(history.Event{Kind: history.Began, Level: s.level})
	for _, name := range []string{"alice", "bob", "carol"}[:rapid.IntRange(1, 3).Draw(t, "clients")] {
		p := &simulated{simulatedName: simulatedName{name, 1}}
		s.pages = append(s.pages, p)
		s.open(p)
	}
	s.say(s.pages[0], false)
	for range rapid.IntRange(0, 50).Draw(t, "steps") {
		s.step(t)
	}
	for _, p := range s.pages {
		s.connect(p)
	}
	s.barrier()
	if keepsLog {
		for _, text := range s.log {
			s.add(history.Event{Kind: history.Stored, Message: text})
		}
		s.add(history.Event{Kind: history.LogRead})
	}
	s.add(history.Event{Kind: history.Ended})
	return s
}

func (s *simulation) step(t *rapid.T) {
	p := rapid.SampledFrom(s.pages).Draw(t, "who")
	switch rapid.IntRange(0, 11).Draw(t, "what") {
	case 0, 1, 2:
		s.say(p, rapid.Bool().Draw(t, "acknowledged"))
	case 3:
		if p.connected {
			p.connected = false
			p.ended++
			s.page(p, history.Disconnected, "transport close")
		}
	case 4, 5:
		s.connect(p)
	case 6:
		s.barrier()
	case 7:
		if len(p.waiting) > 0 && s.level != contract.DurableDelivery {
			return // it would be lost, by right
		}
		s.page(p, history.Closed, "")
		p.view++
		s.open(p)
	default:
		if p.connected {
			s.deliver(p)
		}
	}
}

func (s *simulation) add(e history.Event) {
	s.at += plan.Duration(time.Second)
	e.At = s.at
	s.events = append(s.events, e)
}

func (s *simulation) page(p *simulated, kind history.Kind, detail string) {
	s.add(history.Event{Kind: kind, Client: p.name, View: p.view, Detail: detail})
}

func (s *simulation) open(p *simulated) {
	s.page(p, history.Opened, "")
	p.next = len(s.log)
	if s.keepsLog {
		p.next = 0
	}
	p.connected, p.came = false, len(s.events)
	s.connect(p)
}

func (s *simulation) connect(p *simulated) {
	if p.connected {
		return
	}
	p.connected = true
	s.page(p, history.Connected, "")
	for _, text := range p.waiting {
		s.accept(p, text, true)
	}
	p.waiting = nil
}

func (s *simulation) say(p *simulated, acknowledge bool) {
	text := fmt.Sprintf("%s-%d", p.name, len(s.sender)+1)
	s.sender[text] = p.simulatedName
	s.order[text] = simulatedOrder{p.simulatedName, 0}
	if !s.level.AtLeast(contract.ClientDelivery) {
		s.order[text] = simulatedOrder{p.simulatedName, p.ended}
	}
	s.add(history.Event{Kind: history.Sent, Client: p.name, View: p.view, Message: text})
	if !p.connected {
		p.waiting = append(p.waiting, text)
		return
	}
	s.accept(p, text, acknowledge)
}

func (s *simulation) accept(p *simulated, text string, acknowledge bool) {
	s.log = append(s.log, text)
	if acknowledge {
		s.acknowledged[text] = true
		s.add(history.Event{Kind: history.Acknowledged, Client: p.name, View: p.view, Message: text})
	}
}

func (s *simulation) deliver(p *simulated) bool {
	if p.next == len(s.log) {
		return false
	}
	s.add(history.Event{Kind: history.Shown, Client: p.name, View: p.view, Message: s.log[p.next]})
	p.next++
	return true
}

// barrier makes every connected page send a message, one after the other, and all
// show it, as the lab does.
func (s *simulation) barrier() {
	for _, p := range s.pages {
		if !p.connected {
			continue
		}
		s.say(p, false)
		for _, other := range s.pages {
			for other.connected && s.deliver(other) {
			}
		}
	}
	s.add(history.Event{Kind: history.Barrier})
}

func (s *simulation) copy() []history.Event { return slices.Clone(s.events) }

func (s *simulation) isShowing(i int) bool { return s.events[i].Kind == history.Shown }

// draw picks one of the events that fit.
func (s *simulation) draw(t *rapid.T, fits func(i int) bool) (int, bool) {
	var all []int
	for i := range s.events {
		if fits(i) {
			all = append(all, i)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	return rapid.SampledFrom(all).Draw(t, "event"), true
}

// next is the next showing on the same page, if there is no barrier before it.
func (s *simulation) next(i int) int {
	for j := i + 1; j < len(s.events) && s.events[j].Kind != history.Barrier; j++ {
		if e := s.events[j]; e.Kind == history.Shown && e.Client == s.events[i].Client && e.View == s.events[i].View {
			return j
		}
	}
	return -1
}

// mustOutlive tells whether the message of a Sent must be in the log, whether
// somebody answered or not: its page is there at the end, or need not be.
func (s *simulation) mustOutlive(sent history.Event) bool {
	return s.level == contract.DurableDelivery || slices.ContainsFunc(s.pages, func(p *simulated) bool {
		return p.simulatedName == simulatedName{sent.Client, sent.View}
	})
}

// shownApart tells whether some page shows only one of two messages.
func (s *simulation) shownApart(a, b string) bool {
	shows := map[simulatedName]int{}
	for _, e := range s.events {
		if e.Kind == history.Shown && (e.Message == a || e.Message == b) {
			shows[simulatedName{e.Client, e.View}]++
		}
	}
	for _, n := range shows {
		if n == 1 {
			return true
		}
	}
	return false
}

// isEntitled tells whether the event is a showing on a page that is there at the
// end, and that somebody could miss: it was there when the message was sent, or is
// promised the whole log; and the message is known from elsewhere.
func (s *simulation) isEntitled(i int) bool {
	if !s.isShowing(i) {
		return false
	}
	e := s.events[i]
	known := s.keepsLog || s.acknowledged[e.Message]
	entitled := false
	for _, p := range s.pages {
		if p.name == e.Client && p.view == e.View {
			sent := slices.IndexFunc(s.events, func(o history.Event) bool { return o.Kind == history.Sent && o.Message == e.Message })
			entitled = s.keepsLog || sent > p.came
		}
	}
	for j, o := range s.events {
		known = known || j != i && o.Kind == history.Shown && o.Message == e.Message
	}
	return known && entitled
}

// bothShownElsewhere tells whether another page shows the messages of two events.
func (s *simulation) bothShownElsewhere(i, j int) bool {
	shows := func(of int) map[simulatedName]bool {
		pages := map[simulatedName]bool{}
		for _, e := range s.events {
			if e.Kind == history.Shown && e.Message == s.events[of].Message {
				pages[simulatedName{e.Client, e.View}] = true
			}
		}
		return pages
	}
	second := shows(j)
	for p := range shows(i) {
		if second[p] && p != (simulatedName{s.events[i].Client, s.events[i].View}) {
			return true
		}
	}
	return false
}
