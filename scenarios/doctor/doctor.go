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
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"time"

	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/protocol"
	"redial/harness/target"
	"redial/scenarios/servers"
)

const (
	// examineWithin bounds Examine beyond the time that a start may take.
	examineWithin = 11 * time.Second
	// answerWithin bounds a response, and replayWithin the replay of missed messages; quiet is
	// the wait for further messages after the last expected one.
	answerWithin = 4 * time.Second
	replayWithin = 2 * time.Second
	quiet        = 300 * time.Millisecond
)

// A Mark is the result of a finding.
type Mark string

// Good means that the feature is there. Lacking keeps the application from a higher level,
// or makes a check slow or uncertain. Bad makes a check impossible.
const (
	Good    Mark = "good"
	Lacking Mark = "lacking"
	Bad     Mark = "bad"
)

// A Finding is the result for one feature.
type Finding struct {
	ID   ID     `json:"id"`
	Mark Mark   `json:"mark"`
	Text string `json:"text"`
	// Fix describes how to add the missing feature.
	Fix string `json:"fix,omitempty"`
}

// An ID names a feature.
type ID string

// The features in the order in which they are examined.
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

// A Report is the result of an examination.
type Report struct {
	Target   string    `json:"target"`
	Findings []Finding `json:"findings"`
	// Ready is the highest level whose requirements are met; it is empty if the application
	// cannot be checked.
	Ready contract.Level `json:"ready,omitempty"`
	// Next is the level after Ready, and Missing lists the features that it also requires.
	Next    contract.Level `json:"next,omitempty"`
	Missing []ID           `json:"missing,omitempty"`
}

// Find returns the finding with the ID, if the feature was examined.
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

// Options are the callbacks for progress.
type Options struct {
	// Found, if set, is called with each finding, and Doing before each step that may take
	// long.
	Found func(Finding)
	Doing func(step string)
}

// An examination is a run of Examine.
type examination struct {
	options Options
	server  servers.Server
	p       protocol.Protocol
	under   target.Target
	cookies http.CookieJar // nil sends none back
	mark    string         // in every text that the clients send
	report  Report

	alice, bob *witness
	open       openPacket
	texts      []string // sent, in order
	offsets    []any    // of the texts, as bob received them
}

// Examine examines a server under test within about half a minute, or longer where its
// redial.yaml allows a longer start. It starts and stops the server if that is a command. An
// error means that the server could not be prepared or stopped; every other problem is in the
// report.
func Examine(ctx context.Context, server servers.Server, options Options) (report Report, err error) {
	cookies, _ := cookiejar.New(nil) // can fail only with options
	x := &examination{options: options, server: server, cookies: cookies, p: protocol.Tutorial(), mark: strings.ToLower(rand.Text()[:8])}
	if server.Protocol != nil {
		x.p = *server.Protocol
	}
	if x.under, err = server.Server.Target(servers.Asked); err != nil {
		return report, err
	}
	x.report.Target = x.under.String()
	defer func() { err = errors.Join(err, x.under.Close()) }()
	bounded, cancel := context.WithTimeout(ctx, max(server.StartWithin(), lab.DefaultBound)+examineWithin)
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

// found adds a finding to the report, and reports whether its mark is Good.
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

// needs lists the features that each level requires beyond the level before it.
var needs = []struct {
	level contract.Level
	of    []ID
}{
	{contract.Basic, []ID{HTTP, Handshake, Connect, Delivered, Echo}},
	{contract.Recovery, []ID{Recovery}},
	{contract.ServerDelivery, []ID{Offset, Growing, CatchUp, Backlog}},
	{contract.ClientDelivery, []ID{Acknowledged, Key}},
}

// level sets the levels of the report, up to client-delivery: what durable-delivery adds is
// required of the page.
func (r *Report) level() {
	for _, n := range needs {
		var missing []ID
		for _, id := range n.of {
			// A server that replays its log to every client needs no session recovery.
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
