package doctor

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"redial/harness/protocol"
)

// A place is the position of a value in an event: the argument, then fields and indices.
type place struct {
	argument int
	steps    []any // a string for a field, an int for an index
}

var plainName = regexp.MustCompile(`^[A-Za-z_]\w*$`)

// path returns the place in the syntax of protocol.Path.
func (p place) path() string {
	b := "$"
	if p.argument > 0 {
		b += strconv.Itoa(p.argument + 1)
	}
	return b + pathOf(p.steps)
}

func pathOf(steps []any) (path string) {
	for _, step := range steps {
		switch s := step.(type) {
		case int:
			path += fmt.Sprintf("[%d]", s)
		case string:
			if plainName.MatchString(s) {
				path += "." + s
			} else {
				path += "[" + strconv.Quote(s) + "]"
			}
		}
	}
	return path
}

// split splits the place of a value in a list into the path of the list and the path within
// an item.
func (p place) split() (list, item string, ok bool) {
	for i := len(p.steps) - 1; i >= 0; i-- {
		if _, position := p.steps[i].(int); position {
			return place{p.argument, p.steps[:i]}.path(), "$" + pathOf(p.steps[i+1:]), true
		}
	}
	return "", "", false
}

// locate finds a text in an event's arguments: first the values that equal the text, then
// those that contain it.
func locate(args []any, text string) (places []place) {
	var within []place
	for i, arg := range args {
		walk(arg, place{argument: i}, func(p place, value any) {
			if s, ok := value.(string); ok && strings.TrimSpace(s) == text {
				places = append(places, p)
			} else if ok && strings.Contains(s, text) {
				within = append(within, p)
			}
		})
	}
	return append(places, within...)
}

// mostDepth limits the search in a deeply nested event.
const mostDepth = 8

// walk calls do with every value; fields are visited in the order of their names, so that
// the result is always the same.
func walk(value any, at place, do func(place, any)) {
	if len(at.steps) > mostDepth {
		return
	}
	do(at, value)
	deeper := func(step any) place { return place{at.argument, append(slices.Clone(at.steps), step)} }
	switch v := value.(type) {
	case map[string]any:
		for _, field := range slices.Sorted(maps.Keys(v)) {
			walk(v[field], deeper(field), do)
		}
	case []any:
		for i, one := range v {
			walk(one, deeper(i), do)
		}
	}
}

// clock matches names of fields that hold a time. A number from firstTime on is more likely
// a time than an offset: milliseconds since 2001.
var clock = regexp.MustCompile(`(?i)^(t|ts|time|timestamp|date|at|.*_at|.*At)$`)

const firstTime = 1e12

// beside lists the paths of the whole numbers near a place, the most likely offset first:
// those in the same object, or else those in the other arguments.
func beside(args []any, at place) (paths []string) {
	var named, others []string
	consider := func(p place, name string, value any) {
		n, whole := protocol.WholeNumber(value)
		_, quoted := value.(string)
		switch isID := idName.MatchString(name); {
		case !whole, n < 0, n > firstTime, clock.MatchString(name), quoted && !isID:
		case isID:
			named = append(named, p.path())
		default:
			others = append(others, p.path())
		}
	}
	if len(at.steps) > 0 {
		above := at.steps[:len(at.steps)-1]
		walk(args[at.argument], place{argument: at.argument}, func(p place, value any) {
			if len(p.steps) == len(at.steps) && slices.Equal(p.steps[:len(above)], above) {
				name, _ := p.steps[len(above)].(string)
				consider(p, name, value)
			}
		})
	}
	for i, arg := range args {
		if i != at.argument {
			consider(place{argument: i}, "", arg)
		}
	}
	return append(named, others...)
}

var idName = regexp.MustCompile(`(?i)^(_?id|.*offset|seq|sequence|index|no|number|.*Id)$`)
