package wire

import (
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"

	"redial/harness/protocol"
)

// ackTimeout is how long a Wire with Retries waits for an acknowledgement before it
// sends the message again: what the kit's pages give the official client.
const ackTimeout = 3 * time.Second

// A wireQueue is what was said and is not acknowledged, the first first. It is sent as
// the official client does with ackTimeout and retries: the first message only, again
// after ackTimeout and on every new connection, and then the next.
type queue struct {
	messages []message
	// try is the id of the acknowledgement that is due for the first; meant while timer
	// is not nil.
	try   uint64
	timer *time.Timer
}

type message struct{ text, key string }

// arguments are the message as the protocol has it: the event's name and its arguments.
func (v *view) arguments(m message) []any {
	send, values := v.wire.speaks.Send, v.values()
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

// enqueue sends the message when it is its turn.
func (v *view) enqueue(m message) {
	v.queue.messages = append(v.queue.messages, m)
	if len(v.queue.messages) == 1 {
		v.sendFirst()
	}
}

// sendFirst sends the first of the queue, for the first time or again.
func (v *view) sendFirst() {
	v.stopWaiting()
	if len(v.queue.messages) == 0 || !v.connected || !v.wire.knows() {
		return
	}
	first := v.queue.messages[0]
	id := v.nextID
	v.nextID++
	v.awaiting[id] = first.text
	v.queue.try = id
	v.queue.timer = time.AfterFunc(ackTimeout, func() {
		v.wire.mu.Lock()
		defer v.wire.mu.Unlock()
		if v.queue.timer != nil && v.queue.try == id {
			v.sendFirst()
		}
	})
	v.write(&parser.Packet{Type: parser.EVENT, Data: first, Id: &id})
}

// stopWaiting gives up the try that is under way, if there is one. An answer to it that
// comes later says nothing: the message is being sent again.
func (v *view) stopWaiting() {
	if v.queue.timer != nil {
		v.queue.timer.Stop()
		v.queue.timer = nil
		delete(v.awaiting, v.queue.try)
	}
}

// answered goes on to the next message, if the acknowledgement is the first's.
func (v *view) answered(id uint64) {
	if v.queue.timer != nil && v.queue.try == id {
		v.queue.messages = v.queue.messages[1:]
		v.sendFirst()
	}
}
