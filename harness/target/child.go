//go:build !js

package target

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

// A Child is a program that a run needs beside its target, such as a client that is a
// process. Like a Command's program it has a process group of its own, which Kill ends, and
// which a guard ends if this process dies first.
type Child struct {
	// Input is the child's stdin, and Output its stdout. Kill closes both.
	Input, Output *os.File

	process process
	mark    string
	guard   *processGuard
	errors  *BoundedOutput
	killed  sync.Once
}

// StartChild starts the command. The caller sets its path, arguments, folder and environment.
func StartChild(command *exec.Cmd) (_ *Child, err error) {
	input, in, err1 := os.Pipe()
	out, output, err2 := os.Pipe()
	defer func() {
		for _, file := range []*os.File{input, output} {
			file.Close() // the child has its own copies
		}
		for _, file := range []*os.File{in, out} {
			if err != nil {
				file.Close()
			}
		}
	}()
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("no pipes to a child process: %w", err)
	}
	c := &Child{Input: in, Output: out, mark: newMark(), errors: NewBoundedOutput(8 << 10)}
	command.Stdin, command.Stdout, command.Stderr = input, output, c.errors
	command.WaitDelay = time.Second // in case a process that has left the group keeps stderr open
	command.Env = append(command.Environ(), c.mark)
	if c.guard, err = newGuard("", c.mark); err != nil {
		return nil, err
	}
	ended, err := start(command)
	if err != nil {
		c.guard.Dismiss()
		return nil, err
	}
	c.process = process{command: command, group: command.Process.Pid, done: make(chan struct{})}
	c.guard.watch(c.process.group)
	go func() {
		<-ended
		close(c.process.done)
	}()
	return c, nil
}

// Done is closed when the child itself has ended and its stderr has been read.
func (c *Child) Done() <-chan struct{} { return c.process.done }

// Errors returns the beginning and the end of what the child has written to stderr.
func (c *Child) Errors() string { return c.errors.String() }

// Kill sends SIGKILL to the child and the processes that it has started, and waits until they
// have ended. It does nothing if they have ended already.
func (c *Child) Kill() (err error) {
	c.killed.Do(func() {
		err = c.process.end(c.mark)
		<-c.process.done
		c.guard.Dismiss()
		c.Input.Close()
		c.Output.Close()
	})
	return err
}
