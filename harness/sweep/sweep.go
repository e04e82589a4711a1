// Package sweep injects faults at many points of one story, in the virtual lab, and finds
// those that break the server's guarantee.
//
// Read [Sweeper.Play] first: it plays plans, one per core at a time, judges each history, and
// groups the failures by name. The plans come from plan.Points (every fault at every frame of
// the story), plan.Pairs or plan.Random; [Sweeper.Singles], [Sweeper.Pairs] and
// [Sweeper.Random] pass them to Play. [Sweeper.Shrink] makes a failing plan smaller.
//
// sweep leaves the verdicts to package check and the names of failures to its caller. It must
// not write files, and must not import package report.
package sweep

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
)

// A Sweeper plays plans on one server.
type Sweeper struct {
	// Server makes the server that the plans are played on, in the virtual lab.
	Server lab.Server
	Config lab.Config
	// Name returns the name of a failure. Failures of one name count as one, so that a
	// thousand failing runs become a short list. If Name is nil, a failure has the name of the
	// broken rule.
	Name func(events []history.Event, v check.Verdict) string
	// Whole makes Singles play every point, with the clients of the plan. Otherwise it plays
	// one point of each group of points that cannot differ, and replaces all pages but the
	// one whose frames are broken by wire clients: see groups.go.
	Whole bool
	// Parallel is the number of concurrent runs. Zero means one for each core.
	Parallel int
	// Explored, if set, counts the situations of the runs.
	Explored *Explored
	// Done, if set, is called with the number of runs that have ended, of all that are planned
	// (0 if that is unknown), and of those that failed.
	Done func(ended, all, failed int)

	planned int
	groups  [][]plan.Plan // those of Singles
}

// A Result is the sum of many runs.
type Result struct {
	// Tally has the sums; Took is the real time of the sweep.
	check.Tally
	// Passed and Failed count verdicts.
	Passed, Failed int
	// Why is the reason of the first run without a verdict.
	Why string
	// Unbroken counts the runs of a story that was to be broken at no point.
	Unbroken int
	// Points is the number of points, if it is known, and StoodFor the number of points that
	// the runs represent.
	Points, StoodFor int
	// Failures are the kinds of failure, in the order of their first plans.
	Failures []Failure
}

// A Failure is one kind of failure, with the first plan that failed in this way.
type Failure struct {
	Name string
	// Count is the number of plans that failed in this way.
	Count   int
	Plan    plan.Plan
	Events  []history.Event
	Verdict check.Verdict
	// Output is what the server printed.
	Output string
	// Recurred is the number of replays, of those that Shrink Replayed, in which the failure
	// recurred. A failure that depends on a race recurs at a rate.
	Recurred, Replayed int

	index int
}

// Frames plays the story without further faults, and returns the frames that passed, at which
// a sweep can inject faults.
func (s Sweeper) Frames(p plan.Plan) ([]plan.Passed, error) {
	run := s.run(p)
	return run.Frames, run.Err
}

// Random plays the given number of random plans with consecutive seeds; see [RandomPlan]. In a
// random plan, some faults wait for a frame that does not pass; a run in which others fired
// counts as a run of the plan without them.
func (s Sweeper) Random(ctx context.Context, story func(seed uint64) plan.Plan, seed uint64, runs int) Result {
	s.planned = runs
	return s.play(ctx, func(yield func(plan.Plan) bool) {
		for n := range runs {
			if !yield(RandomPlan(story, seed+uint64(n), s.Config.Level)) {
				return
			}
		}
	}, withoutUnfired)
}

// withoutUnfired removes the armed faults that did not fire from the plan and its history.
// If none fired, it changes nothing.
func withoutUnfired(p plan.Plan, events []history.Event) (plan.Plan, []history.Event) {
	fired := map[string]bool{}
	for _, e := range events {
		if e.Kind == history.FaultFired {
			fired[e.Fault] = true
		}
	}
	whole := p.WithFaultIDs()
	faults := slices.DeleteFunc(slices.Clone(whole.Faults), func(f plan.Fault) bool { return !fired[f.ID] })
	if len(faults) == 0 || len(faults) == len(whole.Faults) || len(events) == 0 || events[0].Plan == nil {
		return p, events
	}
	whole.Faults = faults
	events = slices.Clone(events)
	events[0].Plan = &whole
	return whole, events
}

