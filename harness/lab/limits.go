package lab

import (
	"fmt"
	"maps"
	"slices"

	"redial/harness/history"
	"redial/harness/target"
)

// The limits at which the real lab gives up a run, so that no server can exhaust the memory
// of this process or keep a run from ending. They are far above what any scenario needs.
const (
	mostEvents = 100_000
	mostShown  = 30_000 // on one page
	mostOthers = 5_000  // on one page, of messages that no client of the run has sent
	mostText   = 16 << 20
	mostLosses = 6
	// A server can let a page show a message before each disconnection, which resets losses;
	// this limit ends such a run too.
	mostLossesInAll = 15
)

// limits count events of the history. The recorder's lock guards them.
type limits struct {
	events, text int
	// connected means that a client has had a connection, broken that a fault has fired or a
	// server has stopped.
	connected, broken bool
	// known are the messages that were sent in the run, or in the log before; nil if the
	// server emits messages by itself.
	known map[string]bool
	// The maps are by client. losses counts disconnections since the client last showed a
	// message, lossesInAll those since the last fault.
	shown, others, losses, lossesInAll map[string]int
	notes                              map[string]string
}

func newLimits() limits {
	return limits{
		known: map[string]bool{}, shown: map[string]int{}, others: map[string]int{},
		losses: map[string]int{}, lossesInAll: map[string]int{}, notes: map[string]string{},
	}
}

// exceeded counts the event, whose message has the identity, and returns a one-line error if a limit is exceeded.
func (l *limits) exceeded(e history.Event, identity string) error {
	if e.Kind != history.Found && e.Kind != history.Stored { // the log may have old rows
		l.events++
	}
	l.text += len(e.Message) + len(e.Detail)
	switch e.Kind {
	case history.Connected:
		l.connected = true
	case history.Note:
		if l.notes[e.Client] == "" { // later notes are mostly consequences of the first
			l.notes[e.Client] = "; first it noted: " + target.LastLine(e.Detail)
		}
	case history.Disconnected:
		if e.Detail != "io client disconnect" { // the plan asked for that
			l.losses[e.Client]++
			l.lossesInAll[e.Client]++
		}
	case history.Shown:
		l.shown[e.Client]++
		if l.known != nil && !l.known[identity] {
			l.others[e.Client]++
		}
		delete(l.losses, e.Client)
	case history.Sent, history.Found:
		if l.known != nil {
			l.known[identity] = true
		}
	case history.Closed:
		delete(l.losses, e.Client)
		delete(l.lossesInAll, e.Client)
		delete(l.shown, e.Client)
		delete(l.others, e.Client)
	case history.FaultFired, history.FaultHealed, history.ServerStopped:
		l.broken = true
		clear(l.losses)
		clear(l.lossesInAll)
	}
	switch {
	case l.events >= mostEvents || l.shown[e.Client] >= mostShown || l.others[e.Client] >= mostOthers:
		return fmt.Errorf("the run was given up after %d events: the server sends without end, or far more than it was sent; look at what it emits when a client connects", l.events)
	case l.text >= mostText:
		return fmt.Errorf("the run was given up after %d MB of messages: the server sends far more than it was sent; look at what it emits when a client connects", l.text>>20)
	case l.losses[e.Client] >= mostLosses || l.lossesInAll[e.Client] >= mostLossesInAll:
		return fmt.Errorf("the run was given up: %s lost its connection %d times (%s), and the plan did not break it%s; look at what the server sends, or why it closes connections",
			e.Client, l.lossesInAll[e.Client], e.Detail, l.notes[e.Client])
	case e.Kind == history.TimedOut && !l.connected && !l.broken:
		return fmt.Errorf("the run was given up: no client got a connection, and the plan did not break anything%s; look at how the server answers the transports of the scenario", l.anyNote())
	}
	return nil
}

// anyNote returns the note of the first client, by name, that has one.
func (l *limits) anyNote() string {
	for _, name := range slices.Sorted(maps.Keys(l.notes)) {
		return l.notes[name]
	}
	return ""
}
