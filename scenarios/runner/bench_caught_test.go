package runner_test

import (
	"flag"
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

var caughtRuns = flag.Int("caught-runs", 100, "after how many runs BenchmarkCaught gives a defect up")

// BenchmarkCaught prints in how many runs the random plans of a soak find each defect of
// the kill matrix. It is what another way to draw plans has to beat.
func BenchmarkCaught(b *testing.B) {
	var took []int
	missed := 0
	for _, d := range defect.All {
		server, err := servers.Broken(d)
		if err != nil {
			b.Fatal(err)
		}
		if server.Step != "" || server.Server.Handler == nil {
			continue // what no random plan does
		}
		runs := runsUntilCaught(b, server)
		if runs > *caughtRuns {
			missed++
			fmt.Printf("%-40s not in %d\n", d.Name, *caughtRuns)
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

// runsUntilCaught is one more than the bound where the defect was not caught.
func runsUntilCaught(b *testing.B, s servers.Server) int {
	for n := range *caughtRuns {
		p := sweep.RandomPlan(catalogue.Stories[0].Plan, uint64(1+n), s.Level)
		p.Seams = 0 // a broken server may hold a mutex at a seam, and then no virtual time passes
		run := lab.Virtual.Play(b.Context(), s.Server, servers.ConfigOf(s), p)
		if run.Err == nil && check.Judge(run.Events).Outcome == check.Fail {
			return n + 1
		}
	}
	return *caughtRuns + 1
}
