package scenarios_test

import (
	"errors"
	"testing"
	"time"

	"redial/harness/contract"
	"redial/scenarios"
	"redial/steps/backends"
)

// TestClusterOnPostgres holds step 9 to its promise on a PostgreSQL and a Redis, which
// are broken too. (TestScenarios has it on a SQLite file, in every row.)
func TestClusterOnPostgres(t *testing.T) {
	if s, err := backends.StartPostgres(t.Context()); errors.Is(err, backends.ErrMissing) {
		t.Skip(err)
	} else if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	subject, err := scenarios.Step("9-postgres")
	if err != nil {
		t.Fatal(err)
	}
	var rows []scenarios.Scenario
	for _, s := range scenarios.Catalogue {
		if s.From == contract.Cluster {
			rows = append(rows, s)
		}
	}
	results, err := scenarios.Run(t.Context(), []scenarios.Subject{subject}, rows, scenarios.Options{
		Seed: uint64(time.Now().UnixNano()), Golden: true, Artifacts: artifacts(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		t.Logf("%s: %s, %s", r.ID, r.Outcome(), r.Took.Round(time.Millisecond))
		if !r.AsExpected() {
			t.Errorf("%s: %s (files: %v)", r.ID, r.Reason(), r.Artifacts)
		}
	}
}
