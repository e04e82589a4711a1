// Package history is what was observed in a run: one append-only list of events, in the
// order in which they were observed.
//
// Read [Event] first, the one type of all events. The lab, the clients and the network write
// to a [Recorder], from any goroutine. [Write] and [Read] store a history as JSON lines, one
// event per line, so that a person can read it with a pager or write a short one by hand.
// [Each] reads a history that is too long for memory.
//
// history judges nothing and must not know what should have happened: that is for package
// check.
package history

import (
	"sync"
	"time"

	"redial/harness/contract"
	"redial/harness/plan"
)

// Kind is the kind of an event.
type Kind string

const (
	// Began is the first event of every history. It carries Level and Plan.
	Began Kind = "began"
	// Ended is the last event; a history without it was cut short.
	Ended Kind = "ended"

	// Opened: the client loaded the page; View counts its loads from 1.
	Opened Kind = "opened"
	// Closed: the view is gone (refreshed, or the tab closed).
	Closed Kind = "closed"
	// Connected: the client's socket fired "connect". Recovered is its socket.recovered.
	Connected Kind = "connected"
	// Disconnected: the client's socket fired "disconnect"; Detail is the reason.
	Disconnected Kind = "disconnected"
	// Suspended: no code of the page runs any more, as on a laptop whose lid is closed. The
	// server may end its connection meanwhile, which the page notices only after Resumed.
	Suspended Kind = "suspended"
	Resumed   Kind = "resumed"

	// Sent: Message was typed and submitted, or handed to emit.
	Sent Kind = "sent"
	// Acknowledged: the server's acknowledgement for Message reached the client.
	Acknowledged Kind = "acknowledged"
	// Refused: the server refused Message; Detail is the reason that it gave.
	Refused Kind = "refused"
	// Shown: Message was added to the list that the user sees.
	Shown Kind = "shown"
	// Removed: Message was shown, and is not in the list when the run ends, although the page was
	// not loaded again. A list of limited length that has dropped its oldest messages removes none.
	Removed Kind = "removed"
	// Repeated: the server sent Message, with its Offset, twice on one connection, or although
	// the offset that the page connected with covers it. The page may drop it. A wire client
	// does not record it.
	Repeated Kind = "repeated"

	// Found is a row that was in the server's log before the run began. It was sent by no
	// client of the run.
	Found Kind = "found"
	// Stored is one row of the server's log, in the order in which a new reader receives
	// it at the end of the run.
	Stored Kind = "stored"
	// LogRead follows the last row: the reader has received the whole log.
	LogRead Kind = "log-read"

	// ServerStarted: the server answers, or continues after a pause. Detail is its address.
	// Node, here and in ServerStopped, is the part of a cluster that the event is about.
	ServerStarted Kind = "server-started"
	// ServerStopped: the server has ended. Detail is how: stopped, killed, paused.
	ServerStopped Kind = "server-stopped"

	// DataReplaced: the data of the server was deleted while the server was down.
	DataReplaced Kind = "data-replaced"

	// FaultFired: the fault with the ID Fault has happened. Detail says where.
	FaultFired Kind = "fault-fired"
	// FaultHealed: the fault is over.
	FaultHealed Kind = "fault-healed"

	// Barrier: a barrier was completed; the messages sent before it are at rest.
	Barrier Kind = "barrier"
	// TimedOut: a wait of the lab timed out. Detail describes it. If the lab waited for a
	// message to be shown, Message is its text, and Client the client whose page was to show
	// it, or empty for every client.
	TimedOut Kind = "timed-out"
	// Note is for the person who reads the history: a page's uncaught error, for instance.
	Note Kind = "note"
)

// Kinds lists every kind.
var Kinds = []Kind{
	Began, Ended, Opened, Closed, Connected, Disconnected, Suspended, Resumed, Sent, Acknowledged, Refused, Shown, Removed, Repeated, Found, Stored, LogRead,
	ServerStarted, ServerStopped, DataReplaced, FaultFired, FaultHealed, Barrier, TimedOut, Note,
}

// An Event is one thing that was observed.
type Event struct {
	// At is the time since the run began.
	At plan.Duration `json:"at"`
	// Kind determines which of the other fields are set.
	Kind Kind `json:"kind"`
	// Client is the client that observed it; empty for the server and the lab.
	Client string `json:"client,omitempty"`
	// View is the client's page load that the event belongs to, counted from 1.
	View int `json:"view,omitempty"`
	// Message is the text, exactly as typed or shown.
	Message string `json:"message,omitempty"`
	// Offset is the server's id for the message, where the observer saw it.
	Offset int64 `json:"offset,omitempty"`
	// Recovered is the value of socket.recovered on connect.
	Recovered bool `json:"recovered,omitempty"`
	// Fault is the ID of the fault in a fault event, FaultKind what broke.
	Fault     string         `json:"fault,omitempty"`
	FaultKind plan.FaultKind `json:"faultKind,omitempty"`
	// Node is the part of a cluster that a server event is about.
	Node string `json:"node,omitempty"`
	// Detail is text for a person.
	Detail string `json:"detail,omitempty"`
	// Level and Plan are in the Began event only, so that a history can be
	// judged, and its run repeated, from the file alone.
	Level contract.Level `json:"level,omitempty"`
	Plan  *plan.Plan     `json:"plan,omitempty"`
	// KeepsLog, in the Began event, tells that the server's log is to be read at
	// the end: a history of this kind without LogRead is incomplete.
	KeepsLog bool `json:"keepsLog,omitempty"`
	// NoEcho, in the Began event, tells that the server does not send a client its own
	// messages. The sender's page shows them without an event.
	NoEcho bool `json:"noEcho,omitempty"`
}

// A Recorder collects the events of one run. It is safe for concurrent use.
type Recorder struct {
	start time.Time

	mu     sync.Mutex
	events []Event
	// changed is the channel that Changed has returned since the last Add. Nil means none: a
	// channel is made only if a goroutine waits.
	changed chan struct{}
}

// usualEvents is the number of events of a small run. Events are large, and a slice copies
// them each time it grows.
const usualEvents = 128

// NewRecorder starts a history: time zero is now.
func NewRecorder() *Recorder {
	return &Recorder{start: time.Now(), events: make([]Event, 0, usualEvents)}
}

// Add appends e with the present time, and closes the channel of Changed.
func (r *Recorder) Add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.At = plan.Duration(time.Since(r.start))
	r.events = append(r.events, e)
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// Since converts an instant to the clock of the events.
func (r *Recorder) Since(instant time.Time) plan.Duration {
	return plan.Duration(instant.Sub(r.start))
}

// Events returns the events so far, from the given index. The slice must not be changed.
func (r *Recorder) Events(from int) []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[from:len(r.events):len(r.events)]
}

// Changed returns a channel that is closed by the next Add. To wait for a condition without
// missing an event, take the channel, then read the events, then wait on the channel.
func (r *Recorder) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}
