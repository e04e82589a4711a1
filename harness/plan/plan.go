// Package plan describes a run before it happens, as data: the clients, what they do,
// and which faults are injected, where and when.
//
// Read [Plan] first, then [Step] and [Fault]. A plan can be written by hand (the
// named scenarios), enumerated or drawn from a seed, shrunk, saved as JSON and
// replayed; so no field of it is a function. The zero value of every field is a
// valid default.
//
// [Points] lists the faults at every frame of a run, and [Pairs] makes plans with two of them;
// [Random] and [RandomScript] draw plans from a seed. [Shrink] makes a failing plan smaller, and
// [Story] describes a plan in words.
//
// plan is the first package in the chain plan → lab → history → check → report:
// it must not import networks, clients, servers or verdicts.
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
	// Clients are the participants. The name "reader" is reserved for the lab.
	Clients []Client `json:"clients"`
	// Script is played in order, one step after the other.
	Script []Step `json:"script"`
	// Faults are armed before the first step. Each fires when its frame passes.
	Faults []Fault `json:"faults,omitempty"`
	// Tuning asks the target for shorter timings.
	Tuning Tuning `json:"tuning,omitzero"`
	// Seams is the longest pause at the server's database and adapter, each drawn
	// from the seed. Zero means none. Only the virtual lab can pause there.
	Seams Duration `json:"seams,omitempty"`
}

// Kind is the implementation of a client.
type Kind string

const (
	// Page is the official client and the page's own script in a JavaScript VM.
	// It is the zero value: an empty kind means Page.
	Page Kind = "page"
	// Wire exchanges packets, without a page. A run can have thousands of them.
	Wire Kind = "wire"
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
	// Retries makes a Wire client send each message with an idempotency key, and retry
	// until the server acknowledges it, as pages do from level client-delivery on.
	// Without Retries the client sends each message once.
	Retries bool `json:"retries,omitempty"`
	// Eager makes a Wire client send its CONNECT packet right after the open packet. A
	// page sends it some milliseconds later.
	Eager bool `json:"eager,omitempty"`
	// TabOf makes a page another tab in the browser of the named client: both share
	// localStorage and cookies.
	TabOf string `json:"tabOf,omitempty"`
	// Node is the server of a cluster that the client connects to, until a Move.
	// Empty means the first.
	Node string `json:"node,omitempty"`
}

// Tuning asks the target for timings that make a test short. A target that ignores
// them gets the same verdict, more slowly. Zero keeps the target's own timing.
type Tuning struct {
	PingInterval     Duration `json:"pingInterval,omitempty"`
	PingTimeout      Duration `json:"pingTimeout,omitempty"`
	MaxDisconnection Duration `json:"maxDisconnection,omitempty"`
}

// Action is what a step does.
type Action string

