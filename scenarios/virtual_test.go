package scenarios_test

import (
	"testing"

	"redial/scenarios"
)

func subjects(t testing.TB) []scenarios.Subject {
	t.Helper()
	var all []scenarios.Subject
	for _, number := range scenarios.MatrixSteps {
		subject, err := scenarios.Step(number)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, subject)
	}
	return all
}

// TestScenariosVirtual holds every step to the same expectations as TestScenarios, in
// the virtual lab.
func TestScenariosVirtual(t *testing.T) {
	results, err := scenarios.Run(t.Context(), subjects(t), scenarios.Catalogue, scenarios.Options{
		Seed: 1, Golden: true, T: t, Artifacts: artifacts(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !r.AsExpected() {
			t.Errorf("%s, %s: %s (%s)", r.Column, r.ID, r.Reason(), r.Took)
		}
	}
}
