package check

import (
	"slices"

	"redial/harness/contract"
	"redial/harness/history"
)

func (r *reference) isMissing(text string) bool {
	if slices.Contains(r.reference(), text) || r.isRefused(text) || r.predatesReplacement(text) {
		return false
	}
	if r.hasLog() {
		seen := min(r.about(history.Shown, text), r.about(history.Acknowledged, text))
		return seen < r.markedAt() || r.about(history.Sent, text) < r.markedAt() && r.mustBeKnown(text)
	}
	return !r.isAcknowledged(text) && r.mustBeKnown(text)
}

func (r *reference) predatesReplacement(text string) bool {
	known := min(r.about(history.Acknowledged, text), r.about(history.Shown, text))
	return r.replacedAfter(known) || r.noEcho() && r.isSent(text) && r.restAt(text) < r.replaced()
}

// replaced returns the last event that replaced the data, or -1.
func (r *reference) replaced() int {
	for i, e := range slices.Backward(r.events) {
		if e.Kind == history.DataReplaced {
			return i
		}
	}
	return -1
}

func (r *reference) replacedAfter(event int) bool { return event < r.replaced() }

// wasReplaced reports whether a message may have gone with the data.
func (r *reference) wasReplaced(text string) bool {
	return r.predatesReplacement(text) && (!r.hasLog() || !slices.Contains(r.reference(), text))
}

// altered lists the messages that the log, or else the sender's page, holds in altered form.
func (r *reference) altered() []string {
	missing := slices.DeleteFunc(r.sendOrder(), func(text string) bool { return !r.isMissing(text) })
	if r.hasLog() {
		return r.alteredAmong(once(r.referenceRows()), missing)
	}
	var all []string
	for _, p := range r.pages() {
		own := slices.DeleteFunc(slices.Clone(missing), func(text string) bool { return r.senderOf(text) != p })
		all = append(all, r.alteredAmong(once(r.shownBy(p)), own)...)
	}
	return all
}

// sendOrder lists the messages that were found in the log, then those that were sent.
func (r *reference) sendOrder() []string {
	all := slices.DeleteFunc(r.reference(), r.isSent)
	for _, e := range r.sent() {
		all = append(all, e.Message)
	}
	return all
}

