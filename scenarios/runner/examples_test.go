package runner_test

import (
	"slices"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// Each example of a scenario of one's own passes on the step that promises it, in both
// labs, and fails on step 5, held to the same level. (The kit has no wrong cluster for the
// one that needs several servers.)
func TestExamplesTellRightFromWrong(t *testing.T) {
	t.Parallel()
	rows, err := catalogue.ReadOwn("../examples")
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 6 {
		t.Errorf("there are %d examples", len(rows))
	}
	play := func(in lab.Lab, number string, level contract.Level, rows []catalogue.Scenario, want check.Outcome) {
		t.Helper()
		subject, err := servers.Step(number)
		if err != nil {
			t.Fatal(err)
		}
		subject.Level = level
		results, err := runner.Run(t.Context(), []servers.Subject{subject}, rows, runner.Options{Seed: 1, Lab: in})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Outcome() != want {
				t.Errorf("step %s, %s lab: %s: %s, want %s: %s", number, in, r.ID, r.Outcome(), want, r.Reason())
			}
		}
	}
	alone := slices.DeleteFunc(slices.Clone(rows), func(s catalogue.Scenario) bool { return s.Cluster })
	together := slices.DeleteFunc(slices.Clone(rows), func(s catalogue.Scenario) bool { return !s.Cluster })
	play(lab.Virtual, "8", contract.ClientDelivery, alone, check.Pass)
	play(lab.Real, "8", contract.ClientDelivery, alone, check.Pass)
	for _, s := range alone {
		play(lab.Virtual, "5", s.From, []catalogue.Scenario{s}, check.Fail)
	}
	if len(together) != 1 {
		t.Fatalf("%d examples need several servers", len(together))
	}
	play(lab.Real, catalogue.OnFile, contract.ClientDelivery, together, check.Pass)
}
