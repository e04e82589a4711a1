package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"redial/harness/check"
)

// The outcome with the official client stands beside the verdict in every output, and does not
// change the verdict.
func TestFailureOfAnotherClientSaysWhoseFaultItIs(t *testing.T) {
	for official, want := range map[check.Outcome]string{
		"":         "lost: 2",
		check.Pass: "the client is at fault: the official client passes this. lost: 2",
		check.Fail: "the client is not the cause alone: with the official client the outcome is fail. lost: 2",
	} {
		r := Report{Target: "step 7", Lab: "real", Client: "python", Results: []Result{{
			ID: "clean-drop", Official: official, Tally: check.Tally{Runs: 1}, Verdict: check.Verdict{
				Outcome: check.Fail, Reason: "lost: 2", Findings: []check.Finding{{Rule: "no-loss", Must: true, Observed: "it was never shown"}}},
		}}}
		if got := r.Results[0].Reason(); got != want {
			t.Errorf("the reason is %q, want %q", got, want)
		}
		if r.Results[0].Verdict.Reason != "lost: 2" {
			t.Errorf("the verdict has changed: %q", r.Results[0].Verdict.Reason)
		}
		var text, document bytes.Buffer
		if err := Text(&text, r, Style{Width: 200}); err != nil {
			t.Fatal(err)
		}
		blame, _, _ := strings.Cut(want, " lost: 2")
		if !strings.Contains(text.String(), "client python") || official != "" && !strings.Contains(text.String(), "client     "+blame) {
			t.Errorf("the text does not say %q:\n%s", blame, text.String())
		}
		for name, client := range map[string]string{"text.txt": ", client python", "report.html": "<dt>Client</dt><dd>python</dd>", "junit.xml": ", client python", "github.md": ", client python"} {
			got := written(t, writers[name], r)
			if blamed := strings.Count(got, blame); !strings.Contains(got, client) || official != "" && blamed != 1 {
				t.Errorf("%s says %d times %q:\n%s", name, blamed, blame, got)
			}
		}
		if err := JSON(&document, r); err != nil {
			t.Fatal(err)
		}
		var written Document
		if err := json.Unmarshal(document.Bytes(), &written); err != nil {
			t.Fatal(err)
		}
		if written.Client != "python" || written.Scenarios[0].Official != official || written.Scenarios[0].Verdict != check.Fail {
			t.Errorf("the document is %s", document.String())
		}
	}
}

// A failure whose history could not be saved says so, with a finding and without.
func TestFailureSaysThatItsFilesAreMissing(t *testing.T) {
	for _, findings := range [][]check.Finding{nil, {{Rule: "no-loss", Must: true, Observed: "it was never shown"}}} {
		r := Report{Results: []Result{{ID: "clean-drop", Unsaved: "disk full", Tally: check.Tally{Runs: 1}, Verdict: check.Verdict{
			Outcome: check.Fail, Reason: "lost: 2", Findings: findings}}}}
		for _, name := range []string{"text.txt", "report.html", "junit.xml", "github.md"} {
			if got := written(t, writers[name], r); !strings.Contains(got, "not saved: disk full") {
				t.Errorf("%s does not say that the files are missing:\n%s", name, got)
			}
		}
	}
}
