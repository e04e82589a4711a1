package report

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
)

// A merged report must not pass because a part that failed was left out.
func TestMergeNeedsEveryShardOnce(t *testing.T) {
	for _, c := range []struct {
		shards []string
		want   string
	}{
		{[]string{""}, ""},
		{[]string{"1/1"}, ""},
		{[]string{"2/3", "1/3", "3/3"}, ""},
		{[]string{"1/3", "3/3"}, "shard 2/3 is missing: 2 of 3 were given"},
		{[]string{"1/2"}, "shard 2/2 is missing: 1 of 2 were given"},
		{[]string{"1/3", "2/3", "1/3"}, "is shard 1/3, as another file is"},
		{[]string{"1/2", "2/3"}, "is shard 2/3, and another file is one of 2 shards"},
		{[]string{"", ""}, "cannot be merged with another file: one of the two is of a whole run, which was not divided with --shard"},
		{[]string{"1/2", ""}, "cannot be merged with another file: one of the two is of a whole run, which was not divided with --shard"},
		{[]string{"3/2"}, `has a shard that is none: "3/2"`},
	} {
		if err := merge(t, c.shards); fmt.Sprint(err) != c.want && (err != nil || c.want != "") {
			t.Errorf("%q: %v, want %s", c.shards, err, c.want)
		}
	}
}

// Parts that were divided from other rows, or have other runs, are not the whole of one run.
func TestMergeRefusesPartsOfOtherRuns(t *testing.T) {
	first := Report{Shard: "1/2", Selection: "a", Repeats: 1, Results: []Result{{ID: "x"}}}
	for want, second := range map[string]Report{
		"":                             {Shard: "2/2", Selection: "a", Repeats: 1},
		"is a part of other scenarios": {Shard: "2/2", Selection: "b", Repeats: 1},
		"is of another run: ":          {Shard: "2/2", Selection: "a", Repeats: 3},
	} {
		second.Results = []Result{{ID: "y"}}
		var whole Merged
		if err := whole.Add([]byte(written(t, JSON, first))); err != nil {
			t.Fatal(err)
		}
		err := whole.Add([]byte(written(t, JSON, second)))
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if text := written(t, func(w io.Writer, _ Report) error { return whole.JSON(w) }, Report{}); strings.Contains(text, "selection") {
			t.Errorf("the whole names the selection of a part: %s", text)
		}
	}
}

// A merged report has its rows in the order of the catalogue, as that of a whole run.
func TestMergedReportKeepsRowsAndOfficialOutcome(t *testing.T) {
	results := []Result{
		{ID: "last", Row: 44, Verdict: check.Verdict{Outcome: check.Fail}, Official: check.Pass},
		{ID: "first", Row: 1, Verdict: check.Verdict{Outcome: check.Pass}},
	}
	var whole Merged
	for i, result := range results {
		part := Report{Client: "go", Shard: fmt.Sprintf("%d/2", i+1), Results: []Result{result}}
		if err := whole.Add([]byte(written(t, JSON, part))); err != nil {
			t.Fatal(err)
		}
	}
	merged := whole.Report()
	for i, r := range merged.Results {
		if r.ID != results[i].ID || r.Row != results[i].Row || r.Official != results[i].Official {
			t.Errorf("%s has row %d and %q by the official client, want %d and %q", r.ID, r.Row, r.Official, results[i].Row, results[i].Official)
		}
	}
	if rows := merged.rows(); rows[0].ID != "first" {
		t.Errorf("the rows begin with %s", rows[0].ID)
	}
}

// What a whole run says of a failure, the merged report says once: whose fault it is, the rule
// and the reason. It has no times, which are not in the parts.
func TestMergedReportExplainsAFailureAsTheWholeRunDoes(t *testing.T) {
	whole := Report{Client: "python", Results: []Result{{
		ID: "clean-drop", Title: "a clean drop", Official: check.Pass, Tally: check.Tally{Runs: 1, Lost: 2},
		Verdict: check.Verdict{Outcome: check.Fail, Reason: "2 messages were lost", Findings: []check.Finding{{Rule: contract.NoLoss, Must: true, Observed: "lost"}}},
	}}}
	var m Merged
	if err := m.Add([]byte(written(t, JSON, whole))); err != nil {
		t.Fatal(err)
	}
	merged := m.Report()
	if got, want := merged.Results[0].Reason(), whole.Results[0].Reason(); got != want {
		t.Errorf("the reason is %q, want %q", got, want)
	}
	for name, write := range writers {
		got := written(t, write, merged)
		if times := strings.Count(got, "the client is at fault"); times > 1 || times == 0 && !strings.HasPrefix(name, "matrix") {
			t.Errorf("%s says %d times that the client is at fault:\n%s", name, times, got)
		}
		if strings.Contains(got, "0s") {
			t.Errorf("%s has a time that is not known:\n%s", name, got)
		}
	}
	if got := written(t, JUnit, merged); !strings.Contains(got, `type="no-loss"`) || !strings.Contains(got, "2 messages were lost") {
		t.Errorf("JUnit has no rule or reason:\n%s", got)
	}
}

func merge(t *testing.T, shards []string) error {
	var whole Merged
	for i, shard := range shards {
		r := Report{Level: contract.Recovery, Shard: shard, Results: []Result{
			{ID: fmt.Sprint("scenario-", i), Tally: check.Tally{Runs: 1}, Verdict: check.Verdict{Outcome: check.Pass}},
		}}
		if err := whole.Add([]byte(written(t, JSON, r))); err != nil {
			return err
		}
	}
	return whole.Complete()
}
