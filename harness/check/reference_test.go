package check

import (
	"slices"

	"redial/harness/contract"
	"redial/harness/history"
)

// A reference implements the package doc as plainly as possible, without regard to speed: it
// searches the whole history again for every question. It only counts.
type reference struct {
	events []history.Event
	level  contract.Level
	counts map[contract.RuleID]int
	lost   int
	copies int // duplicated
	moved  int // reordered

	connections map[page][]stretch // the answers of stretches, which takes long
}

// A page is a client's view.
type page struct {
	client string
	view   int
}

func judgeByReference(events []history.Event) *reference {
	r := &reference{events: events, counts: map[contract.RuleID]int{}, connections: map[page][]stretch{}}
	for _, e := range events {
		if e.Kind == history.Began {
			r.level = e.Level
		}
	}
	for _, p := range r.pages() {
		r.judgePage(p)
	}
	r.judgeLog()
	r.judgeSends()
	if !r.hasLog() {
		r.judgeStory()
	}
	return r
}

// first is the index of the first event that fits, or never.
func (r *reference) first(fits func(e history.Event) bool) int {
	if i := slices.IndexFunc(r.events, fits); i >= 0 {
		return i
	}
	return never
}

func (r *reference) about(kind history.Kind, text string) int {
	return r.first(func(e history.Event) bool { return e.Kind == kind && e.Message == text })
}

func (r *reference) ended() int {
	return r.first(func(e history.Event) bool { return e.Kind == history.Ended })
}

func (r *reference) hasLog() bool {
	return r.first(func(e history.Event) bool { return e.Kind == history.LogRead }) != never
}

func (r *reference) log() []history.Event {
	var rows []history.Event
	for _, e := range r.events {
		if e.Kind == history.Stored && r.hasLog() {
			rows = append(rows, e)
		}
	}
	return rows
}

func (r *reference) rows(text string) int {
	n := 0
	for _, row := range r.log() {
		if row.Message == text {
			n++
		}
	}
	return n
}

func (r *reference) found(text string) int {
	n := 0
	for i, e := range r.events {
		if e.Kind == history.Found && e.Message == text && i < r.about(history.Sent, text) {
			n++
		}
	}
	return n
}

func (r *reference) sent() []history.Event {
	var all []history.Event
	for _, e := range r.events {
		if e.Kind == history.Sent {
			all = append(all, e)
		}
	}
	return all
}

func (r *reference) isSent(text string) bool { return r.about(history.Sent, text) != never }

func (r *reference) isAcknowledged(text string) bool {
	return r.about(history.Acknowledged, text) != never
}

func (r *reference) isRefused(text string) bool {
	return r.about(history.Refused, text) != never && !r.isAcknowledged(text)
}

func (r *reference) isShown(text string) bool { return r.about(history.Shown, text) != never }

func (r *reference) isPhantom(text string) bool {
	return r.isRefused(text) || !r.isSent(text) && r.found(text) == 0
}

func (r *reference) pages() []page {
	var all []page
	for _, e := range r.events {
		p := page{e.Client, e.View}
		if e.Client != "" && e.View > 0 && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

func (r *reference) isPage(p page) bool {
	return r.first(func(e history.Event) bool {
		return e.Client == p.client && e.View == p.view && isAboutPage(e.Kind)
	}) != never
}

func isAboutPage(k history.Kind) bool {
	return slices.Contains([]history.Kind{history.Opened, history.Closed, history.Connected, history.Disconnected, history.Suspended, history.Resumed}, k)
}

// closed returns the event that ended the page: Closed, or the first event of the next page.
func (r *reference) closed(p page) int {
	return r.first(func(e history.Event) bool {
		return e.Client == p.client && (e.Kind == history.Closed && e.View == p.view || isAboutPage(e.Kind) && e.View > p.view)
	})
}

// noEcho reports whether the server sends a message to all but its sender.
func (r *reference) noEcho() bool {
	return slices.ContainsFunc(r.events, func(e history.Event) bool { return e.Kind == history.Began && e.NoEcho })
}

// shownBy returns the messages that a page shows, with repeats.
func (r *reference) shownBy(p page) []string {
	var all []string
	for _, e := range r.events {
		if e.Kind == history.Shown && e.Client == p.client && e.View == p.view {
			all = append(all, e.Message)
		}
	}
	return all
}

func once(texts []string) []string {
	var all []string
	for _, text := range texts {
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}

// referenceRows returns the log; without a log, everything that was shown. reference is the
// same without phantoms, each text once.
func (r *reference) referenceRows() []string {
	var all []string
	for _, e := range r.events {
		if e.Kind == history.Stored && r.hasLog() || e.Kind == history.Shown && !r.hasLog() {
			all = append(all, e.Message)
		}
	}
	return all
}

func (r *reference) reference() []string {
	return slices.DeleteFunc(once(r.referenceRows()), r.isPhantom)
}

func (r *reference) isBarrier(i int) bool {
	e := r.events[i]
	return e.Kind == history.Ended || e.Kind == history.Barrier
}

func (r *reference) senderOf(text string) page {
	e := r.events[r.about(history.Sent, text)]
	return page{e.Client, e.View}
}

func (r *reference) restAt(text string) int {
	sent, by := r.about(history.Sent, text), r.senderOf(text)
	if r.isPage(by) && !r.level.AtLeast(contract.ClientDelivery) {
		return r.restAtWithoutRetries(text)
	}
	firstBarrier := true
	for i := sent + 1; i < len(r.events); i++ {
		if !r.isBarrier(i) {
			continue
		}
		connected, gone := false, true
		for _, p := range r.sameBrowser(by) {
			_, c := r.provedAt(p, i)
			connected = connected || c && (p == by || r.closed(by) < i || r.level.AtLeast(contract.DurableDelivery))
			gone = gone && r.closed(p) < i
		}
		if connected || !r.isPage(by) && firstBarrier || gone || r.isKnown(text, i) {
			return i
		}
		firstBarrier = false
	}
	return never
}

// restAtWithoutRetries: once the connection that carried a message is gone, the server may
// still be processing it until it is shown or acknowledged.
func (r *reference) restAtWithoutRetries(text string) int {
	sent := r.about(history.Sent, text)
	carrier := stretch{from: never}
	for _, s := range r.stretches(r.senderOf(text)) {
		if sent < s.to {
			carrier = s
			break
		}
	}
	for i := sent + 1; i < len(r.events); i++ {
		if r.isBarrier(i) && (r.isKnown(text, i) || carrier.from < i && i < carrier.proved && !r.isBlocked(r.senderOf(text), i)) {
			return i
		}
	}
	return never
}

// isKnown reports whether a message was sent before i after this one was shown or
// acknowledged.
func (r *reference) isKnown(text string, i int) bool {
	seen := min(r.about(history.Shown, text), r.about(history.Acknowledged, text))
	for j, e := range r.events[:i] {
		if e.Kind == history.Sent && j == r.about(history.Sent, e.Message) && j > seen && j > r.about(history.Sent, text) {
			return true
		}
	}
	return false
}

// markedAt returns the event of the last stored message that no page sent.
func (r *reference) markedAt() int {
	for i, e := range slices.Backward(r.events) {
		if e.Kind == history.Sent && i == r.about(history.Sent, e.Message) && !r.isPage(page{e.Client, e.View}) && r.rows(e.Message) > 0 {
			return i
		}
	}
	return never
}
