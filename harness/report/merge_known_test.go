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

// A document has only the rule that was broken. The letters of the cell follow from it.
func TestMergedReportHasTheCellsOfTheWhole(t *testing.T) {
	whole := Report{Level: contract.Recovery}
	add := func(outcome check.Outcome, expected check.Expectation, tally check.Tally, rule contract.RuleID, anomaly check.Anomaly) {
		tally.Runs = 1
		v := check.Verdict{Outcome: outcome, Level: whole.Level, Lost: tally.Lost, Duplicated: tally.Duplicated, Reordered: tally.Reordered}
		if rule != "" {
			v.Reason, v.Counts = rule.Sentence(), map[contract.RuleID]int{rule: 1}
			v.Findings = []check.Finding{{Rule: rule, Anomaly: anomaly, Must: true}}
		}
		id := strings.Join([]string{string(outcome), string(expected), string(rule), string(anomaly)}, " ")
		whole.Results = append(whole.Results, Result{ID: id, Expected: expected, Met: expected == check.Fails && outcome == check.Fail, Verdict: v, Tally: tally})
	}
	for _, expected := range []check.Expectation{"", check.Fails} {
		add(check.Fail, expected, check.Tally{}, contract.NoPhantom, check.Phantom)
		add(check.Fail, expected, check.Tally{Duplicated: 1}, contract.NoDuplicate, check.Duplicated)
		add(check.Fail, expected, check.Tally{Reordered: 1}, contract.Order, check.Reordered)
		add(check.Fail, expected, check.Tally{Lost: 1}, contract.NoLoss, check.Lost)
		add(check.Fail, expected, check.Tally{Reordered: 1}, contract.Agreement, check.Reordered)
		add(check.Fail, expected, check.Tally{}, contract.Agreement, check.Unstored)
		add(check.Fail, expected, check.Tally{}, contract.Sends, check.Unstored)
		add(check.Fail, expected, check.Tally{Duplicated: 1}, contract.Sends, check.StoredTwice)
		add(check.Fail, expected, check.Tally{}, contract.Convergence, check.Late)
		add(check.Pass, expected, check.Tally{}, "", "")
		add(check.Inconclusive, expected, check.Tally{}, "", "")
	}
	var m Merged
	if err := m.Add([]byte(written(t, JSON, whole))); err != nil {
		t.Fatal(err)
	}
	for i, merged := range m.Report().Results {
		if r := whole.Results[i]; merged.cell() != r.cell() || merged.sign() != r.sign() || merged.Reason() != r.Reason() {
			t.Errorf("%s: merged it is %s %s (%s), and was %s %s (%s)", r.ID, merged.sign(), merged.cell(), merged.Reason(), r.sign(), r.cell(), r.Reason())
		}
	}
}
