package lab

import (
	"errors"
	"testing"

	"redial/harness/network"
	"redial/harness/plan"
	"redial/harness/protocol"
)

type armedLink struct {
	network.Link
	fault plan.Fault
}

func (a *armedLink) Arm(f plan.Fault) { a.fault = f }

// A fault that fires while the run is closed starts nothing, and does not wait for it.
func TestFaultWhileTheRunIsClosedStartsNothing(t *testing.T) {
	i := &injector{setting: &setting{ctx: t.Context()}}
	i.background.Wait()
	i.refreshAt(plan.Fault{Kind: plan.RefreshPage, Client: "bob"})
}

func TestFaultThatTheSystemDidNotLetHappenEndsTheRun(t *testing.T) {
	i := &injector{setting: &setting{recorder: newRecorder(Config{}), ctx: t.Context(), failed: make(chan error, 1)}}
	noWay := errors.New("no way")
	i.fired(network.Fired{Fault: plan.Fault{ID: "f1", Kind: plan.Switch}, Failed: noWay})
	if err := i.alive(); !errors.Is(err, noWay) || i.hasFired("f1") {
		t.Errorf("the error is %v", err)
	}
}

// A plan names the events of the tutorial's chat. Unless they are translated, its faults never
// fire in another application.
func TestFaultsWaitForTheEventsOfTheApplication(t *testing.T) {
	const tutorial = `42["chat message"`
	speaks := &protocol.Protocol{Send: &protocol.Send{Event: "send"}, Receive: protocol.Receive{Event: "new message"}}
	for _, c := range []struct {
		protocol  *protocol.Protocol
		direction plan.Direction
		match     string
		want      string
	}{
		{nil, plan.Down, tutorial, tutorial},
		{speaks, plan.Down, tutorial, `42["new message"`},
		{speaks, plan.Up, tutorial, `42["send"`},
		{speaks, "", tutorial, `42["send"`},
		{&protocol.Protocol{Receive: speaks.Receive}, plan.Up, tutorial, `42["new message"`},
		{speaks, plan.Down, "43", "43"},
	} {
		link := &armedLink{}
		i := &injector{setting: &setting{config: Config{Protocol: c.protocol}, clients: map[string]*participant{"bob": {link: link}}}}
		fault := plan.Fault{Kind: plan.Cut, Client: "bob", At: plan.Frame{Direction: c.direction, Match: c.match}}
		if err := i.arm(fault); err != nil || link.fault.At.Match != c.want {
			t.Errorf("%q %s of %+v: waits for %q, want %q; error %v", c.match, c.direction, c.protocol, link.fault.At.Match, c.want, err)
		}
	}
}
