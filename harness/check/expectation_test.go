package check

import (
	"testing"

	"redial/harness/contract"
	"redial/harness/history"
)

// Two pages show two messages that were sent at once in opposite orders. That breaks the
// promise of a level that has one order for all pages, and of no other.
func TestOneOrderIsExpectedOnlyWhereItIsPromised(t *testing.T) {
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
	v := Judge(append(events, history.Event{Kind: history.Settled}, history.Event{Kind: history.Ended}))
	for level, want := range map[contract.Level]bool{contract.Basic: true, contract.Recovery: false, "": false} {
		if got := v.Meets(ExactlyOnce, level); got != want {
			t.Errorf("at %q: meets %t (%s), want %t", level, got, v.Observed(level), want)
		}
	}
}
