package report

import (
	"bytes"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
)

// A failure that is known stays one in the report on all parts, and a pass in its place a failure.
func TestMergedReportNamesKnownFailures(t *testing.T) {
	known := Result{ID: "known", Expected: check.Fails, Met: true, Tally: check.Tally{Runs: 1, Lost: 1},
		Verdict: check.Verdict{Outcome: check.Fail, Level: contract.Basic, Reason: "lost", Findings: []check.Finding{{Rule: contract.NoLoss, Must: true}}}}
	passes := Result{ID: "passes", Expected: check.Fails, Tally: check.Tally{Runs: 1}, Verdict: check.Verdict{Outcome: check.Pass}}
	var part, text bytes.Buffer
	if err := JSON(&part, Report{Level: contract.Basic, Results: []Result{known, passes}}); err != nil {
		t.Fatal(err)
	}
	var m Merged
	if err := m.Add(part.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := Text(&text, m.Report(), Style{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 passed (1 as they are known to fail), 1 failed", "Known failures\n  known: A page shows every message", "take it out"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, text.String())
		}
	}
}
