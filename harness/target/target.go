// Package target is the server under test: something that can be started, asked
// where it is, stopped, killed, and started again on the same port and data.
//
// Read [Target] first. [NewCommand] runs any program, in any language, as a child
// process with its whole process group under control; [NewCluster] several of them, any
// of which can be broken on its own; [NewURL] points at a server that somebody else
// runs, which can be neither stopped nor killed.
//
// target knows package contract, for the environment that a server is given, and
// nothing of clients, faults or verdicts.
package target

import (
	"context"
	"errors"
)

// ErrUnsupported is returned by Stop, Kill and a second Start where the server is
// not ours to stop. A scenario that needs it is unsupported, not failed.
var ErrUnsupported = errors.New("the target cannot be stopped and started: it is a URL, not a command")

// ErrNoData is returned where a plan wants something done to the server's data, and
// there is none to do it to. The scenario is unsupported then, not failed.
var ErrNoData = errors.New("the target has no SQLite file in a folder that Redial has made for it, so its data cannot be locked or replaced")

// A Target is one server. Its methods are safe for concurrent use.
type Target interface {
	// String names the target in reports: the command line, or the URL.
	String() string
	// Start starts the server and returns when it answers, or with one line that
	// says why it does not (what it printed last included). ctx bounds the wait.
	Start(ctx context.Context) error
	// Address is where it listens, "host:port"; fixed over restarts.
	Address() string
	// Stop asks it to end (SIGTERM), waits for that within ctx, and falls back to
	// Kill; that it had to is an error.
	Stop(ctx context.Context) error
	// Kill ends it and all its children at once (SIGKILL) and waits for that.
	Kill() error
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
