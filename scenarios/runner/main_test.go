package runner_test

import (
	"os"
	"testing"

	"redial/scenarios/servers"
)

func TestMain(m *testing.M) {
	servers.BecomeStep()
	os.Exit(m.Run())
}

// needsSpeed leaves a test out of the run with the race detector, which takes ten times as
// long; `make test` runs it without.
func needsSpeed(t *testing.T) {
	t.Helper()
	if underRace {
		t.Skip("`make test` runs it without the race detector")
	}
}

// artifacts is where failing runs are kept: out/ in the module, which is ignored.
const artifacts = "../../out/test"
