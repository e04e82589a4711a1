package lab

import (
	"context"
	"sync"
	"sync/atomic"

	"redial/harness/history"
)

// A recorder keeps the history of a run. Every observation goes through record, which filters
// it and enforces the limits.
type recorder struct {
	history *history.Recorder
	// giveUp, if not nil, ends the run when it exceeds one of the limits.
	giveUp context.CancelCauseFunc

	mu     sync.Mutex
	filter filter  // nil means that everything is recorded
	stream *stream // the filter, if the server emits messages by itself
	limits limits
	ended  bool
	// The rest sums up the history for the conditions of an await.
	noEcho bool                       // a page counts as showing what it sent
	shown  map[string]map[string]bool // by client, in its current view, and the message's identity
	sent   map[string]bool            // by the message's identity
	fired  map[string]bool
	left   map[string]int // disconnections, by client

	breaks   atomic.Int64 // faults, server stops and disconnections in all
	showings atomic.Int64 // Shown events in all
}

func newRecorder(config Config) *recorder {
	r := &recorder{
		history: history.NewRecorder(), limits: newLimits(), filter: newFilter(config),
		shown: map[string]map[string]bool{}, sent: map[string]bool{}, fired: map[string]bool{}, left: map[string]int{},
	}
	if r.filter != nil {
		r.limits.known = nil
	}
	r.stream, _ = r.filter.(*stream)
	_, r.noEcho = r.filter.(*noEcho)
	return r
}

// record appends to the history until the run has ended, because disconnections while the lab
// closes everything are no part of the run.
func (r *recorder) record(e history.Event) {
	identity := history.Identity(e.Message) // before the lock, since a long text takes time
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	recorded := []history.Event{e}
	if r.filter != nil {
		recorded = r.filter.record(e, identity)
	}
	for _, one := range recorded {
		r.sumUp(one, identity)
		r.history.Add(one)
	}
	if r.giveUp == nil {
		return
	}
	if err := r.limits.exceeded(e, identity); err != nil {
		r.ended = true
		r.giveUp(err)
	}
}

// sumUp is called with the lock held, and with the identity of the event's message, if it has one.
func (r *recorder) sumUp(e history.Event, identity string) {
	switch e.Kind {
	case history.Opened:
		r.shown[e.Client] = map[string]bool{}
	case history.Shown:
		if r.shown[e.Client] == nil {
			r.shown[e.Client] = map[string]bool{}
		}
		r.shown[e.Client][identity] = true
		r.showings.Add(1)
	case history.Sent:
		r.sent[identity] = true
		if r.noEcho && r.shown[e.Client] != nil {
			r.shown[e.Client][identity] = true
		}
	case history.Disconnected, history.Closed:
		r.left[e.Client]++
		r.breaks.Add(1)
	case history.FaultFired:
		r.fired[e.Fault] = true
		r.breaks.Add(1)
	case history.ServerStopped:
		r.breaks.Add(1)
	}
}

// finish ends the record, and returns the history.
func (r *recorder) finish() []history.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	return r.history.Events(0)
}

// over reports whether finish was called.
func (r *recorder) over() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}

func (r *recorder) hasShown(who, text string) bool {
	identity := history.Identity(text)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shown[who][identity]
}

func (r *recorder) wasSent(text string) bool {
	identity := history.Identity(text)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent[identity]
}

func (r *recorder) countShown(who string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.shown[who])
}

func (r *recorder) disconnections(who string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.left[who]
}

func (r *recorder) hasFired(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fired[id]
}
