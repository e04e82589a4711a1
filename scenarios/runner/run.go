// Package runner plays scenarios and sweeps on servers and returns the result of each.
//
// Read [Runner] first, or [Run], which does everything in one call. saved.go saves runs that
// did not pass, so that they can be played again; sweeps.go plays the sweeps; fidelity.go
// compares the labs.
//
// runner must not know Ginkgo (package suite makes specs of it) and writes nothing but saved
// failures: package report presents its results.
package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"redial/harness/check"
	"redial/harness/client"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/harness/target"
	"redial/scenarios/catalogue"
	"redial/scenarios/peers"
	"redial/scenarios/servers"
)

// Options say how a catalogue is run.
type Options struct {
	// Seed is the first run's; the n-th run has Seed+n.
	Seed uint64
	// Runs is how often each scenario is run. Zero means once.
	Runs int
	// Parallel is how many runs are under way at once. Zero means DefaultParallel.
	Parallel int
	// Limit bounds each run in the real lab; one that takes longer is given up, and
	// inconclusive. Zero means DefaultLimit, and what the server's heartbeat takes besides.
	// (The virtual lab gives up a run in which nothing happens any more.)
	Limit time.Duration
	// Artifacts is the folder that failing runs are saved under; empty: nowhere.
	Artifacts string
	// Golden judges each step by the catalogue's expectations, at the highest
	// level that a page can ask for, instead of by the level that it claims.
	Golden bool
	// Known are the IDs of scenarios that are known to fail: there a failure is what is
	// expected, and a pass is not. Not with Golden.
	Known []string
	// Lab plays the scenarios. Nil means lab.Real.
	Lab lab.Lab
	// Client plays the part of the pages, in the real lab. A run of it that does not pass is
	// played again with the official client, so that its faults are not the server's.
	Client peers.Client
	// Done, if set, is told of each finished cell, one at a time.
	Done func(finished, all int, result report.Result)
}

// DefaultParallel suits two cores: a run is mostly waiting.
const DefaultParallel = 6

// DefaultLimit is far longer than any scenario takes, even one in which most waits time out.
const DefaultLimit = 10 * time.Minute

// A Cell is one scenario on one server.
type Cell struct {
	Scenario catalogue.Scenario
	Server   servers.Server
}

// A Runner plays cells, those that it is started with ahead of whoever asks for their
// results: a run in the real lab is mostly waiting.
type Runner struct {
	options Options
	slots   chan struct{}
	turn    sync.Mutex // taken by the runs on a shared server

	mu       sync.Mutex
	cells    map[string]*future
	finished int
}

type future struct {
	done   chan struct{}
	result report.Result
	err    error
}

// New makes a runner; nothing is played yet.
func New(options Options) *Runner {
	options.Runs = max(options.Runs, 1)
	if options.Lab == nil {
		options.Lab = lab.Real
	}
	if options.Parallel < 1 {
		options.Parallel = DefaultParallel
		if options.Lab == lab.Virtual {
			options.Parallel = runtime.GOMAXPROCS(0) // these runs wait for nothing
		}
	}
	return &Runner{options: options, slots: make(chan struct{}, options.Parallel), cells: map[string]*future{}}
}

func (c Cell) key() string { return c.Scenario.ID + "\x00" + c.Server.Name }

// Run plays the scenarios on the servers and returns what each came to, server by
// server within a scenario. It is what package suite does, without Ginkgo.
func Run(ctx context.Context, tested []servers.Server, which []catalogue.Scenario, options Options) ([]report.Result, error) {
	r := New(options)
	all := Cells(tested, which)
	ctx, cancel := context.WithCancel(ctx)
	wait := r.Start(ctx, all)
	defer wait()
	defer cancel()
	var results []report.Result
	for _, c := range all {
		result, err := r.Result(ctx, c)
		if err != nil {
			return results, err
		}
		results = append(results, result)
	}
	return results, nil
}

// Cells are the scenarios on the servers.
func Cells(tested []servers.Server, which []catalogue.Scenario) []Cell {
	var all, late []Cell
	for _, scenario := range which {
		for _, server := range tested {
			if waitsForHeartbeat(server, scenario) {
				late = append(late, Cell{scenario, server})
			} else {
				all = append(all, Cell{scenario, server})
			}
		}
	}
	return append(all, late...)
}

