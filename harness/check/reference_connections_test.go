package check

import (
	"slices"
	"time"

	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

// A stretch is a connection: the indices of the events that begin and end it. proved is the
// event until which it certainly lasted: to, or the begin of a block.
type stretch struct {
	from, to, proved int
	reason           string
}

func (r *reference) stretches(p page) []stretch {
	if all, known := r.connections[p]; known {
		return slices.Clone(all)
	}
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
	for n := range all {
		all[n].proved = r.provedUntil(p, all[n])
	}
	r.connections[p] = slices.Clone(all)
	return all
}

// provedUntil returns the first event of the connection at which the page was blocked, if no
// barrier after it found the page not blocked; else the connection's end.
func (r *reference) provedUntil(p page, s stretch) int {
	proved := s.to
	for i := s.from; i < min(s.to, len(r.events)); i++ {
		switch blocked := r.isBlocked(p, i); {
		case blocked:
			proved = min(proved, i)
		case r.isBarrier(i):
			proved = s.to
		}
	}
	if s.to == never && (r.ended() == never || !r.isBlocked(p, r.ended())) {
		return never
	}
	return proved
}

// isBlocked reports whether nothing passes between the page and the server after the event.
func (r *reference) isBlocked(p page, i int) bool {
	suspended, paused := false, false
	for _, e := range r.events[:i+1] {
		switch {
		case e.Kind == history.ServerStopped || e.Kind == history.ServerStarted:
			paused = e.Kind == history.ServerStopped && e.Detail == "paused"
		case e.Client != p.client || e.View != p.view:
		case e.Kind == history.Suspended || e.Kind == history.Resumed || e.Kind == history.Connected:
			suspended = e.Kind == history.Suspended
		}
	}
	return suspended || paused || r.isCutOff(p.client, i)
}

// isCutOff reports whether the fault of the client's link, whose ID is the client's name, lasts
// after the event.
func (r *reference) isCutOff(client string, i int) bool {
	has := func(kind history.Kind) bool {
		return slices.ContainsFunc(r.events[:i+1], func(e history.Event) bool { return e.Kind == kind && e.Fault == client })
	}
	return has(history.FaultFired) && !has(history.FaultHealed)
}

// provedAt returns the connection that a barrier proves for the page.
func (r *reference) provedAt(p page, barrier int) (stretch, bool) {
	for _, s := range r.stretches(p) {
		if s.from < barrier && barrier < s.proved && !r.isBlocked(p, barrier) {
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
		long := r.events[b.from].At-r.events[a.proved].At >= plan.Duration(2*time.Minute)
		if stopped || long || a.reason == "io client disconnect" || a.reason == "io server disconnect" {
			i++
			continue
		}
		all[i] = stretch{a.from, b.to, b.proved, b.reason}
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

func (r *reference) isConnected(p page) bool {
	all := r.stretches(p)
	return len(all) > 0 && all[len(all)-1].to == never
}

func (r *reference) isUp(p page) bool {
	return r.isOpen(p) && r.isConnected(p) && !r.isBlocked(p, r.ended())
}
