package protocol

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"

	"github.com/theory/jsonpath"
)

// A Path leads to a value in an event. It is a JSONPath whose $ is the event's first argument,
// $2 its second, and so on, for instance $.message.text or $2.
type Path string

// UnmarshalYAML reads a path and refuses a wrong one, so that the error has its line.
func (p *Path) UnmarshalYAML(read func(any) error) error {
	var text string
	if err := read(&text); err != nil {
		return err
	}
	*p = Path(text)
	_, _, err := p.parse()
	return err
}

var argument = regexp.MustCompile(`^\$(\d*)`)

// parse returns which argument the path begins at, from 0, and the rest as a JSONPath; nil
// where the argument itself is meant.
func (p Path) parse() (at int, rest *jsonpath.Path, err error) {
	if p == "" {
		return 0, nil, nil
	}
	begin := argument.FindStringSubmatch(string(p))
	if begin == nil {
		return 0, nil, fmt.Errorf("the path %q does not begin with $, the event's first argument, or $2, its second", p)
	}
	if begin[1] != "" {
		if at, err = strconv.Atoi(begin[1]); err != nil || at < 1 || at > 99 {
			return 0, nil, fmt.Errorf("the path %q: arguments are counted from $1 on", p)
		}
		at--
	}
	if begin[0] == string(p) {
		return at, nil, nil
	}
	rest, err = jsonpath.Parse("$" + string(p)[len(begin[0]):])
	if err != nil {
		return 0, nil, fmt.Errorf("the path %q: %w", p, err)
	}
	return at, rest, nil
}

// Select returns the values at the path in an event's arguments. An empty path is $.
func (p Path) Select(args []any) []any {
	at, rest, err := p.parse()
	if err != nil || at >= len(args) {
		return nil
	}
	if rest == nil {
		return []any{args[at]}
	}
	return rest.Select(args[at])
}

// First returns the first value at the path.
func (p Path) First(args []any) (value any, found bool) {
	values := p.Select(args)
	if len(values) == 0 {
		return nil, false
	}
	return values[0], true
}

// A Message is a message read from an event of the server.
type Message struct {
	// Text is the value at Receive.Text, which need not be a string.
	Text any
	// Offset is the value at Receive.Offset. It is valid if Numbered is true.
	Offset   int64
	Numbered bool
	// Cursor is that value if the protocol declares it opaque; see [Cursors].
	Cursor any
}

// Read returns the messages in an event: one in the event of Receive, the complete list in the
// event of History (then whole is true), and none in any other.
func (p *Protocol) Read(event string, args []any) (messages []Message, whole bool) {
	if p.History != nil && event == p.History.Event {
		items := p.History.List.Select(args)
		if len(items) == 1 {
			if list, ok := items[0].([]any); ok {
				items = list
			}
		}
		for _, item := range items {
			if m, ok := p.message([]any{item}); ok {
				messages = append(messages, m)
			}
		}
		return messages, true
	}
	if event != p.Receive.Event {
		return nil, false
	}
	if m, ok := p.message(args); ok {
		messages = append(messages, m)
	}
	return messages, false
}

func (p *Protocol) message(args []any) (m Message, ok bool) {
	if m.Text, ok = p.Receive.Text.First(args); !ok || p.Receive.Offset == "" {
		return m, ok
	}
	value, _ := p.Receive.Offset.First(args)
	if p.Receive.Opaque {
		m.Cursor = value
	} else {
		m.Offset, m.Numbered = WholeNumber(value)
	}
	return m, true
}

// Refusal returns the reason in an acknowledgement that refuses a message.
func (s *Send) Refusal(args []any) (reason any, refused bool) {
	reason, refused = cmp.Or(s.Refused, "$.error").First(args)
	return reason, refused && reason != nil && reason != false && reason != ""
}

// WholeNumber reads an offset: a JSON number, which is exact up to 2^53, or a string of decimal
// digits, which some database drivers return for large integers.
func WholeNumber(value any) (number int64, ok bool) {
	switch n := value.(type) {
	case float64:
		if n == math.Trunc(n) && math.Abs(n) <= 1<<53 {
			return int64(n), true
		}
	case int64:
		return n, true
	case int:
		return int64(n), true
	case string:
		number, err := strconv.ParseInt(n, 10, 64)
		return number, err == nil
	}
	return 0, false
}

// TextOf returns a string unchanged, and any other value as JSON.
func TextOf(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(data)
}