// Start begins to play the cells, in order, as slots allow, and returns a function
// that waits until all of it has ended.
func (r *Runner) Start(ctx context.Context, cells []Cell) (wait func()) {
	for _, c := range cells {
		r.cells[c.key()] = &future{done: make(chan struct{})}
	}
	next := make(chan Cell, len(cells))
	for _, c := range cells {
		next <- c
	}
	close(next)
	var all sync.WaitGroup
	for range r.options.Parallel {
		all.Go(func() {
			for c := range next {
				f := r.cells[c.key()]
				f.result, f.err = r.run(ctx, c)
				close(f.done)
				r.tell(len(cells), f)
			}
		})
	}
	return all.Wait
}

func (r *Runner) tell(all int, f *future) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finished++
	if r.options.Done != nil && f.err == nil {
		r.options.Done(r.finished, all, f.result)
	}
}

// Result waits for the cell's result. A cell that was not started is played now.
func (r *Runner) Result(ctx context.Context, c Cell) (report.Result, error) {
	f := r.cells[c.key()]
	if f == nil {
		return r.run(ctx, c)
	}
	select {
	case <-f.done:
		return f.result, f.err
	case <-ctx.Done():
		return report.Result{}, ctx.Err()
	}
}

// Finished returns the cell's result, if it was started and has one by now.
func (r *Runner) Finished(c Cell) (report.Result, bool) {
	f := r.cells[c.key()]
	if f == nil {
		return report.Result{}, false
	}
	select {
	case <-f.done:
		return f.result, f.err == nil
	default:
		return report.Result{}, false
	}
}

// run runs a cell as often as asked and keeps the worst of it.
func (r *Runner) run(ctx context.Context, c Cell) (report.Result, error) {
	result := report.Result{ID: c.Scenario.ID, Row: c.Scenario.Row, Title: c.Scenario.Title, Column: c.Server.Name}
	if r.options.Golden {
		result.Expected = c.expected()
	} else if slices.Contains(r.options.Known, c.Scenario.ID) {
		result.Expected = check.Fails
	}
	if why := r.unsupported(c); why != "" {
		result.Verdict = check.Verdict{Outcome: check.Unsupported, Level: c.Server.Level, Reason: why}
		if r.options.Lab == lab.Virtual && r.options.Golden {
			result.Expected = catalogue.DoesNotApply // in this lab
		}
		result.Met = result.Verdict.Meets(result.Expected, c.Server.Level)
		return result, nil
	}
	runs, failed := make([]report.Result, r.options.Runs), make([]error, r.options.Runs)
	var all sync.WaitGroup
	for n := range runs {
		all.Go(func() { runs[n], failed[n] = r.attempt(ctx, c, result, r.options.Seed+uint64(n)) })
	}
	all.Wait()
	var sum report.Tally
	for n, one := range runs {
		if err := failed[n]; err != nil && (errors.Is(err, lab.ErrUnreachable) || ctx.Err() != nil) {
			return result, err
		}
		sum.Add(one.Tally)
		if n == 0 || worse(one, result) {
			result = one
		}
	}
	result.Tally = sum
	return result, nil
}

// expected is what the catalogue says of the kit's servers; nothing of a user's scenario.
func (c Cell) expected() catalogue.Expectation {
	if c.Scenario.Expect == nil {
		return ""
	}
	if e, ok := c.Scenario.Expect[c.Server.Step]; ok {
		return e
	}
	return catalogue.DoesNotApply
}

// worse orders results for the summary of several runs. Of those that pass it is worse to
// show something that is not promised.
func worse(a, b report.Result) bool {
	rank := map[check.Outcome]int{check.Pass: 0, check.Unsupported: 1, check.Inconclusive: 2, check.Fail: 3}
	if a.Outcome() == b.Outcome() {
		return a.Beyond.Outcome == check.Fail && b.Beyond.Outcome != check.Fail
	}
	return rank[a.Outcome()] > rank[b.Outcome()]
}

