package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
)

// Only the first failures of one rule are written in full, so that they do not hide a failure
// of another rule.
func TestManyFailuresByOneRuleAreToldInBrief(t *testing.T) {
	failed := func(n int, rule contract.RuleID) Result {
		f := check.Finding{Rule: rule, Anomaly: check.Lost, Must: true, Client: "bob", View: 1, Message: "hello", Expected: "to be shown", Observed: "it is not", Event: -1}
		return Result{ID: fmt.Sprint("scenario-", n), Title: "what happens", Column: "x", Replay: fmt.Sprint("redial replay ", n), Tally: check.Tally{Runs: 1, Lost: 1},
			Verdict: check.Verdict{Outcome: check.Fail, Level: contract.Recovery, Findings: []check.Finding{f}}}
	}
	r := Report{Target: "x", Level: contract.Recovery}
	for n := range 7 {
		r.Results = append(r.Results, failed(n, contract.NoLoss))
	}
	r.Results = append(r.Results, failed(7, contract.Order))
	text := written(t, writers["text.txt"], r)
	for n, full := range []bool{true, true, true, false, false, false, false, true} {
		if strings.Contains(text, fmt.Sprintf("\nFAIL scenario-%d\n", n)) != full {
			t.Errorf("scenario-%d: in full is not %t:\n%s", n, full, text)
		}
		if !strings.Contains(text, fmt.Sprint("redial replay ", n, "\n")) {
			t.Errorf("scenario-%d has no replay line", n)
		}
	}
	for _, want := range []string{"\nFAIL 4 more by the rule no-loss\n", "\n  scenario-3: what happens: 1 lost, in bob's page\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q:\n%s", want, text)
		}
	}
}

// An outage of the database is part of what explains a loss.
func TestExcerptTellsOfTheDatabase(t *testing.T) {
	locked := history.Event{At: at(118), Kind: history.Note, Detail: "the database is locked"}
	r := sample().Results[1]
	r.Events = slices.Insert(slices.Clone(r.Events), 11, locked)
	r.Verdict.Findings[0].Event++
	if text := strings.Join(explain(r, Style{}), "\n"); !strings.Contains(text, "lab    note: the database is locked") {
		t.Errorf("it is not told:\n%s", text)
	}
}

// From the fourth failure of a rule on, a line counts the breaks of a rule that has no other count.
func TestFurtherFailuresCountTheirBreaks(t *testing.T) {
	var r Report
	for n := range failuresInFull + 1 {
		r.Results = append(r.Results, Result{ID: fmt.Sprint("scenario-", n), Title: "a phantom", Tally: check.Tally{Runs: 1}, Verdict: check.Verdict{
			Outcome: check.Fail, Counts: map[contract.RuleID]int{contract.NoPhantom: 7},
			Findings: []check.Finding{{Rule: contract.NoPhantom, Must: true, Client: "bob", Observed: "no client sent this text"}},
		}})
	}
	if got := written(t, writers["text.txt"], r); !strings.Contains(got, "scenario-3: a phantom: 7 times, in bob's page") {
		t.Errorf("the fourth failure is not counted:\n%s", got)
	}
}

// The rule is of a failure, and the level beyond is of a pass, each by the outcome that counts.
func TestJSONNamesARuleOnlyForAFailure(t *testing.T) {
	breaks := func(outcome check.Outcome) check.Verdict {
		return check.Verdict{Outcome: outcome, Findings: []check.Finding{{Rule: contract.NoLoss, Must: true}}}
	}
	for name, c := range map[string]struct {
		verdict      check.Verdict
		expected     check.Expectation
		met          bool
		rule, beyond string
	}{
		"a failure":                {breaks(check.Fail), "", false, "no-loss", ""},
		"a known failure":          {breaks(check.Fail), check.Fails, true, "no-loss", "recovery"},
		"an expectation not met":   {breaks(check.Fail), check.ExactlyOnce, false, "no-loss", ""},
		"inconclusive":             {breaks(check.Inconclusive), "", false, "", ""},
		"a pass that must fail":    {check.Verdict{Outcome: check.Pass}, check.Fails, false, "", ""},
		"a pass, and fails beyond": {check.Verdict{Outcome: check.Pass}, "", false, "", "recovery"},
	} {
		r := Report{Results: []Result{{Verdict: c.verdict, Expected: c.expected, Met: c.met, Tally: check.Tally{Runs: 1},
			Beyond: check.Verdict{Outcome: check.Fail, Level: contract.Recovery}}}}
		var d Document
		if err := json.Unmarshal([]byte(written(t, JSON, r)), &d); err != nil {
			t.Fatal(err)
		}
		if s := d.Scenarios[0]; string(s.Rule) != c.rule || string(s.Beyond) != c.beyond {
			t.Errorf("%s has the rule %q and beyond %q, want %q and %q", name, s.Rule, s.Beyond, c.rule, c.beyond)
		}
	}
}
