package check

import (
	"slices"
	"time"

	"redial/harness/contract"
	"redial/harness/plan"
)

// maxDisconnection is Socket.IO's default for maxDisconnectionDuration.
const maxDisconnection = plan.Duration(2 * time.Minute)

// serverDisconnect is the client library's reason after a DISCONNECT packet from the server.
const serverDisconnect = "io server disconnect"

// A presence is a period that counts as one connection at the level of the run.
type presence struct {
	from int // the index of its first Connected
	// lastBarrier is the last barrier in it at which the view was connected, or -1. A message
	// that was at rest by then has to be shown.
	lastBarrier int
}

// presences returns a view's connections. From recovery on, connections are joined over the
// gaps that connection state recovery covers.
func (f *facts) presences(v *view) []presence {
	var all []presence
	for i, c := range v.connections {
		p := presence{c.from, f.lastBarrierIn(v, c)}
		if i > 0 && f.level.AtLeast(contract.Recovery) && f.covers(v.connections[i-1], c) {
			last := &all[len(all)-1]
			last.lastBarrier = max(last.lastBarrier, p.lastBarrier)
			continue
		}
		all = append(all, p)
	}
	return all
}

func (f *facts) lastBarrierIn(v *view, c connection) int {
	i, _ := slices.BinarySearch(f.barriers, c.proved)
	for ; i > 0 && f.barriers[i-1] > c.from; i-- {
		if !v.wasBlockedAt(f.barriers[i-1]) {
			return f.barriers[i-1]
		}
	}
	return -1
}

// dueAt returns the first barrier, from the given one on, at which the view is connected.
func (f *facts) dueAt(v *view, barrier int) int {
	i, _ := slices.BinarySearch(f.barriers, barrier)
	for _, b := range f.barriers[i:] {
		if _, connected := v.connections.at(b); connected && !v.wasBlockedAt(b) {
			return b
		}
	}
	return -1
}

func (f *facts) covers(before, after connection) bool {
	stop, _ := slices.BinarySearch(f.stops, before.from)
	stopped := before.origin == ended || before.origin == uncertain && !after.recovered ||
		stop < len(f.stops) && f.stops[stop] < after.from
	asked := before.reason == "io client disconnect" || before.reason == serverDisconnect
	return !stopped && !asked && after.fromTime-before.toTime < f.longestBreak()
}

// longestBreak returns how long connection state recovery keeps a session.
func (f *facts) longestBreak() plan.Duration {
	if limit := f.plan.Tuning.MaxDisconnection; limit > 0 {
		return limit
	}
	return maxDisconnection
}
