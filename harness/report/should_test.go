package report

import (
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
)

// A broken rule that the level does not promise has a sign of its own and fails nothing.
func TestShouldHasItsOwnSignAndFailsNothing(t *testing.T) {
	lost := check.Verdict{Outcome: check.Fail, Level: contract.ServerDelivery, Lost: 2}
	again := check.Finding{Rule: contract.NoRepeat, Anomaly: check.SentAgain, Expected: "it sent once", Observed: "the server sent it again"}
	passed := func(id string) Result {
		return Result{ID: id, Column: "step 6", Tally: check.Tally{Runs: 1}, Verdict: check.Verdict{Outcome: check.Pass, Level: contract.Recovery}}
	}
	killed, repeated := passed("server-killed"), passed("five-drops")
	killed.Beyond, repeated.Verdict.Findings = lost, []check.Finding{again}
	r := Report{Target: "step 6", Level: contract.Recovery, Lab: "virtual", Results: []Result{passed("clean-drop"), killed, repeated}}

	if r.ExitCode() != ExitPass {
		t.Errorf("it ends with %d", r.ExitCode())
	}
	text := written(t, writers["text.txt"], r)
	for _, line := range []string{"✓ clean-drop", "~ server-killed", "~ five-drops", "~ Seen, and not promised at level recovery",
		"  five-drops: no-repeat: expected it sent once, but the server sent it again", "  a failure from level server-delivery on: server-killed"} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("no line begins with %q:\n%s", line, text)
		}
	}
	for name, want := range map[string]string{
		"github.md": `| \~ | ` + "`server-killed`", "report.json": `"beyond": "server-delivery"`, "report.html": `>~</a>`,
	} {
		if got := written(t, writers[name], r); !strings.Contains(got, want) || name != "report.json" && !strings.Contains(got, "a failure from level server-delivery on") {
			t.Errorf("%s has no %q:\n%s", name, want, got)
		}
	}

	var merged Merged
	if err := merged.Add([]byte(written(t, JSON, r))); err != nil {
		t.Fatal(err)
	}
	if text := written(t, writers["text.txt"], merged.Report()); !strings.Contains(text, "\n~ server-killed") {
		t.Errorf("merged:\n%s", text)
	}
}

// The sign stands before a cell's letters if the matrix expects more than the step promises,
// and not if the step breaks its own promise as expected.
func TestCellOfAShould(t *testing.T) {
	lost := check.Verdict{Outcome: check.Fail, Level: contract.DurableDelivery, Lost: 2}
	r := Result{Column: "step 6", Tally: check.Tally{Runs: 1, Lost: 2}, Verdict: lost, Expected: check.Loses, Met: true}
	if cell := r.cell(); cell != "L" {
		t.Errorf("a broken promise is %q", cell)
	}
	r.Beyond = lost
	if cell := r.cell(); cell != "~L" || r.Letters() != "L" {
		t.Errorf("what is not promised is %q, and %q in letters", cell, r.Letters())
	}
	r.Expected, r.Met = check.ExactlyOnce, false
	if cell := r.cell(); cell != "L!" {
		t.Errorf("what is not as expected is %q", cell)
	}
}
