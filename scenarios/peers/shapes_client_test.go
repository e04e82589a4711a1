package peers_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"redial/harness/contract"
	"redial/harness/protocol"
	"redial/scenarios/config"
)

const (
	shapeBound = 20 * time.Second // anything that is waited for, on busy cores
	endBound   = 5 * time.Second  // from SIGTERM to the end of the process
)

// An application is one that a redial.yaml describes, as a process.
type application struct {
	t        *testing.T
	file     *config.File
	protocol protocol.Protocol
	folder   string
	env      []string
	port     int
	process  *exec.Cmd
	output   lockedBuffer
	clients  []*shapeClient
}

// lockedBuffer is written by the process and read by a test that fails.
type lockedBuffer struct {
	mu   sync.Mutex
	text []byte
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	return len(p), nil
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}

// startApplication starts the application of scenarios/peers/FOLDER/redial.yaml, or skips
// the test where what it is written in is missing.
func startApplication(t *testing.T, folder string, env ...string) *application {
	t.Helper()
	if _, err := nodePeer(); err != nil {
		t.Skip(err) // the clients are Node.js's, too
	}
	if strings.HasPrefix(folder, "python/") {
		if _, err := pythonWithSocketIO(); err != nil {
			t.Skip(err)
		}
	}
	file, err := config.Read(filepath.Join(folder, config.FileName))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := file.Subject("")
	if err != nil {
		t.Fatal(err)
	}
	a := &application{t: t, file: file, folder: folder, protocol: protocol.Tutorial(), port: freePair(t)}
	if subject.Protocol != nil {
		a.protocol = *subject.Protocol
	}
	a.env = append(env, "DATA_DIR="+t.TempDir(), "PORT="+strconv.Itoa(a.port))
	t.Cleanup(func() {
		a.kill()
		if t.Failed() {
			t.Logf("%s printed:\n%s", folder, a.output.String())
		}
	})
	a.start()
	return a
}

// freePair finds a free port that is followed by another one, for the shape with two.
func freePair(t *testing.T) int {
	t.Helper()
	for range 100 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := first.Addr().(*net.TCPAddr).Port
		second, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port+1))
		first.Close()
		if err == nil {
			second.Close()
			return port
		}
	}
	t.Fatal("there are no two free ports in a row")
	return 0
}

func (a *application) start() {
	a.t.Helper()
	command := a.file.Target.Command
	a.process = exec.Command(command[0], command[1:]...)
	a.process.Dir = a.folder
	a.process.Env = append(os.Environ(), a.env...)
	a.process.Stdout, a.process.Stderr = &a.output, &a.output
	a.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := a.process.Start(); err != nil {
		a.t.Fatal(err)
	}
	for at := range a.nodes() {
		a.eventually(a.url(at)+" to answer", func() bool {
			response, err := http.Get(a.url(at))
			if err == nil {
				response.Body.Close()
			}
			return err == nil
		})
	}
}

// nodes are the ports that clients may choose from.
func (a *application) nodes() int {
	if a.folder == "node/tutorial/step9" {
		return 2
	}
	return 1
}

func (a *application) url(node int) string {
	return fmt.Sprintf("http://127.0.0.1:%d", a.port+node)
}

func (a *application) eventually(what string, is func() bool) {
	a.t.Helper()
	for deadline := time.Now().Add(shapeBound); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			a.t.Fatalf("%s: still waiting for %s", a.folder, what)
		}
	}
}

// kill sends SIGKILL to all of it.
func (a *application) kill() {
	if a.process == nil {
		return
	}
	_ = syscall.Kill(-a.process.Process.Pid, syscall.SIGKILL) // it may be gone
	_ = a.process.Wait()                                      // it was killed
	a.process = nil
}