// RandomPlan returns the plan that Random plays with the seed. Of ten plans one is the story
// and one a random script with pages; eight are random scripts of wire clients, which use the
// same protocol at a twentieth of the cost. From client-delivery on the wire clients retry
// until they receive an acknowledgement, and from durable-delivery on only pages are
// refreshed, because a wire client has no outbox that survives a refresh.
func RandomPlan(story func(seed uint64) plan.Plan, seed uint64, level contract.Level) plan.Plan {
	p := story(seed)
	keeps := level.AtLeast(contract.DurableDelivery)
	script := plan.ScriptConfig{Retries: level.AtLeast(contract.ClientDelivery)}
	switch seed % 10 {
	case 0:
		return plan.Random(p, seed, false)
	case 1:
		script.Pages, script.Wires = 1, 2
		if keeps {
			script.Pages, script.Wires = 3, 0
		}
	default:
		script.Wires = 3
		if keeps { // a wire client's unacknowledged messages do not survive a refresh
			script.KeepPages = true
		}
	}
	random := plan.RandomScript(seed, script)
	random.Seams, random.Tuning = p.Seams, p.Tuning
	return plan.Random(random, seed, script.KeepPages)
}

func withBase(p plan.Plan, broken iter.Seq[plan.Plan]) iter.Seq[plan.Plan] {
	return func(yield func(plan.Plan) bool) {
		if !yield(p) {
			return
		}
		broken(yield)
	}
}

func (s Sweeper) run(p plan.Plan) lab.Run {
	return lab.Virtual.Play(context.Background(), s.Server, s.Config, p)
}

// Play plays and judges every plan. When ctx ends, it starts no further run.
func (s Sweeper) Play(ctx context.Context, plans iter.Seq[plan.Plan]) Result {
	return s.play(ctx, plans, func(p plan.Plan, events []history.Event) (plan.Plan, []history.Event) { return p, events })
}

// play is Play; the function as may replace a plan and its events before they are judged.
func (s Sweeper) play(ctx context.Context, plans iter.Seq[plan.Plan], as func(plan.Plan, []history.Event) (plan.Plan, []history.Event)) Result {
	began := time.Now()
	workers := s.Parallel
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	type job struct {
		index int
		plan  plan.Plan
	}
	jobs := make(chan job)
	tally := &tally{sweeper: s, kinds: map[string]*Failure{}}
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for j := range jobs {
				run := s.run(j.plan)
				j.plan, run.Events = as(j.plan, run.Events)
				tally.add(j.index, j.plan, run)
			}
		})
	}
	index := 0
	for p := range plans {
		if ctx.Err() != nil {
			break
		}
		jobs <- job{index, p}
		index++
	}
	close(jobs)
	working.Wait()
	return tally.result(time.Since(began))
}

// A tally adds up the results of runs that end concurrently.
type tally struct {
	sweeper Sweeper

	mu    sync.Mutex
	sum   Result
	kinds map[string]*Failure
	why   int // the index of the run whose reason Why is
}

// stands counts the points that the run stands for, whose fault has fired. Run 0 is the story.
func (t *tally) stands(index int) {
	if groups := t.sweeper.groups; 0 < index && index <= len(groups) {
		t.sum.StoodFor += len(groups[index-1])
	}
}

