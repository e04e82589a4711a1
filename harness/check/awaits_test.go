package check

import (
	"testing"

	"redial/harness/contract"
	"redial/harness/history"
)

// A message that was awaited in vain leaves a run inconclusive, unless a connection that
// it needed broke between its sending and the end of the wait.
func TestOnlyABrokenConnectionOnItsWayExcusesAWait(t *testing.T) {
	event := func(kind history.Kind, client string) history.Event {
		return history.Event{Kind: kind, Client: client, View: 1}
	}
	for _, c := range []struct {
		name           string
		broken         string // whose connection breaks after the message was sent
		client, awaits string
		want           Outcome
	}{
		{"nothing broke", "", "bob", "hello", Inconclusive},
		{"the sender's broke", "alice", "bob", "hello", Pass},
		{"the reader's broke", "bob", "bob", "hello", Pass},
		{"another's broke", "carol", "bob", "hello", Inconclusive},
		{"one of all readers' broke", "carol", "", "hello", Pass},
		{"none of all readers' broke", "", "", "hello", Inconclusive},
		{"it was no message", "bob", "bob", "", Inconclusive},
		{"nobody knows the message", "bob", "bob", "unknown", Inconclusive},
		{"nobody sent the message", "bob", "bob", "acknowledged only", Inconclusive},
		{"a sender without a page cannot break", "", "bob", "by the lab", Inconclusive},
	} {
		t.Run(c.name, func(t *testing.T) {
			events := []history.Event{{Kind: history.Began, Level: contract.Basic}}
			for _, who := range []string{"alice", "bob", "carol"} {
				events = append(events, event(history.Opened, who), event(history.Connected, who))
			}
			events = append(events,
				history.Event{Kind: history.Sent, Client: "alice", View: 1, Message: "hello"},
				history.Event{Kind: history.Sent, Client: "lab", View: 1, Message: "by the lab"},
				history.Event{Kind: history.Acknowledged, Client: "alice", View: 1, Message: "acknowledged only"})
			if c.broken != "" {
				events = append(events, event(history.Disconnected, c.broken), event(history.Connected, c.broken))
			}
			events = append(events, history.Event{Kind: history.TimedOut, Client: c.client, Message: c.awaits, Detail: "it"})
			for _, who := range []string{"alice", "bob", "carol"} {
				for _, text := range []string{"hello", "by the lab"} {
					events = append(events, history.Event{Kind: history.Shown, Client: who, View: 1, Message: text})
				}
			}
			if v := Judge(append(events, history.Event{Kind: history.Ended})); v.Outcome != c.want {
				t.Errorf("%s: %s, want %s", v.Outcome, v.Reason, c.want)
			}
		})
	}
}
