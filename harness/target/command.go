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
	"redial/harness/target/ports"
)

// CommandOptions say which program a Command runs, and how.
type CommandOptions struct {
	// Command is the program and its arguments. It must stay in the foreground.
	Command []string
	// Dir is the folder in which it runs; empty means the current folder.
	Dir string
	// Env is added to the current environment and to the variables of package contract. In
	// Env and Command, {{port}} and {{data}} are replaced by the port and the data folder.
	Env []string
	// Ready is how the server shows that it is ready.
	Ready Ready
	// Port is the TCP port on 127.0.0.1. With zero, NewCommand chooses a free one.
	Port int
	// DataDir is the folder for the data that outlives the process. Empty means a temporary
	// folder, which Close removes.
	DataDir string
	// Tuning is passed on in the environment, except for zero values.
	Tuning plan.Tuning
	// Name is what String returns; empty means the command line.
	Name string
}

// Ready is how a server shows that it is ready for connections. With the zero value, it answers
// GET / with any status.
type Ready struct {
	// Path is requested instead of /, and the answer must be a success (2xx).
	Path string
	// Accepts means that it accepts connections on its port.
	Accepts bool
	// Line is a text that it prints when it is ready.
	Line string
}

// Bounds that no context sets.
const (
	probeBound = 2 * time.Second       // for one GET / while waiting for readiness
	probeEvery = 20 * time.Millisecond // between two of them
	stopBound  = 10 * time.Second      // for a Stop whose context has no deadline
	goneBound  = 5 * time.Second       // from SIGKILL until the group is gone
	goneEvery  = 5 * time.Millisecond  // between two looks at the group
)

// A Command is a Target that runs a program as a child process.
//
// The program has a process group of its own: Ctrl-C in the terminal does not
// reach it, and signals go to all of its children. On Linux a child that has left the
// group, with setsid for instance, is killed when the program has ended; elsewhere it
// stays. If this process dies first, a guard (see guard.go) kills all of them and removes the
// temporary folder.
type Command struct {
	options CommandOptions
	made    string // the temporary data folder, if there is one
	taken   int    // the port, if NewCommand has chosen it and it is not released
	mark    string // in the environment of all processes that it starts
	output  *BoundedOutput

	// lifecycle is held by Start, Stop, Kill and Close, one at a time.
	lifecycle sync.Mutex
	guard     *processGuard

	mu      sync.Mutex
	process *process      // nil before the first Start
	exited  chan struct{} // of the current process
	closed  bool
}

// NewCommand prepares a command; nothing is started before Start. It makes the data folder and
// chooses the port, so that both stay the same across restarts.
func NewCommand(options CommandOptions) (*Command, error) {
	if len(options.Command) == 0 || options.Command[0] == "" {
		return nil, errors.New("no command to start the server with")
	}
	if options.Port < 0 || options.Port > 65535 {
		return nil, fmt.Errorf("port %d is not between 1 and 65535", options.Port)
	}
	c := &Command{mark: newMark(), exited: make(chan struct{}), output: NewBoundedOutput(64 << 10)}
	if options.Port == 0 {
		port, err := ports.Take(1)
		if err != nil {
			return nil, fmt.Errorf("no free port on 127.0.0.1: %w", err)
		}
		options.Port, c.taken = port, port
	}
	if err := c.prepareDataDir(&options); err != nil {
		return nil, errors.Join(err, c.Close())
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

// ReplaceData empties the data folder if it is a temporary one. The program must not be
// running.
func (c *Command) ReplaceData() error {
	if c.made == "" {
		return ErrNoData
	}
	return Empty(c.made)
}

// Empty removes the contents of a folder. If there are none, it returns ErrNoData.
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

// PID is the program's process id, which is also its process group; 0 if it does not run.
func (c *Command) PID() int {
	if p := c.running(); p != nil {
		return p.group
	}
	return 0
}

// Output is what the server printed across all restarts, stdout and stderr together: the
// beginning and the end, with a line about what was left out.
func (c *Command) Output() string { return c.output.String() }

// Exited is closed when the server has ended without being asked to.
func (c *Command) Exited() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exited
}

// Start starts the server and waits until it is ready.
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
	if ports.Listens(c.options.Port) { // and would answer in the server's place
		return fmt.Errorf("port %d is in use by something else: stop it, or choose another port", c.options.Port)
	}
	if c.guard == nil {
		var err error
		if c.guard, err = newGuard(c.made, c.mark); err != nil {
			return err
		}
	}
	p, err := c.begin()
	if err != nil {
		return err
	}
	if err := c.awaitReady(ctx, p); err != nil {
		p.kill()
		return err
	}
	return nil
}

// Stop sends SIGTERM to the group and waits until all of it is gone. If ctx ends first (or
// 10 s have passed, if it has no deadline), Stop kills the group and returns an error. If the
// server is not running, Stop does nothing.
func (c *Command) Stop(ctx context.Context) error {
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	p := c.running()
	if p == nil {
		return nil
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, stopBound)
		defer cancel()
	}
	began := time.Now()
	p.ask()
	select {
	case <-p.done:
		return p.leftover
	case <-ctx.Done():
		waited := time.Since(began).Round(time.Millisecond)
		return errors.Join(fmt.Errorf("the server was still there %s after SIGTERM and had to be killed", waited), p.kill())
	}
}

// Kill sends SIGKILL to the group and waits until no process of it is left.
func (c *Command) Kill() error {
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	return c.kill()
}

func (c *Command) kill() error {
	if p := c.running(); p != nil {
		return p.kill()
	}
	return nil
}

// Pause suspends the server and its children (SIGSTOP): their connections stay open, but they
// send nothing.
func (c *Command) Pause() error { return c.signal(syscall.SIGSTOP) }

// Continue resumes them (SIGCONT).
func (c *Command) Continue() error { return c.signal(syscall.SIGCONT) }

// Nodes is the one server.
func (c *Command) Nodes() []string { return []string{""} }

// NodeAddress is Address, because there is one server.
func (c *Command) NodeAddress(string) string { return c.Address() }

// Part is the server as a whole.
func (c *Command) Part(name string) (Part, error) { return OnlyPart(c, name) }

func (c *Command) signal(signal syscall.Signal) error {
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	p := c.running()
	if p == nil {
		return errors.New("the server is not running")
	}
	return syscall.Kill(-p.group, signal)
}

// Close kills the server and removes the temporary data folder.
func (c *Command) Close() error {
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	err := c.kill()
	if c.taken != 0 {
		ports.Release(c.taken)
		c.taken = 0 // another server may have it by a second Close
	}
	if c.made != "" {
		err = errors.Join(err, os.RemoveAll(c.made))
	}
	if c.guard != nil {
		c.guard.Dismiss()
		c.guard = nil
	}
	return err
}
