package runner_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"weak"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
)

// The matrix judges each step at the highest level, and a failure beyond the step's own names the
// weakest level that it breaks: step 5, which promises basic, loses a message that recovery covers.
func TestMatrixNamesTheWeakestLevelThatFails(t *testing.T) {
	r := played(t, stepServer(t, "5"), find(t, "clean-drop"), runner.Options{Seed: 1, Golden: true, Lab: lab.Virtual, Artifacts: artifacts})[0]
	if r.Verdict.Outcome != check.Fail || r.Beyond.Outcome != check.Fail || r.Beyond.Level != contract.Recovery {
		t.Errorf("%s, and beyond the step's level %s at %s", r.Verdict.Outcome, r.Beyond.Outcome, r.Beyond.Level)
	}
}

// remembering is the virtual lab, which counts the histories of earlier runs that are still held.
type remembering struct {
	histories []weak.Pointer[history.Event]
	most      int
}

func (*remembering) String() string { return "remembering" }

func (r *remembering) Play(ctx context.Context, server lab.Server, config lab.Config, p plan.Plan) lab.Run {
	runtime.GC()
	held := 0
	for _, h := range r.histories {
		if h.Value() != nil {
			held++
		}
	}
	r.most = max(r.most, held)
	run := lab.Virtual.Play(ctx, server, config, p)
	r.histories = append(r.histories, weak.Make(&run.Events[0]))
	return run
}

// A scenario that passes a thousand times does not hold a thousand histories until the last run.
func TestRunsThatPassDoNotHoldTheirHistories(t *testing.T) {
	in := &remembering{}
	r := played(t, stepServer(t, "7"), find(t, "clean-drop"), runner.Options{Seed: 1, Runs: 12, Parallel: 1, Lab: in})[0]
	if r.Outcome() != check.Pass || r.Runs != 12 || len(r.Events) == 0 || in.most > 4 {
		t.Errorf("%s after %d runs: %d histories were held, and that of the result has %d events", r.Outcome(), r.Runs, in.most, len(r.Events))
	}
}

// Step 8 meets the catalogue's expectations in the virtual lab, also under the race detector,
// which has time for some rows. Package suite plays every row of every step without it.
func TestStep8MeetsExpectationsInTheVirtualLab(t *testing.T) {
	server := stepServer(t, "8")
	rows := slices.DeleteFunc(catalogue.Sample(1, 8), func(s catalogue.Scenario) bool { return polls(s.ID) })
	results := played(t, server, rows, runner.Options{
		Seed: 1, Golden: true, Lab: lab.Virtual, Artifacts: artifacts,
	})
	for _, r := range results {
		if !r.AsExpected() {
			t.Errorf("%s, %s: %s (%s)", r.Column, r.ID, r.Reason(), r.Took)
		}
	}
}

// Every step keeps the promise of its own level in every row and in both labs, as often as
// -right-runs says.
func TestStepsKeepTheirOwnPromise(t *testing.T) {
	t.Parallel()
	if *rightRuns == 0 {
		t.Skip("package suite plays every row once at every step, and requires the step's own promise; make steps-all plays them more often")
	}
	for _, in := range []lab.Lab{lab.Virtual, lab.Real} {
		for _, number := range []string{"5", "6", "7", "8", "9", "10"} {
			t.Run(in.String()+"/step "+number, func(t *testing.T) {
				results := played(t, stepServer(t, number), catalogue.All, runner.Options{Seed: 1, Runs: *rightRuns, Lab: in, Artifacts: artifacts})
				allPass(t, results, 25)
			})
		}
	}
}

// polls tells whether the scenario's pages use HTTP long-polling, in which the library has
// data races.
func polls(id string) bool { return id == "polling" || id == "upgrade-cut" }

// The command in a result names the server, the lab, the level, the scenario and the seed.
func TestReplayCommandNamesTheRun(t *testing.T) {
	which := find(t, "clean-drop")
	for number, want := range map[string]string{
		"7":           "go run ./scenarios/cmd/redial check --step 7 --lab virtual --level server-delivery --scenario clean-drop --seed 3",
		"published-6": "go run ./scenarios/cmd/redial check --step published-6 --lab virtual --level recovery --scenario clean-drop --seed 3",
	} {
		results := played(t, stepServer(t, number), which, runner.Options{Seed: 3, Lab: lab.Virtual})
		if len(results) != 1 || results[0].Replay != want {
			t.Errorf("%q, want %q", results[0].Replay, want)
		}
	}
}

func TestFailureThatCannotBeSavedKeepsItsVerdict(t *testing.T) {
	server := stepServer(t, "5")
	server.Level = contract.ServerDelivery
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	results := played(t, server, find(t, "clean-drop"), runner.Options{Seed: 1, Lab: lab.Virtual, Artifacts: file})
	if len(results) != 1 {
		t.Fatalf("%d results", len(results))
	}
	r := results[0]
	if want := check.Judge(r.Events); r.Outcome() != check.Fail || r.Verdict.Reason != want.Reason ||
		len(r.Artifacts) != 0 || !strings.Contains(r.Reason(), "could not be saved") {
		t.Errorf("%s: %s, files %v", r.Outcome(), r.Reason(), r.Artifacts)
	}
}

// The published code of step 8 fails by the rule of each of its known errors, and passes two
// other rows.
func TestPublishedClientDelivery(t *testing.T) {
	blamed := map[string]contract.RuleID{
		"two-tabs-write-offline": contract.Sends, "four-cuts": contract.NoLoss,
		"write-on-dead-connection": "", "acknowledgement-cut": "",
	}
	results := played(t, stepServer(t, "published-8"), find(t, slices.Collect(maps.Keys(blamed))...), runner.Options{Seed: 1, Lab: lab.Virtual})
	if len(results) != len(blamed) {
		t.Fatalf("%d results", len(results))
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
