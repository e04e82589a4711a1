package runner_test

import (
	"slices"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
)

// Each example passes on the step that promises it, in both labs.
// TestExamplesFailOnBrokenServers shows that it can fail.
func TestExamplesPassOnTheStepsThatPromiseThem(t *testing.T) {
	t.Parallel()
	rows, err := catalogue.ReadOwn("../examples")
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 6 {
		t.Errorf("there are %d examples", len(rows))
	}
	play := func(in lab.Lab, number string, rows []catalogue.Scenario) {
		t.Helper()
		server := stepServer(t, number)
		server.Level = contract.ClientDelivery
		results := played(t, server, rows, runner.Options{Seed: 1, Lab: in})
		for _, r := range results {
			if r.Outcome() != check.Pass {
				t.Errorf("step %s, %s lab: %s: %s, want pass: %s", number, in, r.ID, r.Outcome(), r.Reason())
			}
		}
	}
	alone := slices.DeleteFunc(slices.Clone(rows), func(s catalogue.Scenario) bool { return s.Cluster })
	together := slices.DeleteFunc(slices.Clone(rows), func(s catalogue.Scenario) bool { return !s.Cluster })
	play(lab.Virtual, "8", alone)
	play(lab.Real, "8", alone)
	if len(together) != 1 {
		t.Fatalf("%d examples need several servers", len(together))
	}
	play(lab.Real, catalogue.OnFile, together)
}
