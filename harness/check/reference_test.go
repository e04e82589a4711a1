package check

import (
	"slices"
	"time"

	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

// A reference is the package doc written down as plainly as possible, without any
// thought for time: maps by text, and the whole history looked through again for
// every question. It only counts.
type reference struct {
	events []history.Event
	level  contract.Level
	counts map[contract.RuleID]int
	lost   int
	copies int // duplicated
	moved  int // reordered
}

// A page is a client's view.
type page struct {
	client string
	view   int
}

// A stretch is a connection: the indices of the events that begin and end it.
type stretch struct {
	from, to int
	reason   string
}

func judgeByReference(events []history.Event) *reference {
	r := &reference{events: events, counts: map[contract.RuleID]int{}}
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
	return k == history.Opened || k == history.Closed || k == history.Connected || k == history.Disconnected
}

// closed is the event that ended the page: Closed, or the next page's first.
func (r *reference) closed(p page) int {
	return r.first(func(e history.Event) bool {
		return e.Client == p.client && (e.Kind == history.Closed && e.View == p.view || isAboutPage(e.Kind) && e.View > p.view)
	})
}

func (r *reference) stretches(p page) []stretch {
	var all []stretch
	end := func(i int, reason string) {
		if n := len(all); n > 0 && all[n-1].to == never {
			all[n-1].to, all[n-1].reason = i, reason
		}
	}
	for i, e := range r.events {
		switch {
		case i == r.closed(p):
			end(i, "closed")
		case e.Client != p.client || e.View != p.view:
		case e.Kind == history.Connected:
			end(i, "")
			all = append(all, stretch{from: i, to: never})
		case e.Kind == history.Disconnected:
			end(i, e.Detail)
		}
	}
	return all
}

func (r *reference) stretchAt(p page, i int) (stretch, bool) {
	for _, s := range r.stretches(p) {
		if s.from < i && i < s.to {
			return s, true
		}
	}
	return stretch{}, false
}

// joined joins what recovery joins.
func (r *reference) joined(p page) []stretch {
	all := r.stretches(p)
	if !r.level.AtLeast(contract.Recovery) {
		return all
	}
	for i := 0; i+1 < len(all); {
		a, b := all[i], all[i+1]
		stopped := false
		last, before := a.from, r.opening(p, a.from) // of the last connection that was joined into a, and since when the page tried
		stretches := r.stretches(p)
		for i, s := range stretches {
			if s.from < b.from {
				last = s.from
				if i > 0 {
					before = stretches[i-1].to
				}
			}
		}
		for j := before; j < last && (r.events[last].Recovered || !r.events[b.from].Recovered); j++ { // it may have been answered before that
			stopped = stopped || r.events[j].Kind == history.ServerStopped
		}
		for j := last; j >= 0; j-- { // the server that it was connected to had ended by then
			if kind := r.events[j].Kind; kind == history.ServerStopped || kind == history.ServerStarted {
				stopped = kind == history.ServerStopped
				break
			}
		}
		for j := last; j < b.from; j++ {
			stopped = stopped || r.events[j].Kind == history.ServerStopped
		}
		long := r.events[b.from].At-r.events[a.to].At >= plan.Duration(2*time.Minute)
		if stopped || long || a.reason == "io client disconnect" || a.reason == "io server disconnect" {
			i++
			continue
		}
		all[i] = stretch{a.from, b.to, b.reason}
		all = slices.Delete(all, i+1, i+2)
	}
	return all
}

// opening is the last Opened of the page before the event; 0 for none.
func (r *reference) opening(p page, before int) int {
	last := 0
	for i, e := range r.events[:before] {
		if e.Client == p.client && e.View == p.view && e.Kind == history.Opened {
			last = i
		}
	}
	return last
}

func (r *reference) isOpen(p page) bool {
	return r.ended() != never && r.isPage(p) && r.closed(p) == never
}

func (r *reference) isUp(p page) bool {
	all := r.stretches(p)
	return r.isOpen(p) && len(all) > 0 && all[len(all)-1].to == never
}

// shownBy is every showing of a page, the repeats included.
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

// tale is the log, or everything shown in the order of first sight; story is the
// same without phantoms, each text once.
func (r *reference) tale() []string {
	var all []string
	for _, e := range r.events {
		if e.Kind == history.Stored && r.hasLog() || e.Kind == history.Shown && !r.hasLog() {
			all = append(all, e.Message)
		}
	}
	return all
}

func (r *reference) story() []string {
	return slices.DeleteFunc(once(r.tale()), r.isPhantom)
}

func (r *reference) isBarrier(i int) bool {
	e := r.events[i]
	return e.Kind == history.Ended || e.Kind == history.Barrier && e.Client == ""
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
			_, c := r.stretchAt(p, i)
			connected = connected || c
			gone = gone && r.closed(p) < i
		}
		if connected || !r.isPage(by) && firstBarrier || gone || r.isKnown(text, i) {
			return i
		}
		firstBarrier = false
	}
	return never
}

// restAtWithoutRetries: once the connection that carried it is gone, nobody knows
// before it is seen.
func (r *reference) restAtWithoutRetries(text string) int {
	sent := r.about(history.Sent, text)
	carrier := stretch{from: never, to: never}
	for _, s := range r.stretches(r.senderOf(text)) {
		if sent < s.to {
			carrier = s
			break
		}
	}
	for i := sent + 1; i < len(r.events); i++ {
		if r.isBarrier(i) && (r.isKnown(text, i) || carrier.from < i && i < carrier.to) {
			return i
		}
	}
	return never
}

// isKnown tells whether something was said before i when the text had been seen.
func (r *reference) isKnown(text string, i int) bool {
	seen := min(r.about(history.Shown, text), r.about(history.Acknowledged, text))
	for j, e := range r.events[:i] {
		if e.Kind == history.Sent && j == r.about(history.Sent, e.Message) && j > seen && j > r.about(history.Sent, text) {
			return true
		}
	}
	return false
}

// readFrom is when the last message was sent that comes from no page and is stored.
func (r *reference) readFrom() int {
	for i, e := range slices.Backward(r.events) {
		if e.Kind == history.Sent && i == r.about(history.Sent, e.Message) && !r.isPage(page{e.Client, e.View}) && r.rows(e.Message) > 0 {
			return i
		}
	}
	return never
}