// attempt plays the cell once and fills in result, which already names the scenario and
// what is expected. The error says why the run could not be played to its end.
func (r *Runner) attempt(ctx context.Context, c Cell, result report.Result, seed uint64) (report.Result, error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return result, ctx.Err()
	}
	if c.Server.Shared {
		r.turn.Lock()
		defer r.turn.Unlock()
	}
	p := c.Scenario.Plan(seed)
	p.Scenario = c.Scenario.ID
	if r.options.Lab == lab.Real {
		p = c.Server.Spread(p)
	}
	config := servers.ConfigOf(c.Server)
	switch {
	case waitsForHeartbeat(c.Server, c.Scenario):
		config.Bound = lab.DefaultBound + c.Server.Heartbeat
	case c.Server.NewPage != nil:
		// Its page goes from polling to WebSocket, where the official client can get stuck
		// until its heartbeat ends: see the scenario upgrade-cut.
		config.Bound = lab.DefaultBound + cmp.Or(c.Server.Heartbeat, libraryHeartbeat)
	}
	if r.options.Golden {
		// The matrix asks every step for the most that a page can want.
		config.Level = contract.DurableDelivery
	}
	if r.options.Client.New != nil {
		config.NewPage = newPage(r.options.Client, config.Level)
	}
	run := r.playWithin(ctx, c, config, p)
	result.Verdict = verdictOf(run, c.Server.Level)
	result.Met = result.Verdict.Meets(result.Expected, c.Server.Level)
	switch {
	case result.Verdict.Outcome == check.Pass:
		result.Beyond = check.Beyond(result.Verdict.Level, run.Events)
	case r.options.Golden && result.Verdict.Outcome == check.Fail && !c.promises(run):
		result.Beyond = result.Verdict
	}
	result.Tally = r.tally(c, result.Verdict)
	result.Took, result.Virtual = run.Real, run.Virtual
	result.Events, result.Replay = run.Events, r.replay(c, seed)
	if result.Verdict.Outcome == check.Unsupported {
		return result, nil
	}
	if result.Outcome() != check.Pass && r.options.Artifacts != "" {
		path, err := newSaved(c.Server, r.options.Lab, r.options.Client, c.Scenario.ID, p, run, result.Verdict).
			write(r.options.Artifacts, fmt.Sprintf("%s-%d", c.Scenario.ID, seed))
		if err != nil {
			result.Unsaved = err.Error()
		} else {
			result.Artifacts = []string{path}
		}
	}
	if r.options.Client.New != nil && result.Verdict.Outcome != check.Pass {
		result.Official = r.official(ctx, c, config, p)
	}
	return result, run.Err
}

// playWithin plays the plan, and gives it up where it takes too long.
func (r *Runner) playWithin(ctx context.Context, c Cell, config lab.Config, p plan.Plan) lab.Run {
	// A scenario waits out the heartbeat a few times at most, and what it waits for has that
	// as a bound besides.
	limit := cmp.Or(r.options.Limit, DefaultLimit+10*max(0, config.Bound-lab.DefaultBound))
	limited, stop := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the run was given up: it had not ended after %s", limit))
	defer stop()
	run := r.options.Lab.Play(limited, c.Server.Server, config, p)
	if run.Err != nil && limited.Err() != nil && ctx.Err() == nil {
		run.Err = context.Cause(limited) // and not what came of it
	}
	return run
}

// promises tells whether what went wrong breaks the promise of the server's own level.
func (c Cell) promises(run lab.Run) bool {
	return c.Server.Level.AtLeast(c.Scenario.From) && check.JudgeAt(c.Server.Level, run.Events).Outcome == check.Fail
}

// libraryHeartbeat is pingInterval and pingTimeout of the official server, by default.
const libraryHeartbeat = 45 * time.Second

// verdictOf is what the run came to, by its history or by what kept it from having one.
func verdictOf(run lab.Run, level contract.Level) check.Verdict {
	switch {
	case errors.Is(run.Err, target.ErrUnsupported), errors.Is(run.Err, target.ErrNoData), errors.Is(run.Err, client.ErrUnsupported):
		return check.Verdict{Outcome: check.Unsupported, Level: level, Reason: run.Err.Error()}
	case run.Err != nil:
		return check.Verdict{Outcome: check.Inconclusive, Level: level, Reason: run.Err.Error()}
	}
	return check.Judge(run.Events)
}

// tally counts one run. Where an expectation stands in for the level's promise, an order
// that the server does not promise is not counted against it.
func (r *Runner) tally(c Cell, v check.Verdict) report.Tally {
	t := tallyOf(v)
	if r.options.Golden {
		t.Reordered = v.ReorderedFor(c.Server.Level)
	}
	return t
}

// tallyOf counts the one run of a verdict.
func tallyOf(v check.Verdict) report.Tally {
	return report.Tally{Runs: 1, FaultsFired: v.FaultsFired, Lost: v.Lost, Duplicated: v.Duplicated, Reordered: v.Reordered}
}
