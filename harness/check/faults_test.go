package check

import (
	"testing"

	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

// A fault counts as fired only by an event with its own ID. The faults of Break and Arm steps count as planned.
func TestFaultCountsAsFiredByItsID(t *testing.T) {
	cut := plan.Fault{ID: "f", Kind: plan.Cut}
	for _, c := range []struct {
		name    string
		plan    plan.Plan
		seen    history.Event
		planned int
		fired   int
	}{
		{"fired", plan.Plan{Faults: []plan.Fault{cut}}, history.Event{Kind: history.FaultFired, Fault: "f"}, 1, 1},
		{"another fired", plan.Plan{Faults: []plan.Fault{cut}}, history.Event{Kind: history.FaultFired, Fault: "g"}, 1, 0},
		{"a cut that is reported as healed only", plan.Plan{Faults: []plan.Fault{cut}}, history.Event{Kind: history.FaultHealed, Fault: "f"}, 1, 0},
		{"without an ID", plan.Plan{Faults: []plan.Fault{{Kind: plan.Cut}}}, history.Event{Kind: history.FaultFired}, 1, 0},
		{"a Break step", plan.Plan{Script: []plan.Step{{Do: plan.Break, Fault: &cut}}}, history.Event{Kind: history.FaultFired, Fault: "f"}, 1, 1},
		{"an Arm step", plan.Plan{Script: []plan.Step{{Do: plan.Arm, Fault: &cut}}}, history.Event{Kind: history.FaultFired, Fault: "f"}, 1, 1},
		{"a Break step without a fault", plan.Plan{Script: []plan.Step{{Do: plan.Break}}}, history.Event{Kind: history.Note}, 0, 0},
		{"a step of another action", plan.Plan{Script: []plan.Step{{Do: plan.Open, Fault: &cut}}}, history.Event{Kind: history.Note}, 0, 0},
	} {
		v := Judge([]history.Event{{Kind: history.Began, Level: contract.Basic, Plan: &c.plan}, c.seen, {Kind: history.Ended}})
		if v.FaultsPlanned != c.planned || v.FaultsFired != c.fired {
			t.Errorf("%s: %d of %d fired, want %d of %d", c.name, v.FaultsFired, v.FaultsPlanned, c.fired, c.planned)
		}
	}
	for match, want := range map[string]string{
		"":                  "The planned fault f (cut) never fired.",
		"43":                "The planned fault f (cut) never fired. It was to happen at an acknowledgement, and not enough of these were seen while the server was up: the server may send none, or the page may ask for none.",
		`42["chat message"`: `The planned fault f (cut) never fired. It was to happen at a packet that begins with "42[\"chat message\"", and not enough of these were seen while the server was up.`,
	} {
		cut.At.Match = match
		if got := unfiredReason([]plan.Fault{cut}).String(); got != want {
			t.Errorf("a fault of no client at %q: %s", match, got)
		}
	}
}

// A rule that is broken without the fault is broken all the same.
func TestBrokenRuleFailsARunWhoseFaultNeverFired(t *testing.T) {
	p := plan.Plan{Faults: []plan.Fault{{ID: "f", Kind: plan.Cut, Client: "alice"}}}
	v := Judge([]history.Event{
		{Kind: history.Began, Level: contract.Basic, Plan: &p},
		{Kind: history.Connected, Client: "alice", View: 1},
		{Kind: history.Sent, Client: "alice", View: 1, Message: "hello"},
		{Kind: history.Shown, Client: "alice", View: 1, Message: "hello"},
		{Kind: history.Shown, Client: "alice", View: 1, Message: "hello"},
		{Kind: history.Ended},
	})
	if v.Outcome != Fail || v.Rule() != contract.NoDuplicate || v.FaultsFired != 0 {
		t.Errorf("%s", verdictText(v))
	}
}
