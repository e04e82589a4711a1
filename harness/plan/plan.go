// Package plan says what is going to happen in a run, as data: who takes part,
// what they do, and what breaks, where and when.
//
// Read [Plan] first, then [Step] and [Fault]. A plan can be written by hand (the
// named scenarios), enumerated or drawn from a seed, shrunk, saved as JSON and
// replayed; so nothing in it is a function. The zero value of every field is a
// valid, unremarkable choice.
//
// Plans come from [Singles] and [Pairs] (every fault at every frame of a run),
// [Random] and [RandomScript]. [Shrink] makes a failing one small, and [Story] tells
// it in words.
//
// plan is the first package of the line plan → lab → history → check → report:
// it knows nothing of networks, clients, servers or verdicts.
package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// A Plan is one run: a script that the clients play and the faults aimed at it.
type Plan struct {
	// Scenario is the stable ID of the scenario that made the plan, if one did.
	Scenario string `json:"scenario,omitempty"`
	// Seed fixes everything in the run that is drawn at random.
	Seed uint64 `json:"seed"`
	// Clients take part under these names. The name "reader" is the lab's own.
	Clients []Client `json:"clients"`
	// Script is played in order, one step after the other.
	Script []Step `json:"script"`
	// Faults are armed before the first step and fire when their frame comes.
	Faults []Fault `json:"faults,omitempty"`
	// Tuning is what the target is asked to be set to.
	Tuning Tuning `json:"tuning,omitzero"`
	// Seams is the longest pause at the server's database and adapter, each drawn
	// from the seed. Zero means none. Only the virtual lab can pause there.
	Seams Duration `json:"seams,omitempty"`
}

// Kind says what stands behind a client's name.
type Kind string

const (
	// Page is the official client and the page's own script in a JavaScript VM.
	// It is the zero value: an empty kind means Page.
	Page Kind = "page"
	// Wire speaks packets, without a page; cheap enough for thousands.
	Wire Kind = "wire"
	// Browser is the same page in Chromium.
	Browser Kind = "browser"
)

// A Client is one participant.
type Client struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind,omitempty"`
	// Transports are the Engine.IO transports it may use, in order of
	// preference: "websocket", "polling". Empty means websocket only.
	Transports []string `json:"transports,omitempty"`
	// ReconnectDelay is a Wire client's first wait before it reconnects. Zero
	// means the official client's backoff (1 s, doubling to 5 s, randomised).
	ReconnectDelay Duration `json:"reconnectDelay,omitempty"`
	// Retries has a Wire client send each message with a key, and again until it is
	// acknowledged, as pages do from level client-delivery on; without it, it sends once.
	Retries bool `json:"retries,omitempty"`
	// Eager makes a Wire client connect at once after the open packet, and not some
	// milliseconds later, as a page does.
	Eager bool `json:"eager,omitempty"`
	// TabOf makes a page a second tab in the browser of the client named: they have
	// localStorage and cookies in common.
	TabOf string `json:"tabOf,omitempty"`
	// Node is the server of a cluster that the client's link leads to, until a Move.
	// Empty: the first.
	Node string `json:"node,omitempty"`
}

// Tuning asks the target for timings that make a test short. A target that
// ignores them is still judged rightly, only more slowly. Zero asks for nothing.
type Tuning struct {
	PingInterval     Duration `json:"pingInterval,omitempty"`
	PingTimeout      Duration `json:"pingTimeout,omitempty"`
	MaxDisconnection Duration `json:"maxDisconnection,omitempty"`
}

// Action is what a step does.
type Action string

