package scenarios

import (
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
)

// Two pages show what two have said at once in opposite orders. That is a fault of a step
// that has promised one order, and none of one that has not.
func TestOneOrderIsExpectedOfWhoPromisesIt(t *testing.T) {
	events := []history.Event{{Kind: history.Began, Level: contract.DurableDelivery}}
	for _, who := range []string{"alice", "bob"} {
		events = append(events, history.Event{Kind: history.Opened, Client: who, View: 1}, history.Event{Kind: history.Connected, Client: who, View: 1})
	}
	for _, who := range []string{"alice", "bob"} {
		events = append(events, history.Event{Kind: history.Sent, Client: who, View: 1, Message: "by " + who})
	}
	for _, shown := range [][2]string{{"alice", "alice"}, {"alice", "bob"}, {"bob", "bob"}, {"bob", "alice"}} {
		events = append(events, history.Event{Kind: history.Shown, Client: shown[0], View: 1, Message: "by " + shown[1]})
	}
	v := check.Judge(append(events, history.Event{Kind: history.Settled}, history.Event{Kind: history.Ended}))
	for level, want := range map[contract.Level]check.Outcome{contract.Basic: check.Pass, contract.Recovery: check.Fail} {
		if got := compare(v, ExactlyOnce, level); got.Outcome != want {
			t.Errorf("at %s: %s (%s), want %s", level, got.Outcome, got.Reason, want)
		}
	}
}
