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

// Read returns the messages in an event: those in the event of Receive, the complete list in
// the event of History (then whole is true), and none in any other.
func (p *Protocol) Read(event string, args []any) (messages []Message, whole bool) {
	switch h := p.History; {
	case h != nil && event == h.Event:
		items := h.List.Select(args)
		if len(items) == 1 {
			if list, ok := items[0].([]any); ok {
				items = list
			}
		}
		text, offset := cmp.Or(h.Text, p.Receive.Text), cmp.Or(h.Offset, p.Receive.Offset)
		for _, item := range items {
			messages = append(messages, p.messages([]any{item}, text, offset)...)
		}
		return messages, true
	case event == p.Receive.Event:
		return p.messages(args, p.Receive.Text, p.Receive.Offset), false
	}
	return nil, false
}

// messages reads a message for each value at the path text: there are several if the server
// emits messages in batches.
func (p *Protocol) messages(args []any, text, offset Path) (messages []Message) {
	var offsets []any
	if offset != "" {
		offsets = offset.Select(args)
	}
	texts := text.Select(args)
	if len(texts) > 1 && len(offsets) != len(texts) {
		offsets = nil // it is not known whose they are
	}
	for i, value := range texts {
		m := Message{Text: value}
		switch {
		case i >= len(offsets):
		case p.Receive.Opaque:
			m.Cursor = offsets[i]
		default:
			m.Offset, m.Numbered = WholeNumber(offsets[i])
		}
		messages = append(messages, m)
	}
	return messages
}

// Refusal returns the reason in an acknowledgement that refuses a message.
func (s *Send) Refusal(args []any) (reason any, refused bool) {
	if reason = cmp.Or(s.Refused, "$.error").value(args); reason != nil {
		return reason, true
	}
	return "not accepted", s.Accepted != "" && s.Accepted.value(args) == nil
}

// value is the first value at the path, or nil if it is null, false or empty.
func (p Path) value(args []any) any {
	switch value, _ := p.First(args); value {
	case false, "":
		return nil
	default:
		return value
	}
}

// Exact is the number up to which JavaScript, and so a page, counts exactly.
const Exact = 1 << 53

// WholeNumber reads an offset: a JSON number, which is exact up to Exact, or a string of decimal
// digits, which some database drivers return for large integers.
func WholeNumber(value any) (number int64, ok bool) {
	switch n := value.(type) {
	case float64:
		if n == math.Trunc(n) && math.Abs(n) <= Exact {
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
