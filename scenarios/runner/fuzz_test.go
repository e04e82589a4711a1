package runner_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
)

// A file is refused by an error of one line that names it, or it is a failure that can be
// replayed and that does not change when it is written and read again.
func FuzzReadSaved(f *testing.F) {
	for _, text := range []string{"", "{", "{}", `{"target":"step 7","lab":"virtual"}`, `{"plan":{"seams":"a\nb"}}`,
		`{"target":"step 7","lab":"virtual","level":"recovery","plan":{"script":[{"do":"dance"}]},"verdict":{"outcome":"fail","level":"recovery"}}`,
		`{"target":"step 7","lab":"virtual","level":"a\nb","plan":{},"verdict":{"outcome":"fail","level":"recovery"}}`} {
		f.Add([]byte(text))
	}
	right := runner.Saved{
		Target: "step 7", Level: contract.ServerDelivery, Lab: lab.Virtual.String(), Name: "1", Plan: catalogue.All[0].Plan(1),
		Events: []history.Event{{Kind: history.Began}, {Kind: history.Sent, Message: "\u2028", Offset: 1}}, Output: "x\ny",
	}
	right.Verdict.Outcome, right.Verdict.Level = check.Fail, contract.Recovery
	f.Add(encoded(f, right))
	right.Lab, right.URL, right.Command = lab.Real.String(), "http://127.0.0.1:1", []string{"node"}
	right.Verdict.Outcome, right.Plan = check.Inconclusive, plan.Plan{}
	f.Add(encoded(f, right))
	file := filepath.Join(f.TempDir(), "saved.json")
	read := func(t *testing.T, text []byte) (runner.Saved, error) {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return runner.ReadSaved(file)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		saved, err := read(t, text)
		if err != nil {
			if text := err.Error(); strings.ContainsAny(text, "\n\r") || !strings.HasPrefix(text, file) {
				t.Fatalf("want one line that names the file, not %q", text)
			}
			return
		}
		if err := saved.Plan.Validate(); err != nil || saved.Target == "" || saved.Verdict.Outcome == check.Pass {
			t.Fatalf("cannot be played again: target %q, verdict %q, plan %v", saved.Target, saved.Verdict.Outcome, err)
		}
		first := encoded(t, saved)
		again, err := read(t, first)
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, first)
		}
		if second := encoded(t, again); string(second) != string(first) {
			t.Fatalf("came back as\n%s\nwent as\n%s", second, first)
		}
	})
}

func encoded(t testing.TB, s runner.Saved) []byte {
	t.Helper()
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return text
}
