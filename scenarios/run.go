package scenarios

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/report"
	"redial/harness/target"
)

// A Subject is a server to put to the test, and the promise that it makes.
type Subject struct {
	// Name heads its column: "step 7", or the command or URL.
	Name string
	// Step is the number of the kit's step that it is; empty for anything else.
	Step string
	// Level is the promise that it claims.
	Level contract.Level
	// Server makes the server for a run, in the labs that it can run in.
	Server lab.Server
	// Command or URL is how the server is reached that is none of the kit's.
	Command []string
	URL     string
	// OwnRecovery is lab.Config's.
	OwnRecovery bool
	// HTML is the kit's reference page, for a target that is not ours; empty means
	// the target's own page.
	HTML []byte
	// Bundle is the client library for a target that serves none.
	Bundle []byte
	// Shared tells that all runs meet the same server, so they take turns.
	Shared bool
	// Nodes are the names of its servers, where it has several.
	Nodes []string
	// Mute tells that the server shows nothing of what is said (steps 3 and 4), so
	// that waiting long for it is no use.
	Mute bool
}

// Options say how a catalogue is run.
type Options struct {
	// Seed is the first run's; the n-th run has Seed+n.
	Seed uint64
	// Runs is how often each scenario is run. Zero means once.
	Runs int
	// Parallel is how many runs are under way at once. Zero means DefaultParallel.
	Parallel int
	// Artifacts is the folder that failing runs are saved under; empty: nowhere.
	Artifacts string
	// Golden judges each step by the catalogue's expectations, at the highest
	// level that a page can ask for, instead of by the level that it claims.
	Golden bool
	// Lab plays the scenarios. Nil means lab.Real.
	Lab lab.Lab
	// Done, if set, is told of each finished cell, one at a time.
	Done func(finished, all int, result report.Result)
}

// DefaultParallel suits two cores: a run is mostly waiting.
const DefaultParallel = 6

// A cell is one scenario on one subject.
type cell struct {
	scenario Scenario
	subject  Subject
}

// A runner runs cells ahead of whoever asks for their results.
type runner struct {
	options Options
	slots   chan struct{}
	turn    sync.Mutex // taken by the runs on a shared subject

	mu       sync.Mutex
	cells    map[string]*future
	finished int
}

type future struct {
	done   chan struct{}
	result report.Result
	err    error
}

func newRunner(options Options) *runner {
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
	return &runner{options: options, slots: make(chan struct{}, options.Parallel), cells: map[string]*future{}}
}

func (c cell) key() string { return c.scenario.ID + "\x00" + c.subject.Name }

// Run plays the scenarios on the subjects and returns what each came to, subject by
// subject within a scenario. It is what [Define] does, without Ginkgo.
func Run(ctx context.Context, subjects []Subject, which []Scenario, options Options) ([]report.Result, error) {
	r := newRunner(options)
	all := cells(subjects, which)
	ctx, cancel := context.WithCancel(ctx)
	wait := r.start(ctx, all)
	defer wait()
	defer cancel()
	var results []report.Result
	for _, c := range all {
		result, err := r.result(ctx, c)
		if err != nil {
			return results, err
		}
		results = append(results, result)
	}
	return results, nil
}

// cells are the scenarios on the subjects.
func cells(subjects []Subject, which []Scenario) []cell {
	var all []cell
	for _, scenario := range which {
		for _, subject := range subjects {
			all = append(all, cell{scenario, subject})
		}
	}
	return all
}

// start begins to run the cells, in order, as slots allow, and returns a function
// that waits until all of it has ended.
func (r *runner) start(ctx context.Context, cells []cell) (wait func()) {
	var all sync.WaitGroup
	for _, c := range cells {
		f := &future{done: make(chan struct{})}
		r.cells[c.key()] = f
		all.Go(func() {
			defer close(f.done)
			f.result, f.err = r.run(ctx, c)
			r.tell(len(cells), f)
		})
	}
	return all.Wait
}

func (r *runner) tell(all int, f *future) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finished++
	if r.options.Done != nil && f.err == nil {
		r.options.Done(r.finished, all, f.result)
	}
}

// result waits for the cell's result.
func (r *runner) result(ctx context.Context, c cell) (report.Result, error) {
	f := r.cells[c.key()]
	select {
	case <-f.done:
		return f.result, f.err
	case <-ctx.Done():
		return report.Result{}, ctx.Err()
	}
}

// run runs a cell as often as asked and keeps the worst of it.
func (r *runner) run(ctx context.Context, c cell) (report.Result, error) {
	result := report.Result{ID: c.scenario.ID, Row: c.scenario.Row, Title: c.scenario.Title, Column: c.subject.Name}
	if r.options.Golden {
		result.Expected = c.expected()
	}
	if why := r.unsupported(c); why != "" {
		result.Verdict = check.Verdict{Outcome: check.Unsupported, Level: c.subject.Level, Reason: why}
		if r.options.Lab == lab.Virtual && r.options.Golden {
			result.Expected = DoesNotApply // in this lab
		}
		result.Met = result.Verdict.Meets(result.Expected, c.subject.Level)
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
		if n == 0 || worse(one.Outcome(), result.Outcome()) {
			result = one
		}
	}
	result.Tally = sum
	return result, nil
}

func (c cell) expected() Expectation {
	if e, ok := c.scenario.Expect[c.subject.Step]; ok {
		return e
	}
	return DoesNotApply
}

