package report

import (
	"cmp"
	"encoding/json"
	"strings"

	"redial/harness/history"
)

// Packet names a frame's content in the terms of Engine.IO and Socket.IO: http, open, close,
// ping, pong, upgrade, connect, disconnect, event, ack, error, binary or other.
func Packet(f history.Frame) string {
	text := f.Text
	switch f.Type {
	case "http":
		_, body, found := strings.Cut(text, "\n")
		if !found || body == "" {
			return "http"
		}
		if name := packetName(body); name != "other" {
			return name
		}
		return "http"
	case "close", "ping", "pong":
		return f.Type
	case "binary":
		return "binary"
	}
	return packetName(text)
}

// packetNames has the packets by the digits that they begin with.
var packetNames = map[string]string{
	"0": "open", "1": "close", "2": "ping", "3": "pong", "5": "upgrade", "6": "upgrade", "b": "binary",
	"40": "connect", "41": "disconnect", "42": "event", "45": "event", "43": "ack", "46": "ack", "44": "error",
}

func packetName(text string) string {
	return cmp.Or(packetNames[text[:min(1, len(text))]], packetNames[text[:min(2, len(text))]], "other")
}

// deepest is how many arrays and objects may surround a message that is an array or object: a
// packet is one, and a server may wrap the message in others. Each costs a look at the text.
const deepest = 8

// messagesIn returns the known messages that a frame carries, in the order of its text. A
// message may be a string, or an array or object whose parts then count for no message.
func messagesIn(f history.Frame, known map[string]bool) (found []string) {
	if f.Type == "binary" || f.Type == "bytes" {
		longest := "" // a message may be part of another
		for m := range known {
			if cmp.Or(cmp.Compare(len(m), len(longest)), cmp.Compare(m, longest)) > 0 && strings.Contains(f.Text, m) {
				longest = m
			}
		}
		if longest == "" {
			return nil
		}
		return []string{longest}
	}
	text := f.Text
	if f.Type == "http" {
		_, text, _ = strings.Cut(text, "\n")
	}
	type opening struct{ at, found int }
	var open []opening
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '[', '{':
			open = append(open, opening{i, len(found)})
		case ']', '}':
			if len(open) == 0 {
				continue
			}
			begins := open[len(open)-1]
			open = open[:len(open)-1]
			if value := text[begins.at : i+1]; len(open) < deepest && known[history.Identity(value)] {
				found = append(found[:begins.found], value)
			}
		case '"':
			end := closing(text[i+1:])
			if end < 0 {
				return found
			}
			literal := text[i : i+end+2]
			i += end + 1
			message := literal[1 : len(literal)-1]
			if strings.Contains(message, `\`) && json.Unmarshal([]byte(literal), &message) != nil {
				continue
			}
			if known[message] || known[history.Identity(message)] {
				found = append(found, message)
			}
		}
	}
	return found
}

// closing is the index of the quotation mark that ends a JSON string, or -1.
func closing(text string) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}
