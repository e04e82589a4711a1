package scenarios_test

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"redial/harness/check"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/sweep"
	"redial/scenarios"
)

func TestProbeBroken(t *testing.T) {
	s, err := scenarios.Step(os.Getenv("SUBJECTS"))
	if err != nil {
		t.Fatal(err)
	}
	story := scenarios.Stories[0]
	w := sweep.Sweeper{T: t, Server: s.Virtual, Config: scenarios.ConfigOf(s)}
	p := story.Plan(1)
	healthy, err := w.Healthy(p)
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]int{}
	first := map[string]string{}
	n := 0
	digits := regexp.MustCompile(`[0-9]+`)
	for q := range plan.Singles(p, healthy.Frames, nil) {
		n++
		if n%5 != 0 {
			continue
		}
		run := lab.Virtual(t, s.Virtual(q.Tuning), w.Config, q)
		v := check.Judge(run.Events)
		if run.Err == nil && (v.Outcome == check.Pass) {
			continue
		}
		r := string(q.Faults[0].Kind) + " " + fmt.Sprint(run.Err) + " | " + v.Reason
		r = digits.ReplaceAllString(r, "N")
		reasons[r]++
		if first[r] == "" {
			first[r] = q.Name()
		}
	}
	for r, c := range reasons {
		t.Logf("%d × %s [%s]", c, r, first[r])
	}
}
