//go:build !js

package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"redial/harness/plan"
)

// CommandOptions say what program a Command runs, and in which surroundings.
type CommandOptions struct {
	// Command is the program and its arguments. It must stay in the foreground.
	Command []string
	// Dir is the folder it runs in. Empty: the current one.
	Dir string
	// Env is added to the current environment and to what package contract names. In it,
	// and in Command, {{port}} and {{data}} are replaced by the port and the data folder.
	Env []string
	// Ready tells when the server is ready.
	Ready Ready
	// Port is the TCP port on 127.0.0.1. Zero: a free one is chosen and kept.
	Port int
	// DataDir is the folder for what outlives the process. Empty: a temporary one,
	// which Close removes.
	DataDir string
	// Tuning is handed on in the environment; zero values are left out.
	Tuning plan.Tuning
	// Name is what String answers. Empty: the command line.
	Name string
	// OutputBound is how many bytes of the beginning, and again of the end, of
	// what the server prints are kept. Zero means 64 KB.
	OutputBound int
}

// Ready tells when a server is ready to be connected to. The zero value: when it answers
// GET / with anything.
type Ready struct {
	// Path is what is asked for instead of /; then the answer must be a success (2xx).
	Path string
	// Accepts is enough: that it accepts connections on its port.
	Accepts bool
	// Line is a text that it prints when it is ready.
	Line string
}

// Bounds on how long things may take that nobody else bounds.
const (
	tryBound  = 2 * time.Second       // one GET / while waiting for readiness
	tryEvery  = 20 * time.Millisecond // between two of them
	stopBound = 10 * time.Second      // a Stop whose context has no deadline
	goneBound = 5 * time.Second       // from SIGKILL until the group is gone
	goneEvery = 5 * time.Millisecond  // between two looks at it
)

// A Command is a Target that runs a program as a child process.
//
// The program has a process group of its own: Ctrl-C in the terminal does not
// reach it, and signals go to all of its children. On Linux a child that has left the
// group, with setsid for instance, is killed when the program has ended; elsewhere it
// stays. If this process dies, however it dies, a guard (see guard.go) kills all of them
// and removes the temporary folder.
type Command struct {
	options CommandOptions
	made    string // the temporary data folder, if we made one
	mark    string // in the environment of all processes that it starts
	output  *boundedOutput

	// lifecycle is held by Start, Stop, Kill and Close, one at a time.
	lifecycle sync.Mutex
	guard     *processGuard

	mu     sync.Mutex
	life   *life         // nil before the first Start
	exited chan struct{} // of the current life
	closed bool
}

// NewCommand prepares a command; nothing is started before Start. It makes the
// data folder and chooses the port, so that both stay the same over restarts.
func NewCommand(options CommandOptions) (*Command, error) {
	if len(options.Command) == 0 || options.Command[0] == "" {
		return nil, errors.New("no command to start the server with")
	}
	if options.Port < 0 || options.Port > 65535 {
		return nil, fmt.Errorf("port %d is not between 1 and 65535", options.Port)
	}
	if options.OutputBound <= 0 {
		options.OutputBound = 64 << 10
	}
	if options.Port == 0 {
		port, err := freePort()
		if err != nil {
			return nil, fmt.Errorf("no free port on 127.0.0.1: %w", err)
		}
		options.Port = port
	}
	c := &Command{mark: newMark(), exited: make(chan struct{}), output: newBoundedOutput(options.OutputBound)}
	if err := c.prepareDataDir(&options); err != nil {
		return nil, err
	}
	names := strings.NewReplacer("{{port}}", strconv.Itoa(options.Port), "{{data}}", options.DataDir)
	options.Command, options.Env = replaced(names, options.Command), replaced(names, options.Env)
	c.options = options
	return c, nil
}

func replaced(names *strings.Replacer, in []string) (out []string) {
	for _, s := range in {
		out = append(out, names.Replace(s))
	}
	return out
}

func (c *Command) prepareDataDir(options *CommandOptions) (err error) {
	if options.DataDir == "" {
		if c.made, err = os.MkdirTemp("", "redial-data-"); err != nil {
			return fmt.Errorf("no temporary data folder: %w", err)
		}
		options.DataDir = c.made
		return nil
	}
	if options.DataDir, err = filepath.Abs(options.DataDir); err == nil {
		err = os.MkdirAll(options.DataDir, 0o755)
	}
	if err != nil {
		return fmt.Errorf("the data folder cannot be made: %w", err)
	}
	return nil
}

