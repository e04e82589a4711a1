package sweep

import (
	"testing"

	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
)

// The points of a group count only if the fault of its run fired, or the run failed without it.
func TestUnfiredFaultStandsForNoPoint(t *testing.T) {
	cut := plan.Plan{Faults: []plan.Fault{{ID: "f1", Kind: plan.Cut, Client: "alice"}}}
	s := Sweeper{groups: [][]plan.Plan{{cut, cut, cut}, {cut, cut}}}
	sum := &tally{sweeper: s, kinds: map[string]*Failure{}}
	for index, fired := range []bool{true, true, false} { // the story, and a run of each group
		events := []history.Event{{Kind: history.Began, Level: "basic", Plan: &cut}}
		for _, e := range []history.Event{{Kind: history.Opened}, {Kind: history.Connected}, {Kind: history.Sent, Message: "m"}, {Kind: history.Shown, Message: "m"}} {
			e.Client = "alice"
			events = append(events, e)
		}
		if fired {
			events = append(events, history.Event{Kind: history.FaultFired, Client: "alice", Fault: "f1", FaultKind: plan.Cut})
		}
		sum.add(index, cut, lab.Run{Events: append(events, history.Event{Kind: history.Ended})})
	}
	if r := sum.sum; r.Passed != 2 || r.Unfired != 1 || r.StoodFor != 3 {
		t.Errorf("%d passed, %d unfired, for %d points, want 2, 1 and 3: %s", r.Passed, r.Unfired, r.StoodFor, r.Why)
	}
}
