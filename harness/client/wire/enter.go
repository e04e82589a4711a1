package wire

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"

	"redial/harness/history"
	"redial/harness/protocol"
)

// enterBound is how long a step of Protocol.Enter waits for its acknowledgement and its
// event, each: as long as the official client waits for a connection. A server that handles
// events one after the other answers only when it has stored what was sent before.
const enterBound = 20 * time.Second

// An entry is how far a connection is with Protocol.Enter.
type entry struct {
	recovered bool
	step      int
	// from is the place in view.received from which on an awaited event may be: after
	// the last one that was awaited, and after the step's own emit.
	from    int
	emitted bool
	id      *uint64     // of the acknowledgement that is due
	values  []any       // what came last: an acknowledgement's or an event's arguments
	timer   *time.Timer // not nil while something is awaited
}

// enter goes on with Protocol.Enter as far as what has come allows.
func (v *view) enter() {
	e, steps := v.entering, v.wire.speaks.Enter
	for ; e.step < len(steps); e.step, e.emitted, e.values = e.step+1, false, nil {
		step := steps[e.step]
		if len(step.Emit) > 0 && !e.emitted {
			v.emitToEnter(step)
		}
		if e.id != nil {
			v.awaitToEnter(fmt.Sprintf("the acknowledgement of %q", step.Emit[0]))
			return
		}
		if step.Await != "" {
			at := slices.IndexFunc(v.received[e.from:], func(event []any) bool { return len(event) > 0 && event[0] == step.Await })
			if at < 0 {
				v.awaitToEnter(fmt.Sprintf("the event %q", step.Await))
				return
			}
			e.values = v.received[e.from+at][1:]
			e.from += at + 1
		}
		v.came()
		for name, path := range step.Save {
			if value, found := path.First(e.values); found {
				v.wire.saved[name] = value
			}
		}
	}
	v.stopEntering()
	v.onEntered(e.recovered)
}

func (v *view) emitToEnter(step protocol.EnterStep) {
	e := v.entering
	e.emitted, e.from = true, len(v.received)
	p := &parser.Packet{Type: parser.EVENT, Data: protocol.Fill(step.Emit, v.values())}
	if step.Ack {
		id := v.nextID
		v.nextID++
		p.Id, e.id = &id, &id
	}
	v.write(p)
}

// onEnterAcknowledged takes the acknowledgement that Enter waits for.
func (v *view) onEnterAcknowledged(id uint64, args []any) bool {
	e := v.entering
	if e == nil || e.id == nil || *e.id != id {
		return false
	}
	e.id, e.values = nil, args
	v.came()
	v.enter()
	return true
}

// awaitToEnter gives up the connection when what is awaited does not come. Something
// else may come meanwhile: the time goes on.
func (v *view) awaitToEnter(what string) {
	e := v.entering
	if e.timer != nil {
		return
	}
	e.timer = time.AfterFunc(enterBound, func() {
		if engine := v.failToEnter(e, what); engine != nil {
			engine.end(transportClose) // without the lock, which the reader may wait for
		}
	})
}

// failToEnter runs on the timer's goroutine. It returns the connection to end, if it is
// still the one that the entry was about.
func (v *view) failToEnter(e *entry, what string) *engine {
	v.wire.mu.Lock()
	defer v.wire.mu.Unlock()
	if v.entering != e || e.timer == nil || v.link == nil {
		return nil
	}
	v.record(history.Event{Kind: history.Note, Detail: fmt.Sprintf("enter: %s did not come within %s, so the client closed the connection", what, enterBound)})
	v.stopEntering()
	return v.link.engine
}

// came stops the time: what was awaited is there.
func (v *view) came() {
	if e := v.entering; e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
}

// stopEntering ends Enter, done or not.
func (v *view) stopEntering() {
	if v.entering != nil {
		v.came()
		v.entering = nil
	}
}

// learn takes what the protocol's Learn finds in an event.
func (v *view) learn(args []any) {
	if len(args) == 0 {
		return
	}
	name, _ := args[0].(string)
	if !v.wire.speaks.Learns(name) {
		return
	}
	known := v.wire.knows()
	maps.Copy(v.wire.saved, v.wire.speaks.Learned(name, args[1:], v.values()))
	if !known {
		v.sendUnsent()
	}
}
