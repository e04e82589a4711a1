package scenarios_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/report"
	"redial/scenarios"
)

// sample is how many points of a story a test tries; `make check` tries them all.
func sample(points int) int {
	if underRace {
		return points / 5
	}
	return points
}

func swept(t *testing.T, number string, o scenarios.SweepOptions) []report.Result {
	t.Helper()
	subject, err := scenarios.Step(number)
	if err != nil {
		t.Fatal(err)
	}
	o.T, o.Seed = t, 1
	results, err := scenarios.Sweep(t.Context(), subject, o)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// What a step promises holds wherever a story is broken.
func TestSweepOfTheSteps(t *testing.T) {
	// Steps 3 and 4 show nothing to anybody else. Step 9 is one server here, so that the
	// death of a server is the death of the only one.
	for _, number := range []string{"5", "6", "7", "8", "9", "10"} {
		t.Run("step "+number, func(t *testing.T) {
			for _, r := range swept(t, number, scenarios.SweepOptions{Kind: scenarios.SweepSingle, Points: sample(50)}) {
				if r.Outcome() != check.Pass {
					t.Errorf("%s: %s: %s", r.ID, r.Outcome(), r.Reason())
				}
				if r.Points < sample(50)*8/10 || r.Virtual == 0 {
					t.Errorf("%s: %d points in %s", r.ID, r.Points, r.Virtual)
				}
			}
		})
	}
}

// A saved failure that is none, or comes to something else, is said so.
func TestReadSaved(t *testing.T) {
	for text, want := range map[string]string{
		"{":                             "is not a saved failure",
		"{}":                            "names no target",
		`{"target":"step 7","lab":"x"}`: "names no target, or no lab",
		`{"target":"step 7","lab":"virtual","plan":{"script":[{"do":"dance"}]}}`: "unknown action",
	} {
		file := filepath.Join(t.TempDir(), "saved.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := scenarios.ReadSaved(file); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", text, err, want)
		}
	}
	right := scenarios.Saved{Target: "step 7", Lab: scenarios.LabVirtual, Plan: scenarios.ControlScript()}
	right.Verdict.Outcome = check.Fail
	if _, err := right.Play(context.Background(), t); !errors.Is(err, scenarios.ErrOtherVerdict) {
		t.Errorf("a failure that is none any more: %v", err)
	}
}