// ends wants SIGTERM to its first process to end all of it in time, while clients are
// connected.
func (a *application) ends() {
	a.t.Helper()
	process := a.process
	if err := process.Process.Signal(syscall.SIGTERM); err != nil {
		a.t.Fatal(err)
	}
	late := time.AfterFunc(endBound, a.processKiller(process.Process.Pid))
	err := process.Wait()
	inTime := late.Stop()
	a.process = nil
	state := process.ProcessState
	status, _ := state.Sys().(syscall.WaitStatus)
	bySignal := status.Signaled() && status.Signal() == syscall.SIGTERM
	if !inTime || (state.ExitCode() != 0 && state.ExitCode() != 143 && !bySignal) {
		a.t.Errorf("%s: after SIGTERM: %v (%v), in time: %v", a.folder, state, err, inTime)
	}
	if err := syscall.Kill(-process.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
		a.t.Errorf("%s: a process of it is there still: %v", a.folder, err)
		a.processKiller(process.Process.Pid)()
	}
}

func (a *application) processKiller(group int) func() {
	return func() { _ = syscall.Kill(-group, syscall.SIGKILL) }
}

// A happening is a line of node/driver.js.
type happening struct {
	Client, Event string
	Args          []any
}

// A driver runs the official clients of a test.
type driver struct {
	t     *testing.T
	stdin io.Writer

	mu      sync.Mutex
	seen    []happening
	changed chan struct{} // closed and made anew with every line
}

func startDriver(t *testing.T) *driver {
	t.Helper()
	process := exec.Command("node", "driver.js")
	process.Dir = "node"
	process.Stderr = os.Stderr
	stdin, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	d := &driver{t: t, stdin: stdin, changed: make(chan struct{})}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var h happening
			if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
				t.Errorf("the driver printed %q", lines.Text())
			}
			d.mu.Lock()
			d.seen = append(d.seen, h)
			close(d.changed)
			d.changed = make(chan struct{})
			d.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		stdin.Close()
		<-read
		if err := process.Wait(); err != nil {
			t.Errorf("the driver: %v", err)
		}
	})
	return d
}

