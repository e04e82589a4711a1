package process

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"redial/harness/client"
	"redial/harness/client/internal/views"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/target"
)

// lastLines is how many lines of its stderr become notes.
const lastLines = 5

// A view is one run of the program.
type view struct {
	options client.Options
	number  int
	child   *target.Child

	// acting is held from a command to its answer.
	acting  sync.Mutex
	answers chan Event
	// over is closed when the program's stdout has ended.
	over  chan struct{}
	notes views.Notes

	mu        sync.Mutex
	leaving   bool // close was called
	opened    bool
	connected bool
	shown     int
}

// newView starts the program.
func newView(options client.Options, program Program, number int) (*view, error) {
	if len(program.Command) == 0 {
		return nil, errors.New("no command to start the client with")
	}
	command := slices.Concat(options.Within, program.Command)
	child, err := target.StartChild(exec.Command(command[0], command[1:]...))
	if err != nil {
		return nil, err
	}
	v := &view{
		options: options, number: number, child: child,
		answers: make(chan Event, 1), over: make(chan struct{}),
	}
	v.record(history.Event{Kind: history.Opened})
	go v.read()
	return v, nil
}

func (v *view) record(e history.Event) {
	e.Client, e.View = v.options.Name, v.number
	v.options.Record(e)
}

// note records a note for the user on one line, up to a bound.
func (v *view) note(format string, args ...any) {
	if text, ok := v.notes.Next(fmt.Sprintf(format, args...)); ok {
		v.record(history.Event{Kind: history.Note, Detail: text})
	}
}

// read records the program's events until its stdout ends.
func (v *view) read() {
	defer close(v.over)
	lines := bufio.NewScanner(v.child.Output)
	lines.Buffer(nil, longestLine+1)
	for lines.Scan() {
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			v.note("the client has written a line that is no event: %.200q", lines.Text())
			continue
		}
		v.observe(e)
	}
	v.mu.Lock()
	leaving, connected := v.leaving, v.connected
	v.connected = false
	v.mu.Unlock()
	if leaving {
		return
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		v.note("the client was ended: it has written a line of more than %d bytes", longestLine)
		_ = v.child.Kill() // its stdout is no longer read
	} else {
		v.note("the client has ended by itself")
	}
	if connected {
		v.record(history.Event{Kind: history.Disconnected, Detail: "the client has ended"})
	}
}

// observe records one event. The status changes before the history, so that a reader of the event
// finds the status that includes it.
func (v *view) observe(e Event) {
	seen := history.Event{Kind: history.Kind(e.Kind), Message: e.Message, Detail: e.Detail}
	v.mu.Lock()
	switch seen.Kind {
	case "done", "failed":
		v.mu.Unlock()
		select {
		case v.answers <- e:
		default:
			v.answeredTwice()
		}
		return
	case history.Connected:
		v.connected, seen.Recovered = true, e.Recovered
	case history.Disconnected:
		v.connected = false
	case history.Shown:
		v.shown, seen.Offset = v.shown+1, e.Offset
	case history.Acknowledged, history.Refused:
	case history.Note:
		v.mu.Unlock()
		v.note("%s", e.Detail)
		return
	default:
		v.mu.Unlock()
		v.note("the client has written an event of no known kind: %.40q", e.Kind)
		return
	}
	v.mu.Unlock()
	v.record(seen)
}

func (v *view) answeredTwice() { v.note("the client has answered twice") }

// open makes the program connect.
func (v *view) open(ctx context.Context, level contract.Level) error {
	err := v.act(ctx, Command{Do: "open", Client: v.options.Name, URL: v.options.URL, Transports: v.options.Over(), Level: level})
	v.mu.Lock()
	defer v.mu.Unlock()
	v.opened = err == nil
	return err
}

// act sends a command and waits for the answer. A program that does not answer is killed, because
// a late answer would count as that to another command.
func (v *view) act(ctx context.Context, command Command) error {
	line, err := json.Marshal(command)
	if err != nil {
		return err
	}
	v.acting.Lock()
	defer v.acting.Unlock()
	v.mu.Lock()
	if v.leaving && command.Do != "close" {
		v.mu.Unlock()
		return client.ErrNotOpen
	}
	v.mu.Unlock()
	if command.Do == "send" {
		v.record(history.Event{Kind: history.Sent, Message: command.Text})
	}
	select {
	case <-v.answers: // a second one to the command before
		v.answeredTwice()
	default:
	}
	deadline, _ := ctx.Deadline()
	_ = v.child.Input.SetWriteDeadline(deadline)
	_, _ = v.child.Input.Write(append(line, '\n'))
	select {
	case answer := <-v.answers:
		return failure(answer)
	case <-v.over:
		select {
		case answer := <-v.answers: // its last line
			return failure(answer)
		default:
		}
		return errors.New("the client has ended" + v.lastLine())
	case <-ctx.Done():
		_ = v.child.Kill()
		return context.Cause(ctx)
	}
}

func failure(answer Event) error {
	if answer.Kind == "failed" {
		return errors.New(answer.Detail)
	}
	return nil
}

// close ends the program. It returns when all its processes have ended.
func (v *view) close() error {
	v.mu.Lock()
	v.leaving = true
	v.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(context.Background(), actBound, errors.New("it did not end"))
	defer cancel()
	_ = v.act(ctx, Command{Do: "close"})
	select {
	case <-v.over:
	case <-ctx.Done():
	}
	err := v.child.Kill()
	<-v.over // Kill has closed the stdout that read reads
	for _, line := range v.errorLines() {
		v.note("stderr: %s", line)
	}
	v.record(history.Event{Kind: history.Closed})
	return err
}

// lastLine is the last line of the program's stderr, as a part of an error.
func (v *view) lastLine() string {
	select {
	case <-v.child.Done():
	case <-time.After(time.Second): // it still runs and has only closed its stdout
	}
	if lines := v.errorLines(); len(lines) > 0 {
		return ": " + lines[len(lines)-1]
	}
	return "; it wrote nothing to stderr"
}

// errorLines returns the last lines of stderr.
func (v *view) errorLines() (lines []string) {
	for _, line := range strings.Split(v.child.Errors(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, fmt.Sprintf("%.300s", line))
		}
	}
	return lines[max(0, len(lines)-lastLines):]
}

func (v *view) status(s *client.Status) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s.Open, s.Connected, s.Shown = v.opened, v.connected, v.shown
}
