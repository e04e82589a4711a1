package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// longestQuote bounds the quotation of a text in a story, in characters.
const longestQuote = 60

// Story describes a valid plan in words: a line for the clients, one for each armed fault, and
// a numbered one for each step. Line breaks in names and texts are escaped. "Up" is from a
// client to the server, "down" the other way.
func Story(p Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", cast(p.Clients))
	for _, f := range p.Faults {
		fmt.Fprintf(&b, "Armed: %s.\n", armed(f))
	}
	for i, s := range p.Script {
		fmt.Fprintf(&b, "%d. %s.\n", i+1, s.words())
	}
	return b.String()
}

// cast describes the clients.
func cast(clients []Client) string {
	if len(clients) == 0 {
		return "Nobody takes part."
	}
	kinds := []struct {
		kind     Kind
		one, all string
	}{{Page, "a page", "pages"}, {Wire, "a wire client", "wire clients"}}
	var parts []string
	for _, k := range kinds {
		var names []string
		for _, c := range clients {
			if c.Kind == k.kind || c.Kind == "" && k.kind == Page {
				names = append(names, name(c.Name)+transports(c.Transports))
			}
		}
		switch len(names) {
		case 0:
		case 1:
			parts = append(parts, names[0]+" is "+k.one)
		default:
			parts = append(parts, list(names)+" are "+k.all)
		}
	}
	return strings.Join(parts, "; ") + "."
}

func transports(names []string) string {
	if len(names) == 0 || slices.Equal(names, []string{"websocket"}) {
		return ""
	}
	return " (" + strings.Join(names, ", then ") + ")"
}

func list(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// words describes the step as a sentence without its full stop.
func (s Step) words() string {
	who := "everyone"
	if s.Client != "" {
		who = name(s.Client)
	}
	if row, ok := s.Do.row(); ok {
		return row.story(s, who)
	}
	return fmt.Sprintf("%s: %s", name(string(s.Do)), who)
}

// part describes the server that a step is about.
func part(node string) string {
	if node == "" {
		return "the server"
	}
	return "server " + name(node)
}

// messages describes the messages of a Send.
func (s Step) messages() string {
	if s.Count <= 1 {
		return quoted(s.Text)
	}
	return fmt.Sprintf("%d messages, %s to %s", s.Count, quoted(s.numbered(1)), quoted(s.numbered(s.Count)))
}

func (s Step) background() string {
	up := "one message after the other"
	if s.Every > 0 {
		up = "a message every " + time.Duration(s.Every).String()
	}
	if s.Count > 0 {
		up += ", " + strconv.Itoa(s.Count) + " at most"
	}
	return up + ", from " + quoted(s.numbered(1)) + " on"
}

// numbered returns the n-th text of a step that sends several.
func (s Step) numbered(n int) string { return s.Text + " " + strconv.Itoa(n) }

// armed describes an armed fault and the frame that it waits for.
func armed(f Fault) string { return f.happens() + " " + f.when() }

// happens describes what the fault does.
func (f Fault) happens() string {
	if row, ok := f.Kind.row(); ok {
		return row.story(f)
	}
	return name(string(f.Kind))
}

// when describes the frame that the fault waits for.
func (f Fault) when() string {
	at := f.At.WithDefaults()
	side := "before"
	if at.After {
		side = "after"
	}
	frame := fmt.Sprintf("%s the %s frame %s", side, ordinal(at.Number), at.Direction) + at.matching()
	switch {
	case at.Client != "" && (at.Client != f.Client || f.Kind == RefreshPage):
		return frame + " of " + at.place(at.Client)
	case at.Connection > 0:
		return fmt.Sprintf("%s of connection %d", frame, at.Connection)
	}
	return frame
}

// ordinal returns 1st, 2nd, 3rd, 4th, … 11th, … 21st.
func ordinal(n int) string {
	ending := "th"
	if tens := n % 100; tens < 11 || tens > 13 {
		switch n % 10 {
		case 1:
			ending = "st"
		case 2:
			ending = "nd"
		case 3:
			ending = "rd"
		}
	}
	return strconv.Itoa(n) + ending
}

// quoted escapes line breaks and shortens a long text.
func quoted(text string) string {
	if runes := []rune(text); len(runes) > longestQuote {
		return fmt.Sprintf("%q (%d characters)", string(runes[:longestQuote])+"…", len(runes))
	}
	plain := !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) })
	if plain && strings.Contains(text, `"`) && strconv.CanBackquote(text) {
		return "`" + text + "`" // JSON without a backslash before each quotation mark
	}
	return strconv.Quote(text)
}

// name returns a name, in quotation marks if it has spaces or other odd characters.
func name(s string) string {
	odd := func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == unicode.ReplacementChar }
	if s == "" || len([]rune(s)) > longestQuote || strings.ContainsFunc(s, odd) {
		return quoted(s)
	}
	return s
}

func possessive(s string) string { return name(s) + "'s" }
