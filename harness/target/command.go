package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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

// CommandOptions say what program a Command runs, and in which surroundings.
type CommandOptions struct {
	// Command is the program and its arguments. It must stay in the foreground.
	Command []string
	// Dir is the folder it runs in. Empty: the current one.
	Dir string
	// Env is added to the current environment and to what package contract names.
	Env []string
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
// reach it, and signals go to all of its children. If this process dies, however
// it dies, a guard (see guard.go) kills the group and removes the temporary folder.
type Command struct {
	options CommandOptions
	made    string // the temporary data folder, if we made one
	output  *boundedOutput

	// lifecycle is held by Start, Stop, Kill and Close, one at a time.
	lifecycle sync.Mutex
	guard     *guard

	mu     sync.Mutex
	life   *life         // nil before the first Start
	exited chan struct{} // of the current life
	closed bool
}

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
	c := &Command{exited: make(chan struct{}), output: newBoundedOutput(options.OutputBound)}
	if err := c.prepareDataDir(&options); err != nil {
		return nil, err
	}
	c.options = options
	return c, nil
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

// Ports are drawn from below the ranges that systems give to outgoing connections
// (from 32768 on Linux, 49152 elsewhere): a port has to stay free while its server
// is down, and a connection of anybody's could be given it meanwhile.
const lowestPort, ports = 20_000, 12_000

// givenPorts keeps two targets of one process from drawing the same port.
var givenPorts sync.Map

func freePort() (int, error) {
	for range 100 {
		port := lowestPort + rand.IntN(ports)
		if _, given := givenPorts.LoadOrStore(port, true); given {
			continue
		}
		if !somethingListens(port) {
			return port, nil
		}
		givenPorts.Delete(port)
	}
	return 0, errors.New("a hundred were tried, and something listens on each")
}

// somethingListens dials; it does not try to listen itself. A listener would live on,
// for a moment after it is closed, in every child process that is being forked just
// then, and keep the server from its port.
func somethingListens(port int) bool {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
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

// portIsFree looks before the program is started: whoever holds the port would
// otherwise answer in its place.
func (c *Command) portIsFree() error {
	if somethingListens(c.options.Port) {
		return fmt.Errorf("port %d is in use by something else: stop it, or choose another port", c.options.Port)
	}
	return nil
}

func (c *Command) startGuard() (err error) {
	if c.guard == nil {
		c.guard, err = newGuard(c.made)
	}
	return err
}

// begin starts the program. The goroutine that starts it keeps its thread until
// the program ends, because Linux ties Pdeathsig to the thread, not the process.
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
	l.command.SysProcAttr = ownGroup()

	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := l.command.Start()
		started <- err
		if err == nil {
			l.command.Wait() // what it was is read from ProcessState
			close(ended)
		}
	}()
	err = <-started
	writer.Close()
	if err != nil {
		reader.Close()
		if notFound := new(exec.Error); errors.As(err, &notFound) {
			err = notFound.Err
		}
		return nil, fmt.Errorf("the command %q cannot be started: %w", c.options.Command[0], err)
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
	env := append(os.Environ(),
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
		answered := answers(ctx, client, "http://"+c.Address()+"/") == nil
		select {
		case <-l.done:
			return fmt.Errorf("the server ended before it was ready (%s)%s", l.state, c.lastLine(l))
		case <-ctx.Done():
			return fmt.Errorf("the server did not answer at http://%s/ in time; does it listen on %s? (%w)%s",
				c.Address(), contract.EnvPort, ctx.Err(), c.lastLine(l))
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
		c.guard.dismiss()
		c.guard = nil
	}
	return err
}

func isClosed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}
