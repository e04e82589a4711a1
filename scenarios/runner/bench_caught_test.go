package runner_test

import (
	"fmt"
	"slices"
	"testing"

	"redial/harness/check"
	"redial/harness/defect"
	"redial/harness/lab"
	"redial/harness/sweep"
	"redial/scenarios/catalogue"
	"redial/scenarios/servers"
)

// mostCaughtRuns is after how many runs BenchmarkCaught gives a defect up.
const mostCaughtRuns = 100

// BenchmarkCaught prints after how many runs the random plans of a soak find each defect, to
// compare other ways of drawing plans with.
func BenchmarkCaught(b *testing.B) {
	var took []int
	missed := 0
	for _, d := range defect.All {
		server, err := servers.Broken(d)
		if err != nil {
			b.Fatal(err)
		}
		if server.Step != "" || server.Server.Handler == nil {
			continue // no random plan uses such a feature
		}
		runs := runsUntilCaught(b, server)
		if runs > mostCaughtRuns {
			missed++
			fmt.Printf("%-40s not in %d\n", d.Name, mostCaughtRuns)
		} else {
			fmt.Printf("%-40s %d\n", d.Name, runs)
		}
		took = append(took, runs)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "median-runs")
	b.ReportMetric(float64(missed), "missed")
	b.ReportMetric(float64(len(took)), "defects")
	b.ReportMetric(0, "ns/op")
}

// runsUntilCaught is mostCaughtRuns + 1 if the defect was not caught.
func runsUntilCaught(b *testing.B, s servers.Server) int {
	for n := range mostCaughtRuns {
		p := sweep.RandomPlan(catalogue.Stories[0].Plan, uint64(1+n), s.Level)
		p.Seams = 0 // a broken server may hold a mutex at a seam, and then no virtual time passes
		run := lab.Virtual.Play(b.Context(), s.Server, servers.ConfigOf(s), p)
		if run.Err == nil && check.Judge(run.Events).Outcome == check.Fail {
			return n + 1
		}
	}
	return mostCaughtRuns + 1
}