// String is the name, or the command line.
func (c *Command) String() string {
	if c.options.Name != "" {
		return c.options.Name
	}
	return strings.Join(c.options.Command, " ")
}

// Address is 127.0.0.1 and the port.
func (c *Command) Address() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.options.Port))
}

// DataDir is the folder that the server is given for its data.
func (c *Command) DataDir() string { return c.options.DataDir }

// ReplaceData empties the data folder, if it is a temporary one. The program must not
// be running.
func (c *Command) ReplaceData() error {
	if c.made == "" {
		return ErrNoData
	}
	return Empty(c.made)
}

// Empty removes what is in a folder. It is ErrNoData if that is nothing.
func Empty(folder string) error {
	entries, err := os.ReadDir(folder)
	if err == nil && len(entries) == 0 {
		err = ErrNoData
	}
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(folder, entry.Name())))
	}
	return err
}

// PID is the process id of the program that runs, which is also its process group;
// 0 when it does not.
func (c *Command) PID() int {
	if l := c.running(); l != nil {
		return l.group
	}
	return 0
}

// CanRestart is true.
func (c *Command) CanRestart() bool { return true }

// Output is what the server printed over all its lives, stdout and stderr
// together: the beginning and the end, with a line about what was left out.
func (c *Command) Output() string { return c.output.String() }

// Exited is closed when the server has ended without being asked to.
func (c *Command) Exited() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exited
}

// Start starts the server and waits until it answers GET / with anything.
func (c *Command) Start(ctx context.Context) error {
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	switch {
	case c.isClosed():
		return errors.New("the target is closed")
	case c.running() != nil:
		return errors.New("the server is running already")
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("the server was not started: %w", err)
	}
	if err := c.portIsFree(); err != nil {
		return err
	}
	if err := c.startGuard(); err != nil {
		return err
	}
	l, err := c.begin()
	if err != nil {
		return err
	}
	if err := c.awaitReady(ctx, l); err != nil {
		l.kill()
		return err
	}
	return nil
}

func (c *Command) startGuard() (err error) {
	if c.guard == nil {
		c.guard, err = newGuard(c.made, c.mark)
	}
	return err
}

// Stop sends SIGTERM to the group and waits until all of it is gone. When ctx
// ends first (or 10 s, if it has no deadline), it kills the group, and that is an
// error. Stopping a server that is not running is nothing to do.
func (c *Command) Stop(ctx context.Context) error {
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	l := c.running()
	if l == nil {
		return nil
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, stopBound)
		defer cancel()
	}
	began := time.Now()
	l.ask()
	select {
	case <-l.done:
		return l.leftover
	case <-ctx.Done():
		waited := time.Since(began).Round(time.Millisecond)
		return errors.Join(fmt.Errorf("the server was still there %s after SIGTERM and had to be killed", waited), l.kill())
	}
}

// Kill sends SIGKILL to the group and waits until no process of it is left.
func (c *Command) Kill() error {
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	return c.kill()
}

func (c *Command) kill() error {
	if l := c.running(); l != nil {
		return l.kill()
	}
	return nil
}

// Pause stops the server and its children where they are (SIGSTOP): the system keeps
// their connections open, and nothing comes from them.
func (c *Command) Pause() error { return c.signal(syscall.SIGSTOP) }

// Continue lets them go on (SIGCONT).
func (c *Command) Continue() error { return c.signal(syscall.SIGCONT) }

// Nodes is the one server.
func (c *Command) Nodes() []string { return []string{""} }

// NodeAddress is Address for the empty name.
func (c *Command) NodeAddress(name string) string { return onlyAddress(c, name) }

// Part is the server as a whole.
func (c *Command) Part(name string) (Part, error) { return OnlyPart(c, name) }

func (c *Command) signal(signal syscall.Signal) error {
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	l := c.running()
	if l == nil {
		return errors.New("the server is not running")
	}
	return syscall.Kill(-l.group, signal)
}

// Close kills what still runs and removes the temporary data folder.
func (c *Command) Close() error {
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	err := c.kill()
	givenPorts.Delete(c.options.Port)
	if c.made != "" {
		err = errors.Join(err, os.RemoveAll(c.made))
	}
	if c.guard != nil {
		c.guard.Dismiss()
		c.guard = nil
	}
	return err
}
