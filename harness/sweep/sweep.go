// Package sweep injects faults at many points of one story, in the virtual lab, and finds
// those that break the server's promise.
//
// Read [Sweeper.Play] first: it plays plans, one per core at a time, judges each history,
// and groups the failures by name. The plans come from plan.Singles (every fault at every
// frame of the story), plan.Pairs or plan.Random; [Sweeper.Singles], [Sweeper.Pairs] and
// [Sweeper.Random] pass them to Play. [Sweeper.Shrink] makes a failing plan smaller.
//
// sweep must not judge (package check does), name failures (its caller does) or write files.
package sweep

import (
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
	// Server is what they are played on, in the virtual lab.
	Server lab.Server
	Config lab.Config
	// Name says what a failure is, so that a thousand failures are a few. Nil names
	// it by the rule that was broken.
	Name func(events []history.Event, v check.Verdict) string
	// Whole has Singles play every point with every client as the story has it. Otherwise
	// it plays one point of each group of those that cannot differ, and has no page but
	// the one at whose frames it breaks: see groups.go.
	Whole bool
	// Parallel is how many runs are under way at once. Zero means one for each core.
	Parallel int
	// Explored, if set, counts the situations of the runs.
	Explored *Explored
	// Done, if set, is told how many runs have ended and how many of them failed.
	Done func(ended, failed int)
}

// A Result is what came of many runs.
type Result struct {
	// Runs counts them. Passed, Failed and Unfired are their verdicts: in a run that is
	// Unfired its fault never came to its frame, so that it shows nothing. Broken are
	// those that came to no verdict for another reason; Why is the first one's.
	Runs, Passed, Failed, Unfired, Broken int
	// Points is how many places there were to break, where that is known, and StoodFor
	// how many of them the runs stand for.
	Points, StoodFor int
	Why              string
	// FaultsFired, Lost, Duplicated and Reordered are sums over all runs.
	FaultsFired, Lost, Duplicated, Reordered int
	// Virtual is the sum of the time that passed in the runs, Took our time.
	Virtual, Took time.Duration
	// Failures are the kinds of failure, by the order of their first plans.
	Failures []Failure
}

// A Failure is one kind of failure, shown by the first plan that failed so.
type Failure struct {
	Name string
	// Count is how many plans failed so.
	Count   int
	Plan    plan.Plan
	Events  []history.Event
	Verdict check.Verdict
	// Recurred is in how many of Replays runs the failure came again with this very
	// plan, which Shrink finds out. A failure that rests on a race has a rate.
	Recurred int

	index int
}

// Frames plays the story as it stands, and returns the frames that passed: where it can
// be broken.
func (s Sweeper) Frames(p plan.Plan) ([]plan.Passed, error) {
	run := s.run(p)
	return run.Frames, run.Err
}

// Random plays as many random plans as asked, with the seeds from the one given on; see
// [RandomPlan]. Not every fault of a random plan comes to its frame; a run in which some
// fired is one of the plan without the others, and is taken for that.
func (s Sweeper) Random(ctx context.Context, story func(seed uint64) plan.Plan, seed uint64, runs int) Result {
	return s.play(ctx, func(yield func(plan.Plan) bool) {
		for n := range runs {
			if !yield(RandomPlan(story, seed+uint64(n), s.Config.Level)) {
				return
			}
		}
	}, withoutUnfired)
}

// withoutUnfired is the run as one of a plan that has only those of the armed faults
// that fired; if none did, it is the run as it stands.
func withoutUnfired(p plan.Plan, events []history.Event) (plan.Plan, []history.Event) {
	fired := map[string]bool{}
	for _, e := range events {
		if e.Kind == history.FaultFired {
			fired[e.Fault] = true
		}
	}
	whole := p.WithFaultIDs()
	var faults []plan.Fault
	for _, f := range whole.Faults {
		if fired[f.ID] {
			faults = append(faults, f)
		}
	}
	if len(faults) == 0 || len(faults) == len(whole.Faults) || len(events) == 0 || events[0].Plan == nil {
		return p, events
	}
	whole.Faults = faults
	events = slices.Clone(events)
	events[0].Plan = &whole
	return whole, events
}

