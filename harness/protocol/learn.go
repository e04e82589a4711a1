package protocol

import (
	"cmp"
	"slices"
)

// Learn names values of an event that may arrive at any time, such as a list of users.
type Learn struct {
	// Event may be that of a message.
	Event string `json:"event" jsonschema_description:"The name of the event that has the values"`
	// Templates can use the values of Save from then on, also after a page refresh.
	Save map[string]Path `json:"save" jsonschema_description:"Values to remember from the event: a name and a path for each; a path may contain {{client}} and {{other}} in quotes"`
}

// Learned returns the values in Learn that an event contains.
func (p *Protocol) Learned(event string, args []any, values Values) Values {
	found := Values{}
	for _, l := range p.Learn {
		if l.Event != event {
			continue
		}
		for name, path := range l.Save {
			if value, ok := path.Filled(values).First(args); ok {
				found[name] = value
			}
		}
	}
	return found
}

// Learns tells whether values are learned from the event.
func (p *Protocol) Learns(event string) bool {
	return slices.ContainsFunc(p.Learn, func(l Learn) bool { return l.Event == event })
}

// Awaited returns the names of the learned values that a message contains. A client waits
// with its messages until it knows all of them.
func (p *Protocol) Awaited() (names []string) {
	if p.Send == nil {
		return nil
	}
	for _, l := range p.Learn {
		for name := range l.Save {
			if Mentions(p.Send.Args, name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// Lacking returns the names of Awaited that none of the events gave. An event is its name and then
// its arguments.
func (p *Protocol) Lacking(events [][]any, values Values) []string {
	return slices.DeleteFunc(p.Awaited(), func(name string) bool {
		return slices.ContainsFunc(events, func(e []any) bool {
			event, _ := e[0].(string)
			_, found := p.Learned(event, e[1:], values)[name]
			return found
		})
	})
}

// sendsLearnedOfOther tells whether a message contains a value that was learned about the
// other user.
func (p *Protocol) sendsLearnedOfOther() bool {
	for _, l := range p.Learn {
		for name, path := range l.Save {
			if Mentions(string(path), Other) && Mentions(p.Send.Args, name) {
				return true
			}
		}
	}
	return false
}

// Filled replaces the names in a path, such as {{other}} in $[?@.name == "{{other}}"].id.
func (p Path) Filled(values Values) Path {
	filled, _ := fillString(string(p), values)
	text, _ := filled.(string)
	return cmp.Or(Path(text), p)
}