const (
	// Open loads the page and starts to connect; the first view of the client.
	Open Action = "open"
	// Say types Text into the page and submits it. With Count > 1 it says Count
	// messages, Text followed by a number, one straight after the other.
	Say Action = "say"
	// Chatter says messages in the background, one every Every, until Quiet.
	Chatter Action = "chatter"
	// Quiet ends the client's chatter and waits until it has ended.
	Quiet Action = "quiet"
	// Refresh refreshes the page: the old view is gone, its storage stays.
	Refresh Action = "refresh"
	// Close closes the tab.
	Close Action = "close"
	// Disconnect calls the page's own socket.disconnect().
	Disconnect Action = "disconnect"
	// Connect calls the page's own socket.connect().
	Connect Action = "connect"
	// Break injects Fault at once.
	Break Action = "break"
	// Arm arms Fault from here on; it fires when its frame comes.
	Arm Action = "arm"
	// Suspend closes the lid of the page's laptop: nothing of the page runs, while
	// the clock and everybody else go on. Nothing can be said on it until Resume.
	Suspend Action = "suspend"
	// Resume opens the lid: what fell due meanwhile happens now.
	Resume Action = "resume"
	// Throw adds a handler to the page that throws at the next chat message, after the
	// page's own have dealt with it.
	Throw Action = "throw"
	// StopServer stops the server gracefully (SIGTERM) and waits for its end.
	StopServer Action = "stop-server"
	// KillServer ends the server at once (SIGKILL).
	KillServer Action = "kill-server"
	// StartServer starts the server on the same port and data.
	StartServer Action = "start-server"
	// PauseServer stops the server where it is (SIGSTOP): its connections stay open,
	// and nothing comes from it.
	PauseServer Action = "pause-server"
	// ContinueServer lets a paused server go on (SIGCONT).
	ContinueServer Action = "continue-server"
	// Move leads the client's link to another Node: its next connections go there. The
	// ones that are open stay.
	Move Action = "move"
	// LockDatabase takes the server's SQLite database away, as another program would
	// that holds its lock: nothing can be written to it until UnlockDatabase.
	LockDatabase Action = "lock-database"
	// UnlockDatabase gives it back.
	UnlockDatabase Action = "unlock-database"
	// ReplaceData empties the server's data folder while the server is down.
	ReplaceData Action = "replace-data"
	// AwaitConnected waits until the client is connected.
	AwaitConnected Action = "await-connected"
	// AwaitDisconnected waits until the client knows that it is not.
	AwaitDisconnected Action = "await-disconnected"
	// AwaitShown waits until the client's current view shows Text; with Text
	// empty, until it shows at least Count messages.
	AwaitShown Action = "await-shown"
	// AwaitFault waits until a fault with the step's Text as its ID has fired.
	AwaitFault Action = "await-fault"
	// Wait lets For pass. It is for what is about time itself (a session that
	// expires), never for something to have happened: those are awaited.
	Wait Action = "wait"
	// Settle is a barrier: it waits until everything said has come to rest at
	// every connected client, or the lab's bound has passed. Nobody may chatter then.
	Settle Action = "settle"
)

// A Step is one thing that is done.
type Step struct {
	Do Action `json:"do"`
	// Client does it. Await steps and Settle with no client mean every client.
	Client string   `json:"client,omitempty"`
	Text   string   `json:"text,omitempty"`
	Count  int      `json:"count,omitempty"`
	Every  Duration `json:"every,omitempty"`
	For    Duration `json:"for,omitempty"`
	Fault  *Fault   `json:"fault,omitempty"`
	// Node names the part of a cluster that a server step is about: one of its servers
	// (a, b, …), or something that they stand on (redis). Empty: the server, all of it.
	Node string `json:"node,omitempty"`
}

// Duration is a time.Duration that is written as text ("1.5s") in JSON.
type Duration time.Duration

// MarshalText writes the duration as time.Duration prints it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("a duration is written like 1.5s or 200ms, not %q", text)
	}
	*d = Duration(parsed)
	return nil
}

// Decode reads a plan and says in one line what is wrong with it.
func Decode(data []byte) (Plan, error) {
	var p Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return Plan{}, fmt.Errorf("not a plan: %w", err)
	}
	return p, p.Validate()
}

// AllFaults are the faults that wait for a frame, and then those of the script.
func (p Plan) AllFaults() []Fault {
	all := slices.Clone(p.Faults)
	for _, s := range p.Script {
		if s.Fault != nil {
			all = append(all, *s.Fault)
		}
	}
	return all
}

// WithFaultIDs returns a copy of the plan in which every fault has an ID: f1, f2,
// … in the order in which the plan names them, for those that had none.
func (p Plan) WithFaultIDs() Plan {
	n := 0
	number := func(f *Fault) {
		n++
		if f.ID == "" {
			f.ID = fmt.Sprintf("f%d", n)
		}
	}
	p.Faults = append([]Fault(nil), p.Faults...)
	for i := range p.Faults {
		number(&p.Faults[i])
	}
	p.Script = append([]Step(nil), p.Script...)
	for i := range p.Script {
		if f := p.Script[i].Fault; f != nil {
			copied := *f
			p.Script[i].Fault = &copied
			number(&copied)
		}
	}
	return p
}
