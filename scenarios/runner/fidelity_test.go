package runner_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
)

// The table has every scenario, and no difference between the labs without a reason.
func TestFidelityTableIsComplete(t *testing.T) {
	text, err := os.ReadFile("../fidelity.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range catalogue.All {
		if !strings.Contains(string(text), fmt.Sprintf("| %d | %s |", s.Row, s.ID)) {
			t.Errorf("fidelity.md has no row for %s: run make fidelity", s.ID)
		}
	}
	if strings.Contains(string(text), "not explained") {
		t.Error("fidelity.md has a difference between the labs that is not explained")
	}
}

// A difference between the labs is counted and marked, unless the catalogue has a reason.
func TestFidelityOfLabsThatDiffer(t *testing.T) {
	result := func(outcome check.Outcome, lost int) []report.Result {
		return []report.Result{{
			ID: "clean-drop", Row: 1, Column: "step 7", Tally: check.Tally{Runs: 1, Lost: lost}, Verdict: check.Verdict{Outcome: outcome, Lost: lost},
		}}
	}
	if table, unexplained := runner.Fidelity(result(check.Pass, 0), result(check.Pass, 0)); unexplained != 0 || strings.Contains(table, "explained") {
		t.Errorf("labs that agree: %d unexplained\n%s", unexplained, table)
	}
	if table, unexplained := runner.Fidelity(result(check.Pass, 0), result(check.Fail, 3)); unexplained != 1 || !strings.Contains(table, "not explained") {
		t.Errorf("labs that differ: %d unexplained\n%s", unexplained, table)
	}
}
