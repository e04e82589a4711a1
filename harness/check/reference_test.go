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

func (r *reference) isHealthy(text string) bool {
	sent := r.about(history.Sent, text)
	s, connected := r.stretchAt(r.senderOf(text), sent)
	for i := sent; connected && i < len(r.events) && i < s.to; i++ {
		if r.isBarrier(i) {
			return true
		}
	}
	return false
}

func (r *reference) mustBeKnown(text string) bool {
	return !r.isRefused(text) && (r.isHealthy(text) ||
		r.level.AtLeast(contract.ClientDelivery) && r.isUp(r.senderOf(text)) ||
		r.level.AtLeast(contract.DurableDelivery) && slices.ContainsFunc(r.sameBrowser(r.senderOf(text)), r.isUp))
}

// sameBrowser lists the pages that have their storage in common with one.
func (r *reference) sameBrowser(by page) []page {
	return slices.DeleteFunc(r.pages(), func(p page) bool {
		return !r.isPage(p) || r.browser(p.client) != r.browser(by.client)
	})
}

// browser is the client that the client is a tab of, or itself.
func (r *reference) browser(client string) string {
	for _, e := range r.events {
		if e.Kind == history.Began && e.Plan != nil {
			for _, c := range e.Plan.Clients {
				if c.Name == client && c.TabOf != "" {
					return r.browser(c.TabOf)
				}
			}
		}
	}
	return client
}

// lateOnTab is lateInLog over all pages of a client.
func (r *reference) lateOnTab(text string) bool {
	story := r.story()
	for _, before := range story[:max(0, slices.Index(story, text))] {
		if r.hasLog() && r.isSent(text) && r.isSent(before) && r.senderOf(text).client == r.senderOf(before).client &&
			r.about(history.Sent, before) > r.about(history.Sent, text) {
			return r.level.AtLeast(contract.DurableDelivery)
		}
	}
	return false
}

// isMissing tells whether somebody is to blame for the text not being known.
func (r *reference) isMissing(text string) bool {
	if slices.Contains(r.story(), text) || r.isRefused(text) || r.isWiped(text) {
		return false
	}
	if r.hasLog() {
		seen := min(r.about(history.Shown, text), r.about(history.Acknowledged, text))
		return seen < r.readFrom() || r.mustBeKnown(text)
	}
	return !r.isAcknowledged(text) && r.mustBeKnown(text)
}

// isWiped tells whether it was known before the data was replaced.
func (r *reference) isWiped(text string) bool {
	known := min(r.about(history.Acknowledged, text), r.about(history.Shown, text))
	for i, e := range r.events {
		if e.Kind == history.DataReplaced && known < i {
			return true
		}
	}
	return false
}

// altered lists the messages that the log, or else the sender's page, has altered.
func (r *reference) altered() []string {
	missing := slices.DeleteFunc(r.said(), func(text string) bool { return !r.isMissing(text) })
	if r.hasLog() {
		return r.alteredAmong(once(r.tale()), missing)
	}
	var all []string
	for _, p := range r.pages() {
		own := slices.DeleteFunc(slices.Clone(missing), func(text string) bool { return r.senderOf(text) != p })
		all = append(all, r.alteredAmong(once(r.shownBy(p)), own)...)
	}
	return all
}

// said is what was found in the log, then what was sent.
func (r *reference) said() []string {
	all := slices.DeleteFunc(r.story(), r.isSent)
	for _, e := range r.sent() {
		all = append(all, e.Message)
	}
	return all
}

// alteredAmong lists which of the missing messages a list has altered.
func (r *reference) alteredAmong(list, missing []string) []string {
	var matched []string
	used := map[string]bool{}
	for _, text := range missing {
		above, below, passed := -1, len(list), false
		for _, other := range r.said() {
			same := !r.isSent(other) && !r.isSent(text) || r.isSent(other) && r.isSent(text) && r.senderOf(other) == r.senderOf(text)
			at := slices.Index(list, other)
			switch {
			case other == text:
				passed = true
			case !same || at < 0 || r.isPhantom(other):
			case !passed:
				above = at
			case below == len(list):
				below = at
			}
		}
		for at := above + 1; at < below; at++ {
			if r.isPhantom(list[at]) && !used[list[at]] {
				used[list[at]] = true
				matched = append(matched, text)
				break
			}
		}
	}
	return matched
}

