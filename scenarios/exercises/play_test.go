//go:build !race

package exercises

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/steps/lessons"
)

// startedIn starts an exercise in a temporary folder.
func startedIn(t *testing.T, e Exercise) Copy {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	c := CopyOf(root, e)
	c.Folder = filepath.Join(t.TempDir(), "copy")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// replaces has go build take the files of a copy outside of the kit for those in its place.
func (c Copy) replaces(all map[string]string, names ...string) {
	for _, name := range names {
		all[filepath.Join(CopyOf(c.Root, c.Exercise).Folder, name)] = filepath.Join(c.Folder, name)
	}
}

// overlay is the flag that has go build replace the files.
func overlay(t *testing.T, replace map[string]string) string {
	t.Helper()
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, list, 0o644); err != nil {
		t.Fatal(err)
	}
	return "-overlay=" + file
}

// inVirtualLab leaves out scenarios with several servers, which the virtual lab cannot play.
func inVirtualLab(e Exercise) (some []Scenario) {
	for _, s := range e.Scenarios {
		row, err := catalogue.Find([]string{s.ID})
		if err == nil && !row[0].Cluster {
			some = append(some, s)
		}
	}
	return some
}

// The starting code of each exercise must break the rules that the exercise names, and the
// step that solves it must break none. The starting code of all exercises is compiled into
// one program and played in the virtual lab.
func TestStartsFailAndSolutionsPass(t *testing.T) {
	started := verdictsOfStarts(t)
	for _, e := range all(t) {
		t.Run(e.Step, func(t *testing.T) {
			for _, s := range inVirtualLab(e) {
				if s.Breaks == "" {
					continue // a race condition may appear here, too
				}
				if wrong := asNamed(s, started[e.Step][s.ID]); wrong != "" {
					t.Errorf("%s at the start: %s", s.ID, wrong)
				}
			}
			solution, err := lessons.Find(e.Solution)
			if err != nil {
				t.Fatal(err)
			}
			r, err := e.CheckInProcess(t.Context(), solution)
			if err != nil {
				t.Fatal(err)
			}
			for _, result := range r.Results {
				if wrong := asNamed(Scenario{ID: result.ID}, result.Verdict); wrong != "" && result.Verdict.Outcome != check.Unsupported {
					t.Errorf("%s with the solution: %s", result.ID, wrong)
				}
			}
		})
	}
}

// asNamed describes how a verdict differs from the result that the exercise names.
func asNamed(s Scenario, v check.Verdict) string {
	switch {
	case s.Breaks == "" && v.Outcome != check.Pass:
		return fmt.Sprintf("%s: %s", v.Outcome, v.Reason)
	case s.Breaks != "" && (v.Outcome != check.Fail || v.Counts[s.Breaks] == 0):
		return fmt.Sprintf("want a break of %s, and it was %s, breaks %v: %s", s.Breaks, v.Outcome, v.Counts, v.Reason)
	}
	return ""
}

func TestAsNamedFindsWhatIsNot(t *testing.T) {
	lost := check.Verdict{Outcome: check.Fail, Counts: map[contract.RuleID]int{contract.NoLoss: 1}}
	pass := check.Verdict{Outcome: check.Pass}
	for _, c := range []struct {
		breaks contract.RuleID
		v      check.Verdict
		right  bool
	}{
		{"", pass, true}, {"", lost, false}, {"", check.Verdict{Outcome: check.Inconclusive}, false},
		{contract.NoLoss, lost, true}, {contract.NoLoss, pass, false}, {contract.Order, lost, false},
	} {
		if got := asNamed(Scenario{Breaks: c.breaks}, c.v) == ""; got != c.right {
			t.Errorf("breaks %q and %v: %v", c.breaks, c.v, got)
		}
	}
}

// verdictsOfStarts builds one program of the starting code of every exercise, as if each
// were in its place, and returns the verdicts by exercise and scenario.
func verdictsOfStarts(t *testing.T) (verdicts map[string]map[string]check.Verdict) {
	t.Helper()
	replace, steps, root := map[string]string{}, []string(nil), ""
	for _, e := range all(t) {
		c := startedIn(t, e)
		steps, root = append(steps, e.Step), c.Root
		c.replaces(replace, "chat.go", "index.html")
	}
	var text strings.Builder
	if err := template.Must(template.ParseFiles("testdata/play.go.tmpl")).Execute(&text, steps); err != nil {
		t.Fatal(err)
	}
	main := filepath.Join(t.TempDir(), "main.go")
	replace[filepath.Join(root, "steps", "exercises", "main.go")] = main
	if err := os.WriteFile(main, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), "go", "run", "-ldflags=-s -w", overlay(t, replace), "./steps/exercises")
	run.Dir, run.Stderr = root, t.Output()
	output, err := run.Output()
	if err != nil {
		t.Fatalf("the starting code: %v", err)
	}
	if err := json.Unmarshal(output, &verdicts); err != nil {
		t.Fatal(err)
	}
	return verdicts
}

var everyExercise = flag.Bool("every-exercise", false, "play every exercise as a learner does, which takes minutes")

// This test plays every exercise as a learner does: a program, processes and TCP. The tests
// of cmd/redial do so with one exercise by default.
func TestLearnersWay(t *testing.T) {
	if !*everyExercise {
		t.Skip("takes minutes: make exercises-all")
	}
	for _, e := range all(t) {
		t.Run(e.Step, func(t *testing.T) { learnersWay(t, e) })
	}
}

// learnersWay starts an exercise, checks that it fails as described, and solves it.
func learnersWay(t *testing.T, e Exercise) {
	c, replace := startedIn(t, e), map[string]string{}
	c.replaces(replace, "chat.go", "index.html", "serve/main.go")
	t.Setenv("GOFLAGS", overlay(t, replace))
	played := func() map[string]check.Verdict {
		program, err := c.Build(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		r, err := e.Check(t.Context(), program, func(int, int, report.Result) { told++ })
		if err != nil {
			t.Fatal(err)
		}
		if told != len(e.Scenarios) {
			t.Errorf("told of %d scenarios, want %d", told, len(e.Scenarios))
		}
		verdicts := map[string]check.Verdict{}
		for _, result := range r.Results {
			verdicts[result.ID] = result.Verdict
		}
		return verdicts
	}
	started := played()
	for _, s := range e.Scenarios {
		if wrong := asNamed(s, started[s.ID]); s.Breaks != "" && wrong != "" {
			t.Errorf("%s at the start: %s", s.ID, wrong)
		}
	}
	solution, err := c.solution()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.write(solution); err != nil {
		t.Fatal(err)
	}
	solved := played()
	for _, id := range slices.Sorted(maps.Keys(solved)) {
		if wrong := asNamed(Scenario{ID: id}, solved[id]); wrong != "" {
			t.Errorf("%s with the solution: %s", id, wrong)
		}
	}
}
