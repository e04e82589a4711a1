package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"redial/harness/contract"
)

// The confidence in a line of a draft.
const (
	Sure   = "sure"   // observed
	Likely = "likely" // observed once, possibly by chance
	Guess  = "guess"  // read from the page, or assumed
)

// The possible lines of a draft.
const (
	KeyLevel     = "level"
	KeyPath      = "path"
	KeyNamespace = "namespace"
	KeyAuth      = "auth"
	KeySend      = "send"
	KeyAck       = "ack"
	KeyEcho      = "echo"
	KeyEvent     = "receive"
	KeyText      = "text"
	KeyOffset    = "offset"
	KeyHistory   = "history"
	KeyList      = "list"
)

// A Draft is a redial.yaml for a person to review: each line states its confidence.
type Draft struct {
	// Line or Command starts the application: a line for the shell, or a program and its
	// arguments. URL is the address of one that runs already.
	Line    string
	Command []string
	URL     string
	// Dir is the folder in which the command runs, if it is not that of the file.
	Dir string
	// Port is the fixed port of a command that ignores PORT; otherwise 0.
	Port int

	// Form is the guessed use of the page; nil if there is no guess.
	Form *Form
	// NoPage is set if GET / has no response, so the server is ready when it accepts
	// connections.
	NoPage bool

	lines map[string]drafted
	send  Emitted
	// recovers is set if the server sent a pid, and replays if a new client received the
	// message; at is the position of the text.
	recovers, replays bool
	at                place
}

type drafted struct{ value, sure, why string }

// Emitted is an event with templates for its arguments.
type Emitted struct {
	Event string
	Args  []any
}

// Set sets a line to a value that the user has given.
func (d *Draft) Set(key, value string) {
	if value != "" {
		d.set(key, value, "", "")
	}
}

// SetMessage drafts a chat that uses one event in both directions, as the tutorial's does at
// the level.
func (d *Draft) SetMessage(event string, level contract.Level) {
	args := []any{"{{text}}"}
	if level.AtLeast(contract.ClientDelivery) {
		args = append(args, "{{key}}")
	}
	d.setSend(Emitted{event, args}, "", "")
	d.Set(KeyEvent, event)
	d.Set(KeyText, "$")
	if level.AtLeast(contract.ServerDelivery) {
		d.Set(KeyAuth, contract.AuthOffset)
		d.Set(KeyOffset, "$2")
	}
}

func (d *Draft) set(key, value, sure, why string) {
	if d.lines == nil {
		d.lines = map[string]drafted{}
	}
	d.lines[key] = drafted{value, sure, why}
}

func (d *Draft) unset(key string) { delete(d.lines, key) }

func (d *Draft) text(key string) string { return d.lines[key].value }

func (d *Draft) setSend(e Emitted, sure, why string) {
	d.send = e
	d.set(KeySend, e.Event, sure, why)
}

var severalArguments = regexp.MustCompile(`^[^,{(]+,\s*[^,\s=(]+\s*[,)]`)

// sends lists the possible ways to send a message, the most likely first.
func (d *Draft) sends(h Hints) (list []Emitted) {
	events := []string{}
	raw := map[string]string{}
	for _, e := range h.Emits {
		raw[e.Event] = e.Args
		events = append(events, e.Event)
	}
	received := d.text(KeyEvent)
	if len(events) == 0 || slices.Contains(events, received) {
		events = slices.Concat([]string{received}, slices.DeleteFunc(events, func(e string) bool { return e == received }))
	}
	for _, event := range events[:min(len(events), 3)] {
		var ways [][]any
		if severalArguments.MatchString(raw[event]) {
			ways = append(ways, []any{"{{text}}", "{{key}}"})
		}
		ways = append(ways, []any{"{{text}}"})
		if len(d.at.steps) > 0 {
			if field, ok := d.at.steps[len(d.at.steps)-1].(string); ok {
				object := []any{map[string]any{field: "{{text}}"}}
				if strings.HasPrefix(raw[event], "{") {
					ways = slices.Insert(ways, 0, object)
				} else {
					ways = append(ways, object)
				}
			}
		}
		for _, args := range ways {
			list = append(list, Emitted{event, args})
		}
	}
	return list
}

