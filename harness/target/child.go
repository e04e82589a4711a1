//go:build !js

package target

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// A Child is a program that a run needs beside its target, such as a client that is a
// process. It is cleaned up as a Command's program is: it has a process group of its own,
// which Kill ends, and a guard ends when this process is gone, however it went.
type Child struct {
	// Input is the child's stdin, and Output its stdout. Kill closes both.
	Input, Output *os.File

	life   life
	guard  *processGuard
	errors *boundedOutput
	killed sync.Once
}

// StartChild starts the command, of which the path, the arguments, the folder and the
// environment are set.
func StartChild(command *exec.Cmd) (_ *Child, err error) {
	input, in, err1 := os.Pipe()
	out, output, err2 := os.Pipe()
	defer func() {
		for _, file := range []*os.File{input, output} {
			file.Close() // the child has them now
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
	c := &Child{Input: in, Output: out, errors: newBoundedOutput(8 << 10)}
	command.Stdin, command.Stdout, command.Stderr = input, output, c.errors
	command.WaitDelay = time.Second // for something that has left the group and holds stderr
	mark := newMark()
	command.Env = append(command.Environ(), mark)
	if c.guard, err = newGuard("", mark); err != nil {
		return nil, err
	}
	ended, err := start(command)
	if err != nil {
		c.guard.Dismiss()
		return nil, err
	}
	c.life = life{command: command, group: command.Process.Pid, done: make(chan struct{})}
	c.guard.watch(c.life.group)
	go func() {
		<-ended
		close(c.life.done)
	}()
	return c, nil
}

// Done is closed when the child itself has ended, and all that it wrote to stderr is known.
func (c *Child) Done() <-chan struct{} { return c.life.done }

// Errors is what the child has written to stderr: the beginning and the end.
func (c *Child) Errors() string { return c.errors.String() }

// Kill ends the child and what it has started (SIGKILL), and waits for that. It does no
// harm where all of it has ended already.
func (c *Child) Kill() (err error) {
	c.killed.Do(func() {
		syscall.Kill(-c.life.group, syscall.SIGKILL)
		if !c.life.awaitGroup(nil, goneBound) {
			err = fmt.Errorf("processes of group %d are still there %s after SIGKILL", c.life.group, goneBound)
		}
		<-c.life.done
		c.guard.Dismiss()
		c.Input.Close()
		c.Output.Close()
	})
	return err
}
