// Package target is the server under test: it can be started, stopped, killed, and started
// again on the same port and data.
//
// Read [Target] first. [NewCommand] runs any program, in any language, as a child process
// and controls its whole process group. [NewCluster] runs several of them, and faults can hit
// each one on its own. [NewURL] is a server that runs already, which can be neither stopped nor
// killed.
//
// target imports package contract for the environment that a server is given. It must not
// know clients, faults or verdicts.
package target

import (
	"context"
	"errors"
	"fmt"
)

// ErrUnsupported is wrapped by the errors for what a target does not offer: a URL cannot be
// stopped, and with a single server clients cannot move to another. A scenario that needs it is
// unsupported, not failed.
var ErrUnsupported = errors.New("not possible with this target")

// ErrNoData is returned if a plan changes the server's data, but there is none that Redial may
// change. The scenario is unsupported then, not failed.
var ErrNoData = errors.New("the target has no SQLite file in a folder that Redial has made for it, so its data cannot be locked or replaced")

// A Target is a server, or several nodes that serve one chat. Its methods are safe for
// concurrent use; the methods of Part act on every node.
type Target interface {
	// String names the target in reports: the command line, or the URL.
	String() string
	Part
	// Address is where it listens, "host:port"; it stays the same across restarts. With
	// several nodes it is that of the first one that is up.
	Address() string
	// Nodes are the names of the servers. A single server has the empty name.
	Nodes() []string
	// NodeAddress is where one server listens; empty for an unknown name.
	NodeAddress(name string) string
	// Part is the server with the name, or a service that the servers use; the empty name
	// is the target as a whole.
	Part(name string) (Part, error)
	// Exited is closed when the server has ended without being asked to. Each Start makes a
	// new channel.
	Exited() <-chan struct{}
	// Output is the first and the last part of what the server has printed so far, stdout
	// and stderr together.
	Output() string
	// Close kills the server and removes what the target made.
	Close() error
}

// A Part can be started and ended on its own: a target, one of its servers, or a service that
// the servers use.
type Part interface {
	// Start starts it and returns when it is ready. If it is not ready before ctx ends, the
	// error is one line with the reason and the last line that it printed.
	Start(ctx context.Context) error
	// Stop sends SIGTERM and waits until it has ended. If ctx ends first, Stop kills it and
	// returns an error.
	Stop(ctx context.Context) error
	// Kill sends SIGKILL to it and all its children and waits until they have ended.
	Kill() error
	// Pause suspends it (SIGSTOP), and Continue resumes it.
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
