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

// enterBound is how long a step of Protocol.Enter waits for its acknowledgement, and for its
// event. It is as long as the official client waits for a connection, because a server that
// handles events in order answers only after it has stored the earlier messages.
const enterBound = 20 * time.Second

// An enterState is the progress of a connection in Protocol.Enter.
type enterState struct {
	recovered bool
	step      int
	// from is the index in view.received from which an awaited event counts: after the last
	// awaited one and after the step's own emit.
	from    int
	emitted bool
	id      *uint64     // of the acknowledgement that is due
	values  []any       // the arguments of the last acknowledgement or event
	timer   *time.Timer // not nil while an acknowledgement or event is awaited
}

// enter performs the steps of Protocol.Enter until one has to wait.
func (v *view) enter() {
	e, steps := v.entering, v.wire.proto.Enter
	for ; e.step < len(steps); e.step, e.emitted, e.values = e.step+1, false, nil {
		step := steps[e.step]
		if step.Unrecovered && e.recovered {
			continue
		}
		if len(step.Emit) > 0 && !e.emitted {
			v.emitEnterStep(step)
		}
		if e.id != nil {
			v.startEnterTimer(fmt.Sprintf("the acknowledgement of %q", step.Emit[0]))
			return
		}
		if step.Await != "" {
			at := slices.IndexFunc(v.received[e.from:], func(event []any) bool { return len(event) > 0 && event[0] == step.Await })
			if at < 0 {
				v.startEnterTimer(fmt.Sprintf("the event %q", step.Await))
				return
			}
			e.values = v.received[e.from+at][1:]
			e.from += at + 1
		}
		v.stopEnterTimer()
		for name, path := range step.Save {
			if value, found := path.First(e.values); found {
				v.wire.saved[name] = value
			}
		}
	}
	v.stopEntering()
	v.onEntered(e.recovered)
}

func (v *view) emitEnterStep(step protocol.EnterStep) {
	e := v.entering
	e.emitted, e.from = true, len(v.received)
	p := &parser.Packet{Type: parser.EVENT, Data: protocol.Fill(step.Emit, v.values())}
	if step.Ack {
		id := v.newID()
		p.Id, e.id = &id, &id
	}
	v.write(p)
}

// onEnterAcknowledged handles the acknowledgement that a step waits for. It returns false if the
// id is another one.
func (v *view) onEnterAcknowledged(id uint64, args []any) bool {
	e := v.entering
	if e == nil || e.id == nil || *e.id != id {
		return false
	}
	e.id, e.values = nil, args
	v.stopEnterTimer()
	v.enter()
	return true
}

// startEnterTimer closes the connection if the step's acknowledgement or event does not come in
// time. Other packets do not restart the timer.
func (v *view) startEnterTimer(what string) {
	e := v.entering
	if e.timer != nil {
		return
	}
	e.timer = time.AfterFunc(enterBound, func() {
		if engine := v.enterTimedOut(e, what); engine != nil {
			engine.end(transportClose) // without the lock, for which the reader may wait
		}
	})
}

// enterTimedOut runs on the timer's goroutine. It returns the connection to end, unless that is
// already another one.
func (v *view) enterTimedOut(e *enterState, what string) *engine {
	v.wire.mu.Lock()
	defer v.wire.mu.Unlock()
	if v.entering != e || e.timer == nil || v.manager == nil {
		return nil
	}
	v.record(history.Event{Kind: history.Note, Detail: fmt.Sprintf("enter: %s did not come within %s, so the client closed the connection", what, enterBound)})
	v.stopEntering()
	return v.manager.engine
}

func (v *view) stopEnterTimer() {
	if e := v.entering; e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
}

// stopEntering ends Protocol.Enter, complete or not.
func (v *view) stopEntering() {
	if v.entering != nil {
		v.stopEnterTimer()
		v.entering = nil
	}
}

// learn saves the values that Protocol.Learn takes from an event.
func (v *view) learn(args []any) {
	if len(args) == 0 {
		return
	}
	name, _ := args[0].(string)
	if !v.wire.proto.Learns(name) {
		return
	}
	known := v.wire.knowsAwaited()
	maps.Copy(v.wire.saved, v.wire.proto.Learned(name, args[1:], v.values()))
	if !known {
		v.sendUnsent()
	}
}
