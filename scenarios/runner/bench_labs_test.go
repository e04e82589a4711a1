package runner_test

import (
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/scenarios/catalogue"
	"redial/scenarios/servers"
)

// BenchmarkLabs plays the same 100 single faults of one story on step 7 in the virtual
// lab and then in the real one, each with as many runs at once as it has by default,
// and reports the time that each took, and how many times longer the real one needed.
// Some runs come to no verdict in the real one, and are counted: a frame of the virtual run
// may not occur in real time, and a client with a time-out of 20 s or more is not waited for.
func BenchmarkLabs(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	const atOnceInReal = 6
	var virtual, real time.Duration
	open := 0
	for b.Loop() {
		plans := hundredPoints(b)
		took, missed := playAll(b, plans, runtime.GOMAXPROCS(0), lab.Virtual)
		if missed > 0 {
			b.Errorf("%d runs came to no verdict in the virtual lab", missed)
		}
		virtual += took
		took, missed = playAll(b, plans, atOnceInReal, lab.Real)
		real += took
		open += missed
	}
	b.ReportMetric(virtual.Seconds()/float64(b.N), "virtual-s")
	b.ReportMetric(real.Seconds()/float64(b.N), "real-s")
	b.ReportMetric(real.Seconds()/virtual.Seconds(), "real/virtual")
	b.ReportMetric(float64(open)/float64(b.N), "no-verdict-in-real")
	b.ReportMetric(0, "ns/op")
}

// hundredPoints are 100 single faults, spread evenly over a story.
func hundredPoints(b *testing.B) (chosen []plan.Plan) {
	const points = 100
	server := stepServer(b, "7")
	story := catalogue.Stories[0].Plan(1)
	story.Seams = 0 // pauses are the virtual lab's only
	whole := lab.Virtual.Play(b.Context(), server.Server, servers.ConfigOf(server), story)
	if whole.Err != nil {
		b.Fatal(whole.Err)
	}
	var all []plan.Plan
	for _, f := range plan.Points(story, whole.Frames) {
		story.Faults = []plan.Fault{f}
		all = append(all, story)
	}
	for n := range points {
		chosen = append(chosen, all[n*len(all)/points])
	}
	return chosen
}

// playAll plays the plans, atOnce of them at a time. Step 7 has to keep its promise in all of
// them; open counts those without a verdict.
func playAll(b *testing.B, plans []plan.Plan, atOnce int, in lab.Lab) (took time.Duration, open int) {
	server := stepServer(b, "7")
	began := time.Now()
	var mu sync.Mutex
	var working sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, p := range plans {
		slots <- struct{}{}
		working.Go(func() {
			defer func() { <-slots }()
			run := in.Play(b.Context(), server.Server, servers.ConfigOf(server), p)
			v := check.Judge(run.Events)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case run.Err != nil:
				b.Errorf("%s: %v", p.Name(), run.Err)
			case v.Outcome == check.Inconclusive:
				open++
			case v.Outcome != check.Pass:
				b.Errorf("%s: %s %s", p.Name(), v.Outcome, v.Reason)
			}
		})
	}
	working.Wait()
	return time.Since(began), open
}
