package check

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

type logWish int

const (
	either logWish = iota
	withLog
	withoutLog
)

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
