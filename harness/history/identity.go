package history

import (
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// maxValue is the longest text whose value is read.
const maxValue = 64 << 10

// Identity returns what identifies the message with the text: two texts with one identity are
// one message. It is the text itself, except for a JSON object or array: the order of an
// object's keys, white space between tokens, and the way in which a string is escaped are not
// part of the value, so a server that stores the value may change them.
//
// Numbers keep their digits, since a number over 2^53 that was read as a double is another
// one. An object with a duplicate key, or text that is not valid Unicode, has no unambiguous
// value, so its letters count. So do those of a text over 64 KiB, because the order of the keys
// takes more than linear time to find.
func Identity(text string) string {
	if len(text) > maxValue {
		return text
	}
	object := strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}")
	array := strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]")
	if !object && !array {
		return text
	}
	value := jsontext.Value(text)
	if value.Format(jsontext.ReorderRawObjects(true)) != nil {
		return text
	}
	return string(value)
}

// Same reports whether two texts are one message.
func Same(a, b string) bool { return Is(a)(b) }

// Is returns a function that reports whether a text is the message. It finds the message's
// identity once, if it has to.
func Is(message string) func(text string) bool {
	identity := sync.OnceValue(func() string { return Identity(message) })
	return func(text string) bool {
		return text == message || text != "" && message != "" && text[0] == message[0] && Identity(text) == identity()
	}
}
