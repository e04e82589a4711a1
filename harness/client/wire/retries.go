package wire

import (
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"

	"redial/harness/protocol"
)

// ackTimeout is how long a client with Retries waits for an acknowledgement before it sends the
// message again. The kit's pages have the same.
const ackTimeout = 3 * time.Second

// A queue has the messages that are not acknowledged. As the official client does with
// ackTimeout and retries, it sends only the first one, again after ackTimeout and on every new
// connection, and the next one when that is acknowledged.
type queue struct {
	messages []message
	// attempt is the id of the acknowledgement that is due for the first message. It is
	// valid while timer is not nil.
	attempt uint64
	timer   *time.Timer
}

type message struct{ text, key string }

// arguments are the name and the arguments of the event that carries the message.
func (v *view) arguments(m message) []any {
	send, values := v.wire.proto.Send, v.values()
	values[protocol.Text], values[protocol.Key] = m.text, m.key
	args := []any{send.Event}
	for _, template := range send.Args {
		if m.key == "" && template == "{{"+protocol.Key+"}}" {
			continue // a step of the tutorial that has no keys yet
		}
		args = append(args, protocol.Fill(template, values))
	}
	return args
}

// enqueue sends the message after those before it are acknowledged.
func (v *view) enqueue(m message) {
	v.queue.messages = append(v.queue.messages, m)
	if len(v.queue.messages) == 1 {
		v.sendFirst()
	}
}

// sendFirst sends the first message of the queue, or sends it again.
func (v *view) sendFirst() {
	v.stopWaiting()
	if len(v.queue.messages) == 0 || !v.connected || !v.wire.knowsAwaited() {
		return
	}
	first := v.queue.messages[0]
	id := v.newID()
	v.awaiting[id] = first.text
	v.queue.attempt = id
	v.queue.timer = time.AfterFunc(ackTimeout, func() {
		v.wire.mu.Lock()
		defer v.wire.mu.Unlock()
		if v.queue.timer != nil && v.queue.attempt == id {
			v.sendFirst()
		}
	})
	v.write(&parser.Packet{Type: parser.EVENT, Data: first, Id: &id})
}

// stopWaiting abandons the attempt that is in flight. An acknowledgement of it that comes later is
// ignored, because the message is sent again.
func (v *view) stopWaiting() {
	if v.queue.timer != nil {
		v.queue.timer.Stop()
		v.queue.timer = nil
		delete(v.awaiting, v.queue.attempt)
	}
}

// answered sends the next message if the id is that of the attempt in flight.
func (v *view) answered(id uint64) {
	if v.queue.timer != nil && v.queue.attempt == id {
		v.queue.messages = v.queue.messages[1:]
		v.sendFirst()
	}
}
