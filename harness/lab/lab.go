// Package lab plays a plan on a server: it starts the server, opens the clients, follows the
// script, injects the faults, and returns the history.
//
// Read [Lab] first, then [Real], the lab of real processes and real TCP, and [Virtual], the
// lab of one process with a fake clock. Both share one player: script.go performs the steps,
// faults.go injects the faults, servers.go starts and stops the servers, await.go waits for
// conditions, and end.go plays the barrier that ends a run. The player waits for conditions
// and never for a fixed time, except where the script is about time itself.
//
// lab connects packages that do not know each other: target, network and client. It must not
// judge: that is for package check.
package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"redial/harness/client"
	"redial/harness/client/wire"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
	"redial/harness/protocol"
	"redial/harness/target"
)

// A Lab plays plans. Its methods are safe for concurrent use.
type Lab interface {
	// String is the lab's name, "real" or "virtual".
	String() string
	// Play plays p on a new server, and closes the server. What went wrong is in the Run.
	Play(ctx context.Context, server Server, config Config, p plan.Plan) Run
}

// The labs. See Real and Virtual in their own files for what each of them needs.
var (
	// Real has real processes, real TCP and the system's clock. It needs Server.Target.
	Real Lab = realLab{}
	// Virtual has the server in this process, the same clients, scripts, faults and
	// histories as Real, a clock that jumps over every wait, and a network in memory.
	// Minutes of heartbeats and backoff take milliseconds. It needs Server.Handler.
	//
	// Every run is one testing/synctest bubble, in a test or in any other program. The
	// context is looked at before a run begins, and does not end it.
	Virtual Lab = virtualLab{}
)

// Named returns the lab with the name.
func Named(name string) (Lab, error) {
	for _, l := range []Lab{Real, Virtual} {
		if l.String() == name {
			return l, nil
		}
	}
	return nil, fmt.Errorf("there is no lab %q; there are %s and %s", name, Real, Virtual)
}

// A Server says how to make the server under test. A lab that needs what is nil
// returns target.ErrUnsupported.
type Server struct {
	// Target makes the server for the real lab, not yet started.
	Target func(plan.Tuning) (target.Target, error)
	// Handler makes the server in this process, for the virtual lab.
	Handler func(plan.Tuning) Handler
}

// A Handler makes a server that keeps in the folder dir what must outlive it. The
// http.Handler serves until the io.Closer is closed, which ends all that the server
// started. The virtual lab calls a Handler once for every start of the server. One that
// asks package seam for what belongs to dir gets the pauses that Plan.Seams plans.
type Handler func(dir string) (http.Handler, io.Closer, error)

// InProcess is a Server for the virtual lab that has no use for a plan's tuning.
func InProcess(h Handler) Server {
	return Server{Handler: func(plan.Tuning) Handler { return h }}
}

// Config says how a plan is played.
type Config struct {
	// Level is the promise that the history will be judged by.
	Level contract.Level
	// KeepsLog tells that a fresh reader of this server is given everything that
	// was ever stored; the lab reads it at the end. Meant for a target at level
	// server-delivery or above.
	KeepsLog bool
	// Keys tells that the server is promised a key with each message, as pages send one
	// from level client-delivery on: then Wire clients and the log's reader do so too.
	Keys bool
	// Shared tells that the server may hold messages of earlier runs, and will be
	// used by later ones: texts get a suffix of their own, and what is there
	// beforehand is read first.
	Shared bool
	// HTML, when not empty, is the page to use instead of the target's own.
	HTML []byte
	// Protocol is how the application speaks; nil means as the tutorial's chat does.
	Protocol *protocol.Protocol
	// NoEcho tells that clients are not sent their own messages, where Protocol is nil.
	NoEcho bool
	// ReadLog reads what the server has stored. Nil: a fresh client with offset 0 reads it.
	ReadLog ReadLog
	// NewPage, if not nil, makes the clients of the kind page instead of the official client
	// in the kit's page. In the real lab only.
	NewPage NewPage
	// RealNetwork gives each client that the plan has switch networks a network namespace
	// with two paths (package paths), if it has a process of its own: one of NewPage. In the
	// real lab only.
	RealNetwork bool
	// Bundle gets the client library for a target that serves none. Nil: there is none.
	Bundle func() ([]byte, error)
	// Bound is how long anything awaited may take. Zero means DefaultBound in the real
	// lab and VirtualBound in the virtual one.
	Bound time.Duration
	// ShownBound is the same for a message to be shown. Zero means Bound. It
	// is there for servers that are known to show nothing, such as step 3's.
	ShownBound time.Duration
	// OwnRecovery is for the virtual lab only. It says that the server does without
	// the connection state recovery that comes with the zishang520 library (its session
	// adapter): it has none, or brings its own adapter. Then any number of runs may be
	// under way at once, and a server's memory is given back after its run.
	//
	// The library's adapter allows neither. A timer of it is stopped when it is
	// collected, outside of the bubble that it belongs to, for which the runtime ends
	// the process: so every server is kept until the process ends. And its offsets
	// come from one generator for the whole process, which takes the clock's
	// millisecond: two runs on two clocks would make it repeat itself. So the runs
	// wait for each other.
	OwnRecovery bool
	// Traffic records every frame and connection, for Run.Traffic. It costs time and
	// memory that a sweep has no use for.
	Traffic bool
	// CountLeaks is for the virtual lab only. It looks up the goroutines that a run
	// has left behind. To do so the process is stopped and all its goroutines are
	// printed, so it is not for thousands of runs; their sum is the growth of
	// runtime.NumGoroutine.
	CountLeaks bool
}

// NewPage makes a client of the kind page. tabOf is the client whose browser it is a tab
// of, nil for a browser of its own. A client that has a method Discard is discarded when
// the run is over and all clients are closed.
type NewPage func(options client.Options, tabOf client.Client) (client.Client, error)

// ReadLog reads all messages that the server has stored, in the order of its log, from
// where it keeps them.
type ReadLog func(ctx context.Context, server target.Target) ([]wire.Row, error)

// DefaultBound is above twice what an official client needs at worst to reconnect
// (5 s backoff, randomised by half) on a loaded machine.
const DefaultBound = 20 * time.Second

func (c Config) withBounds(bound time.Duration) Config {
	if c.Bound == 0 {
		c.Bound = bound
	}
	if c.ShownBound == 0 {
		c.ShownBound = c.Bound
	}
	return c
}

// A Run is what came of playing a plan.
type Run struct {
	// Events is the history, as far as the run came.
	Events []history.Event
	// Err says why the run could not be played to its end.
	Err error
	// Virtual is how long the run took on its own clock (zero in the real lab, whose
	// clock is ours), Real on ours.
	Virtual, Real time.Duration
	// Output is what the server printed, or its http.Server logged: panics of handlers,
	// for instance.
	Output string
	// Frames are the frames that passed: the places where a fault can be put in
	// another run of the same plan. The real lab, where no two runs have the same
	// frames, lists none.
	Frames []plan.Passed
	// Began is when each step of the script began, as far as the run came, and then when
	// the script had ended and the run was brought to rest.
	Began []plan.Duration
	// Traffic has every frame with its time and its text, with Config.Traffic.
	Traffic history.Traffic
	// Leaked counts the goroutines that were still there long after everything was
	// closed, with Config.CountLeaks; without it, -1 means that there are some. They
	// stay, with what they hold, until the process ends. Zero in the real lab.
	Leaked int
	// Leaks says where they are, one line each.
	Leaks []string
}

// ErrUnreachable says that the target never answered at all.
var ErrUnreachable = errors.New("the target never came up")
