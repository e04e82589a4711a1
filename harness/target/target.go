// Package target is the server under test: it can be started, stopped, killed, and started
// again on the same port and data.
//
// Read [Target] first. [NewCommand] runs any program, in any language, as a child process
// and controls its whole process group. [NewCluster] runs several of them, any of which can
// be broken on its own. [NewURL] is a server that somebody else runs, which can be neither
// stopped nor killed.
//
// target imports package contract for the environment that a server is given. It must not
// know clients, faults or verdicts.
package target

import (
	"context"
	"errors"
	"fmt"
)

// ErrUnsupported is wrapped by the errors of what a target does not offer: one that is
// not ours cannot be stopped, and one server has no second one to move to. A scenario
// that needs it is unsupported, not failed.
var ErrUnsupported = errors.New("not possible with this target")

// ErrNoData is returned where a plan wants something done to the server's data, and
// there is none to do it to. The scenario is unsupported then, not failed.
var ErrNoData = errors.New("the target has no SQLite file in a folder that Redial has made for it, so its data cannot be locked or replaced")

// A Target is a server, or several that serve one chat, which are then its nodes. Its
// methods are safe for concurrent use; those of a Part concern every node.
type Target interface {
	// String names the target in reports: the command line, or the URL.
	String() string
	Part
	// Address is where it listens, "host:port"; fixed over restarts. Of several nodes
	// it is the first that is up.
	Address() string
	// Nodes names the servers. One that is alone has the empty name.
	Nodes() []string
	// NodeAddress is where one server listens; empty for a name that is none's.
	NodeAddress(name string) string
	// Part is the server with the name, or what the servers stand on; the empty name is
	// the target as a whole.
	Part(name string) (Part, error)
	// CanRestart tells whether Stop, Kill and another Start are possible.
	CanRestart() bool
	// Exited is closed when the server has ended without being asked to. It is
	// made anew by each Start.
	Exited() <-chan struct{}
	// Output is what the server printed so far, stdout and stderr together,
	// bounded: the first and the last part of it.
	Output() string
	// Close kills what still runs and removes what the target made.
	Close() error
}

// A Part is what can be started and ended on its own: a target, one of its servers, or
// something that the servers stand on.
type Part interface {
	// Start starts it and returns when it answers, or with one line that
	// says why it does not (what it printed last included). ctx bounds the wait.
	Start(ctx context.Context) error
	// Stop asks it to end (SIGTERM), waits for that within ctx, and falls back to
	// Kill; that it had to is an error.
	Stop(ctx context.Context) error
	// Kill ends it and all its children at once (SIGKILL) and waits for that.
	Kill() error
	// Pause stops it where it is (SIGSTOP), and Continue lets it go on.
	Pause() error
	Continue() error
}

// OnlyPart is Target.Part for a target that is a single server.
func OnlyPart(t Target, name string) (Part, error) {
	if name != "" {
		return nil, fmt.Errorf("%w: the plan is about one of several servers, and there is only one", ErrUnsupported)
	}
	return t, nil
}

func onlyAddress(t Target, name string) string {
	if name != "" {
		return ""
	}
	return t.Address()
}