func (d *driver) do(what string, command map[string]any) {
	d.t.Helper()
	command["do"] = what
	line, err := json.Marshal(command)
	if err == nil {
		_, err = d.stdin.Write(append(line, '\n'))
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// until waits until find returns true of all that was seen.
func (d *driver) until(what string, find func(seen []happening) bool) {
	d.t.Helper()
	bound := time.After(shapeBound)
	for {
		d.mu.Lock()
		seen, changed := slices.Clone(d.seen), d.changed
		d.mu.Unlock()
		if find(seen) {
			return
		}
		select {
		case <-changed:
		case <-bound:
			d.t.Fatalf("still waiting for %s; seen: %v", what, seen[max(0, len(seen)-20):])
		}
	}
}

func (d *driver) everything() []happening {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.seen)
}

// A shapeClient is an official client that follows the redial.yaml.
type shapeClient struct {
	*driver
	application *application
	id          string
	values      protocol.Values
	from        int // in what was seen: where its newest connection begins
	acks        int
}

// open connects a client. Clients of one name are one user's.
func (a *application) open(d *driver, name, other string, node int) *shapeClient {
	d.t.Helper()
	c := a.client(d, name, other, node)
	c.entered()
	return c
}

// client begins to connect one.
func (a *application) client(d *driver, name, other string, node int) *shapeClient {
	d.t.Helper()
	c := &shapeClient{driver: d, application: a, id: fmt.Sprint(name, " ", len(a.clients)), values: protocol.Values{
		protocol.Client: name, protocol.Other: other, protocol.Offset: 0,
	}}
	a.clients = append(a.clients, c)
	path := a.protocol.Path
	if path == "" {
		path = "/socket.io/"
	}
	c.do("open", map[string]any{
		"client": c.id, "url": a.url(node) + a.protocol.Namespace, "path": path,
		"parser": a.protocol.Parser, "auth": c.auth(),
	})
	return c
}

func (c *shapeClient) auth() any {
	if c.application.protocol.Auth == nil {
		return map[string]any{}
	}
	return protocol.Fill(c.application.protocol.Auth, c.values)
}

// await returns the arguments of the first such event of the newest connection.
func (c *shapeClient) await(event string) (args []any) {
	c.t.Helper()
	c.until(c.id+": "+event, func(seen []happening) bool {
		for _, h := range seen[c.from:] {
			if h.Client == c.id && h.Event == event {
				args = h.Args
				return true
			}
		}
		return false
	})
	return args
}

// entered waits for the connection, and does what the client does after it.
func (c *shapeClient) entered() (recovered bool) {
	c.t.Helper()
	args := c.await("connect")
	recovered, _ = args[0].(bool)
	for _, step := range c.application.protocol.Enter {
		var answer []any
		if len(step.Emit) > 0 {
			answer = c.emit(protocol.Fill(step.Emit, c.values).([]any), step.Ack)
		}
		if step.Await != "" {
			answer = c.await("on " + step.Await)
		}
		for name, path := range step.Save {
			value, found := path.First(answer)
			if !found {
				c.t.Fatalf("%s: there is no %s in %v", c.id, path, answer)
			}
			c.values[name] = value
		}
	}
	return recovered
}

// emit emits an event, and returns the acknowledgement if one is wanted.
func (c *shapeClient) emit(args []any, ack bool) []any {
	c.t.Helper()
	command := map[string]any{"client": c.id, "args": args}
	if !ack {
		c.do("emit", command)
		return nil
	}
	c.acks++
	command["id"] = c.acks
	c.do("emit", command)
	return c.await(fmt.Sprintf("ack %d", c.acks))
}

// send sends a message, and wants it to be accepted.
func (c *shapeClient) send(text string) {
	c.t.Helper()
	send := c.application.protocol.Send
	c.values[protocol.Text], c.values[protocol.Key] = text, contract.ChatEvent+" "+text
	answer := c.emit(append([]any{send.Event}, protocol.Fill(send.Args, c.values).([]any)...), !send.NoAck)
	if reason, refused := send.Refusal(answer); refused {
		c.t.Fatalf("%s: %q was refused: %v", c.id, text, reason)
	}
}

// messages are what the client would show: live messages, and of a history what is new.
func (c *shapeClient) messages(seen []happening) (messages []protocol.Message) {
	var last int64
	for _, h := range seen {
		event, ok := strings.CutPrefix(h.Event, "on ")
		if h.Client != c.id || !ok {
			continue
		}
		received, whole := c.application.protocol.Read(event, h.Args)
		for _, m := range received {
			if !whole || m.Offset > last {
				messages = append(messages, m)
				last = max(last, m.Offset)
			}
		}
	}
	return messages
}

// shows waits until the last of the texts is there, and wants these and no others.
func (c *shapeClient) shows(texts ...string) {
	c.t.Helper()
	var got []string
	c.until(fmt.Sprintf("%s: %q", c.id, texts), func(seen []happening) bool {
		got = nil
		for _, m := range c.messages(seen) {
			got = append(got, protocol.TextOf(m.Text))
			if m.Numbered {
				c.values[protocol.Offset] = m.Offset
			}
		}
		return slices.Contains(got, texts[len(texts)-1])
	})
	if !slices.Equal(got, texts) {
		c.t.Errorf("%s of %s shows %q, want %q", c.id, c.application.folder, got, texts)
	}
}

// cut ends its connection, and disconnected waits for the end of one.
func (c *shapeClient) cut() {
	c.t.Helper()
	c.do("cut", map[string]any{"client": c.id})
	c.disconnected()
}

func (c *shapeClient) disconnected() {
	c.t.Helper()
	c.await("disconnect")
}

// connects begins a new connection with what the client knows by now.
func (c *shapeClient) connects() {
	c.t.Helper()
	c.mu.Lock()
	c.from = len(c.seen)
	c.mu.Unlock()
	c.do("auth", map[string]any{"client": c.id, "auth": c.auth()})
	c.do("connect", map[string]any{"client": c.id})
}

func (c *shapeClient) comesBack() (recovered bool) {
	c.t.Helper()
	c.connects()
	return c.entered()
}
