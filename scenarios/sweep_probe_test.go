package scenarios_test

import (
	"os"
	"strings"
	"testing"

	"redial/harness/plan"
	"redial/harness/sweep"
	"redial/scenarios"
)

func TestProbeSweep(t *testing.T) {
	var list []scenarios.Subject
	for _, n := range strings.Split(os.Getenv("SUBJECTS"), ",") {
		var s scenarios.Subject
		var err error
		switch n {
		case "p6":
			s, err = scenarios.PublishedRecovery()
		case "p7":
			s, err = scenarios.PublishedDelivery()
		default:
			s, err = scenarios.Step(n)
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	for _, s := range list {
		for _, story := range scenarios.Stories {
			if !s.Level.AtLeast(story.From) {
				continue
			}
			w := sweep.Sweeper{T: t, Server: s.Virtual, Config: scenarios.ConfigOf(s), Name: scenarios.Diagnose}
			p := story.Plan(1)
			healthy, err := w.Healthy(p)
			if err != nil {
				t.Error(s.Name, story.ID, err)
				continue
			}
			r := w.Play(t.Context(), plan.Singles(p, healthy.Frames, nil))
			t.Logf("%s %s: frames %d runs %d passed %d failed %d unfired %d broken %d (%s) L%d D%d R%d %.0f/s virtual %s", s.Name, story.ID, len(healthy.Frames),
				r.Runs, r.Passed, r.Failed, r.Unfired, r.Broken, r.Why, r.Lost, r.Duplicated, r.Reordered, r.PerSecond(), r.Virtual)
			for _, f := range r.Failures {
				t.Logf("   %s × %d: %s: %s", f.Name, f.Count, f.Plan.Name(), f.Verdict.Reason)
				sm := w.Shrink(t.Context(), f, 300)
				t.Logf("shrunk:\n%s", plan.Story(sm.Plan))
			}
		}
	}
}
