//go:build !race

package peers_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"redial/harness/contract"
	"redial/harness/protocol"
)

// A happening is a line of output from node/driver.js.
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
	changed chan struct{} // closed and replaced at every line
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

// until waits until find returns true for the lines so far.
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
	from        int // the first line of its newest connection
	acks        int
}

// open connects a client. Clients with the same name belong to one user.
func (a *application) open(d *driver, name, other string, node int) *shapeClient {
	d.t.Helper()
	c := a.client(d, name, other, node)
	c.entered()
	return c
}

// store lets another client send a message. A client that connects and shows this message
// has finished its replay: live messages during a replay arrive twice with the tutorial's
// steps.
func (a *application) store(d *driver, text string) {
	d.t.Helper()
	c := a.open(d, "alice", "bob", 0)
	c.send(text)
	c.until(text, func(seen []happening) bool {
		return slices.ContainsFunc(c.messages(seen), func(m protocol.Message) bool { return m.Text == text })
	})
}

func (a *application) client(d *driver, name, other string, node int) *shapeClient {
	d.t.Helper()
	c := &shapeClient{driver: d, application: a, id: fmt.Sprint(name, " ", len(a.clients)), values: protocol.Values{
		protocol.Client: name, protocol.Other: other, protocol.Offset: 0,
	}}
	a.clients = append(a.clients, c)
	path := cmp.Or(a.protocol.Path, "/socket.io/")
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

// await returns the arguments of the first event with this name in the newest connection.
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

// entered waits for the connection, and performs the steps that follow it.
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

// emit emits an event, and returns the acknowledgement if ack is set.
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

// send sends a message, and requires that the server accepts it.
func (c *shapeClient) send(text string) {
	c.t.Helper()
	send := c.application.protocol.Send
	c.values[protocol.Text], c.values[protocol.Key] = text, contract.ChatEvent+" "+text
	answer := c.emit(append([]any{send.Event}, protocol.Fill(send.Args, c.values).([]any)...), !send.NoAck)
	if reason, refused := send.Refusal(answer); refused {
		c.t.Fatalf("%s: %q was refused: %v", c.id, text, reason)
	}
}

// messages returns the messages that the client would show: live ones, and new ones from a
// history.
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

// shows waits until the last of the texts has arrived, and requires exactly these texts.
func (c *shapeClient) shows(texts ...string) {
	c.t.Helper()
	var got []string
	c.until(fmt.Sprintf("%s: %q", c.id, texts), func(seen []happening) bool {
		got = nil
		for _, m := range c.messages(seen) {
			got = append(got, protocol.TextOf(m.Text))
		}
		return slices.Contains(got, texts[len(texts)-1])
	})
	if !slices.Equal(got, texts) {
		c.t.Errorf("%s of %s shows %q, want %q", c.id, c.application.folder, got, texts)
	}
}

// cut ends the connection, and disconnected waits for the end of a connection.
func (c *shapeClient) cut() {
	c.t.Helper()
	c.do("cut", map[string]any{"client": c.id})
	c.disconnected()
}

func (c *shapeClient) disconnected() {
	c.t.Helper()
	c.await("disconnect")
}

// connects opens a new connection with the client's current state.
func (c *shapeClient) connects() {
	c.t.Helper()
	seen := c.everything()
	c.from = len(seen)
	for _, m := range c.messages(seen) {
		if m.Numbered {
			c.values[protocol.Offset] = m.Offset
		}
	}
	c.do("auth", map[string]any{"client": c.id, "auth": c.auth()})
	c.do("connect", map[string]any{"client": c.id})
}

func (c *shapeClient) comesBack() (recovered bool) {
	c.t.Helper()
	c.connects()
	return c.entered()
}
