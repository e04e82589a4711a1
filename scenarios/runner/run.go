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
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/peers"
	"redial/scenarios/servers"
)

// Options say how a catalogue is run.
type Options struct {
	// Seed is the first run's; the n-th run has Seed+n.
	Seed uint64
	// Runs is the number of runs of each scenario. Zero means one.
	Runs int
	// Parallel is the number of runs at the same time. Zero means DefaultParallel.
	Parallel int
	// Limit bounds each run in the real lab; a run that takes longer is inconclusive. Zero
	// means ten minutes, plus time for a server's long heartbeat or slow start. (The virtual lab ends a run
	// in which nothing happens any more.)
	Limit time.Duration
	// Artifacts is the folder in which failing runs are saved. If empty, none is saved.
	Artifacts string
	// Golden judges each step by the catalogue's expectations at GoldenLevel, instead of by the
	// level that it claims.
	Golden bool
	// Known are the IDs of scenarios that are expected to fail where they can be played. It is
	// not used with Golden.
	Known []string
	// Lab plays the scenarios. Nil means lab.Real.
	Lab lab.Lab
	// Client is used in place of the pages, in the real lab. A run that does not pass is
	// repeated with the official client, to distinguish errors of the client from the server's.
	Client peers.Client
	// Done, if set, is called for each finished cell that has a result, for one at a time. A cell
	// that ended with an error counts among the finished ones.
	Done func(finished, all int, result report.Result)
}

// DefaultParallel suits two cores, since a run mostly waits.
const DefaultParallel = 6

// GoldenLevel is the highest level, by which Golden judges every step.
const GoldenLevel = contract.DurableDelivery

// defaultLimit is longer than any scenario takes, even if most of its waits time out.
const defaultLimit = 10 * time.Minute

// A Cell is one scenario on one server.
type Cell struct {
	Scenario catalogue.Scenario
	Server   servers.Server
}

// A Runner plays cells. It plays those that it is started with before their results are asked
// for, several at a time, since a run in the real lab mostly waits.
type Runner struct {
	options Options
	slots   chan struct{}
	turn    sync.Mutex // held by each run on a shared server

	mu       sync.Mutex
	cells    map[string]*future
	finished int
	cameUp   map[string]bool // by the name of a server: whether any run got past its start
}

type future struct {
	done   chan struct{}
	result report.Result
	err    error
}

// New makes a runner, which plays nothing yet.
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
	return &Runner{options: options, slots: make(chan struct{}, options.Parallel), cells: map[string]*future{}, cameUp: map[string]bool{}}
}

func (c Cell) key() string { return c.Scenario.ID + "\x00" + c.Server.Name }

// Run plays the scenarios on the servers and returns the results, server by server within a
// scenario. Package suite does the same with Ginkgo.
func Run(ctx context.Context, tested []servers.Server, which []catalogue.Scenario, options Options) ([]report.Result, error) {
	return playAll(ctx, Cells(tested, which), options)
}

// playAll returns the results of the cells, up to the first that could not be played. If ctx
// ends, there is a result for each cell, with its error.
func playAll(ctx context.Context, cells []Cell, options Options) (results []report.Result, err error) {
	r := New(options)
	ctx, cancel := context.WithCancel(ctx)
	wait := r.Start(ctx, cells)
	defer wait()
	defer cancel()
	for _, c := range cells {
		result, err := r.Result(ctx, c)
		if ctx.Err() != nil {
			wait() // for the runs that the interrupt ends
			known := false
			if result, known = r.Finished(c); !known {
				result = c.Unplayed(Unplayed(ctx))
			}
		} else if err != nil {
			return results, err
		}
		results = append(results, result)
	}
	return results, ctx.Err()
}

// Cells are the scenarios on the servers. Those that wait for a long heartbeat come last.
func Cells(tested []servers.Server, which []catalogue.Scenario) []Cell {
	var all, late []Cell
	for _, scenario := range which {
		for _, server := range tested {
			if waitsForHeartbeat(server, scenario.Plan(1)) {
				late = append(late, Cell{scenario, server})
			} else {
				all = append(all, Cell{scenario, server})
			}
		}
	}
	return append(all, late...)
}

