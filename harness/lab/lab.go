// Package lab plays a plan on a server: it starts the server, opens the clients, follows the
// script, injects the faults, and returns the history.
//
// Read [Lab] first, then [Real], the lab of real processes and real TCP, and [Virtual], the
// lab of one process with a fake clock. Both share one player of parts that a reader can take
// one by one: script.go performs the steps, participant.go those of a client's user, faults.go
// injects the faults, servers.go starts and stops the servers, await.go waits for conditions,
// end.go plays the barriers and reads the log, and record.go keeps the history. What they
// share is the setting in player.go. A player waits for conditions and never for a fixed time,
// except where the script is about time itself.
//
// lab connects packages that must not import each other: target, network and client. It must
// not judge a history, which is the task of package check, and must not import check or
// report.
package lab

import (
	"cmp"
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
	// Play plays p on a new server, and closes the server. An error that ends the run is in
	// Run.Err.
	Play(ctx context.Context, server Server, config Config, p plan.Plan) Run
}

// The two labs. They share one player, so a plan means the same in both.
var (
	// Real has real processes, real TCP and the system's clock. It needs Server.Target.
	Real Lab = realLab{}
	// Virtual has the server in this process, the same clients, scripts, faults and histories
	// as Real, a clock that jumps over every wait, and a network in memory. Minutes of
	// heartbeats and backoff take milliseconds. It needs Server.Handler.
	//
	// Every run is one testing/synctest bubble, in a test or in any other program. The context
	// is checked before a run begins, and does not end a run.
	Virtual Lab = virtualLab{}
)

// Named returns the lab with the name that String returns.
func Named(name string) (Lab, error) {
	for _, l := range []Lab{Real, Virtual} {
		if l.String() == name {
			return l, nil
		}
	}
	return nil, fmt.Errorf("there is no lab %q; there are %s and %s", name, Real, Virtual)
}

// A Server makes the server under test. A lab returns target.ErrUnsupported if the field that
// it needs is nil.
type Server struct {
	// Target makes the server for the real lab. It must not start it.
	Target func(plan.Tuning) (target.Target, error)
	// Handler makes the server in this process, for the virtual lab.
	Handler func(plan.Tuning) Handler
}

// A Handler makes a server that stores persistent data in the folder dir. The http.Handler
// serves until the io.Closer is closed, which ends everything that the server started. The
// virtual lab calls a Handler once for every start of the server. If the server asks package
// seam for the seams of dir, it gets the pauses that Plan.Seams plans.
type Handler func(dir string) (http.Handler, io.Closer, error)

// InProcess is a Server for the virtual lab that ignores a plan's tuning.
func InProcess(h Handler) Server {
	return Server{Handler: func(plan.Tuning) Handler { return h }}
}

// Config configures how a plan is played.
type Config struct {
	// Level is the guarantee that the history will be judged by.
	Level contract.Level
	// KeepsLog means that this server sends a new reader every message that was ever stored;
	// the lab reads them at the end. It is meant for a target at level server-delivery or
	// above.
	KeepsLog bool
	// Keys means that the server expects an idempotency key with each message, as pages send
	// one from level client-delivery on: Wire clients and the log's reader then send one too.
	Keys bool
	// Shared means that other runs use the same server, before or after this one. The lab then
	// gives its texts a suffix of their own.
	Shared bool
	// ReadsFirst means that the lab first reads the messages that the server already has, which
	// a page may be sent whatever the level promises.
	ReadsFirst bool
	// HTML, if not empty, replaces the target's own page.
	HTML []byte
	// Protocol describes the application's events; nil means those of the tutorial's chat.
	Protocol *protocol.Protocol
	// NoEcho means that the server does not send clients their own messages. It counts only if
	// Protocol is nil.
	NoEcho bool
	// ReadLog reads the messages that the server has stored. If it is nil, a new client with
	// offset 0 reads them.
	ReadLog ReadLog
	// NewPage, if not nil, makes the clients of the kind page, instead of the official client
	// in the kit's page. Only the real lab supports it.
	NewPage NewPage
	// RealNetwork gives each client whose network the plan switches a network namespace with
	// two paths (package paths), if the client has a process of its own, as those of NewPage
	// do. Only the real lab supports it.
	RealNetwork bool
	// Bundle gets the client library for a target that serves none, or one that is too old. It
	// may be nil.
	Bundle func() ([]byte, error)
	// Bound is the longest time for any awaited condition. Zero means DefaultBound in the real
	// lab and VirtualBound in the virtual one.
	Bound time.Duration
	// ShownBound is the same for a message to be shown. Zero means Bound. A shorter one saves
	// time on servers that are known to lose messages, such as step 3's.
	ShownBound time.Duration
	// StartBound is the same for the server to be ready. Zero means Bound.
	StartBound time.Duration
	// OwnRecovery is for the virtual lab only. It means that the server does without the
	// connection state recovery of the zishang520 library (its session adapter): it has none,
	// or brings its own adapter. Then any number of runs may play at once, and a server's
	// memory is freed after its run.
	//
	// The library's adapter allows neither. When the adapter is garbage-collected, it stops a
	// timer from outside of the timer's bubble, for which the runtime ends the process: so
	// every server stays referenced until the process ends. And its offsets come from one
	// generator for the whole process, which takes the clock's millisecond: two runs on two
	// clocks would make it repeat offsets. So the runs wait for each other.
	OwnRecovery bool
	// Traffic records every frame and connection in Run.Traffic. A sweep leaves it out,
	// because it costs time and memory.
	Traffic bool
}

// NewPage makes a client of the kind page. tabOf is the client whose browser gets it as
// another tab; nil means a browser of its own. A client that has a method Discard is discarded
// when the run is over and all clients are closed.
type NewPage func(options client.Options, tabOf client.Client) (client.Client, error)

// ReadLog reads all messages that the server has stored, in the order of its log, directly
// from its store.
type ReadLog func(ctx context.Context, server target.Target) ([]wire.Row, error)

// DefaultBound is more than twice the longest wait of an official client before it reconnects
// (5 s of backoff, randomised by half), for a loaded machine.
const DefaultBound = 20 * time.Second

func (c Config) withBounds(bound time.Duration) Config {
	c.Bound = cmp.Or(c.Bound, bound)
	c.ShownBound = cmp.Or(c.ShownBound, c.Bound)
	return c
}

// A Run is the result of playing a plan.
type Run struct {
	// Events is the history, up to the point where the run ended.
	Events []history.Event
	// Err is the reason why the run could not be played to its end.
	Err error
	// Virtual is the duration of the run on its own clock (zero in the real lab, which has
	// only the system's), Real the duration on the system's clock.
	Virtual, Real time.Duration
	// Output is what the server printed, or its http.Server logged: panics of handlers, for
	// instance.
	Output string
	// Frames are the frames that passed. A fault can wait for any of them in another run of
	// the same plan. The real lab lists none, because no two of its runs have the same frames.
	Frames []plan.Passed
	// Began has the time at which each step began, up to the point where the run ended, and
	// then the time at which the script had ended and the final barrier began.
	Began []plan.Duration
	// Traffic has every frame with its time and its text, if Config.Traffic is set.
	Traffic history.Traffic
}

// ErrUnreachable means that the target did not come up at the beginning of a run. A later start
// that fails ends the run with another error.
var ErrUnreachable = errors.New("the target never came up")
