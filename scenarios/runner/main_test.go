package runner_test

import (
	"fmt"
	"os"
	"testing"

	"redial/harness/check"
	"redial/harness/client/browser"
	"redial/harness/lab/race"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
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

// needsSpeed skips a test under the race detector, with which a virtual run takes ten times as
// long. `make test` runs the test without.
func needsSpeed(t *testing.T) {
	t.Helper()
	if race.Enabled {
		t.Skip("`make test` runs it without the race detector")
	}
}

// artifacts is the folder for failing runs, in out/ of the module, which git ignores.
const artifacts = "../../out/test"

func stepServer(t testing.TB, number string) servers.Server {
	t.Helper()
	server, err := servers.Step(number)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func find(t testing.TB, ids ...string) []catalogue.Scenario {
	t.Helper()
	found, err := catalogue.Find(ids)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func played(t *testing.T, server servers.Server, which []catalogue.Scenario, options runner.Options) []report.Result {
	t.Helper()
	results, err := runner.Run(t.Context(), []servers.Server{server}, which, options)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// allPass fails for each scenario that was played and did not pass, or if fewer than least
// passed.
func allPass(t *testing.T, results []report.Result, least int) {
	t.Helper()
	passed := 0
	for _, r := range results {
		switch r.Outcome() {
		case check.Pass:
			passed++
		case check.Unsupported:
		default:
			t.Errorf("%s, %s: %s: %s", r.Column, r.ID, r.Outcome(), r.Reason())
		}
	}
	if passed < least {
		t.Errorf("only %d scenarios passed, want at least %d", passed, least)
	}
}
