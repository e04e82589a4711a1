package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	verdict "redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// The report is of the level that holds. What the next one lacks is printed as check prints it, and
// drawn on a page of its own.
func TestLevelAutoShowsWhatTheNextLevelLacks(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	junit := filepath.Join(folder, "junit.xml")
	o := redial(t, "check", "--level", "auto", "--step", "7", "--lab", "virtual", "--seed", "1", "--scenario", "clean-drop,write-on-dead-connection", "--report", folder, "--junit", junit)
	for _, want := range []string{"FAIL write-on-dead-connection", "--level client-delivery --scenario write-on-dead-connection --seed 1", filepath.Join(folder, "step-7", "write-on-dead-connection-1.json")} {
		if !strings.Contains(strings.Join(strings.Fields(o.stdout), ""), strings.ReplaceAll(want, " ", "")) { // a long path is wrapped
			t.Errorf("it does not print %q:\n%s", want, o.stdout)
		}
	}
	index, above := read(t, filepath.Join(folder, "index.html")), read(t, filepath.Join(folder, "client-delivery.html"))
	for _, want := range []string{"<h1>All 2 passed.", "client-delivery does not hold: row 27, write-on-dead-connection: ", `href="client-delivery.html"`} {
		if !strings.Contains(index, want) {
			t.Errorf("the report has no %q", want)
		}
	}
	if o.code != 0 || !strings.Contains(above, "1 of 2 scenarios failed.") || !strings.Contains(above, "Around the finding") {
		t.Errorf("exit %d, and no drawing of the failure", o.code)
	}
	if text := read(t, junit); strings.Contains(text, "<failure") {
		t.Errorf("a level that holds has a failure: %s", text)
	}
	badge := filepath.Join(folder, "b.svg")
	o = redial(t, "check", "--level", "auto", "--step", "3", "--lab", "virtual", "--seed", "1", "--scenario", "burst", "--report", folder, "--badge", badge)
	if !strings.HasSuffix(o.stdout, "\nNo level holds.\n") {
		t.Errorf("a step that holds no level: %s", o.stdout)
	}
	if text := read(t, badge); !strings.Contains(text, ">basic: fail</text>") {
		t.Errorf("the badge is %s", text)
	}
	if _, err := os.Stat(filepath.Join(folder, "basic.html")); o.code != 1 || !strings.Contains(unwrapped(o.stdout), "--level basic --scenario burst") || err == nil {
		t.Errorf("exit %d of a step that holds no level, which its report shows: %s", o.code, o.stdout)
	}
}

// A level above that was cut short may hold as well.
func TestLevelAutoIsInconclusiveWhileTheNextLevelIsUnknown(t *testing.T) {
	t.Parallel()
	r := report.Report{Results: []report.Result{{Verdict: verdict.Verdict{Outcome: verdict.Pass}, Tally: verdict.Tally{Runs: 1}}}}
	tolerant := r
	tolerant.Tolerant = true
	for _, c := range []struct {
		report report.Report
		last   rung
		want   int
	}{
		{r, rung{unknown: true}, report.ExitInconclusive},
		{tolerant, rung{unknown: true}, report.ExitPass},
		{r, rung{row: "row 8"}, report.ExitPass},
	} {
		if got := exitOf(c.report, c.last); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// hanging is the virtual lab, in which the runs of one scenario have no verdict.
type hanging struct{ scenario string }

func (hanging) String() string { return "hanging" }

func (h hanging) Play(ctx context.Context, server lab.Server, config lab.Config, p plan.Plan) lab.Run {
	if p.Scenario == h.scenario {
		return lab.Run{Err: errors.New("it hung")}
	}
	return lab.Virtual.Play(ctx, server, config, p)
}

// A row without a verdict leaves it open whether the level holds, unless another row fails.
func TestLevelIsUnknownWhileARowIsInconclusive(t *testing.T) {
	t.Parallel()
	rows, err := catalogue.Find([]string{"refresh", "clean-drop"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		step, hangs, row, line, highest string
		unknown                         bool
	}{
		{"7", "refresh", "refresh", "? recovery ", "The highest level that is known to hold: basic", true},
		{"5", "refresh", "clean-drop", "✗ recovery ", "The highest level that holds: basic", false},
		{"5", "clean-drop", "clean-drop", "? recovery ", "The highest level that is known to hold: basic", true},
	} {
		server, err := servers.Step(c.step)
		if err != nil {
			t.Fatal(err)
		}
		server.Step, server.Level = "", contract.Recovery
		up := rung{level: server.Level}
		if err := up.play(t.Context(), server, rows, runner.Options{Seed: 1, Lab: hanging{c.hangs}}); err != nil {
			t.Fatal(err)
		}
		var printed bytes.Buffer
		r := report.Report{Results: up.results}
		if err := printRungs(&printed, []rung{{level: contract.Basic}, up}, r, report.Style{}); err != nil {
			t.Fatal(err)
		}
		text := printed.String()
		if up.holds() || up.unknown != c.unknown || !strings.HasSuffix(up.row, ", "+c.row) {
			t.Errorf("step %s, %s hangs: unknown %v, by %s", c.step, c.hangs, up.unknown, up.reasonWithRow())
		}
		if !strings.Contains(text, c.line) || !strings.Contains(text, c.highest) {
			t.Errorf("step %s, %s hangs:\n%s", c.step, c.hangs, text)
		}
	}
}

// unreachable is the virtual lab, in which no server starts above level basic.
type unreachable struct{}

func (unreachable) String() string { return "unreachable" }

func (unreachable) Play(ctx context.Context, server lab.Server, config lab.Config, p plan.Plan) lab.Run {
	if config.Level != contract.Basic {
		return lab.Run{Err: lab.ErrUnreachable}
	}
	return lab.Virtual.Play(ctx, server, config, p)
}

// A server that does not start says nothing about its level.
func TestLevelIsUnknownIfTheServerDoesNotStart(t *testing.T) {
	t.Parallel()
	rows, err := catalogue.Find([]string{"clean-drop"})
	if err != nil {
		t.Fatal(err)
	}
	s := checking{play: play{seed: 1, lab: unreachable{}, files: outputs{reportDir: t.TempDir()}}, step: "7"}
	rungs, err := s.rungs(t.Context(), rows, newProgress(true))
	if err != nil || len(rungs) != 2 || !rungs[0].holds() || rungs[1].holds() || !rungs[1].unknown {
		t.Errorf("%+v: %v", rungs, err)
	}
}

// The time in which the server starts counts as well, and the reason why it did not is printed.
func TestTimeLimitBoundsTheStartOfTheServer(t *testing.T) {
	t.Parallel()
	for _, more := range [][]string{nil, {"--fail-on", "fail"}, {"--fail-on", "fail", "--level", "auto"}} {
		o := redial(t, append([]string{"check", "--config", hostileTarget(t, "never starts", "isolated: true, readyWithin: 1m", ""), "--scenario", "clean-drop", "--time-limit", "1s"}, more...)...)
		if o.code != 3 || !strings.Contains(o.stdout, "the time limit of 1s was exceeded") || !strings.Contains(o.stderr, "did not answer at ") {
			t.Errorf("%q: exit %d: %s%s", more, o.code, o.stdout, o.stderr)
		}
	}
}
