package report

import (
	"redial/harness/history"
	"redial/harness/plan"
)

type laneKind int

const (
	serverLane laneKind = iota
	clientLane
	logLane
)

// spanKind is a state of a lane that lasts for a time.
type spanKind int

const (
	serverUp spanKind = iota
	pageOpen
	isConnected
	isDisconnected
	underFault
)

// A span is one such state. A state that lasted until the end of the run lasts until the end
// of the window.
type span struct {
	kind     spanKind
	from, to plan.Duration
}

// spans reads the whole history, because a state in the window may have begun before it.
func (st *stage) spans(index int) (list []span) {
	l := st.lanes[index]
	open := map[spanKind]int{}
	end := func(kind spanKind, at plan.Duration) {
		if i, ok := open[kind]; ok {
			list[i].to = at
			delete(open, kind)
		}
	}
	begin := func(kind spanKind, at plan.Duration) {
		end(kind, at)
		open[kind] = len(list)
		list = append(list, span{kind, at, st.scaled.To})
	}
	if l.kind == serverLane && st.wasUp(l.name) {
		begin(serverUp, 0)
	}
	for _, e := range st.Events {
		if st.laneOf(e) != index || l.kind == serverLane && e.Node != l.name {
			continue
		}
		switch e.Kind {
		case history.ServerStarted:
			begin(serverUp, e.At)
		case history.ServerStopped:
			end(serverUp, e.At)
		case history.Opened:
			begin(pageOpen, e.At)
			end(isConnected, e.At)
			begin(isDisconnected, e.At)
		case history.Closed:
			end(pageOpen, e.At)
			end(isConnected, e.At)
			end(isDisconnected, e.At)
		case history.Connected:
			end(isDisconnected, e.At)
			begin(isConnected, e.At)
		case history.Disconnected:
			end(isConnected, e.At)
			begin(isDisconnected, e.At)
		case history.FaultFired:
			if e.FaultKind.Lasts() {
				begin(underFault, e.At)
			}
		case history.FaultHealed:
			end(underFault, e.At)
		}
	}
	return list
}

// wasUp reports whether the server was already running when the history first mentions it.
func (st *stage) wasUp(node string) bool {
	for _, e := range st.Events {
		switch {
		case e.Node != node:
		case e.Kind == history.ServerStarted:
			return false
		case e.Kind == history.ServerStopped:
			return true
		}
	}
	return true
}
