package check

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"redial/harness/contract"
	"redial/harness/history"
)

var update = flag.Bool("update", false, "write the golden verdicts anew")

// TestGolden judges each history of testdata at every level. The name of a history begins with
// the only rule that it breaks at any level, with "held" or with "inconclusive". testPromise
// checks that prefix, so that -update cannot accept a wrong verdict.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no histories in testdata: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl")
		t.Run(name, func(t *testing.T) {
			events := readHistory(t, file)
			testPromise(t, name, events)
			got := transcript(events)
			golden := strings.TrimSuffix(file, ".jsonl") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the verdict has changed (-update writes it anew)\n--- got\n%s--- want\n%s", got, want)
			}
		})
	}
}

// testPromise checks the verdict against the prefix of the history's name.
func testPromise(t *testing.T, name string, events []history.Event) {
	t.Helper()
	v := Judge(events)
	switch {
	case strings.HasPrefix(name, "held-"):
		if v.Outcome != Pass || len(v.Findings) > 0 {
			t.Errorf("want a clean pass, got %s %v", v.Outcome, v.Findings)
		}
	case strings.HasPrefix(name, "inconclusive-"):
		if v.Outcome != Inconclusive || v.Reason == "" {
			t.Errorf("want it inconclusive with a reason, got %s %q", v.Outcome, v.Reason)
		}
	default:
		blamed := map[contract.RuleID]bool{}
		for _, level := range contract.Levels {
			for rule := range JudgeAt(level, events).Counts {
				blamed[rule] = true
				// Without a log, levels from server-delivery on promise every page all
				// messages, so a history that breaks another rule also has losses there.
				if owesAll := level.AtLeast(contract.ServerDelivery) && !hasLog(events); owesAll && rule == contract.NoLoss {
					continue
				}
				if !strings.HasPrefix(name, string(rule)+"-") {
					t.Errorf("at level %s the rule %s is blamed", level, rule)
				}
			}
		}
		if len(blamed) == 0 {
			t.Error("no rule is blamed at any level")
		}
	}
}

func hasLog(events []history.Event) bool {
	return slices.ContainsFunc(events, func(e history.Event) bool { return e.Kind == history.LogRead })
}

// transcript lists the verdicts of all levels. Consecutive levels with the same verdict share
// an entry.
func transcript(events []history.Event) string {
	var out bytes.Buffer
	own := Judge(events).Level
	if !slices.Contains(contract.Levels, own) {
		return fmt.Sprintf("[%s]: %s", own, verdictText(Judge(events)))
	}
	last := ""
	var names []string
	flush := func() {
		if len(names) > 0 {
			fmt.Fprintf(&out, "%s: %s", strings.Join(names, ", "), last)
		}
	}
	for _, level := range contract.Levels {
		name := string(level)
		if level == own {
			name = "[" + name + "]"
		}
		if text := verdictText(JudgeAt(level, events)); text != last {
			flush()
			last, names = text, nil
		}
		names = append(names, name)
	}
	flush()
	return out.String()
}

func verdictText(v Verdict) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n", v.Outcome)
	if v.Reason != "" {
		fmt.Fprintf(&out, "  %s\n", v.Reason)
	}
	fmt.Fprintf(&out, "  lost %d, duplicated %d, reordered %d; %d of %d faults fired\n", v.Lost, v.Duplicated, v.Reordered, v.FaultsFired, v.FaultsPlanned)
	for _, f := range v.Findings {
		weight := "should"
		if f.Must {
			weight = "must"
		}
		fmt.Fprintf(&out, "  %s, %s, event %d: %s\n", weight, f.Anomaly, f.Event, f)
	}
	return out.String()
}

func readHistory(t testing.TB, file string) []history.Event {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events, err := history.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return events
}
