package runner_test

import (
	"fmt"
	"os"
	"testing"

	"redial/harness/client/browser"
	"redial/scenarios/servers"
)

func TestMain(m *testing.M) {
	servers.BecomeStep()
	code := m.Run()
	if err := browser.Shutdown(); err != nil && code == 0 {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
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
