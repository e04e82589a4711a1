package runner_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/defect"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// A story that was swept in part does not pass, one that was not reached is named, and a failure
// that was found is saved.
func TestInterruptedSweepReportsWhatIsKnown(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := stepServer(t, "published-6")
	failed := 0
	results, err := runner.Sweep(ctx, server, runner.SweepOptions{Kind: runner.SweepRandom, Seed: 1, Artifacts: t.TempDir(), Done: func(_, _ string, _, _, found int) {
		if failed = found; found > 0 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || failed == 0 {
		t.Fatalf("%v after %d failures", err, failed)
	}
	if results[0].Outcome() != check.Fail || !slices.ContainsFunc(results, func(r report.Result) bool { return len(r.Artifacts) == 1 }) {
		t.Errorf("%s, and the failure is not saved: %v", results[0].Outcome(), results)
	}
	named := 0
	for _, r := range results {
		if strings.HasPrefix(r.ID, "random:") {
			named++
		}
		if r.Outcome() == check.Pass || r.Outcome() == check.Inconclusive && r.Reason() != runner.Interrupted {
			t.Errorf("%s: %s: %s", r.ID, r.Outcome(), r.Reason())
		}
	}
	covered := slices.DeleteFunc(slices.Clone(catalogue.Stories), func(s catalogue.Story) bool { return !server.Level.AtLeast(s.From) })
	if named != len(covered) || named < 2 {
		t.Errorf("%d of %d stories are named", named, len(covered))
	}
}

func TestSweepThatFoundNothingBeforeTheInterruptIsInconclusive(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	results, _ := runner.Sweep(ctx, stepServer(t, "7"), runner.SweepOptions{Kind: runner.SweepPairs, Seed: 1, Done: func(string, string, int, int, int) { cancel() }})
	if r := results[0]; r.Outcome() != check.Inconclusive || !strings.HasPrefix(r.Reason(), "interrupted after ") {
		t.Errorf("%s: %s", r.Outcome(), r.Reason())
	}
}

// interrupting is the virtual lab, which is interrupted after so many runs have ended.
type interrupting struct {
	left *int
	now  context.CancelFunc
}

func (interrupting) String() string { return "interrupting" }

func (i interrupting) Play(ctx context.Context, server lab.Server, config lab.Config, p plan.Plan) lab.Run {
	if *i.left--; *i.left < 0 {
		i.now()
		return lab.Run{Err: ctx.Err()}
	}
	return lab.Virtual.Play(ctx, server, config, p)
}

// A scenario of which some runs have ended is reported with these, and has an outcome if no other
// run could change it. What is met so far, another run may not meet.
func TestInterruptedScenarioReportsTheRunsThatEnded(t *testing.T) {
	rows := find(t, "clean-drop", "refresh")
	known := []string{"clean-drop"}
	for _, c := range []struct {
		step, expectedOf string // a step of the matrix
		known            []string
		want             check.Outcome
	}{
		{"7", "", nil, check.Inconclusive},
		{"5", "", nil, check.Fail},
		{"5", "", known, check.Pass},
		{"7", "", known, check.Inconclusive},
		{"5", "5", nil, check.Inconclusive},
		{"5", "7", nil, check.Fail},
		{"7", "5", nil, check.Fail},
		{"7", "7", nil, check.Inconclusive},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		server := stepServer(t, c.step)
		server.Level, server.Step = contract.Recovery, c.expectedOf
		left := 7
		results, err := runner.Run(ctx, []servers.Server{server}, rows, runner.Options{
			Seed: 1, Runs: 20, Parallel: 1, Lab: interrupting{&left, cancel}, Golden: c.expectedOf != "", Known: c.known,
		})
		if !errors.Is(err, context.Canceled) || len(results) != 2 {
			t.Fatalf("%d results, %v", len(results), err)
		}
		if r := results[0]; r.Runs != 7 || r.Outcome() != c.want || c.want == check.Inconclusive && r.Reason() != "interrupted after 7 of 20 runs" {
			t.Errorf("%+v: %s after %d runs: %s", c, r.Outcome(), r.Runs, r.Reason())
		}
		if r := results[1]; r.Reason() != runner.Interrupted {
			t.Errorf("%+v, not begun: %s: %s", c, r.Outcome(), r.Reason())
		}
	}
}

func TestInterruptedDefectsNameWhatWasNotPlayed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	kills, err := runner.Defects(ctx, defect.All[:12], runner.Options{Seed: 1, Lab: lab.Virtual, Parallel: 1, Done: func(int, int, report.Result) { cancel() }})
	if !errors.Is(err, context.Canceled) || len(kills) != 12 {
		t.Fatalf("%d defects, %v", len(kills), err)
	}
	if !kills[0].Caught() || kills[11].Caught() || kills[11].Result.Reason() != runner.Interrupted {
		t.Errorf("the first: %s, the last: %s", kills[0].Result.Reason(), kills[11].Result.Reason())
	}
}

// A level is reported with the scenarios that had ended, and the others have no verdict.
func TestInterruptedConformanceReportsTheScenariosThatEnded(t *testing.T) {
	rows := find(t, "clean-drop", "refresh")
	for _, claims := range []contract.Level{contract.Recovery, contract.Basic} { // of which basic holds
		ctx, cancel := context.WithCancel(t.Context())
		left := map[contract.Level]int{contract.Recovery: 1, contract.Basic: 3}[claims]
		options := runner.Options{Seed: 1, Parallel: 1, Lab: interrupting{&left, cancel}}
		p, err := runner.ConformPeer(ctx, runner.Peer{Claims: claims}, stepAt("5"), rows, options)
		if !errors.Is(err, context.Canceled) || len(p.Levels) == 0 || p.NotPlayed != "interrupted" {
			t.Fatalf("%v, %+v", err, p)
		}
		last := p.Levels[len(p.Levels)-1]
		if last.Level != contract.Recovery || last.Failed != 1 || last.Failures[0].Scenario != "clean-drop" {
			t.Errorf("the failure that had ended: %+v", last)
		}
		if len(last.Inconclusive) != 1 || last.Inconclusive[0].Reason != runner.Interrupted {
			t.Errorf("what had not ended: %+v", last)
		}
		if want := map[contract.Level]contract.Level{contract.Basic: contract.Basic}[claims]; p.Holds != want {
			t.Errorf("it holds %q, want %q", p.Holds, want)
		}
	}
}

// A row that was not played in one lab does not count as a difference of the labs.
func TestInterruptedFidelityExplainsWhatWasNotPlayed(t *testing.T) {
	cell := runner.Cell{Scenario: find(t, "clean-drop")[0], Server: stepServer(t, "7")}
	ended := []report.Result{{ID: "clean-drop", Column: "step 7", Tally: check.Tally{Runs: 1}, Verdict: check.Verdict{Outcome: check.Pass}}}
	table, unexplained := runner.Fidelity([]report.Result{cell.Unplayed(runner.Interrupted)}, ended)
	if unexplained != 0 || !strings.Contains(table, "| "+runner.Interrupted+" |") {
		t.Errorf("%d unexplained:\n%s", unexplained, table)
	}
}
