//go:build !js

package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"redial/harness/contract"
	"redial/harness/plan"
	"redial/harness/target/ports"
)

// A process is one run of the program, from its start until no process of its group is left.
type process struct {
	command *exec.Cmd
	group   int
	printed int64 // where its output begins

	asked     chan struct{} // closed by Stop and Kill
	askOnce   sync.Once
	force     chan struct{} // closed when the time for a graceful end has passed
	forceOnce sync.Once
	done      chan struct{} // closed when the whole group is gone
	state     string        // how the program ended; valid after done
	leftover  error         // processes that SIGKILL did not end; valid after done
}

func (c *Command) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// running returns the process if it has not ended, or nil.
func (c *Command) running() *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil || isClosed(c.process.done) {
		return nil
	}
	return c.process
}

// start starts a program in a process group of its own; ended is closed when it has ended.
// The goroutine that starts it keeps its thread until then, because Linux ties Pdeathsig to
// the thread, not the process.
func start(command *exec.Cmd) (ended <-chan struct{}, err error) {
	command.SysProcAttr = ownGroup()
	started, over := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			command.Wait() // its result is in ProcessState
			close(over)
		}
	}()
	if err := <-started; err != nil {
		if notFound := new(exec.Error); errors.As(err, &notFound) {
			err = notFound.Err
		}
		return nil, fmt.Errorf("the command %q cannot be started: %w", command.Args[0], err)
	}
	return over, nil
}

func (c *Command) begin() (*process, error) {
	if _, err := os.Stat(c.options.Dir); c.options.Dir != "" && err != nil {
		return nil, fmt.Errorf("the folder to run the command in: %w", err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("no pipe for the server's output: %w", err)
	}
	p := &process{
		command: exec.Command(c.options.Command[0], c.options.Command[1:]...),
		printed: c.output.Written(),
		asked:   make(chan struct{}),
		force:   make(chan struct{}),
		done:    make(chan struct{}),
	}
	p.command.Dir = c.options.Dir
	p.command.Env = c.environment()
	p.command.Stdout, p.command.Stderr = writer, writer

	ended, err := start(p.command)
	writer.Close()
	if err != nil {
		reader.Close()
		return nil, err
	}
	p.group = p.command.Process.Pid
	c.guard.watch(p.group)

	exited := make(chan struct{})
	c.mu.Lock()
	c.process, c.exited = p, exited
	c.mu.Unlock()
	go c.watch(p, reader, ended, exited)
	return p, nil
}

func (c *Command) environment() []string {
	env := append(os.Environ(), c.mark,
		contract.EnvPort+"="+strconv.Itoa(c.options.Port),
		contract.EnvDataDir+"="+c.options.DataDir)
	tune := func(name string, d plan.Duration) {
		if d > 0 {
			milliseconds := max(1, time.Duration(d).Milliseconds())
			env = append(env, name+"="+strconv.FormatInt(milliseconds, 10))
		}
	}
	tune(contract.EnvPingInterval, c.options.Tuning.PingInterval)
	tune(contract.EnvPingTimeout, c.options.Tuning.PingTimeout)
	tune(contract.EnvMaxDisconnection, c.options.Tuning.MaxDisconnection)
	return append(env, c.options.Env...)
}

// watch waits for the end of the program, then of the rest of its group, then of its output.
func (c *Command) watch(p *process, output *os.File, ended <-chan struct{}, exited chan struct{}) {
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		io.Copy(c.output, output) // returns when the last writer has closed it
	}()

	<-ended
	asked := isClosed(p.asked)
	if asked {
		p.awaitGroup(p.force, 0) // its children may take their time too
	}
	p.leftover = p.end(c.mark)
	c.guard.watch(0)

	select {
	case <-copied:
	case <-time.After(time.Second): // a process that has left the group keeps the pipe open
	}
	output.Close()
	<-copied
	p.state = p.command.ProcessState.String()
	close(p.done)
	if !asked {
		close(exited)
	}
}

// end kills the group and the other processes with the mark, and waits until they are gone.
func (p *process) end(mark string) (err error) {
	syscall.Kill(-p.group, syscall.SIGKILL)
	if !p.awaitGroup(nil, goneBound) {
		err = fmt.Errorf("processes of group %d are still there %s after SIGKILL", p.group, goneBound)
	}
	return errors.Join(err, killMarked(mark, goneBound))
}

