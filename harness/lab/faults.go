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

// An injector injects the plan's faults.
type injector struct {
	*setting
	servers *servers
}

func (i *injector) breakNow(f plan.Fault) error {
	if !f.Kind.OnLink() {
		i.act(f)
		return nil
	}
	if err := i.clients[f.Client].link.Break(f); err != nil {
		// The fault's absence is not an error of the run: package check reports that it did
		// not fire.
		i.record(history.Event{Kind: history.Note, Client: f.Client, Detail: err.Error()})
	}
	return nil
}

func (i *injector) arm(f plan.Fault) error {
	on := cmp.Or(f.At.Client, f.Client)
	c := i.clients[on]
	if c == nil {
		return fmt.Errorf("the fault %s waits for a frame, and names no client whose frame that is", f.ID)
	}
	f.At.Match = i.matchOf(f.At)
	c.link.Arm(f)
	return nil
}

// matchOf translates the beginning of a frame to the application's event names, because plans
// use the event names of the tutorial's chat.
func (i *injector) matchOf(at plan.Frame) string {
	p := i.config.Protocol
	if p == nil {
		return at.Match
	}
	event := p.Receive.Event
	if at.Direction != plan.Down && p.Send != nil {
		event = p.Send.Event
	}
	return strings.Replace(at.Match, strconv.Quote(contract.ChatEvent), strconv.Quote(event), 1)
}

// fired records that a fault of a link has fired or healed. A fault that the system did not let
// happen ends the run, which says nothing about the server. The network calls it.
func (i *injector) fired(f network.Fired) {
	if f.Failed != nil {
		i.fail(fmt.Errorf("the fault %s (%s): %w", f.Fault.ID, f.Where, f.Failed))
		return
	}
	kind := history.FaultFired
	if f.Healed {
		kind = history.FaultHealed
	}
	if c := i.clients[f.Fault.Client]; c != nil && f.Fault.For == 0 && f.Fault.Kind.Blocks() {
		if f.Healed {
			c.unhealed.Add(-1)
		} else {
			c.unhealed.Add(1)
		}
	}
	i.record(history.Event{Kind: kind, Client: f.Fault.Client, Fault: f.Fault.ID, FaultKind: f.Fault.Kind, Detail: f.Where})
}

// act injects a fault of the server or of a page.
func (i *injector) act(f plan.Fault) {
	if f.At.After && i.env.quiesce != nil {
		i.env.quiesce(true) // the receiver has to process the frame first
	}
	event := history.Event{Kind: history.FaultFired, Client: f.Client, Fault: f.ID, FaultKind: f.Kind, Node: f.Node}
	if !f.Kind.OnServer() {
		i.record(event)
		i.refreshAt(f)
	} else if err := i.servers.restart(f, event); err != nil {
		i.fail(err)
	}
}

// refreshAt refreshes a page in the background, and returns when the old view is gone. It must
// not wait for the new view, whose requests pass through the link that is waiting for this
// function.
func (i *injector) refreshAt(f plan.Fault) {
	left := make(chan struct{})
	leave := sync.OnceFunc(func() { close(left) })
	if !i.background.Go(func() {
		defer leave()
		c := i.clients[f.Client]
		var err error
		for before, after := true, true; before || after; { // longer than the bound, while the script keeps the client from the server
			_, before = c.isKeptApart()
			if err = c.load(func(ctx context.Context) error { return c.Refresh(ctx, leave) }); err == nil || i.over() {
				return
			}
			_, after = c.isKeptApart()
		}
		i.fail(fmt.Errorf("refreshing %s: %w", f.Client, err))
	}) {
		return
	}
	select {
	case <-left:
	case <-i.ctx.Done():
	}
}