// unsupported says why the scenario cannot be tried on the subject, if so.
func (r *runner) unsupported(c cell) string {
	if _, told := c.scenario.Expect[c.subject.Step]; c.scenario.Needs != "" && !told {
		return "needs " + c.scenario.Needs + ": it is played with --step " + withHabits
	}
	if _, only := c.scenario.Expect[onPostgres]; only && len(c.scenario.Expect) == 1 && c.subject.Step != onPostgres {
		return "needs a PostgreSQL and a Redis: it is played with --step " + onPostgres
	}
	if c.subject.Step != "" && c.expected() == DoesNotApply {
		return "step " + c.subject.Step + " does not offer what is tried here"
	}
	if r.options.Lab == lab.Virtual && c.scenario.RealOnly != "" {
		return c.scenario.RealOnly
	}
	if r.options.Lab == lab.Virtual && c.subject.Server.Handler == nil {
		return "the virtual lab needs the server in its own process"
	}
	if r.options.Lab == lab.Virtual && c.scenario.From == contract.Cluster {
		return "the virtual lab has one server"
	}
	if c.scenario.Restarts && c.subject.URL != "" {
		return "the server has to be stopped and started, and a URL's cannot be"
	}
	if !c.subject.Level.AtLeast(c.scenario.From) {
		return fmt.Sprintf("needs level %s, and the target claims %s", c.scenario.From, c.subject.Level)
	}
	return ""
}

// worse orders outcomes for the summary of several runs.
func worse(a, b check.Outcome) bool {
	rank := map[check.Outcome]int{check.Pass: 0, check.Unsupported: 1, check.Inconclusive: 2, check.Fail: 3}
	return rank[a] > rank[b]
}

// attempt plays the cell once and fills in result, which already names the scenario and
// what is expected. The error says why the run could not be played to its end.
func (r *runner) attempt(ctx context.Context, c cell, result report.Result, seed uint64) (report.Result, error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return result, ctx.Err()
	}
	if c.subject.Shared {
		r.turn.Lock()
		defer r.turn.Unlock()
	}
	p := c.scenario.Plan(seed)
	p.Scenario = c.scenario.ID
	if r.options.Lab == lab.Real {
		p = c.subject.spread(p)
	}
	config := ConfigOf(c.subject)
	if r.options.Golden {
		// The matrix asks every step for the most that a page can want.
		config.Level = contract.DurableDelivery
	}
	run := r.options.Lab.Play(ctx, c.subject.Server, config, p)
	result.Verdict = verdictOf(run, c.subject.Level)
	result.Met = result.Verdict.Meets(result.Expected, c.subject.Level)
	result.Tally = r.tally(c, result.Verdict)
	result.Took, result.Virtual = run.Real, run.Virtual
	result.Events, result.Replay = run.Events, r.replay(c, seed)
	if result.Verdict.Outcome == check.Unsupported {
		return result, nil
	}
	if result.Outcome() != check.Pass && r.options.Artifacts != "" {
		path, err := newSaved(c.subject, r.options.Lab, c.scenario.ID, p, run, result.Verdict).
			write(r.options.Artifacts, fmt.Sprintf("%s-%d", c.scenario.ID, seed))
		if err != nil {
			result.Unsaved = err.Error()
		} else {
			result.Artifacts = []string{path}
		}
	}
	return result, run.Err
}

// verdictOf is what the run came to, by its history or by what kept it from having one.
func verdictOf(run lab.Run, level contract.Level) check.Verdict {
	switch {
	case errors.Is(run.Err, target.ErrUnsupported), errors.Is(run.Err, target.ErrNoData):
		return check.Verdict{Outcome: check.Unsupported, Level: level, Reason: run.Err.Error()}
	case run.Err != nil:
		return check.Verdict{Outcome: check.Inconclusive, Level: level, Reason: run.Err.Error()}
	}
	return check.Judge(run.Events)
}

// tally counts one run. Where an expectation stands in for the level's promise, an order
// that the subject does not promise is not counted against it.
func (r *runner) tally(c cell, v check.Verdict) report.Tally {
	t := tallyOf(v)
	if r.options.Golden {
		t.Reordered = v.ReorderedFor(c.subject.Level)
	}
	return t
}

// tallyOf counts the one run of a verdict.
func tallyOf(v check.Verdict) report.Tally {
	return report.Tally{Runs: 1, FaultsFired: v.FaultsFired, Lost: v.Lost, Duplicated: v.Duplicated, Reordered: v.Reordered}
}

// ConfigOf is how the subject's runs are played.
func ConfigOf(s Subject) lab.Config {
	config := lab.Config{
		Level: s.Level, KeepsLog: s.Level.AtLeast(contract.ServerDelivery), OwnRecovery: s.OwnRecovery,
		Shared: s.Shared, HTML: s.HTML, Bundle: s.Bundle,
	}
	if s.Mute {
		config.ShownBound = 500 * time.Millisecond
	}
	return config
}

// replay is the command that plays the cell again. What is named after -- comes last.
func (r *runner) replay(c cell, seed uint64) string {
	how, last := "go run ./scenarios/cmd/redial check", ""
	switch {
	case c.subject.Step != "":
		how += " --step " + c.subject.Step
	case c.subject.Server.Target == nil: // published-6 and the like
		how += " --step " + c.subject.Name
	default:
		last = " " + c.subject.Name
	}
	if r.options.Lab == lab.Virtual {
		how += " --lab " + lab.Virtual.String()
	}
	return how + fmt.Sprintf(" --level %s --scenario %s --seed %d", c.subject.Level, c.scenario.ID, seed) + last
}
