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

type logMode int

const (
	either logMode = iota
	withLog
	withoutLog
)

// A simulation is a chat that keeps every promise: all pages show one order without a gap
// from the point at which they were opened, and a message that is sent offline is buffered.
type simulation struct {
	keepsLog     bool
	level        contract.Level
	events       []history.Event
	at           plan.Duration
	log          []string
	pages        []*simulatedPage
	sender       map[string]pageName
	order        map[string]pageOrder // messages with the same one are in order
	acknowledged map[string]bool
}

type pageName struct {
	name string
	view int
}

type pageOrder struct {
	pageName
	ended int
}

type simulatedPage struct {
	pageName
	connected bool
	ended     int // connections
	opened    int // the index after the Opened event
	next      int // in the log
	waiting   []string
}

func correctRun(t *rapid.T, keepsLog bool) *simulation {
	s := &simulation{keepsLog: keepsLog, sender: map[string]pageName{}, order: map[string]pageOrder{}, acknowledged: map[string]bool{}}
	s.level = contract.Recovery
	if keepsLog {
		s.level = rapid.SampledFrom([]contract.Level{contract.ClientDelivery, contract.DurableDelivery}).Draw(t, "level")
	}
	s.add(history.Event{Kind: history.Began, Level: s.level})
	for _, name := range []string{"alice", "bob", "carol"}[:rapid.IntRange(1, 3).Draw(t, "clients")] {
		p := &simulatedPage{pageName: pageName{name, 1}}
		s.pages = append(s.pages, p)
		s.open(p)
	}
	s.send(s.pages[0], false)
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
		s.send(p, rapid.Bool().Draw(t, "acknowledged"))
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
			return // the level does not promise that buffered messages outlive the page
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

func (s *simulation) page(p *simulatedPage, kind history.Kind, detail string) {
	s.add(history.Event{Kind: kind, Client: p.name, View: p.view, Detail: detail})
}

func (s *simulation) open(p *simulatedPage) {
	s.page(p, history.Opened, "")
	p.next = len(s.log)
	if s.keepsLog {
		p.next = 0
	}
	p.connected, p.opened = false, len(s.events)
	s.connect(p)
}

func (s *simulation) connect(p *simulatedPage) {
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

func (s *simulation) send(p *simulatedPage, acknowledge bool) {
	text := fmt.Sprintf("%s-%d", p.name, len(s.sender)+1)
	s.sender[text] = p.pageName
	s.order[text] = pageOrder{p.pageName, 0}
	if !s.level.AtLeast(contract.ClientDelivery) {
		s.order[text] = pageOrder{p.pageName, p.ended}
	}
	s.add(history.Event{Kind: history.Sent, Client: p.name, View: p.view, Message: text})
	if !p.connected {
		p.waiting = append(p.waiting, text)
		return
	}
	s.accept(p, text, acknowledge)
}

func (s *simulation) accept(p *simulatedPage, text string, acknowledge bool) {
	s.log = append(s.log, text)
	if acknowledge {
		s.acknowledged[text] = true
		s.add(history.Event{Kind: history.Acknowledged, Client: p.name, View: p.view, Message: text})
	}
}

func (s *simulation) deliver(p *simulatedPage) bool {
	if p.next == len(s.log) {
		return false
	}
	s.add(history.Event{Kind: history.Shown, Client: p.name, View: p.view, Message: s.log[p.next]})
	p.next++
	return true
}

// barrier plays a barrier as the lab does: every connected page sends a message, one after
// the other, and all pages show it.
func (s *simulation) barrier() {
	for _, p := range s.pages {
		if !p.connected {
			continue
		}
		s.send(p, false)
		for _, other := range s.pages {
			for other.connected && s.deliver(other) {
			}
		}
	}
	s.add(history.Event{Kind: history.Barrier})
}

func (s *simulation) copy() []history.Event { return slices.Clone(s.events) }

func (s *simulation) isShown(i int) bool { return s.events[i].Kind == history.Shown }

func (s *simulation) isStored(i int) bool { return s.events[i].Kind == history.Stored }

// draw draws one of the events that fit.
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

// next returns the next Shown event of the same page, or -1 if a barrier comes first.
func (s *simulation) next(i int) int {
	for j := i + 1; j < len(s.events) && s.events[j].Kind != history.Barrier; j++ {
		if e := s.events[j]; e.Kind == history.Shown && e.Client == s.events[i].Client && e.View == s.events[i].View {
			return j
		}
	}
	return -1
}

// mustOutlive reports whether the message of a Sent event must be in the log even without an
// acknowledgement: its page is open at the end, or need not be at this level.
func (s *simulation) mustOutlive(sent history.Event) bool {
	return s.level == contract.DurableDelivery || slices.ContainsFunc(s.pages, func(p *simulatedPage) bool {
		return p.pageName == pageName{sent.Client, sent.View}
	})
}

// shownApart reports whether some page shows only one of two messages.
func (s *simulation) shownApart(a, b string) bool {
	shows := map[pageName]int{}
	for _, e := range s.events {
		if e.Kind == history.Shown && (e.Message == a || e.Message == b) {
			shows[pageName{e.Client, e.View}]++
		}
	}
	for _, n := range shows {
		if n == 1 {
			return true
		}
	}
	return false
}

// isEntitled reports whether removing the event would be a loss: it is a Shown event of a page
// that is open at the end and is entitled to the message, and the message is known elsewhere.
func (s *simulation) isEntitled(i int) bool {
	if !s.isShown(i) {
		return false
	}
	e := s.events[i]
	known := s.keepsLog || s.acknowledged[e.Message]
	entitled := false
	for _, p := range s.pages {
		if p.name == e.Client && p.view == e.View {
			sent := slices.IndexFunc(s.events, func(o history.Event) bool { return o.Kind == history.Sent && o.Message == e.Message })
			entitled = s.keepsLog || sent > p.opened
		}
	}
	for j, o := range s.events {
		known = known || j != i && o.Kind == history.Shown && o.Message == e.Message
	}
	return known && entitled
}

// bothShownElsewhere reports whether another page shows the messages of both events.
func (s *simulation) bothShownElsewhere(i, j int) bool {
	shows := func(of int) map[pageName]bool {
		pages := map[pageName]bool{}
		for _, e := range s.events {
			if e.Kind == history.Shown && e.Message == s.events[of].Message {
				pages[pageName{e.Client, e.View}] = true
			}
		}
		return pages
	}
	second := shows(j)
	for p := range shows(i) {
		if second[p] && p != (pageName{s.events[i].Client, s.events[i].View}) {
			return true
		}
	}
	return false
}
