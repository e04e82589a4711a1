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
)

// A life is one run of the program, from its start until no process of its group
// is left.
type life struct {
	command *exec.Cmd
	group   int
	printed int64 // where its output begins

	asked     chan struct{} // closed when we ask it to end
	askOnce   sync.Once
	force     chan struct{} // closed when patience is over
	forceOnce sync.Once
	done      chan struct{} // closed when the whole group is gone
	state     string        // how the program ended; valid after done
	leftover  error         // a group that would not die; valid after done
}

func (c *Command) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// running is the life that has not ended, or nil.
func (c *Command) running() *life {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life == nil {
		return nil
	}
	select {
	case <-c.life.done:
		return nil
	default:
		return c.life
	}
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
			command.Wait() // what it was is read from ProcessState
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

// begin starts the program.
func (c *Command) begin() (*life, error) {
	if _, err := os.Stat(c.options.Dir); c.options.Dir != "" && err != nil {
		return nil, fmt.Errorf("the folder to run the command in: %w", err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("no pipe for the server's output: %w", err)
	}
	l := &life{
		command: exec.Command(c.options.Command[0], c.options.Command[1:]...),
		printed: c.output.Written(),
		asked:   make(chan struct{}),
		force:   make(chan struct{}),
		done:    make(chan struct{}),
	}
	l.command.Dir = c.options.Dir
	l.command.Env = c.environment()
	l.command.Stdout, l.command.Stderr = writer, writer

	ended, err := start(l.command)
	writer.Close()
	if err != nil {
		reader.Close()
		return nil, err
	}
	l.group = l.command.Process.Pid
	c.guard.watch(l.group)

	exited := make(chan struct{})
	c.mu.Lock()
	c.life, c.exited = l, exited
	c.mu.Unlock()
	go c.watch(l, reader, ended, exited)
	return l, nil
}

func (c *Command) environment() []string {
	env := append(os.Environ(), c.mark,
		contract.EnvPort+"="+strconv.Itoa(c.options.Port),
		contract.EnvDataDir+"="+c.options.DataDir)
	wish := func(name string, d plan.Duration) {
		if d > 0 {
			milliseconds := max(1, time.Duration(d).Milliseconds())
			env = append(env, name+"="+strconv.FormatInt(milliseconds, 10))
		}
	}
	wish(contract.EnvPingInterval, c.options.Tuning.PingInterval)
	wish(contract.EnvPingTimeout, c.options.Tuning.PingTimeout)
	wish(contract.EnvMaxDisconnection, c.options.Tuning.MaxDisconnection)
	return append(env, c.options.Env...)
}

// watch sees one life to its end: the program, then the rest of its group, then
// the last of its output.
func (c *Command) watch(l *life, output *os.File, ended <-chan struct{}, exited chan struct{}) {
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		io.Copy(c.output, output) // ends when the last writer is gone
	}()

	<-ended
	asked := isClosed(l.asked)
	if asked {
		l.awaitGroup(l.force, 0) // its children may take their time too
	}
	syscall.Kill(-l.group, syscall.SIGKILL)
	if !l.awaitGroup(nil, goneBound) {
		l.leftover = fmt.Errorf("processes of group %d are still there %s after SIGKILL", l.group, goneBound)
	}
	l.leftover = errors.Join(l.leftover, killMarked(c.mark, goneBound))
	c.guard.watch(0)

	select {
	case <-copied:
	case <-time.After(time.Second): // somebody left the group and holds the pipe
	}
	output.Close()
	<-copied
	l.state = l.command.ProcessState.String()
	close(l.done)
	if !asked {
		close(exited)
	}
}

// awaitGroup waits until no process of the group is left; not, where it says
// false: enough was closed first, or the bound (zero: none) has passed.
func (l *life) awaitGroup(enough <-chan struct{}, bound time.Duration) bool {
	var late <-chan time.Time
	if bound > 0 {
		late = time.After(bound)
	}
	for groupAlive(l.group) {
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

// ask asks the group to end, politely.
func (l *life) ask() {
	l.askOnce.Do(func() { close(l.asked) })
	syscall.Kill(-l.group, syscall.SIGTERM)
}

// kill ends the group at once and waits until it is gone.
func (l *life) kill() error {
	l.askOnce.Do(func() { close(l.asked) })
	l.forceOnce.Do(func() { close(l.force) })
	syscall.Kill(-l.group, syscall.SIGKILL)
	<-l.done
	return l.leftover
}

// awaitReady waits until the server answers, and makes sure that it is the server
// who does.
func (c *Command) awaitReady(ctx context.Context, l *life) error {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		Timeout:       tryBound,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for {
		answered := c.isReady(ctx, client, l)
		select {
		case <-l.done:
			return fmt.Errorf("the server ended before it was ready (%s)%s", l.state, c.lastLine(l))
		case <-ctx.Done():
			return fmt.Errorf("the server %s in time; %s (%w)%s", c.notReady(), c.advice(l), ctx.Err(), c.lastLine(l))
		default:
		}
		if answered {
			return l.owns(c.options.Port)
		}
		select {
		case <-l.done:
		case <-ctx.Done():
		case <-time.After(tryEvery):
		}
	}
}

// isReady looks once.
func (c *Command) isReady(ctx context.Context, client *http.Client, l *life) bool {
	switch ready := c.options.Ready; {
	case ready.Line != "":
		return strings.Contains(c.output.Since(l.printed), ready.Line)
	case ready.Accepts:
		return somethingListens(c.options.Port)
	case ready.Path != "":
		return succeeds(ctx, client, "http://"+c.Address()+ready.Path)
	}
	return answers(ctx, client, "http://"+c.Address()+"/") == nil
}

// advice says what may be the matter with a server that is not ready in time.
func (c *Command) advice(l *life) string {
	switch ready := c.options.Ready; {
	case !somethingListens(c.options.Port):
		if ports := portsOf(l.group); len(ports) > 0 {
			return fmt.Sprintf("it listens on port %d and not on %s: write `port: %[1]d` under target in redial.yaml (redial init --port %[1]d)", ports[0], contract.EnvPort)
		}
		return "does it listen on " + contract.EnvPort + "?"
	case ready.Line == "" && ready.Path == "":
		// A Socket.IO server without a page of its own never answers any other request.
		return "it accepts connections there, so if it serves no page, write `ready: port` under target in redial.yaml"
	}
	return "it accepts connections at " + c.Address()
}

// notReady says what the server did not do.
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

// owns tells, where the system lets us know, whether the port is served by the
// program's own group. Anything else could be neither stopped nor killed.
func (l *life) owns(port int) error {
	owners := listenerGroups(port)
	if len(owners) == 0 || slices.Contains(owners, l.group) {
		return nil
	}
	return fmt.Errorf("port %d is served by something else (process group %d), not by the command, "+
		"which has to stay in the foreground and in its own group", port, owners[0])
}

func (c *Command) lastLine(l *life) string {
	if line := c.output.LastLine(l.printed); line != "" {
		return ": " + line
	}
	return "; it printed nothing"
}

// answers makes one GET and tells why there was no answer, if there was none.
func answers(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func succeeds(ctx context.Context, client *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode/100 == 2
}

func isClosed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}
