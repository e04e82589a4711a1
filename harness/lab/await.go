package lab

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"redial/harness/history"
	"redial/harness/plan"
	"redial/harness/target"
)

// A watcher keeps the state that the conditions of an await depend on. It reads each event of
// the history once, so that an await costs no more in a long run.
type watcher struct {
	history *history.Recorder
	// noEcho means that the server sends no client its own messages, so a page counts as
	// showing those that it sent.
	noEcho bool

	mu    sync.Mutex
	next  int
	shown map[string]map[string]bool // by client, in its current view, and the message's identity
	fired map[string]bool
	left  map[string]int // disconnections, by client
	broke int            // faults, server stops and disconnections in all
	shows int            // Shown events in all
}

func (w *watcher) catchUp() {
	if w.shown == nil {
		w.shown, w.fired, w.left = map[string]map[string]bool{}, map[string]bool{}, map[string]int{}
	}
	events := w.history.Events(w.next)
	for _, e := range events {
		switch e.Kind {
		case history.Opened:
			w.shown[e.Client] = map[string]bool{}
		case history.Shown:
			if w.shown[e.Client] == nil {
				w.shown[e.Client] = map[string]bool{}
			}
			w.shown[e.Client][history.Identity(e.Message)] = true
			w.shows++
		case history.Sent:
			if w.noEcho && w.shown[e.Client] != nil {
				w.shown[e.Client][history.Identity(e.Message)] = true
			}
		case history.Disconnected, history.Closed:
			w.left[e.Client]++
			w.broke++
		case history.FaultFired:
			w.fired[e.Fault] = true
			w.broke++
		case history.ServerStopped:
			w.broke++
		}
	}
	w.next += len(events)
}

func (w *watcher) hasShown(who, text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.catchUp()
	return w.shown[who][history.Identity(text)]
}

func (w *watcher) countShown(who string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.catchUp()
	return len(w.shown[who])
}

func (w *watcher) disconnections(who string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.catchUp()
	return w.left[who]
}

func (w *watcher) breaks() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.catchUp()
	return w.broke
}

func (w *watcher) showings() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.catchUp()
	return w.shows
}

func (w *watcher) hasFired(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.catchUp()
	return w.fired[id]
}

// await waits until met returns true. It calls met after each recorded event, once everything
// else that happens at the same instant is over; otherwise the result would depend on the
// scheduler. It returns false when the bound has passed, and an error when the run cannot
// continue. If a fault's restart of a server takes longer than the bound, the bound begins
// again with its end: before that, no client can connect.
func (l *player) await(bound time.Duration, met func() bool) (bool, error) {
	timer := time.NewTimer(bound)
	defer timer.Stop()
	for late := false; ; {
		changed := l.history.Changed()
		l.quiesce()
		if late && l.starting.Load() == 0 {
			late = false
			timer.Reset(bound)
		}
		if met() {
			return true, nil
		}
		select {
		case <-changed:
		case err := <-l.failed:
			return false, err
		case <-l.target.Exited():
			return false, fmt.Errorf("the server ended by itself; it printed last: %s", target.LastLine(l.target.Output()))
		case <-timer.C:
			if late = l.starting.Load() > 0; late {
				continue
			}
			l.quiesce()
			return met(), nil
		case <-l.ctx.Done():
			return false, l.ctx.Err()
		}
	}
}

// awaitProgress is await with a bound that starts again while pages show further messages: a
// slow page has lost nothing, and notices the end of its connection only after it has
// processed the messages before. The number of restarts is bounded, because a server may emit
// without end.
func (l *player) awaitProgress(bound time.Duration, met func() bool) (ok bool, err error) {
	const times = 6
	for range times {
		before := l.state.showings()
		if ok, err = l.await(bound, met); ok || err != nil || l.state.showings() == before {
			break
		}
	}
	return ok, err
}

// awaitStep performs the steps that wait for an event.
func (l *player) awaitStep(s plan.Step) error {
	var what, text string
	var met func() bool
	bound := l.config.Bound
	switch s.Do {
	case plan.AwaitConnected:
		what = "connected: " + cmp.Or(s.Client, "everyone")
		met = func() bool { return l.each(s.Client, func(c *participant) bool { return c.Status().Connected }) }
	case plan.AwaitDisconnected:
		what = "disconnected: " + cmp.Or(s.Client, "everyone")
		met = func() bool { return l.each(s.Client, func(c *participant) bool { return l.hasLeft(c) }) }
	case plan.AwaitShown:
		bound = l.config.ShownBound
		if l.streamOf() != nil {
			text = l.latest(false)
			what = fmt.Sprintf("%s shows %q", s.Client, text)
			met = func() bool { return l.state.hasShown(s.Client, text) }
		} else if s.Text != "" {
			text = l.text(s.Text)
			what = fmt.Sprintf("%s shows %q", s.Client, text)
			met = func() bool { return l.state.hasShown(s.Client, text) }
		} else {
			what = fmt.Sprintf("%s shows %d messages", s.Client, s.Count)
			met = func() bool { return l.state.countShown(s.Client) >= s.Count }
		}
	case plan.AwaitFault:
		what = "the fault " + s.Text + " fires"
		met = func() bool { return l.state.hasFired(s.Text) }
	default:
		return fmt.Errorf("unknown action")
	}
	ok, err := l.awaitProgress(bound, met)
	if err == nil && !ok {
		// The run continues, because package check judges what is missing.
		l.record(history.Event{Kind: history.TimedOut, Client: s.Client, Message: text, Detail: what})
	}
	return err
}

// hasLeft reports whether the client has lost its connection since the last step that broke
// something. It may be connected again.
func (l *player) hasLeft(c *participant) bool {
	return l.state.disconnections(c.name) > c.leftBefore || !c.wasConnected && !c.Status().Connected
}

// each reports whether holds is true of the client, or of every client with an open page if
// no client is named.
func (l *player) each(name string, holds func(*participant) bool) bool {
	if name != "" {
		return holds(l.clients[name])
	}
	for _, c := range l.clients {
		if c.opened && !holds(c) {
			return false
		}
	}
	return true
}