const (
	// Open loads the client's page for the first time, which starts to connect.
	Open Action = "open"
	// Send types Text into the page and submits it. With Count > 1 it sends Count
	// messages at once, each of them Text followed by a number.
	Send Action = "send"
	// StartSending sends messages in the background, one every Every, until StopSending,
	// which has to follow, or until Count are sent.
	StartSending Action = "start-sending"
	// StopSending ends what StartSending began, and waits until it has ended.
	StopSending Action = "stop-sending"
	// Refresh refreshes the page: its memory is gone, its localStorage stays.
	Refresh Action = "refresh"
	// Close closes the tab.
	Close Action = "close"
	// Disconnect calls the page's own socket.disconnect().
	Disconnect Action = "disconnect"
	// Connect calls the page's own socket.connect().
	Connect Action = "connect"
	// Break injects Fault at once.
	Break Action = "break"
	// Arm arms Fault from this step on. It fires when its frame passes.
	Arm Action = "arm"
	// Suspend suspends the page's laptop: no code of the page runs, while the clock and
	// all other clients continue. The page cannot send until Resume.
	Suspend Action = "suspend"
	// Resume ends a Suspend: timers and packets that became due meanwhile are processed.
	Resume Action = "resume"
	// Throw adds a handler to the page that throws an exception at the next chat
	// message, after the page's own handlers have processed it.
	Throw Action = "throw"
	// StopServer stops the server gracefully (SIGTERM) and waits until it has exited.
	StopServer Action = "stop-server"
	// KillServer ends the server at once (SIGKILL).
	KillServer Action = "kill-server"
	// StartServer starts the server again, with the same port and data.
	StartServer Action = "start-server"
	// PauseServer pauses the server process (SIGSTOP): its connections stay open, and it
	// sends nothing.
	PauseServer Action = "pause-server"
	// ContinueServer continues a paused server (SIGCONT).
	ContinueServer Action = "continue-server"
	// Move points the client's link at another Node for its next connections.
	// Connections that are open stay where they are.
	Move Action = "move"
	// LockDatabase locks the server's SQLite database as another program might: the
	// server cannot write to it until UnlockDatabase.
	LockDatabase Action = "lock-database"
	// UnlockDatabase ends a LockDatabase.
	UnlockDatabase Action = "unlock-database"
	// ReplaceData empties the server's data folder while the server is down.
	ReplaceData Action = "replace-data"
	// AwaitConnected waits until the client is connected.
	AwaitConnected Action = "await-connected"
	// AwaitDisconnected waits until the client has noticed that it is not connected.
	AwaitDisconnected Action = "await-disconnected"
	// AwaitShown waits until the client's page shows Text; with Text empty, until it
	// shows at least Count messages.
	AwaitShown Action = "await-shown"
	// AwaitFault waits until the fault whose ID is the step's Text has fired.
	AwaitFault Action = "await-fault"
	// Wait waits for the time For. It is for scenarios about time itself, such as a
	// session that expires. An Await step is the way to wait for an event.
	Wait Action = "wait"
	// Barrier waits until every message sent so far has had time to arrive at every
	// connected client: each client sends one more message, and all of them have to show
	// it within the lab's time limit. No client may be sending in the background.
	Barrier Action = "barrier"
)

// A Step is one action of a script.
type Step struct {
	Do Action `json:"do"`
	// Client is the client that acts. An Await step without a client, and a Barrier,
	// concern every client.
	Client string   `json:"client,omitempty"`
	Text   string   `json:"text,omitempty"`
	Count  int      `json:"count,omitempty"`
	Every  Duration `json:"every,omitempty"`
	For    Duration `json:"for,omitempty"`
	Fault  *Fault   `json:"fault,omitempty"`
	// Node is the part of a cluster that a server step acts on: one of its servers
	// (a, b, …), or a service that they use (redis). Empty means the whole server.
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

// Decode reads a plan from JSON and validates it. Its error is one line.
func Decode(data []byte) (Plan, error) {
	var p Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return Plan{}, fmt.Errorf("not a plan: %w", err)
	}
	return p, p.Validate()
}

// AllFaults returns the armed faults, and then those of the script's Break and Arm steps.
func (p Plan) AllFaults() []Fault {
	all := slices.Clone(p.Faults)
	for _, s := range p.Script {
		if row, _ := s.Do.row(); row.names == aFault && s.Fault != nil {
			all = append(all, *s.Fault)
		}
	}
	return all
}

// WithFaultIDs returns a copy of the plan in which every fault has an ID: f1, f2,
// … by position, unless it has one already. A number that is another fault's ID is skipped.
func (p Plan) WithFaultIDs() Plan {
	taken := map[string]bool{}
	for _, f := range p.AllFaults() {
		taken[f.ID] = true
	}
	n := 0
	number := func(f *Fault) {
		n++
		if f.ID != "" {
			return
		}
		for taken[fmt.Sprintf("f%d", n)] {
			n++
		}
		f.ID = fmt.Sprintf("f%d", n)
	}
	p = p.clone()
	for i := range p.Faults {
		number(&p.Faults[i])
	}
	for _, s := range p.Script {
		if s.Fault != nil {
			number(s.Fault)
		}
	}
	return p
}
