package check

import (
	"slices"
	"time"

	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
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

// closed returns the event that ended the page: Closed, or the first event of the next page.
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

// joined returns the connections, joined over the gaps that recovery covers.
func (r *reference) joined(p page) []stretch {
	all := r.stretches(p)
	if !r.level.AtLeast(contract.Recovery) {
		return all
	}
	for i := 0; i+1 < len(all); {
		a, b := all[i], all[i+1]
		stopped := false
		// The begin of the last connection joined into a, and since when the page tried to connect.
		last, before := a.from, r.opening(p, a.from)
		stretches := r.stretches(p)
		for i, s := range stretches {
			if s.from < b.from {
				last = s.from
				if i > 0 {
					before = stretches[i-1].to
				}
			}
		}
		for j := before; j < last && (r.events[last].Recovered || !r.events[b.from].Recovered); j++ { // a server that ended since may have answered
			stopped = stopped || r.events[j].Kind == history.ServerStopped
		}
		for j := last; j >= 0; j-- { // the server was down when the page was connected
			if kind := r.events[j].Kind; kind == history.ServerStopped || kind == history.ServerStarted {
				stopped = stopped || kind == history.ServerStopped
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

// opening returns the last Opened event of the page before the event, or 0.
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
			_, c := r.stretchAt(p, i)
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
