package runner_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// TestScenariosVirtual holds step 8 to the catalogue's expectations in the virtual lab,
// which the race detector watches here. Package suite does so for every step, without it.
func TestScenariosVirtual(t *testing.T) {
	server, err := servers.Step("8")
	if err != nil {
		t.Fatal(err)
	}
	rows := slices.DeleteFunc(slices.Clone(catalogue.All), func(s catalogue.Scenario) bool { return underRace && polls(s.ID) })
	results, err := runner.Run(t.Context(), []servers.Server{server}, rows, runner.Options{
		Seed: 1, Golden: true, Lab: lab.Virtual, Artifacts: artifacts,
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

// Every step keeps the promise of its own level, in every row that the level covers.
func TestStepsKeepTheirOwnPromise(t *testing.T) {
	t.Parallel()
	needsSpeed(t)
	for _, number := range []string{"5", "6", "7", "8", "9", "10"} {
		server, err := servers.Step(number)
		if err != nil {
			t.Fatal(err)
		}
		results, err := runner.Run(t.Context(), []servers.Server{server}, catalogue.All, runner.Options{Seed: 1, Runs: *rightRuns, Lab: lab.Virtual, Artifacts: artifacts})
		if err != nil {
			t.Fatal(err)
		}
		passed := 0
		for _, r := range results {
			switch r.Outcome() {
			case check.Pass:
				passed++
			case check.Unsupported:
			default:
				t.Errorf("step %s, %s: %s: %s", number, r.ID, r.Outcome(), r.Reason())
			}
		}
		if passed < 25 {
			t.Errorf("step %s passed in %d rows only", number, passed)
		}
	}
}

// polls tells whether the scenario's pages use HTTP long-polling, where the library races
// with itself.
func polls(id string) bool { return id == "polling" || id == "upgrade-cut" }

// The command that a result names is the one that plays it again, in the same lab.
func TestReplayLine(t *testing.T) {
	which, err := catalogue.Find([]string{"clean-drop"})
	if err != nil {
		t.Fatal(err)
	}
	for number, want := range map[string]string{
		"7":           "go run ./scenarios/cmd/redial check --step 7 --lab virtual --level server-delivery --scenario clean-drop --seed 3",
		"published-6": "go run ./scenarios/cmd/redial check --step published-6 --lab virtual --level recovery --scenario clean-drop --seed 3",
	} {
		server, err := servers.Step(number)
		if err != nil {
			t.Fatal(err)
		}
		results, err := runner.Run(t.Context(), []servers.Server{server}, which, runner.Options{Seed: 3, Lab: lab.Virtual})
		if err != nil || len(results) != 1 || results[0].Replay != want {
			t.Errorf("%v, %q, want %q", err, results[0].Replay, want)
		}
	}
}

// A failure whose files cannot be written is still reported, with its verdict unchanged.
func TestFailureThatCannotBeSaved(t *testing.T) {
	which, err := catalogue.Find([]string{"clean-drop"})
	if err != nil {
		t.Fatal(err)
	}
	server, err := servers.Step("5")
	if err != nil {
		t.Fatal(err)
	}
	server.Level = contract.ServerDelivery
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	results, err := runner.Run(t.Context(), []servers.Server{server}, which, runner.Options{Seed: 1, Lab: lab.Virtual, Artifacts: file})
	if err != nil || len(results) != 1 {
		t.Fatalf("%v, %d results", err, len(results))
	}
	r := results[0]
	if want := check.Judge(r.Events); r.Outcome() != check.Fail || r.Verdict.Reason != want.Reason ||
		len(r.Artifacts) != 0 || !strings.Contains(r.Reason(), "could not be saved") {
		t.Errorf("%s: %s, files %v", r.Outcome(), r.Reason(), r.Artifacts)
	}
}

// The published step 8 loses what it loses by its own rules, and not the rest.
func TestPublishedClientDelivery(t *testing.T) {
	server, err := servers.Step("published-8")
	if err != nil {
		t.Fatal(err)
	}
	blamed := map[string]contract.RuleID{
		"two-tabs-write-offline": contract.Sends, "four-cuts": contract.NoLoss,
		"write-on-dead-connection": "", "acknowledgement-cut": "",
	}
	which, err := catalogue.Find(slices.Collect(maps.Keys(blamed)))
	if err != nil {
		t.Fatal(err)
	}
	results, err := runner.Run(t.Context(), []servers.Server{server}, which, runner.Options{Seed: 1, Lab: lab.Virtual})
	if err != nil || len(results) != len(blamed) {
		t.Fatalf("%v, %d results", err, len(results))
	}
	for _, r := range results {
		want := check.Pass
		if blamed[r.ID] != "" {
			want = check.Fail
		}
		if r.Verdict.Outcome != want || r.Verdict.Rule() != blamed[r.ID] {
			t.Errorf("%s: %s %s, want %s %s", r.ID, r.Verdict.Outcome, r.Reason(), want, blamed[r.ID])
		}
	}
}
