package lab

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
	"redial/harness/protocol"
)

// recorded returns what a filter makes of events that are written as "client:kind:message".
func recorded(f filter, observed ...string) string {
	var out []string
	for _, one := range observed {
		part := strings.SplitN(one, ":", 3)
		for _, e := range f.record(history.Event{Client: part[0], View: 1, Kind: history.Kind(part[1]), Message: part[2]}, history.Identity(part[2])) {
			out = append(out, strings.Join([]string{e.Client, string(e.Kind), e.Message}, ":"))
		}
	}
	return strings.Join(out, " ")
}

func TestNoEchoLeavesOutTheSendersOwnMessageOnce(t *testing.T) {
	f := &noEcho{own: map[message]int{}}
	got := recorded(f, "alice:sent:hi", "alice:shown:hi", "bob:shown:hi", "alice:shown:other")
	if want := "alice:sent:hi bob:shown:hi alice:shown:other"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := recorded(f, "alice:shown:hi"), "alice:shown:hi alice:shown:hi"; got != want {
		t.Errorf("shown a second time: got %q, want %q", got, want)
	}
}

func TestStreamIsSentByTheServer(t *testing.T) {
	f := newStream()
	got := recorded(f, "stream:shown:1", "bob:connected:", "bob:shown:1", "stream:shown:2", "bob:shown:2", "carol:shown:3", "stream:shown:3")
	want := "stream:sent:1 stream:acknowledged:1 bob:shown:1 bob:connected: stream:sent:2 stream:acknowledged:2 bob:shown:2 stream:sent:3 stream:acknowledged:3 carol:shown:3"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := recorded(f, "bob:disconnected:", "bob:connected:", "bob:disconnected:"), "bob:disconnected: bob:connected: bob:disconnected:"; got != want {
		t.Errorf("a connection on which nothing came: got %s, want %s", got, want)
	}
	object := `{"a":2,"z":1}`
	if got, want := recorded(f, "stream:shown:"+object, `bob:shown:{"z":1,"a":2}`), "stream:sent:"+object+" stream:acknowledged:"+object+" bob:shown:"+object; got != want {
		t.Errorf("one object in two orders: got %s, want %s", got, want)
	}
	f.cut = true
	if got, want := recorded(f, "bob:connected:", "bob:shown:4", ":barrier:"), "bob:connected: :barrier:"; got != want {
		t.Errorf("connected after the cut: got %s, want %s", got, want)
	}
	if got, want := recorded(f, "bob:shown:4", "bob:shown:3"), "bob:shown:3"; got != want {
		t.Errorf("after the cut: got %s, want %s", got, want)
	}
}

// The bubble ends only when the witness has stopped dialing.
func TestTheWitnessIsClosedAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := Config{Protocol: &protocol.Protocol{Receive: protocol.Receive{Event: contract.ChatEvent}}}
		l := newPlayer(context.Background(), config.withBounds(VirtualBound), plan.Plan{}, newHandlerTarget(nil, nil, nil))
		l.env.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		failure := errors.New("something failed in the background")
		l.fail(failure)
		if err := l.play(); !errors.Is(err, failure) {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestTheNameOfTheStreamIsKept(t *testing.T) {
	p := plan.Plan{Clients: []plan.Client{{Name: plan.Stream}}, Script: []plan.Step{{Do: plan.Open, Client: plan.Stream}}}
	if err := p.Validate(); err == nil || !strings.Contains(err.Error(), "reserved for the lab") {
		t.Errorf("got %v", err)
	}
}

func TestAwaitedObjectMayHaveItsKeysInAnotherOrder(t *testing.T) {
	sent, shown := `{"b":1,"a":2}`, `{"a":2,"b":1}`
	r := newRecorder(Config{})
	r.giveUp = func(err error) { t.Error(err) }
	r.record(history.Event{Kind: history.Sent, Client: "alice", Message: sent})
	r.record(history.Event{Kind: history.Shown, Client: "bob", Message: shown})
	if !r.hasShown("bob", sent) || r.hasShown("bob", `{"b":1,"a":3}`) {
		t.Error("the page shows the object, and no other")
	}
	if r.limits.others["bob"] != 0 {
		t.Error("the object counts as a message that no client sent")
	}
	f := &noEcho{own: map[message]int{}}
	if got, want := recorded(f, "alice:sent:"+sent, "alice:shown:"+shown), "alice:sent:"+sent; got != want {
		t.Errorf("without an echo: got %s, want %s", got, want)
	}
}
