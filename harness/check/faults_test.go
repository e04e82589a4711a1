package check

import (
	"testing"

	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

// A fault has fired if the history says so of its own ID; only healing a link may be
// reported as healed. A script plans the faults of its Break and Arm steps.
func TestAFaultFiresByItsID(t *testing.T) {
	cut, heal := plan.Fault{ID: "f", Kind: plan.Cut}, plan.Fault{ID: "f", Kind: plan.Heal}
	for _, c := range []struct {
		name    string
		plan    plan.Plan
		seen    history.Event
		planned int
		fired   int
	}{
		{"fired", plan.Plan{Faults: []plan.Fault{cut}}, history.Event{Kind: history.FaultFired, Fault: "f"}, 1, 1},
		{"another fired", plan.Plan{Faults: []plan.Fault{cut}}, history.Event{Kind: history.FaultFired, Fault: "g"}, 1, 0},
		{"a cut is not healed by itself", plan.Plan{Faults: []plan.Fault{cut}}, history.Event{Kind: history.FaultHealed, Fault: "f"}, 1, 0},
		{"a heal is", plan.Plan{Faults: []plan.Fault{heal}}, history.Event{Kind: history.FaultHealed, Fault: "f"}, 1, 1},
		{"a heal that is not seen", plan.Plan{Faults: []plan.Fault{heal}}, history.Event{Kind: history.Note}, 1, 0},
		{"without an ID", plan.Plan{Faults: []plan.Fault{{Kind: plan.Cut}}}, history.Event{Kind: history.FaultFired}, 1, 0},
		{"a step breaks", plan.Plan{Script: []plan.Step{{Do: plan.Break, Fault: &cut}}}, history.Event{Kind: history.FaultFired, Fault: "f"}, 1, 1},
		{"a step arms", plan.Plan{Script: []plan.Step{{Do: plan.Arm, Fault: &cut}}}, history.Event{Kind: history.FaultFired, Fault: "f"}, 1, 1},
		{"a step that names no fault", plan.Plan{Script: []plan.Step{{Do: plan.Break}}}, history.Event{Kind: history.Note}, 0, 0},
		{"a step that is no fault's", plan.Plan{Script: []plan.Step{{Do: plan.Open, Fault: &cut}}}, history.Event{Kind: history.Note}, 0, 0},
	} {
		v := Judge([]history.Event{{Kind: history.Began, Level: contract.Basic, Plan: &c.plan}, c.seen, {Kind: history.Ended}})
		if v.FaultsPlanned != c.planned || v.FaultsFired != c.fired {
			t.Errorf("%s: %d of %d fired, want %d of %d", c.name, v.FaultsFired, v.FaultsPlanned, c.fired, c.planned)
		}
	}
}