func (r *reference) alteredAmong(list, missing []string) []string {
	var matched []string
	used := map[string]bool{}
	for _, text := range missing {
		above, below, passed := -1, len(list), false
		for _, other := range r.sendOrder() {
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

// sentInOneOrder reports whether the two messages have to stay in order: one page sent both,
// and below client-delivery no connection of it ended between them.
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

// lateInLog reports whether the log holds a later message of the same order before this one.
func (r *reference) lateInLog(text string) bool { return r.isLate(text, r.sentInOneOrder) }

// lateInClient is lateInLog over all pages of a client.
func (r *reference) lateInClient(text string) bool {
	return r.level.AtLeast(contract.DurableDelivery) && r.isLate(text, func(a, b string) bool {
		return r.senderOf(a).client == r.senderOf(b).client
	})
}

func (r *reference) isLate(text string, inOrder func(a, b string) bool) bool {
	all := r.reference()
	return r.hasLog() && r.isSent(text) && slices.ContainsFunc(all[:max(0, slices.Index(all, text))], func(before string) bool {
		return r.isSent(before) && inOrder(text, before) && r.about(history.Sent, before) > r.about(history.Sent, text)
	})
}

func (r *reference) isInPlace(text string) bool {
	return r.rows(text) == 1 && !r.lateInLog(text) && !r.predatesReplacement(text)
}

// lateOn lists the messages that a page shows out of order.
func (r *reference) lateOn(p page) []string {
	var late []string
	story := r.reference()
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
	if r.isOpen(p) && !r.isConnected(p) && !r.isCutOff(p.client, r.ended()) {
		r.counts[contract.Convergence]++
	}
}

// owed lists the messages that a page is entitled to and does not show, not even altered.
func (r *reference) owed(p page) []string {
	story, shown := r.reference(), once(r.shownBy(p))
	var owed []string
	exists := func(text string) bool {
		if r.wasReplaced(text) {
			known := min(r.about(history.Acknowledged, text), r.about(history.Shown, text))
			return r.isSent(text) && r.restAt(text) < r.replaced() && (r.replacedAfter(known) || r.isHealthy(text))
		}
		return slices.Contains(story, text) || !r.hasLog() && (r.isAcknowledged(text) || r.noEcho() && r.isSent(text) && r.mustBeKnown(text))
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
		owed = append(owed, slices.DeleteFunc(slices.Clone(story[:last]), func(text string) bool { return !exists(text) || r.wasReplaced(text) })...)
		for _, e := range r.sent() {
			if !r.hasLog() && r.isUp(p) && exists(e.Message) && !r.wasReplaced(e.Message) && !r.isPhantom(e.Message) {
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
	missing := slices.DeleteFunc(r.sendOrder(), func(text string) bool {
		own := r.noEcho() && r.isSent(text) && r.senderOf(text) == p // it shows that by itself
		return !slices.Contains(owed, text) || slices.Contains(shown, text) && !r.hasRemoved(p, text) || own && !r.hasRemoved(p, text)
	})
	unseen := slices.DeleteFunc(slices.Clone(missing), func(text string) bool { return r.hasRemoved(p, text) })
	altered := r.alteredAmong(shown, unseen)
	return slices.DeleteFunc(missing, func(text string) bool { return slices.Contains(altered, text) })
}

// hasRemoved reports whether the page has removed a message that it has to go on showing.
func (r *reference) hasRemoved(p page, text string) bool {
	return r.level.AtLeast(contract.ServerDelivery) && r.isUp(p) && !r.wasReplaced(text) && r.first(func(e history.Event) bool {
		return e.Kind == history.Removed && e.Client == p.client && e.View == p.view && e.Message == text
	}) != never
}

// settles reports whether, during s, the page is connected at a barrier at which the text is
// at rest.
func (r *reference) settles(p page, s stretch, text string) bool {
	for i := range r.events {
		_, connected := r.provedAt(p, i)
		if connected && s.from < i && i < s.to && r.isBarrier(i) && i >= r.restAt(text) && (i < r.replaced() || !r.wasReplaced(text)) {
			return true
		}
	}
	return false
}

func (r *reference) judgeLog() {
	for _, text := range once(r.referenceRows()) {
		if !r.hasLog() {
			return
		}
		if r.isPhantom(text) {
			r.counts[contract.NoPhantom]++
			continue
		}
		if r.lateInLog(text) || r.lateInClient(text) {
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
	for i, e := range r.events {
		if e.Kind != history.Shown || e.Offset == 0 || r.isPhantom(e.Message) || !r.hasLog() || r.replacedAfter(i) {
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
		case r.hasLog() || !r.noEcho():
			r.counts[contract.NoLoss]++
			r.lost++
		}
	}
}

// judgeStory blames pages that contradict each other, by the transitive closure of "before".
func (r *reference) judgeStory() {
	story := r.reference()
	n := len(story)
	before := make([][]bool, n) // some chain of pages shows i before j
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

func (r *reference) isHealthy(text string) bool {
	sent := r.about(history.Sent, text)
	for _, s := range r.stretches(r.senderOf(text)) {
		for i := sent; s.from < sent && i < min(s.proved, len(r.events)); i++ {
			if r.isBarrier(i) && !r.isBlocked(r.senderOf(text), i) {
				return true
			}
		}
	}
	return false
}

func (r *reference) mustBeKnown(text string) bool {
	return !r.isRefused(text) && (r.isHealthy(text) ||
		r.level.AtLeast(contract.ClientDelivery) && r.isUp(r.senderOf(text)) ||
		r.level.AtLeast(contract.DurableDelivery) && slices.ContainsFunc(r.sameBrowser(r.senderOf(text)), r.isUp))
}

// sameBrowser lists the pages that share their storage with one.
func (r *reference) sameBrowser(by page) []page {
	return slices.DeleteFunc(r.pages(), func(p page) bool {
		return !r.isPage(p) || r.browser(p.client) != r.browser(by.client)
	})
}

// browser returns the client of which this one is a tab, or the client itself.
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
