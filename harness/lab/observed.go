package lab

import (
	"fmt"
	"maps"
	"slices"

	"redial/harness/client"
	"redial/harness/client/wire"
	"redial/harness/history"
	"redial/harness/plan"
)

// A filter turns what clients observe into the history of an application that differs from
// a chat with an echo. Its methods are called with the recorder's lock held.
type filter interface {
	// record returns the events to record for one that was observed, whose message has the
	// identity. No other message is in them.
	record(e history.Event, identity string) []history.Event
}

// newFilter returns nil if everything is recorded as it was observed.
func newFilter(config Config) filter {
	p := config.Protocol
	switch {
	case p != nil && p.Send == nil:
		return newStream()
	case p != nil && p.NoEcho || config.NoEcho:
		return &noEcho{own: map[message]int{}}
	}
	return nil
}

// A noEcho leaves out each message that a page shows because the message was sent there. If
// the page shows it a second time, a user sees it twice, so it is recorded twice.
type noEcho struct{ own map[message]int }

type message struct {
	client string
	view   int
	text   string
}

func (f *noEcho) record(e history.Event, identity string) []history.Event {
	m := message{e.Client, e.View, identity}
	switch times, sent := f.own[m]; {
	case e.Kind == history.Sent:
		f.own[m] = 0
	case e.Kind == history.Shown && sent:
		f.own[m]++
		switch times {
		case 0:
			return nil
		case 1:
			return []history.Event{e, e}
		}
	}
	return []history.Event{e}
}

// A stream is for a server that emits messages by itself, while clients send none. Only the
// clients can observe what the server emitted: when any of them shows a message for the first
// time, the message is recorded as sent by the stream. One client, the witness, is connected
// without a link for the whole run.
//
// A page is entitled to the messages from the first one that it shows on a connection, because
// no client can know which message the server emitted just before the connect. So the page's
// Connected event is held back until then.
//
// The barrier of a run is a cut in the stream: messages that are seen for the first time after
// it are not recorded.
type stream struct {
	known  map[string]bool
	latest string
	count  int
	cut    bool
	held   map[string][]history.Event // by client
}

func newStream() *stream {
	return &stream{known: map[string]bool{}, held: map[string][]history.Event{}}
}

func (f *stream) record(e history.Event, identity string) (events []history.Event) {
	// A page shows the fields of an object in the order in which they arrived; the witness,
	// which has no page, does not have that order.
	e.Message = identity
	switch e.Kind {
	case history.Connected:
		f.held[e.Client] = append(f.held[e.Client], e)
		return nil
	case history.Shown:
		if !f.known[e.Message] {
			if f.cut {
				return nil
			}
			f.known[e.Message] = true
			f.latest = e.Message
			f.count++
			// A message that the server has emitted needs no acknowledgement: the server
			// certainly has it.
			events = append(events,
				history.Event{Kind: history.Sent, Client: plan.Stream, View: 1, Message: e.Message},
				history.Event{Kind: history.Acknowledged, Client: plan.Stream, View: 1, Message: e.Message})
		}
		if e.Client == plan.Stream {
			return events
		}
	case history.Disconnected, history.Closed:
	case history.Barrier, history.Ended:
		// Messages from after the cut are not recorded, so a client that has connected since
		// shows no message that would release its Connected event.
		for _, client := range slices.Sorted(maps.Keys(f.held)) {
			events = append(events, f.held[client]...)
		}
		clear(f.held)
		return append(events, e)
	default:
		return []history.Event{e}
	}
	events = append(events, e)
	if held := f.held[e.Client]; len(held) > 0 {
		// A replayed message arrives before the connect event that completes the recovery; any
		// other event comes after it.
		if e.Kind == history.Shown {
			events = append(events, held...)
		} else {
			events = append(events[:len(events)-1:len(events)-1], append(held, e)...)
		}
		delete(f.held, e.Client)
	}
	return events
}

// isInStory reports whether a message of the log belongs to the run. A message that the
// server's stream emitted after the cut does not.
func (r *recorder) isInStory(text string) bool {
	identity := history.Identity(text)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stream == nil || r.stream.known[identity]
}

// latest returns the newest message of the stream. With cut, no newer message is recorded from
// then on.
func (r *recorder) latest(cut bool) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stream.cut = cut
	return r.stream.latest
}

// watchStream connects the witness. The caller closes it, also after an error, unless it is nil.
func (a *awaits) watchStream() (*wire.Client, error) {
	witness := wire.New(client.Options{
		Name: plan.Stream, URL: "http://" + a.target.Address(), Dial: a.env.dial, Seed: a.plan.Seed, Protocol: a.config.Protocol,
		Record: func(e history.Event) {
			if e.Kind == history.Shown {
				a.record(e)
			}
		},
	})
	if err := witness.Open(a.ctx); err != nil {
		return nil, err
	}
	_, err := a.awaitStream(1)
	return witness, err
}

func (a *awaits) awaitStream(more int) (ok bool, err error) {
	emitted := func() int {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.stream.count
	}
	before := emitted()
	ok, err = a.await(a.config.ShownBound, func() bool { return emitted() >= before+more })
	if err == nil && !ok {
		a.record(history.Event{Kind: history.TimedOut, Detail: fmt.Sprintf("the server emits %d more messages", more)})
	}
	return ok, err
}
