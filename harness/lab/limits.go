package lab

import (
	"fmt"
	"maps"
	"slices"

	"redial/harness/history"
	"redial/harness/target"
)

// What a server may do to a run in the real lab, before the run is given up: the memory of
// this process has to last, and a run has to end, whatever the server does. All of it is
// far above what any scenario asks for.
const (
	mostEvents = 100_000
	mostShown  = 30_000 // on one page
	mostOthers = 5_000  // on one page, of messages that nobody in the run has sent
	mostText   = 16 << 20
	mostLosses = 6
	// A server that lets a page show something before each loss is slower to be seen.
	mostLossesInAll = 15
)

// limits count what the history has come to. The player's lock guards them.
type limits struct {
	events, text int
	// connected tells that a client has had a connection, broken that a fault or a stop of
	// the server has happened.
	connected, broken bool
	// known are the messages that were sent in the run, or in the log before; nil where the
	// server emits by itself.
	known map[string]bool
	// shown, others and notes are each client's, and losses its lost connections since it
	// showed anything; lossesInAll are those since the last fault.
	shown, others, losses, lossesInAll map[string]int
	notes                              map[string]string
}

func newLimits() limits {
	return limits{
		known: map[string]bool{}, shown: map[string]int{}, others: map[string]int{},
		losses: map[string]int{}, lossesInAll: map[string]int{}, notes: map[string]string{},
	}
}

// exceeded says in one line what is wrong, once it is too much.
func (l *limits) exceeded(e history.Event) error {
	if e.Kind != history.Found && e.Kind != history.Stored { // rows of a log that may be old
		l.events++
	}
	l.text += len(e.Message) + len(e.Detail)
	switch e.Kind {
	case history.Connected:
		l.connected = true
	case history.Note:
		if l.notes[e.Client] == "" { // the others are mostly consequences
			l.notes[e.Client] = "; first it noted: " + target.LastLine(e.Detail)
		}
	case history.Disconnected:
		l.losses[e.Client]++
		l.lossesInAll[e.Client]++
	case history.Shown:
		l.shown[e.Client]++
		if l.known != nil && !l.known[e.Message] {
			l.others[e.Client]++
		}
		delete(l.losses, e.Client)
	case history.Sent, history.Found:
		if l.known != nil {
			l.known[e.Message] = true
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

// anyNote is the note of a client, of those that have one the first by name.
func (l *limits) anyNote() string {
	for _, name := range slices.Sorted(maps.Keys(l.notes)) {
		return l.notes[name]
	}
	return ""
}
