package protocol

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The names that a template can use besides those that EnterStep.Save gives.
const (
	// Client is the client's name, Other that of the other client if there are two.
	Client = "client"
	Other  = "other"
	// Text is the message to send, and Key its idempotency key.
	Text = "text"
	Key  = "key"
	// Offset is the offset of the last message that the client has shown; 0 at first.
	Offset = "offset"
)

// Values are what the names in a template stand for.
type Values map[string]any

var name = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// Fill replaces the names in a template, which is what package json decodes: strings,
// numbers, booleans, nil, []any, map[string]any, or a map[string]string. It does not change the template.
func Fill(template any, values Values) any {
	switch t := template.(type) {
	case string:
		filled, _ := fillString(t, values)
		return filled
	case []any:
		list := make([]any, len(t))
		for i, one := range t {
			list[i] = Fill(one, values)
		}
		return list
	case map[string]any:
		fields := make(map[string]any, len(t))
		for field, value := range t {
			s, isString := value.(string)
			filled, known := fillString(s, values)
			if !isString {
				filled, known = Fill(value, values), true
			}
			if known {
				fields[field] = filled
			}
		}
		return fields
	case map[string]string:
		fields := make(map[string]any, len(t))
		for field, value := range t {
			fields[field] = value
		}
		return Fill(fields, values)
	}
	return template
}

// fillString returns also whether all names in the string were known.
func fillString(s string, values Values) (filled any, known bool) {
	if whole := name.FindStringSubmatch(s); whole != nil && whole[0] == s {
		value, known := values[whole[1]]
		return value, known
	}
	known = true
	filled = name.ReplaceAllStringFunc(s, func(found string) string {
		value, ok := values[name.FindStringSubmatch(found)[1]]
		if !ok {
			known = false
			return ""
		}
		return fmt.Sprint(value)
	})
	return filled, known
}

// Mentions tells whether a template uses a name.
func Mentions(template any, wanted string) bool {
	switch t := template.(type) {
	case string:
		return slices.ContainsFunc(name.FindAllStringSubmatch(t, -1), func(found []string) bool { return found[1] == wanted })
	case []any:
		return slices.ContainsFunc(t, func(one any) bool { return Mentions(one, wanted) })
	case map[string]any:
		return Mentions(slices.Collect(maps.Values(t)), wanted)
	case map[string]string:
		return Mentions(strings.Join(slices.Collect(maps.Values(t)), " "), wanted)
	}
	return false
}