func (t *tally) add(index int, p plan.Plan, run lab.Run) {
	v := check.Judge(run.Events)
	name := ""
	if run.Err == nil && v.Outcome == check.Fail {
		name = t.sweeper.name(run.Events, v)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Runs++
	t.sum.Virtual += run.Virtual
	t.sum.FaultsFired += v.FaultsFired
	if x := t.sweeper.Explored; x != nil && run.Err == nil {
		x.Add(run.Events)
	}
	switch {
	case run.Err != nil:
		t.broken(index, p, run.Err.Error())
	case v.Outcome == check.Pass:
		t.sum.Passed++
		t.stands(index)
	case v.Outcome == check.Fail:
		t.stands(index)
		t.failed(Failure{Name: name, Count: 1, Plan: p, Events: run.Events, Verdict: v, Output: run.Output, index: index})
	case v.FaultsFired < v.FaultsPlanned:
		t.sum.Unfired++
	default:
		t.broken(index, p, v.Reason)
	}
	if t.sweeper.Done != nil {
		t.sweeper.Done(t.sum.Runs, t.sweeper.planned, t.sum.Failed)
	}
}

func (t *tally) broken(index int, p plan.Plan, why string) {
	t.sum.Undecided++
	if t.sum.Undecided == 1 || index < t.why {
		t.sum.Why, t.why = fmt.Sprintf("seed %d, %s: %s", p.Seed, p.Name(), why), index
	}
}

func (t *tally) failed(f Failure) {
	t.sum.Failed++
	t.sum.Lost += f.Verdict.Lost
	t.sum.Duplicated += f.Verdict.Duplicated
	t.sum.Reordered += f.Verdict.Reordered
	known := t.kinds[f.Name]
	if known == nil {
		t.kinds[f.Name] = &f
		return
	}
	f.Count += known.Count
	if f.index > known.index {
		known.Count = f.Count
		return
	}
	*known = f
}

func (t *tally) result(took time.Duration) Result {
	t.sum.Took = took
	for _, f := range t.kinds {
		t.sum.Failures = append(t.sum.Failures, *f)
	}
	slices.SortFunc(t.sum.Failures, func(a, b Failure) int { return a.index - b.index })
	return t.sum
}

func (s Sweeper) name(events []history.Event, v check.Verdict) string {
	if s.Name != nil {
		return s.Name(events, v)
	}
	return string(v.Rule())
}

// Replays is the number of times that Shrink plays the plan that it returns, to measure how
// often the failure recurs.
const Replays = 20

// Shrink returns the failure with the smallest plan that plan.Shrink finds with at most budget
// runs and that still fails by the same name, and with the number of replays in which that
// plan led to the same verdict. When ctx ends, it plays no further run.
func (s Sweeper) Shrink(ctx context.Context, f Failure, budget int) Failure {
	smallest := f
	smallest.Plan = f.Plan.WithFaultIDs()
	fails := func(p plan.Plan) bool {
		run := s.run(p)
		v := check.Judge(run.Events)
		if run.Err != nil || v.Outcome != check.Fail || s.name(run.Events, v) != f.Name {
			return false
		}
		if again := check.Judge(s.run(p).Events); again.Reason != v.Reason {
			return false // a race at one instant, which a replay may not show
		}
		smallest.Plan, smallest.Events, smallest.Verdict, smallest.Output = p, run.Events, v, run.Output
		return true
	}
	plan.Shrink(ctx, f.Plan, fails, budget) // fails keeps the smallest, with its history
	for smallest.Replayed < Replays && ctx.Err() == nil {
		smallest.Replayed++
		if check.Judge(s.run(smallest.Plan).Events).Reason == smallest.Verdict.Reason {
			smallest.Recurred++
		}
	}
	return smallest
}

// With adds a later result to r.
func (r Result) With(other Result) Result {
	r.Why = cmp.Or(r.Why, other.Why)
	r.Tally.Add(other.Tally)
	r.Unbroken += other.Unbroken
	r.Points += other.Points
	r.StoodFor += other.StoodFor
	r.Passed += other.Passed
	r.Failed += other.Failed
	for _, f := range other.Failures {
		known := slices.IndexFunc(r.Failures, func(k Failure) bool { return k.Name == f.Name })
		if known < 0 {
			r.Failures = append(r.Failures, f)
			continue
		}
		r.Failures[known].Count += f.Count
	}
	return r
}
