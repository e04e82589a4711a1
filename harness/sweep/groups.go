package sweep

import (
	"cmp"
	"slices"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

// A group is some of a sweep's points that cannot differ in anything that a verdict
// depends on. Its first one is played for all.
//
// Two rules put points together, as partial-order reduction puts together the orders of
// steps that do not depend on each other:
//
//   - A break of a link after a frame and the one before the link's next frame leave the
//     same frames on either side, and so does leaving the page there. They are one where nothing that the server or the client
//     could act on comes between: no frame reaches the server, the server sends nothing,
//     and the client sends nothing.
//   - At rest, when only heartbeats pass for some seconds, it does not matter at which of
//     them a connection ends that both ends see end, or the server, or the page. A break
//     that the server does not see is left out: how long it lasts depends on the heartbeat.
type group []plan.Fault

// restTime is how long before and after a heartbeat nothing else may pass: longer than a
// client takes to reconnect.
const restTime = 5 * time.Second

// restKinds are noticed by both ends at once.
var restKinds = []plan.FaultKind{plan.Cut, plan.Reset, plan.Crash, plan.Restart, plan.RefreshPage}

// groups puts the points together, in the order of their first ones. frames has what
// passed in the run without a fault.
func groups(points []plan.Fault, frames []history.Frame) []group {
	l := newLog(frames)
	var all []group
	resting := map[restKey]int{} // the group by the place at rest
	type before struct {
		group int
		frame history.Frame
	}
	last := map[linkKey]before{} // the break after the link's last frame
	for _, f := range l.sorted(points) {
		at, known := l.frame(f)
		on := linkKey{f.Kind, f.Client}
		if key, rests := l.rest(f, at); known && rests {
			if g, ok := resting[key]; ok {
				all[g] = append(all[g], f)
				continue
			}
			resting[key] = len(all)
		} else if b, ok := last[on]; known && ok && ofLink(f) && !f.At.After && l.nothingBetween(b.frame, at) {
			all[b.group] = append(all[b.group], f)
			continue
		}
		all = append(all, group{f})
		if known && ofLink(f) && f.At.After {
			last[on] = before{len(all) - 1, at}
		} else {
			delete(last, on)
		}
	}
	return all
}

func ofLink(f plan.Fault) bool { return f.IsLink() || f.Kind == plan.RefreshPage }

type (
	linkKey struct {
		kind   plan.FaultKind
		client string
	}
	restKey struct {
		linkKey
		passed int // frames that were no heartbeats
	}
)

// A frameLog has the frames of a run by their names, and in the order of their times.
type frameLog struct {
	named map[plan.Passed]history.Frame
	// spoken are the frames that are no heartbeats.
	spoken []history.Frame
}

func newLog(frames []history.Frame) *frameLog {
	l := &frameLog{named: map[plan.Passed]history.Frame{}}
	for _, f := range frames {
		l.named[f.Passed] = f
		if !isHeartbeat(f) {
			l.spoken = append(l.spoken, f)
		}
	}
	slices.SortStableFunc(l.spoken, func(a, b history.Frame) int { return cmp.Compare(a.At, b.At) })
	return l
}

// isHeartbeat tells Engine.IO's ping and pong, and WebSocket's own.
func isHeartbeat(f history.Frame) bool {
	return f.Type == "ping" || f.Type == "pong" || f.Type == "text" && (f.Text == "2" || f.Text == "3")
}

func (l *frameLog) frame(f plan.Fault) (history.Frame, bool) {
	client := cmp.Or(f.At.Client, f.Client)
	at, known := l.named[plan.Passed{Client: client, Connection: f.At.Connection, Direction: f.At.Direction, Number: f.At.Number}]
	return at, known
}

// sorted are the points in the order in which they fire. Those without a known time keep
// to the end.
func (l *frameLog) sorted(points []plan.Fault) []plan.Fault {
	sorted := slices.Clone(points)
	slices.SortStableFunc(sorted, func(a, b plan.Fault) int {
		first, known := l.frame(a)
		second, other := l.frame(b)
		if known != other {
			return cmp.Compare(boolean(other), boolean(known))
		}
		return cmp.Compare(first.At, second.At)
	})
	return sorted
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// rest tells whether the fault's frame is a heartbeat at rest, and which rest.
func (l *frameLog) rest(f plan.Fault, at history.Frame) (restKey, bool) {
	key := restKey{linkKey: linkKey{f.Kind, f.Client}}
	if !isHeartbeat(at) || !slices.Contains(restKinds, f.Kind) {
		return key, false
	}
	const around = plan.Duration(restTime)
	for _, spoken := range l.spoken {
		if spoken.At+around > at.At && spoken.Left-around < at.At {
			return key, false
		}
		if spoken.At < at.At {
			key.passed++
		}
	}
	return key, true
}

// nothingBetween tells whether a break after the first frame and one before the second
// are the same to both ends. The second is on its way already when the first arrives.
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

// around is the plan with the client as its only page, as far as the others can be wire
// clients: they speak the same protocol at a twentieth of the cost, and where a fault is
// another's they show what a page shows. One that is loaded again stays a page where the
// level promises what it had not sent by then.
func around(p plan.Plan, client string, level contract.Level) plan.Plan {
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

// Groups are plans for the single faults of the story, those together that cannot differ:
// for each client those at its frames, with the client as the only page where the story
// passes so. points is how many plans there are.
func (s Sweeper) Groups(p plan.Plan) (plans [][]plan.Plan, points int, err error) {
	s.Config.Traffic = true
	for _, c := range p.Clients {
		q := around(p, c.Name, s.Config.Level)
		run := s.run(q)
		if run.Err == nil && check.Judge(run.Events).Outcome != check.Pass {
			// What is wrong without a fault too shows otherwise on wire clients, which never
			// show an offset below the last one: then all stay pages.
			q = p
			run = s.run(q)
		}
		if run.Err != nil {
			return nil, 0, run.Err
		}
		own := slices.DeleteFunc(run.Frames, func(f plan.Passed) bool { return f.Client != c.Name })
		for _, g := range groups(plan.Points(q, own, nil), run.Traffic.Frames) {
			points += len(g)
			var of []plan.Plan
			for _, fault := range g {
				broken := q
				broken.Faults = slices.Concat(q.Faults, []plan.Fault{fault})
				of = append(of, broken)
			}
			plans = append(plans, of)
		}
	}
	return plans, points, nil
}
