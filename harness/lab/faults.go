package lab

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/network"
	"redial/harness/plan"
)

func (l *player) breakNow(f plan.Fault) error {
	if !f.Kind.OnLink() {
		l.act(f)
		return nil
	}
	if err := l.clients[f.Client].link.Break(f); err != nil {
		// The fault's absence is not an error of the run: package check reports that it did
		// not fire.
		l.record(history.Event{Kind: history.Note, Client: f.Client, Detail: err.Error()})
	}
	return nil
}

func (l *player) arm(f plan.Fault) error {
	on := cmp.Or(f.At.Client, f.Client)
	c := l.clients[on]
	if c == nil {
		return fmt.Errorf("the fault %s waits for a frame, and names no client whose frame that is", f.ID)
	}
	f.At.Match = l.matchOf(f.At)
	c.link.Arm(f)
	return nil
}

// matchOf translates the beginning of a frame to the application's event names, because plans
// use the event names of the tutorial's chat.
func (l *player) matchOf(at plan.Frame) string {
	p := l.config.Protocol
	if p == nil {
		return at.Match
	}
	event := p.Receive.Event
	if at.Direction != plan.Down && p.Send != nil {
		event = p.Send.Event
	}
	return strings.Replace(at.Match, strconv.Quote(contract.ChatEvent), strconv.Quote(event), 1)
}

// fired records that a fault of a link has fired or healed. The network calls it.
func (l *player) fired(f network.Fired) {
	kind := history.FaultFired
	if f.Healed {
		kind = history.FaultHealed
	}
	if c := l.clients[f.Fault.Client]; c != nil && f.Fault.For == 0 && f.Fault.Kind.Blocks() {
		if f.Healed {
			c.unhealed.Add(-1)
		} else {
			c.unhealed.Add(1)
		}
	}
	l.record(history.Event{Kind: kind, Client: f.Fault.Client, Fault: f.Fault.ID, FaultKind: f.Fault.Kind, Detail: f.Where})
}

// act injects a fault of the server or of a page.
func (l *player) act(f plan.Fault) {
	if f.At.After && l.env.quiesce != nil {
		l.env.quiesce(true) // the receiver has to process the frame first
	}
	event := history.Event{Kind: history.FaultFired, Client: f.Client, Fault: f.ID, FaultKind: f.Kind, Node: f.Node}
	switch {
	case f.Kind == plan.RefreshPage:
		l.record(event)
		l.refreshAt(f)
	default:
		if err := l.restart(f, event); err != nil {
			l.fail(err)
		}
	}
}

// refreshAt refreshes a page in the background, and returns when the old view is gone. It must
// not wait for the new view, whose requests pass through the link that is waiting for this
// function.
func (l *player) refreshAt(f plan.Fault) {
	left := make(chan struct{})
	leave := sync.OnceFunc(func() { close(left) })
	l.background.Go(func() {
		defer leave()
		c := l.clients[f.Client]
		var err error
		for before, after := true, true; before || after; { // longer than the bound, while the script keeps the client from the server
			_, before = l.isKeptApart(c)
			if err = l.load(func(ctx context.Context) error { return c.Refresh(ctx, leave) }); err == nil {
				return
			}
			_, after = l.isKeptApart(c)
		}
		l.fail(fmt.Errorf("refreshing %s: %w", f.Client, err))
	})
	select {
	case <-left:
	case <-l.ctx.Done():
	}
}