// Start begins to play the cells in order, and returns a function that waits until all of
// them have ended.
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

// run plays the runs of a cell and returns the worst result, with the sum of the tallies. If ctx
// ends, they are those of the runs that had ended, and the error is that of ctx if none had.
func (r *Runner) run(ctx context.Context, c Cell) (report.Result, error) {
	result := report.Result{ID: c.Scenario.ID, Row: c.Scenario.Row, Title: c.Scenario.Title, Column: c.Server.Name}
	if r.options.Golden {
		result.Expected = c.expected()
	} else if slices.Contains(r.options.Known, c.Scenario.ID) {
		result.Expected = check.Fails
	}
	if why := r.unsupported(c); why != "" {
		result.Verdict = check.Verdict{Outcome: check.Unsupported, Level: c.Server.Level, Reason: why}
		switch {
		case !r.options.Golden:
			result.Expected = "" // a known failure is expected only of a scenario that can be played
		case r.options.Lab == lab.Virtual:
			result.Expected = catalogue.DoesNotApply // the expectation is about the real lab
		}
		result.Met = result.Verdict.Meets(result.Expected, c.Server.Level)
		return result, nil
	}
	worst, sum, err := r.attempts(ctx, c, result)
	switch {
	case err != nil && !r.up(c.Server, false):
		return result, err
	case sum.Runs == 0:
		return result, ctx.Err()
	}
	worst.Tally = sum
	if sum.Runs < r.options.Runs {
		worst = interrupted(ctx, worst, r.options.Runs)
	}
	return worst, nil
}

// attempts plays the cell as often as asked, and returns the worst result, of several the first, and
// the sum of all. It holds no other history, because many of them fill the memory. The error is
// that of a server that did not start.
func (r *Runner) attempts(ctx context.Context, c Cell, result report.Result) (worst report.Result, sum check.Tally, err error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	number := 0 // of the worst run
	for n := range r.options.Runs {
		all.Go(func() {
			one, failed := r.attempt(ctx, c, result, r.options.Seed+uint64(n))
			mu.Lock()
			defer mu.Unlock()
			if one.Runs == 0 { // interrupted
				return
			}
			if errors.Is(failed, lab.ErrUnreachable) {
				err = failed
			}
			if sum.Runs == 0 || worse(one, worst) || n < number && !worse(worst, one) {
				worst, number = one, n
			}
			sum.Add(one.Tally)
		})
	}
	all.Wait()
	return worst, sum, err
}

// up tells whether the server has started at least once, now or before: then a start that fails
// says nothing about the runs after it.
func (r *Runner) up(server servers.Server, now bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cameUp[server.Name] = r.cameUp[server.Name] || server.CameUp || now
	return r.cameUp[server.Name]
}

// expected is the catalogue's expectation of a kit's server. A user's scenario has none.
func (c Cell) expected() catalogue.Expectation {
	if c.Scenario.Expect == nil {
		return ""
	}
	if e, ok := c.Scenario.Expect[c.Server.Step]; ok {
		return e
	}
	return catalogue.DoesNotApply
}

// worse orders the results of several runs. Of two that pass, the one with an anomaly beyond
// the promise is worse. A known failure that does not occur in every run is still there, so a run
// that fails is worse than one that passes.
func worse(a, b report.Result) bool {
	if a.Expected == check.Fails || b.Expected == check.Fails {
		a.Expected, b.Expected = "", ""
	}
	rank := map[check.Outcome]int{check.Pass: 0, check.Unsupported: 1, check.Inconclusive: 2, check.Fail: 3}
	if a.Outcome() == b.Outcome() {
		return a.Beyond.Outcome == check.Fail && b.Beyond.Outcome != check.Fail
	}
	return rank[a.Outcome()] > rank[b.Outcome()]
}
