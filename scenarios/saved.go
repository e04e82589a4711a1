package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
	"redial/harness/report"
)

// The labs, by name.
const (
	LabReal    = "real"
	LabVirtual = "virtual"
)

// A Saved is a run that failed, with all that it takes to play it again.
type Saved struct {
	// Target is the subject's name: a step of the kit, by which it is found again.
	Target string `json:"target"`
	Lab    string `json:"lab"`
	// Name is the scenario that it is, or is a case of.
	Name    string          `json:"name"`
	Verdict check.Verdict   `json:"verdict"`
	Plan    plan.Plan       `json:"plan"`
	Events  []history.Event `json:"history"`
}

// ReadSaved reads a file that was saved, and says in one line what is wrong with it.
func ReadSaved(path string) (Saved, error) {
	var s Saved
	text, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("%s is not a saved failure: %w", path, err)
	}
	if s.Target == "" || s.Lab != LabReal && s.Lab != LabVirtual {
		return s, fmt.Errorf("%s is not a saved failure: it names no target, or no lab", path)
	}
	if err := s.Plan.Validate(); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := contract.ParseLevel(string(s.Verdict.Level)); err != nil || s.Verdict.Outcome != check.Fail {
		return s, fmt.Errorf("%s is not a saved failure: it has no verdict that fails, at a level that there is", path)
	}
	return s, nil
}

// write saves it under the name in the target's folder of folder.
func (s Saved) write(folder, name string) (path string, err error) {
	folder = filepath.Join(folder, fileName(s.Target))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	path = filepath.Join(folder, fileName(name)+".json")
	return path, os.WriteFile(path, encode(s), 0o644)
}

// fileName makes a name of a file out of any text.
func fileName(text string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(text))
	return name[:min(len(name), 80)]
}

// ErrOtherVerdict says that a saved run was played again and came to something else.
var ErrOtherVerdict = errors.New("the verdict is another one this time")

// Rate plays the run again so many times, and counts how often it came to the saved
// verdict and how often it failed in any way. A failure that rests on a race in the
// server comes again at a rate: the Go scheduler decides within an instant, and no seed
// decides for it.
func (s Saved) Rate(ctx context.Context, t *testing.T, times int) (same, failed int, err error) {
	for range times {
		result, err := s.Play(ctx, t)
		if err != nil && !errors.Is(err, ErrOtherVerdict) {
			return same, failed, err
		}
		if err == nil {
			same++
		}
		if result.Outcome() == check.Fail {
			failed++
		}
	}
	return same, failed, nil
}

// Play plays the run again. A verdict that differs from the saved one is an error that
// wraps ErrOtherVerdict, with the result beside it. t is for the virtual lab.
func (s Saved) Play(ctx context.Context, t *testing.T) (report.Result, error) {
	subject, err := Step(strings.TrimPrefix(s.Target, "step "))
	if err != nil {
		return report.Result{}, fmt.Errorf("this failure is of %q, which this program cannot start by itself: %w", s.Target, err)
	}
	subject.Level = s.Verdict.Level
	r := newRunner(Options{T: t})
	a := attempt{}
	began := time.Now()
	r.play(ctx, cell{subject: subject}, s.Plan, &a)
	result := report.Result{
		ID: s.Name, Title: s.Plan.Name(), Column: subject.Name, Events: a.events, Verdict: check.Judge(a.events),
	}
	result.Tally = tallyOf(result.Verdict)
	result.Took, result.Virtual = time.Since(began), a.virtual
	if a.err != nil {
		return result, a.err
	}
	if v := result.Verdict; v.Outcome != s.Verdict.Outcome || v.Reason != s.Verdict.Reason {
		return result, fmt.Errorf("%w: it was %s (%s)", ErrOtherVerdict, s.Verdict.Outcome, s.Verdict.Reason)
	}
	return result, nil
}