// decide sets the level.
func (d *Draft) decide() {
	_, numbered := d.lines[KeyOffset]
	_, named := d.lines[KeyAuth]
	_, whole := d.lines[KeyHistory]
	switch {
	case d.replays && numbered && named, d.replays && whole:
		d.set(KeyLevel, string(contract.ServerDelivery), Likely, "a new client was sent the message")
	case d.recovers:
		d.set(KeyLevel, string(contract.Recovery), Likely, "connection state recovery is on")
	default:
		d.set(KeyLevel, string(contract.Basic), Likely, "no recovery and no replay by an offset was seen")
	}
}

// YAML returns the text of the file.
func (d *Draft) YAML() []byte {
	w := &writer{}
	w.text("# How Redial starts this application and speaks with it. `redial explain` lists all keys,")
	w.text("# `redial doctor` says what is missing, and `redial check` checks it.")
	if slices.ContainsFunc(slices.Collect(maps.Values(d.lines)), func(l drafted) bool { return l.sure != "" }) {
		w.text("# sure: it was seen. likely: it was seen once. guess: look at it before you rely on it.")
	}
	w.text("")
	w.text("target:")
	switch {
	case d.URL != "":
		w.text("  url: " + asJSON(d.URL))
	case len(d.Command) > 0:
		w.text("  command: " + asJSON(d.Command))
	default:
		w.text("  command: " + asJSON(d.Line))
	}
	if d.Dir != "" {
		w.text("  dir: " + asJSON(d.Dir))
	}
	switch {
	case d.Port != 0:
		w.text(fmt.Sprintf("  port: %d", d.Port))
	case d.URL == "":
		w.text("  # It finds the port in PORT and an empty folder in DATA_DIR; else see `redial explain target`.")
		w.text("  # isolated: true  # if two of it with different ports share nothing: a check takes a fraction of the time")
	}
	if d.NoPage && d.URL == "" {
		w.text("  ready: port  # sure: GET / has no answer")
	}
	w.text("")
	w.text("# The promise: " + strings.Join(contract.LevelNames(), ", ") + ".")
	w.line(d, "", "level", KeyLevel)
	if _, spoken := d.lines[KeyEvent]; spoken {
		d.socket(w)
	} else {
		w.text("\n# Without a section socket it speaks as the tutorial's chat does: `redial explain socket`.")
	}
	w.text("\n# The application's own page as the client, in Chromium (`redial check --own-page`): `redial explain page`.")
	if d.Form == nil {
		w.text("# page: {input: \"#input\", submit: \"#form button\", messages: \"#messages li\"}")
	} else {
		for _, line := range d.Form.lines(d.text(KeyEcho) != "false") {
			w.text(line)
		}
	}
	w.text("\n# Where the stored messages can be read, if not through a new client: `redial explain log`.")
	w.text("# log:\n#   sql: SELECT id, content FROM messages ORDER BY id\n#   file: \"{{data}}/chat.db\"")
	return w.Bytes()
}

func (d *Draft) socket(w *writer) {
	w.text("\nsocket:")
	w.line(d, "  ", "path", KeyPath)
	w.line(d, "  ", "namespace", KeyNamespace)
	if l, ok := d.lines[KeyAuth]; ok {
		w.text("  auth: {" + asJSON(l.value) + ": \"{{offset}}\"}" + l.comment())
	}
	w.text("  send:")
	w.line(d, "    ", "event", KeySend)
	w.text("    args: " + asJSON(d.send.Args) + d.lines[KeySend].comment())
	w.line(d, "    ", "ack", KeyAck)
	w.text("  receive:")
	w.line(d, "    ", "event", KeyEvent)
	w.line(d, "    ", "text", KeyText)
	w.line(d, "    ", "offset", KeyOffset)
	w.line(d, "  ", "echo", KeyEcho)
	if _, ok := d.lines[KeyHistory]; ok {
		w.text("  history:")
		w.line(d, "    ", "event", KeyHistory)
		w.line(d, "    ", "list", KeyList)
	}
}

type writer struct{ bytes.Buffer }

func (w *writer) text(line string) { w.WriteString(line + "\n") }

func (w *writer) line(d *Draft, indent, name, key string) {
	l, ok := d.lines[key]
	if !ok {
		return
	}
	value := asJSON(l.value)
	if key == KeyAck || key == KeyEcho || key == KeyLevel {
		value = l.value
	}
	w.text(indent + name + ": " + value + l.comment())
}

// comment returns the YAML comment with the line's confidence.
func (l drafted) comment() string {
	if l.sure == "" {
		return ""
	}
	return fmt.Sprintf("  # %s: %s", l.sure, oneLine(l.why))
}

// asJSON returns the value as JSON, which is also YAML.
func asJSON(value any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return `""`
	}
	return strings.TrimSpace(b.String())
}
