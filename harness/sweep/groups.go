package sweep

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
)

// A group is a set of points that cannot lead to different verdicts. Only its first point is
// played, and its verdict counts for all of them.
//
// Two rules form groups, as partial-order reduction does with independent steps:
//
//   - A break of a link after a frame, and one before the link's next frame, let the same
//     frames pass; so does a refresh of the page there. They belong together if nothing
//     happens between the two that the server or the client could act on: no frame reaches
//     the server, and neither the server nor the client sends one.
//   - While only heartbeats pass for some seconds, it does not matter at which of them the
//     connection, the server or the page ends, if both ends notice. A break that the server
//     does not notice is left out, because its duration depends on the heartbeat.
type group []plan.Fault

// restTime is the time before and after a heartbeat in which nothing else may pass. It is
// longer than a client takes to reconnect.
const restTime = 5 * time.Second

// groups forms the groups, in the order of their first points. frames are those of the run
// without a fault.
func groups(points []plan.Fault, frames []history.Frame) []group {
	l := newLog(frames)
	var all []group
	resting := map[restKey]int{} // the group of each period of heartbeats
	type before struct {
		group int
		frame history.Frame
	}
	last := map[linkKey]before{} // the break after the last frame of the link
	for _, f := range l.sorted(points) {
		at, known := l.frame(f)
		on := linkKey{f.Kind, f.Client}
		if key, rests := l.rest(f, at); known && rests {
			if g, ok := resting[key]; ok {
				all[g] = append(all[g], f)
				continue
			}
			resting[key] = len(all)
		} else if b, ok := last[on]; known && ok && !f.Kind.OnServer() && !f.At.After && l.nothingBetween(b.frame, at) {
			all[b.group] = append(all[b.group], f)
			continue
		}
		all = append(all, group{f})
		if known && !f.Kind.OnServer() && f.At.After {
			last[on] = before{len(all) - 1, at}
		} else {
			delete(last, on)
		}
	}
	return all
}

type (
	linkKey struct {
		kind   plan.FaultKind
		client string
	}
	restKey struct {
		linkKey
		passed int // the number of payload frames before
	}
)

// A frameLog has the frames of a run by their identities, and the payload in the order of
// time.
type frameLog struct {
	named map[plan.Passed]history.Frame
	// payload are the frames other than heartbeats.
	payload []history.Frame
}

func newLog(frames []history.Frame) *frameLog {
	l := &frameLog{named: map[plan.Passed]history.Frame{}}
	for _, f := range frames {
		l.named[f.Passed] = f
		if !isHeartbeat(f) {
			l.payload = append(l.payload, f)
		}
	}
	slices.SortStableFunc(l.payload, func(a, b history.Frame) int { return cmp.Compare(a.At, b.At) })
	return l
}

// isHeartbeat recognises the pings and pongs of Engine.IO and of WebSocket.
func isHeartbeat(f history.Frame) bool {
	return f.Type == "ping" || f.Type == "pong" || f.Type == "text" && (f.Text == "2" || f.Text == "3")
}

func (l *frameLog) frame(f plan.Fault) (history.Frame, bool) {
	client := cmp.Or(f.At.Client, f.Client)
	at, known := l.named[plan.Passed{Client: client, Connection: f.At.Connection, Direction: f.At.Direction, Number: f.At.Number}]
	return at, known
}

// sorted returns the points in the order in which they fire, those without a known time last.
func (l *frameLog) sorted(points []plan.Fault) []plan.Fault {
	sorted := slices.Clone(points)
	slices.SortStableFunc(sorted, func(a, b plan.Fault) int {
		first, known := l.frame(a)
		second, other := l.frame(b)
		switch {
		case known && !other:
			return -1
		case other && !known:
			return 1
		}
		return cmp.Compare(first.At, second.At)
	})
	return sorted
}

// rest reports whether only heartbeats pass around the fault's frame, and identifies that
// period of rest.
func (l *frameLog) rest(f plan.Fault, at history.Frame) (restKey, bool) {
	key := restKey{linkKey: linkKey{f.Kind, f.Client}}
	if !isHeartbeat(at) || f.Kind.Unnoticed() || f.Kind.Lasts() {
		return key, false
	}
	const around = plan.Duration(restTime)
	for _, f := range l.payload {
		if f.At+around > at.At && f.Left-around < at.At {
			return key, false
		}
		if f.At < at.At {
			key.passed++
		}
	}
	return key, true
}

// nothingBetween reports whether a break after the first frame and one before the second look
// the same to both ends.
func (l *frameLog) nothingBetween(first, second history.Frame) bool {
	if first.Direction != plan.Down || second.Left >= first.At {
		return false
	}
	for _, f := range l.named {
		switch {
		case f.Passed == first.Passed || f.Passed == second.Passed:
		case f.Client == first.Client && f.Left >= first.At && f.Left <= second.At,
			f.Direction == plan.Down && f.Left >= first.At && f.Left <= second.At,
			f.Direction == plan.Up && f.At >= first.At && f.At <= second.At:
			return false
		}
	}
	return true
}