// sentInOneOrder tells whether the two have an order to keep: they are of one page, and
// below client-delivery no connection of it ended between them.
func (r *reference) sentInOneOrder(a, b string) bool {
	p := r.senderOf(a)
	if p != r.senderOf(b) {
		return false
	}
	over := func(text string) (n int) {
		for _, s := range r.stretches(p) {
			if s.to < r.about(history.Sent, text) {
				n++
			}
		}
		return n
	}
	return r.level.AtLeast(contract.ClientDelivery) || over(a) == over(b)
}

// lateInLog tells whether the log has a later message of the sender before.
func (r *reference) lateInLog(text string) bool {
	story := r.story()
	for _, before := range story[:max(0, slices.Index(story, text))] {
		if r.hasLog() && r.isSent(text) && r.isSent(before) && r.sentInOneOrder(text, before) &&
			r.about(history.Sent, before) > r.about(history.Sent, text) {
			return true
		}
	}
	return false
}

func (r *reference) isInPlace(text string) bool { return r.rows(text) == 1 && !r.lateInLog(text) }

// lateOn lists what a page shows out of order.
func (r *reference) lateOn(p page) []string {
	var late []string
	story := r.story()
	shown := slices.DeleteFunc(once(r.shownBy(p)), r.isPhantom)
	for i, text := range shown {
		for _, before := range shown[:i] {
			wrong := false
			if r.hasLog() {
				wrong = r.isInPlace(text) && r.isInPlace(before) && slices.Index(story, before) > slices.Index(story, text)
			} else {
				wrong = r.isSent(text) && r.isSent(before) && r.sentInOneOrder(text, before) &&
					r.about(history.Sent, before) > r.about(history.Sent, text)
			}
			if wrong {
				late = append(late, text)
				break
			}
		}
	}
	return late
}

func (r *reference) judgePage(p page) {
	shown := r.shownBy(p)
	for _, text := range once(shown) {
		if r.isPhantom(text) {
			r.counts[contract.NoPhantom]++
			continue
		}
		times := 0
		for _, other := range shown {
			if other == text {
				times++
			}
		}
		if extra := times - max(1, r.rows(text), r.found(text)); extra > 0 {
			r.counts[contract.NoDuplicate]++
			r.copies += extra
		}
	}
	late := len(r.lateOn(p))
	r.counts[contract.Order] += late
	r.moved += late
	if r.isPage(p) {
		lost := len(r.owed(p))
		r.counts[contract.NoLoss] += lost
		r.lost += lost
	}
	if r.isOpen(p) && !r.isUp(p) {
		r.counts[contract.Convergence]++
	}
}

// owed lists what a page is entitled to, does not show, and is not excused from.
func (r *reference) owed(p page) []string {
	story, shown := r.story(), once(r.shownBy(p))
	var owed []string
	exists := func(text string) bool {
		if !r.hasLog() && r.isWiped(text) {
			return false
		}
		return slices.Contains(story, text) || !r.hasLog() && r.isAcknowledged(text)
	}
	if r.level.AtLeast(contract.ServerDelivery) && (r.hasLog() || r.isUp(p)) {
		last := 0
		for i, text := range story {
			if slices.Contains(shown, text) && r.isInPlace(text) {
				last = i
			}
		}
		if r.isUp(p) {
			last = len(story)
		} else if r.isOpen(p) || r.closed(p) == never {
			last = 0
		}
		owed = append(owed, slices.DeleteFunc(slices.Clone(story[:last]), func(text string) bool { return !exists(text) })...)
		for _, e := range r.sent() {
			if !r.hasLog() && r.isUp(p) && exists(e.Message) && !r.isPhantom(e.Message) {
				owed = append(owed, e.Message)
			}
		}
	}
	for _, s := range r.joined(p) {
		for _, e := range r.sent() {
			text := e.Message
			if exists(text) && !r.isPhantom(text) && s.from < r.about(history.Sent, text) && r.settles(p, s, text) {
				owed = append(owed, text)
			}
		}
	}
	missing := slices.DeleteFunc(r.said(), func(text string) bool {
		return !slices.Contains(owed, text) || slices.Contains(shown, text)
	})
	altered := r.alteredAmong(shown, missing)
	return slices.DeleteFunc(missing, func(text string) bool { return slices.Contains(altered, text) })
}

