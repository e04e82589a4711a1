// Package doctor examines a Socket.IO application before it is tested: which level it can
// be checked at, what the next level needs, and how it uses Socket.IO.
//
// Read [Report] first, which [Examine] fills in, one finding at a time. [Listen] watches an
// application for one message that a user sends, and writes a redial.yaml from what it
// observed, a [Draft].
//
// doctor prints nothing and asks nothing: the command does. It breaks at most one connection
// of its own, and must not judge a history, which is for package check.
package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"redial/harness/contract"
	"redial/harness/plan"
	"redial/harness/protocol"
	"redial/harness/target"
	"redial/scenarios/servers"
)

const (
	// examineWithin bounds all of Examine, with what is left to stop a server in 30 s.
	examineWithin = 26 * time.Second
	// startWithin bounds the start of a command, answerWithin an answer, replayWithin the
	// messages that a client has missed, and quiet what may come after the last of them.
	startWithin  = 15 * time.Second
	answerWithin = 4 * time.Second
	replayWithin = 2 * time.Second
	quiet        = 300 * time.Millisecond
)

// asked is the heartbeat that a command is asked for: one that nobody has by chance.
var asked = plan.Tuning{PingInterval: plan.Duration(5 * time.Second), PingTimeout: plan.Duration(4 * time.Second)}

// A Mark says whether something is there.
type Mark string

// Good is there; Lacking keeps the application from a higher level, or makes a check slow
// or uncertain; Bad keeps it from being checked at all.
const (
	Good    Mark = "good"
	Lacking Mark = "lacking"
	Bad     Mark = "bad"
)

// A Finding is one thing that was looked for.
type Finding struct {
	ID   ID     `json:"id"`
	Mark Mark   `json:"mark"`
	Text string `json:"text"`
	// Fix says what to do where it is missing.
	Fix string `json:"fix,omitempty"`
}

// An ID names what was looked for.
type ID string

// What is looked for, in this order.
const (
	HTTP         ID = "http"
	Handshake    ID = "handshake"
	Transports   ID = "transports"
	Heartbeat    ID = "heartbeat"
	Connect      ID = "connect"
	Delivered    ID = "delivered"
	Echo         ID = "echo"
	Acknowledged ID = "acknowledged"
	Recovery     ID = "recovery"
	Offset       ID = "offset"
	Growing      ID = "growing"
	CatchUp      ID = "catch-up"
	Backlog      ID = "backlog"
	Key          ID = "key"
	Log          ID = "log"
	Machine      ID = "machine"
)

// A Report is what was found.
type Report struct {
	Target   string    `json:"target"`
	Findings []Finding `json:"findings"`
	// Ready is the highest level that nothing is missing for; empty where the application
	// cannot be checked.
	Ready contract.Level `json:"ready,omitempty"`
	// Next is the level after Ready, and Missing what keeps the application from it.
	Next    contract.Level `json:"next,omitempty"`
	Missing []ID           `json:"missing,omitempty"`
}

// Find returns the finding with the ID, if that was looked for.
func (r Report) Find(id ID) (f Finding, found bool) {
	at := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.ID == id })
	if at < 0 {
		return f, false
	}
	return r.Findings[at], true
}

func (r Report) good(id ID) bool {
	f, _ := r.Find(id)
	return f.Mark == Good
}

// Options say who is told how far it has come.
type Options struct {
	// Found, if set, is given each finding as it comes, and Doing each step that may take
	// long, before it.
	Found func(Finding)
	Doing func(step string)
}

// An examination is one run of Examine.
type examination struct {
	options Options
	server  servers.Server
	p       protocol.Protocol
	under   target.Target
	mark    string // in all texts that it sends
	report  Report

	alice, bob *witness
	open       openPacket
	texts      []string // what was sent, in order
	offsets    []any    // the offsets of these, as bob saw them
}

// Examine looks at a server that is not ours, within half a minute. It starts and stops
// one that is a command. An error means that the server could not be prepared or stopped;
// all else is in the report.
func Examine(ctx context.Context, server servers.Server, options Options) (report Report, err error) {
	x := &examination{options: options, server: server, p: protocol.Tutorial(), mark: strings.ToLower(rand.Text()[:8])}
	if server.Protocol != nil {
		x.p = *server.Protocol
	}
	if x.under, err = server.Server.Target(asked); err != nil {
		return report, err
	}
	x.report.Target = x.under.String()
	defer func() { err = errors.Join(err, x.under.Close()) }()
	bounded, cancel := context.WithTimeout(ctx, examineWithin)
	defer cancel()
	for _, step := range []func(context.Context) bool{x.reach, x.handshake, x.connect, x.deliver, x.recover, x.catchUp, x.repeat, x.readLog} {
		if !step(bounded) || bounded.Err() != nil {
			break
		}
	}
	x.leave()
	x.machine()
	x.report.level()
	return x.report, ctx.Err()
}

func (x *examination) doing(step string) {
	if x.options.Doing != nil {
		x.options.Doing(step)
	}
}

// found notes a finding, and tells whether it is good.
func (x *examination) found(id ID, mark Mark, fix, format string, args ...any) bool {
	f := Finding{ID: id, Mark: mark, Text: fmt.Sprintf(format, args...), Fix: fix}
	if mark == Good {
		f.Fix = ""
	}
	x.report.Findings = append(x.report.Findings, f)
	if x.options.Found != nil {
		x.options.Found(f)
	}
	return mark == Good
}

// needs are what each level adds to the one before it.
var needs = []struct {
	level contract.Level
	of    []ID
}{
	{contract.Basic, []ID{HTTP, Handshake, Connect, Delivered, Echo}},
	{contract.Recovery, []ID{Recovery}},
	{contract.ServerDelivery, []ID{Offset, Growing, CatchUp, Backlog}},
	{contract.ClientDelivery, []ID{Acknowledged, Key}},
}

// level fills in how far the application has come. It goes up to client-delivery: what
// durable-delivery asks more of is the page.
func (r *Report) level() {
	for _, n := range needs {
		var missing []ID
		for _, id := range n.of {
			// A log that every client is brought up to date from is a recovery too.
			if !r.good(id) && !(id == Recovery && r.good(CatchUp)) {
				missing = append(missing, id)
			}
		}
		if len(missing) > 0 {
			r.Next, r.Missing = n.level, missing
			return
		}
		r.Ready = n.level
	}
	r.Next = contract.DurableDelivery
}