// awaitGroup waits until no process of the group is left. It returns false if enough was
// closed first, or the bound (zero means none) has passed.
func (p *process) awaitGroup(enough <-chan struct{}, bound time.Duration) bool {
	var late <-chan time.Time
	if bound > 0 {
		late = time.After(bound)
	}
	for groupAlive(p.group) {
		select {
		case <-time.After(goneEvery):
		case <-enough:
			return false
		case <-late:
			return false
		}
	}
	return true
}

// ask sends SIGTERM to the group.
func (p *process) ask() {
	p.askOnce.Do(func() { close(p.asked) })
	syscall.Kill(-p.group, syscall.SIGTERM)
}

// kill sends SIGKILL to the group and waits until it is gone.
func (p *process) kill() error {
	p.askOnce.Do(func() { close(p.asked) })
	p.forceOnce.Do(func() { close(p.force) })
	syscall.Kill(-p.group, syscall.SIGKILL)
	<-p.done
	return p.leftover
}

// awaitReady waits until the server is ready, and checks that no other program answers on its
// port.
func (c *Command) awaitReady(ctx context.Context, p *process) error {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		Timeout:       probeBound,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for {
		ready := c.isReady(ctx, client, p)
		select {
		case <-p.done:
			return fmt.Errorf("the server ended before it was ready (%s)%s", p.state, c.lastLine(p))
		case <-ctx.Done():
			return fmt.Errorf("the server %s in time; %s (%w)%s", c.notReady(), c.advice(p), ctx.Err(), c.lastLine(p))
		default:
		}
		if ready {
			return p.owns(c.options.Port)
		}
		select {
		case <-p.done:
		case <-ctx.Done():
		case <-time.After(probeEvery):
		}
	}
}

func (c *Command) isReady(ctx context.Context, client *http.Client, p *process) bool {
	switch ready := c.options.Ready; {
	case ready.Line != "":
		return strings.Contains(c.output.Since(p.printed), ready.Line)
	case ready.Accepts:
		return ports.Listens(c.options.Port)
	case ready.Path != "":
		status, err := statusOf(ctx, client, "http://"+c.Address()+ready.Path)
		return err == nil && status/100 == 2
	}
	_, err := statusOf(ctx, client, "http://"+c.Address()+"/")
	return err == nil
}

// advice names the likely cause if a server is not ready in time.
func (c *Command) advice(p *process) string {
	switch ready := c.options.Ready; {
	case !ports.Listens(c.options.Port):
		if ports := portsOf(p.group); len(ports) > 0 {
			return fmt.Sprintf("it listens on port %d and not on %s: write `port: %[1]d` under target in redial.yaml (redial init --port %[1]d)", ports[0], contract.EnvPort)
		}
		return "does it listen on " + contract.EnvPort + ", or does it need longer (`readyWithin` under target in redial.yaml)?"
	case ready.Line == "" && ready.Path == "":
		// A Socket.IO server without a page of its own never answers any other request.
		return "it accepts connections there, so if it serves no page, write `ready: port` under target in redial.yaml, and if it needs longer, `readyWithin`"
	}
	return "it accepts connections at " + c.Address() + "; if it needs longer, write `readyWithin` under target in redial.yaml"
}

// notReady names the missing sign of readiness.
func (c *Command) notReady() string {
	switch ready := c.options.Ready; {
	case ready.Line != "":
		return fmt.Sprintf("did not print %q", ready.Line)
	case ready.Accepts:
		return "did not accept connections at " + c.Address()
	case ready.Path != "":
		return fmt.Sprintf("did not answer GET %s with success (2xx) at http://%s", ready.Path, c.Address())
	}
	return "did not answer at http://" + c.Address() + "/"
}

// owns returns an error if the port is served by another group than the program's own, as far
// as the system tells. Such a server could be neither stopped nor killed.
func (p *process) owns(port int) error {
	owners := listenerGroups(port)
	if len(owners) == 0 || slices.Contains(owners, p.group) {
		return nil
	}
	return fmt.Errorf("port %d is served by something else (process group %d), not by the command, "+
		"which has to stay in the foreground and in its own group", port, owners[0])
}

func (c *Command) lastLine(p *process) string {
	if line := c.output.LastLine(p.printed); line != "" {
		return ": " + line
	}
	return "; it printed nothing"
}

// statusOf sends one GET and returns the status of the answer, or why there was none.
func statusOf(ctx context.Context, client *http.Client, url string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func isClosed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}
