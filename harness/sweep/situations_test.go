package sweep_test

import (
	"fmt"
	"math"
	"testing"

	"redial/harness/history"
	"redial/harness/plan"
	"redial/harness/sweep"
)

// conversation is a run in which alice sends four messages, and bob's connection ends after he
// has shown some of them.
func conversation(shown int, fault plan.FaultKind) []history.Event {
	events := []history.Event{{Kind: history.Began}, {Kind: history.ServerStarted}}
	add := func(kind history.Kind, client, message string) {
		events = append(events, history.Event{Kind: kind, Client: client, Message: message})
	}
	for _, who := range []string{"alice", "bob"} {
		add(history.Opened, who, "")
		add(history.Connected, who, "")
	}
	for n := range 4 {
		text := fmt.Sprint("hello ", n)
		add(history.Sent, "alice", text)
		add(history.Shown, "alice", text)
		add(history.Acknowledged, "alice", text)
		if n < shown {
			add(history.Shown, "bob", text)
		}
	}
	events = append(events, history.Event{Kind: history.FaultFired, Client: "bob", FaultKind: fault})
	add(history.Disconnected, "bob", "")
	return events
}

func TestExploredCountsNewSituations(t *testing.T) {
	var x sweep.Explored
	first := x.Add(conversation(4, plan.Cut))
	for _, c := range []struct {
		name   string
		events []history.Event
		fresh  int
	}{
		{"the same again", conversation(4, plan.Cut), 0},
		{"bob has not shown the last", conversation(3, plan.Cut), 2},
		{"bob has shown two of four", conversation(2, plan.Cut), 2},
		{"bob has shown none: also more than one is missing", conversation(0, plan.Cut), 0},
		{"another fault", conversation(4, plan.HalfOpen), 1},
	} {
		if fresh := x.Add(c.events); fresh != c.fresh {
			t.Errorf("%s: %d new situations, want %d", c.name, fresh, c.fresh)
		}
	}
	if x.Runs != 6 || x.Situations() != first+5 || x.Fresh[0] != x.Situations() {
		t.Errorf("%d situations in %d runs, %v", x.Situations(), x.Runs, x.Fresh)
	}
	// Only one run had the other fault and the two situations with one missing message.
	if next := x.Next(); math.Abs(next-3.0/6) > 1e-9 {
		t.Errorf("the next run is expected to show %f new situations", next)
	}
	for x.Runs < 2000 {
		if !x.Rising() {
			t.Fatalf("%d runs count as complete", x.Runs)
		}
		x.Add(conversation(4, plan.Cut))
	}
	if x.Rising() {
		t.Errorf("still rising: %v", x.Fresh)
	}
}

func TestHiddenFollowsRuleOfThree(t *testing.T) {
	if runs := 30_000; math.Abs(sweep.Hidden(runs, float64(sweep.Found(runs)))-0.05) > 0.001 {
		t.Errorf("a defect of 1 in %d is hidden with the chance %f", sweep.Found(runs), sweep.Hidden(runs, float64(sweep.Found(runs))))
	}
	if rare := sweep.Hidden(1000, 10_000); math.Abs(rare-0.905) > 0.001 {
		t.Errorf("1 in 10,000 after 1,000 runs: %f", rare)
	}
}