// settles tells whether, during s, the page is connected at a barrier at which the
// text is at rest.
func (r *reference) settles(p page, s stretch, text string) bool {
	for i := range r.events {
		_, connected := r.stretchAt(p, i)
		if connected && s.from < i && i < s.to && r.isBarrier(i) && i >= r.restAt(text) {
			return true
		}
	}
	return false
}

func (r *reference) judgeLog() {
	for _, text := range once(r.tale()) {
		if !r.hasLog() {
			return
		}
		if r.isPhantom(text) {
			r.counts[contract.NoPhantom]++
			continue
		}
		if r.lateInLog(text) || r.lateOnTab(text) {
			r.counts[contract.Order]++
			r.moved++
		}
		if extra := r.rows(text) - max(1, r.found(text)); extra > 0 {
			r.counts[contract.Sends]++
			r.copies += extra
		}
	}
	type numbered struct {
		text   string
		offset int64
	}
	var wrong []numbered
	for _, e := range r.events {
		if e.Kind != history.Shown || e.Offset == 0 || r.isPhantom(e.Message) || !r.hasLog() {
			continue
		}
		hasOffset, right := false, false
		for _, row := range r.log() {
			hasOffset = hasOffset || row.Message == e.Message && row.Offset != 0
			right = right || row.Message == e.Message && row.Offset == e.Offset
		}
		if n := (numbered{e.Message, e.Offset}); hasOffset && !right && !slices.Contains(wrong, n) {
			wrong = append(wrong, n)
		}
	}
	r.counts[contract.Agreement] += len(wrong)
	r.moved += len(wrong)
}

func (r *reference) judgeSends() {
	altered := r.altered()
	for _, e := range r.sent() {
		text := e.Message
		if !r.isMissing(text) || slices.Contains(altered, text) {
			continue
		}
		switch {
		case r.isAcknowledged(text):
			r.counts[contract.Sends]++
		case r.isShown(text):
			r.counts[contract.Agreement]++
		default:
			r.counts[contract.NoLoss]++
			r.lost++
		}
	}
}

// judgeStory asks whether all pages can be read as parts of one story.
func (r *reference) judgeStory() {
	story := r.story()
	n := len(story)
	before := make([][]bool, n) // by any chain of pages
	for i := range before {
		before[i] = make([]bool, n)
	}
	chains := map[page][]int{}
	for _, p := range r.pages() {
		late := r.lateOn(p)
		for _, text := range once(r.shownBy(p)) {
			if !r.isPhantom(text) && !slices.Contains(late, text) {
				chains[p] = append(chains[p], slices.Index(story, text))
			}
		}
		for j := range chains[p] {
			for i := range j {
				before[chains[p][i]][chains[p][j]] = true
			}
		}
	}
	for k := range n {
		for i := range n {
			for j := range n {
				before[i][j] = before[i][j] || before[i][k] && before[k][j]
			}
		}
	}
	for _, p := range r.pages() {
		for j, b := range chains[p] {
			for _, a := range chains[p][:j] {
				if a > b && before[a][b] && before[b][a] {
					r.counts[contract.Agreement]++
					r.moved++
					break
				}
			}
		}
	}
}
