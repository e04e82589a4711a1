package check

import (
	"slices"
	"testing"

	"redial/harness/contract"
	"redial/harness/history"
)

// Two pages show two messages that were sent at once in opposite orders. That breaks only the
// levels that promise one order for all pages.
func TestOppositeOrdersMeetOnlyLevelsWithoutOneOrder(t *testing.T) {
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
	v := Judge(append(events, history.Event{Kind: history.Barrier}, history.Event{Kind: history.Ended}))
	for level, want := range map[contract.Level]bool{contract.Basic: true, contract.Recovery: false, "": false} {
		if got := v.Meets(ExactlyOnce, level); got != want {
			t.Errorf("at %q: meets %t (%s), want %t", level, got, v.Observed(level), want)
		}
	}
}

// A message that a page shows and the log lacks breaks agreement, and is none of lost,
// duplicated and reordered. With an offset that is not the log's, a message is reordered.
func TestAMessageThatTheLogLacksIsNotExactlyOnce(t *testing.T) {
	for _, c := range []struct {
		story string
		met   Expectation
	}{
		{"began durable-delivery; connected alice bob; sent alice m; shown alice m; shown bob m; sent lab mark; shown alice mark; shown bob mark; stored mark; log-read", ""},
		{"began durable-delivery; connected alice; sent alice m; shown alice m@5; sent lab mark; shown alice mark; stored m@1 mark; log-read", ExactlyOnce},
	} {
		v := Judge(story(c.story))
		if got := v.Meets(ExactlyOnce, contract.Basic); v.Outcome != Fail || got != (c.met == ExactlyOnce) {
			t.Errorf("%s: %s, observed %s", c.story, v.Reason, v.Observed(contract.Basic))
		}
	}
}

func TestVerdictMeetsOnlyMatchingExpectations(t *testing.T) {
	all := []Expectation{ExactlyOnce, Loses, Duplicates, MayLose, Fails, DoesNotApply}
	broken := map[contract.RuleID]int{contract.Sends: 1}
	for _, c := range []struct {
		name    string
		verdict Verdict
		met     []Expectation
	}{
		{"nothing went wrong", Verdict{Outcome: Pass}, []Expectation{ExactlyOnce, MayLose}},
		{"lost", Verdict{Outcome: Fail, Lost: 1}, []Expectation{Loses, MayLose, Fails}},
		{"duplicated", Verdict{Outcome: Fail, Duplicated: 1}, []Expectation{Duplicates, Fails}},
		{"reordered", Verdict{Outcome: Fail, Reordered: 1}, []Expectation{Fails}},
		{"lost and duplicated", Verdict{Outcome: Fail, Lost: 1, Duplicated: 1}, []Expectation{Fails}},
		{"lost, and another rule broken", Verdict{Outcome: Fail, Lost: 1, Counts: broken}, []Expectation{Fails}},
		{"another rule broken", Verdict{Outcome: Fail, Counts: broken}, []Expectation{Fails}},
		{"inconclusive", Verdict{Outcome: Inconclusive}, nil},
		{"inconclusive, and lost", Verdict{Outcome: Inconclusive, Lost: 1}, nil},
		{"unsupported", Verdict{Outcome: Unsupported}, []Expectation{DoesNotApply}},
	} {
		for _, expected := range all {
			want := slices.Contains(c.met, expected)
			if got := c.verdict.Meets(expected, ""); got != want {
				t.Errorf("%s: meets %q is %t, want %t", c.name, expected, got, want)
			}
		}
	}
	repeated := Verdict{Outcome: Fail, Reordered: 1, Counts: map[contract.RuleID]int{contract.NoRepeat: 1}}
	if !repeated.Meets("reordered", contract.Recovery) {
		t.Error("a message that was sent again hides one that is out of order")
	}
}
