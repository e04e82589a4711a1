package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"redial/harness/plan"
)

// A lineReader reads events and fills in the fields that a person may leave out.
type lineReader struct {
	now   plan.Duration
	views map[string]int // the latest page load of each client
}

// A line is an Event whose time is optional.
type line struct {
	Event
	At *plan.Duration `json:"at"`
}

func (r *lineReader) read(text []byte) (Event, error) {
	var l line
	if err := decodeLine(text, &l); err != nil {
		return Event{}, fieldError(text, err)
	}
	e := l.Event
	if !slices.Contains(Kinds, e.Kind) {
		return Event{}, fmt.Errorf(`field "kind": there is no kind %q; the kinds are %s`, e.Kind, join(Kinds))
	}
	ofPage, aboutMessage := e.Kind.ofPage(), e.Kind.aboutMessage()
	if ofPage && e.Client == "" {
		return Event{}, fmt.Errorf(`field "client" is missing: %q needs the name of a client`, e.Kind)
	}
	// The lab writes the time into every event and leaves out an empty text. An event without
	// a time was written by a person, who probably forgot the text.
	if l.At == nil && aboutMessage && e.Message == "" {
		return Event{}, fmt.Errorf(`field "message" is missing: %q needs the text of a message`, e.Kind)
	}
	if l.At != nil {
		r.now = *l.At
	}
	e.At = r.now
	if ofPage {
		r.fillView(&e)
	}
	return e, nil
}

func (r *lineReader) fillView(e *Event) {
	latest := r.views[e.Client]
	if e.View == 0 {
		e.View = max(latest, 1)
		if e.Kind == Opened {
			e.View = latest + 1
		}
	}
	if e.View > latest {
		r.views[e.Client] = e.View
	}
}

// ofPage reports whether events of this kind belong to one page load of one client.
func (k Kind) ofPage() bool {
	switch k {
	case Opened, Closed, Connected, Disconnected, Suspended, Resumed, Sent, Acknowledged, Refused, Shown, Removed, Repeated:
		return true
	}
	return false
}

func (k Kind) aboutMessage() bool {
	switch k {
	case Sent, Acknowledged, Refused, Shown, Removed, Repeated, Found, Stored:
		return true
	}
	return false
}

// decodeLine reads one JSON object into l and refuses fields that an Event does not have:
// a misspelt field would otherwise change the verdict silently.
func decodeLine(text []byte, l *line) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(l); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one JSON value on the line")
	}
	return nil
}

// fieldError names the field of a line that cannot be read. The error of encoding/json does
// not name a field whose type has an unmarshalling method, such as a duration.
func fieldError(text []byte, err error) error {
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		return err // not an object
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		one, _ := json.Marshal(map[string]json.RawMessage{name: fields[name]}) // as it was read
		failed := decodeLine(one, new(line))
		if failed == nil {
			continue
		}
		// Where the name is a field's, a field inside of that one is unknown.
		if strings.Contains(failed.Error(), "unknown field") && !slices.Contains(fieldNames, name) {
			return fmt.Errorf("there is no field %q; the fields are %s", name, join(fieldNames))
		}
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](failed); ok {
			failed = fmt.Errorf("it takes %s, not a JSON %s", takes(wrong.Type), wrong.Value)
		}
		return fmt.Errorf("field %q: %w", name, failed)
	}
	return err
}

// takes describes the valid values of a type to a person.
func takes(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[plan.Duration]() {
		return `a duration, such as "1.5s"`
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	}
	return "a " + t.String()
}

// fieldNames are the names that the fields of an Event have in JSON.
var fieldNames = func() (names []string) {
	for field := range reflect.TypeFor[Event]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}()

func join[T ~string](names []T) string {
	var texts []string
	for _, name := range names {
		texts = append(texts, string(name))
	}
	return strings.Join(texts, ", ")
}