// withWires replaces the pages of all other clients by wire clients, which speak the same
// protocol at a twentieth of the cost. Tabs of one browser stay pages, and from
// durable-delivery on so do pages that are refreshed, because a wire client has no outbox.
func withWires(p plan.Plan, client string, level contract.Level) plan.Plan {
	kept := map[string]bool{client: true}
	for _, c := range p.Clients {
		if c.TabOf != "" {
			kept[c.Name], kept[c.TabOf] = true, true
		}
	}
	if level.AtLeast(contract.DurableDelivery) {
		for _, s := range p.Script {
			kept[s.Client] = kept[s.Client] || s.Do == plan.Refresh
		}
	}
	p.Clients = slices.Clone(p.Clients)
	for i, c := range p.Clients {
		if !kept[c.Name] && (c.Kind == plan.Page || c.Kind == "") {
			p.Clients[i].Kind, p.Clients[i].Retries = plan.Wire, level.AtLeast(contract.ClientDelivery)
		}
	}
	return p
}

// Groups returns plans with a single fault each, grouped by those that cannot differ; with
// Whole, each plan is a group. For the faults at a client's frames, all other clients are wire
// clients if the story passes that way without a fault. points is the number of plans.
//
// The order of the groups suits a sweep that ends early: of any number of first groups, every
// second one ends the server at the frame of an acknowledgement, while there are such groups,
// and both kinds are spread evenly over the story.
func (s Sweeper) Groups(p plan.Plan) (plans [][]plan.Plan, points int, err error) {
	s.Config.Traffic = true
	var acknowledging, others [][]plan.Plan
	add := func(q plan.Plan, run lab.Run, all []group) {
		log := newLog(run.Traffic.Frames)
		for _, g := range all {
			points += len(g)
			var of []plan.Plan
			for _, fault := range g {
				broken := q
				broken.Faults = slices.Concat(q.Faults, []plan.Fault{fault})
				of = append(of, broken)
			}
			if log.endsAtAcknowledgement(g[0]) {
				acknowledging = append(acknowledging, of)
			} else {
				others = append(others, of)
			}
		}
	}
	if s.Whole {
		run := s.run(p)
		if run.Err != nil {
			return nil, 0, run.Err
		}
		var each []group
		for _, fault := range plan.Points(p, run.Frames) {
			each = append(each, group{fault})
		}
		add(p, run, each)
		return alternate(spread(acknowledging), spread(others)), points, nil
	}
	for _, c := range p.Clients {
		q := withWires(p, c.Name, s.Config.Level)
		run := s.run(q)
		if run.Err == nil && check.Judge(run.Events).Outcome != check.Pass {
			// A server that fails without a fault can fail differently with wire clients,
			// which drop a message whose offset is not newer. So all clients stay pages.
			q = p
			run = s.run(q)
		}
		if run.Err != nil {
			return nil, 0, run.Err
		}
		own := slices.DeleteFunc(run.Frames, func(f plan.Passed) bool { return f.Client != c.Name })
		add(q, run, groups(plan.Points(q, own), run.Traffic.Frames))
	}
	return alternate(spread(acknowledging), spread(others)), points, nil
}

// endsAtAcknowledgement reports whether the fault ends the server before or after a frame with
// an acknowledgement: type 4 (message) of Engine.IO, and type 3 (ack) of Socket.IO. A polling
// answer may have several packets after its first line.
func (l *frameLog) endsAtAcknowledgement(f plan.Fault) bool {
	at, _ := l.frame(f)
	packets := at.Text
	if at.Type == "http" {
		_, packets, _ = strings.Cut(packets, "\n")
	}
	return f.Kind.OnServer() && strings.Contains("\x1e"+packets, "\x1e43")
}

// spread orders a list so that any number of its first elements are spread evenly over it. The
// element i comes at the fraction of i times the golden ratio, 64 bits of which are the factor.
// The ratio is irrational, so that the choice does not depend on how many faults a frame has.
func spread[T any](list []T) []T {
	at := func(i int) uint64 { return uint64(i) * 0x9E3779B97F4A7C15 }
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(at(a), at(b)) })
	spread := make([]T, len(list))
	for n, i := range order {
		spread[n] = list[i]
	}
	return spread
}

// alternate takes from both lists in turn, and then the rest of the longer one.
func alternate[T any](a, b []T) (both []T) {
	for i := range max(len(a), len(b)) {
		if i < len(a) {
			both = append(both, a[i])
		}
		if i < len(b) {
			both = append(both, b[i])
		}
	}
	return both
}