// RandomPlan is the plan that Random plays with the seed. Of ten plans one is the story
// and one a random script with pages; eight are random scripts of wire clients, which
// speak the same protocol at a twentieth of the cost. A level that promises something of
// what was said is asked of wire clients that say it again until they are acknowledged,
// and of one that keeps it over a refresh of pages only.
func RandomPlan(story func(seed uint64) plan.Plan, seed uint64, level contract.Level) plan.Plan {
	p := story(seed)
	keeps := level.AtLeast(contract.DurableDelivery)
	script := plan.ScriptConfig{Retries: level.AtLeast(contract.ClientDelivery)}
	faults := plan.RandomConfig{Weights: plan.DefaultWeights()}
	switch seed % 10 {
	case 0:
		return plan.Random(p, seed, faults)
	case 1:
		script.Pages, script.Wires = 1, 2
		if keeps {
			script.Pages, script.Wires = 3, 0
		}
	default:
		script.Wires = 3
		if keeps { // a wire client forgets when its page goes
			script.KeepPages = true
			delete(faults.Weights, plan.RefreshPage)
		}
	}
	random := plan.RandomScript(seed, script)
	random.Seams, random.Tuning = p.Seams, p.Tuning
	return plan.Random(random, seed, faults)
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

// Play plays every plan, until ctx ends, and judges it.
func (s Sweeper) Play(ctx context.Context, plans iter.Seq[plan.Plan]) Result {
	return s.play(ctx, plans, func(p plan.Plan, events []history.Event) (plan.Plan, []history.Event) { return p, events })
}

// play is Play, where a run is taken for what as makes of it.
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

// tally sums up runs as they end.
type tally struct {
	sweeper Sweeper

	mu    sync.Mutex
	sum   Result
	kinds map[string]*Failure
	why   int // the index of the run that Why is about
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
	case v.Outcome == check.Fail:
		t.failed(Failure{Name: name, Count: 1, Plan: p, Events: run.Events, Verdict: v, index: index})
	case v.FaultsFired < v.FaultsPlanned:
		t.sum.Unfired++
	default:
		t.broken(index, p, v.Reason)
	}
	if t.sweeper.Done != nil {
		t.sweeper.Done(t.sum.Runs, t.sum.Failed)
	}
}

func (t *tally) broken(index int, p plan.Plan, why string) {
	t.sum.Broken++
	if t.sum.Broken == 1 || index < t.why {
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

// Replays is how often Shrink plays the plan that it returns.
const Replays = 20

// Shrink returns the failure with the smallest plan that still fails in the same way,
// by name, as plan.Shrink finds it with at most budget runs, and how often that plan came
// to the same verdict again.
func (s Sweeper) Shrink(ctx context.Context, f Failure, budget int) Failure {
	smallest := f
	fails := func(p plan.Plan) bool {
		run := s.run(p)
		v := check.Judge(run.Events)
		if run.Err != nil || v.Outcome != check.Fail || s.name(run.Events, v) != f.Name {
			return false
		}
		if again := check.Judge(s.run(p).Events); again.Reason != v.Reason {
			return false // a race at one instant: saved, it would not come again
		}
		smallest.Plan, smallest.Events, smallest.Verdict = p, run.Events, v
		return true
	}
	smallest.Plan = plan.Shrink(ctx, f.Plan, fails, budget)
	for range Replays {
		if check.Judge(s.run(smallest.Plan).Events).Reason == smallest.Verdict.Reason {
			smallest.Recurred++
		}
	}
	return smallest
}

// With sums up two results, of which other came later.
func (r Result) With(other Result) Result {
	if r.Broken == 0 {
		r.Why = other.Why
	}
	r.Runs += other.Runs
	r.Points += other.Points
	r.StoodFor += other.StoodFor
	r.Passed += other.Passed
	r.Failed += other.Failed
	r.Unfired += other.Unfired
	r.Broken += other.Broken
	r.FaultsFired += other.FaultsFired
	r.Lost += other.Lost
	r.Duplicated += other.Duplicated
	r.Reordered += other.Reordered
	r.Virtual += other.Virtual
	r.Took += other.Took
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
