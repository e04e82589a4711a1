package runner_test

import (
	"context"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/defect"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// flaky is the virtual lab, in which a run with seed 1 has another server.
type flaky struct{ first lab.Server }

func (flaky) String() string { return "flaky" }

func (f flaky) Play(ctx context.Context, server lab.Server, config lab.Config, p plan.Plan) lab.Run {
	if p.Seed == 1 {
		server = f.first
	}
	return lab.Virtual.Play(ctx, server, config, p)
}

// A known failure that one of several runs does not show is still there: without its entry in the
// list, the runs would fail. A pass in place of a known failure is nothing to replay.
func TestKnownFailureThatPassesOnceIsStillKnown(t *testing.T) {
	t.Parallel()
	losing, right := stepServer(t, "5"), stepServer(t, "7")
	losing.Level, losing.Step = contract.Recovery, ""
	for runs, want := range map[int]check.Outcome{1: check.Fail, 3: check.Pass} {
		r := played(t, losing, find(t, "clean-drop"), runner.Options{Seed: 1, Runs: runs, Lab: flaky{right.Server}, Known: []string{"clean-drop"}, Artifacts: t.TempDir()})[0]
		if r.Outcome() != want || r.Runs != runs || r.AsExpected() != (want == check.Pass) || len(r.Artifacts) > 0 {
			t.Errorf("%d runs, of which the first passes: %s, %s, saved as %q", r.Runs, r.Outcome(), r.Reason(), r.Artifacts)
		}
	}
}

// An entry in the list of known failures changes nothing where the scenario cannot be played,
// whether that is known before the run or after it.
func TestKnownFailureThatIsUnsupportedIsAsExpected(t *testing.T) {
	t.Parallel()
	storing, err := defect.Find("does-not-store") // whose page asks for no acknowledgement
	if err != nil {
		t.Fatal(err)
	}
	storing.New = defect.Right
	unacknowledged, err := servers.Broken(storing)
	if err != nil {
		t.Fatal(err)
	}
	unacknowledged.Step = ""
	for id, server := range map[string]servers.Server{"node-dies": stepServer(t, "7"), "acknowledgement-cut": unacknowledged} {
		r := played(t, server, find(t, id), runner.Options{Seed: 1, Lab: lab.Virtual, Known: []string{id}})[0]
		if r.Outcome() != check.Unsupported || !r.AsExpected() || r.Expected != "" {
			t.Errorf("%s is %s, expected %q: %s", id, r.Outcome(), r.Expected, r.Reason())
		}
	}
}
