package check

import (
	"strings"
	"testing"

	"redial/harness/contract"
	"redial/harness/history"
)

// A wait for a message that timed out leaves a run inconclusive, unless a connection of its
// sender or reader broke between the sending and the end of the wait.
func TestTimedOutWaitIsExcusedOnlyByABrokenConnection(t *testing.T) {
	event := func(kind history.Kind, client string) history.Event {
		return history.Event{Kind: kind, Client: client, View: 1}
	}
	for _, c := range []struct {
		name           string
		broken         string // the client whose connection breaks after the message was sent
		client, awaits string
		want           Outcome
	}{
		{"no connection broke", "", "bob", "hello", Inconclusive},
		{"the sender's connection broke", "alice", "bob", "hello", Pass},
		{"the reader's connection broke", "bob", "bob", "hello", Pass},
		{"a third client's connection broke", "carol", "bob", "hello", Inconclusive},
		{"every client is awaited, one connection broke", "carol", "", "hello", Pass},
		{"every client is awaited, no connection broke", "", "", "hello", Inconclusive},
		{"the wait is for no message", "bob", "bob", "", Inconclusive},
		{"unknown message", "bob", "bob", "unknown", Inconclusive},
		{"message without a Sent event", "bob", "bob", "acknowledged only", Inconclusive},
		{"sender without a page", "", "bob", "by the lab", Inconclusive},
	} {
		t.Run(c.name, func(t *testing.T) {
			events := []history.Event{{Kind: history.Began, Level: contract.Basic}}
			for _, who := range []string{"alice", "bob", "carol"} {
				events = append(events, event(history.Opened, who), event(history.Connected, who))
			}
			events = append(events,
				history.Event{Kind: history.Sent, Client: "alice", View: 1, Message: "hello"},
				history.Event{Kind: history.Sent, Client: "alice", View: 1}, // an empty text is not "no message"
				history.Event{Kind: history.Sent, Client: "lab", View: 1, Message: "by the lab"},
				history.Event{Kind: history.Acknowledged, Client: "alice", View: 1, Message: "acknowledged only"})
			if c.broken != "" {
				events = append(events, event(history.Disconnected, c.broken), event(history.Connected, c.broken))
			}
			events = append(events, history.Event{Kind: history.TimedOut, Client: c.client, Message: c.awaits, Detail: "it"})
			for _, who := range []string{"alice", "bob", "carol"} {
				for _, text := range []string{"hello", "", "by the lab"} {
					events = append(events, history.Event{Kind: history.Shown, Client: who, View: 1, Message: text})
				}
			}
			if v := Judge(append(events, history.Event{Kind: history.Ended})); v.Outcome != c.want || strings.Contains(v.Reason, "refused") {
				t.Errorf("%s: %s, want %s", v.Outcome, v.Reason, c.want)
			}
		})
	}
}

// A clause is translated with the clauses in it. The detail of a wait is one only where it
// names the message as the lab does.
func TestClausesOfAWaitAreTranslated(t *testing.T) {
	words := map[string]string{"%s shows %s": "%[2]s on %[1]s", "everyone": "all pages", "50%% of it": "half of it"}
	for want, a := range map[string]await{
		`"hi" on bob`:       {client: "bob", text: "hi", detail: `bob shows "hi"`},
		`"hi" on all pages`: {text: "hi", detail: `everyone shows "hi"`},
		"half of it":        {text: "hi", detail: "50% of it"},
	} {
		if got := a.clause().In(func(format string) string { return words[format] }); got != want {
			t.Errorf("%s: %s, want %s", a.detail, got, want)
		}
	}
}

func TestATimedOutWaitNamesARefusal(t *testing.T) {
	v := Judge([]history.Event{
		{Kind: history.Began, Level: contract.Basic},
		{Kind: history.Opened, Client: "alice", View: 1}, {Kind: history.Connected, Client: "alice", View: 1},
		{Kind: history.Sent, Client: "alice", View: 1, Message: "hello"},
		{Kind: history.Refused, Client: "alice", View: 1, Message: "hello", Detail: "too many"},
		{Kind: history.TimedOut, Client: "alice", Message: "hello", Detail: `alice shows "hello"`},
		{Kind: history.Ended},
	})
	if want := `alice shows "hello", which the server refused (event 5)`; v.Outcome != Inconclusive || !strings.Contains(v.Reason, want) {
		t.Errorf("%s: %s, want %s", v.Outcome, v.Reason, want)
	}
}
