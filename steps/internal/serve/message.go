package serve

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/zishang520/socket.io/servers/socket/v3"
)

// MaxMessage is the maximum size of a message in bytes. Engine.IO has a separate limit, 1 MB
// for a packet, and closes the connection of a client that exceeds it.
const MaxMessage = 64 << 10

// Value returns the first argument of an event: any JSON value, or bytes. The error explains
// why the argument is missing or invalid.
//
// Bytes arrive as a reader, which can be read only once, while a message is sent many times;
// so Value converts them to []byte, anywhere in the value. An object is a Go map, so its
// keys are sent in alphabetical order.
func Value(args []any) (any, error) {
	if acknowledgement(args) != nil {
		args = args[:len(args)-1]
	}
	if len(args) == 0 {
		return nil, errors.New("a message needs an argument, its content")
	}
	value, size, err := plain(args[0])
	if err != nil {
		return nil, err
	}
	if size > MaxMessage {
		return nil, fmt.Errorf("a message may have %d bytes, and this one has %d", MaxMessage, size)
	}
	return value, nil
}

// Text is Value for an event whose first argument must be a string.
func Text(args []any) (string, error) {
	value, err := Value(args)
	if err != nil {
		return "", err
	}
	text, ok := value.(string)
	if !ok {
		return "", errors.New("a message is text, and this was not a string")
	}
	return text, nil
}

// MaxKey is the maximum length of a key in bytes.
const MaxKey = 256

// TextAndKey returns the text of a message and its idempotency key, which distinguishes a
// retry from another message with the same text. A message that came without a key gets a
// random one: its sender does not resend it.
func TextAndKey(args []any) (text, key string, err error) {
	text, err = Text(args)
	if err != nil || len(args) < 2 {
		return text, rand.Text(), err
	}
	switch key := args[1].(type) {
	case socket.Ack:
		return text, rand.Text(), nil
	case string:
		if 0 < len(key) && len(key) <= MaxKey {
			return text, key, nil
		}
	}
	return "", "", fmt.Errorf("the key of a message has to be a string of 1 to %d bytes", MaxKey)
}

// Answer reports the result of an event to its sender. A sender that requested an
// acknowledgement receives {"error": …} or result; any other sender receives the event
// "refused" for an error, and nothing for success.
func Answer(client *socket.Socket, args []any, result map[string]any, err error) {
	if err != nil {
		result = map[string]any{"error": err.Error()}
	}
	if reply := acknowledgement(args); reply != nil {
		reply([]any{result}, nil)
	} else if err != nil {
		_ = client.Emit("refused", err.Error())
	}
}

// acknowledgement returns the function that the library appends to the arguments of an event
// whose sender requested an acknowledgement; otherwise nil.
func acknowledgement(args []any) socket.Ack {
	if len(args) == 0 {
		return nil
	}
	reply, _ := args[len(args)-1].(socket.Ack)
	return reply
}

// plain returns value with its bytes as []byte, and its approximate size in bytes.
func plain(value any) (any, int, error) {
	switch v := value.(type) {
	case string:
		return v, len(v), nil
	case io.Reader:
		bytes, err := io.ReadAll(v)
		return bytes, len(bytes), err
	case []any:
		total := 0
		for i, item := range v {
			inner, size, err := plain(item)
			if err != nil {
				return nil, 0, err
			}
			v[i], total = inner, total+size+1
		}
		return v, total, nil
	case map[string]any:
		total := 0
		for key, item := range v {
			inner, size, err := plain(item)
			if err != nil {
				return nil, 0, err
			}
			v[key], total = inner, total+len(key)+size+1
		}
		return v, total, nil
	default:
		return v, 8, nil
	}
}
