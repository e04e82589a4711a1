package runner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"redial/harness/check"
	"redial/harness/lab"
	"redial/harness/report"
	"redial/harness/sweep"
	"redial/scenarios/catalogue"
	"redial/scenarios/peers"
	"redial/scenarios/servers"
)

// The kinds of sweep.
const (
	// SweepSingle injects every fault at every frame, one in each run.
	SweepSingle = "single"
	// SweepPairs injects two of them in each run, for all pairs or for a sample.
	SweepPairs = "pairs"
	// SweepRandom plays random plans.
	SweepRandom = "random"
)

// SweepKinds lists them.
var SweepKinds = []string{SweepSingle, SweepPairs, SweepRandom}

// defaultSweepRuns is how many pairs or random plans of a story are played by default.
const defaultSweepRuns = 1000

// shrinkBudget bounds the runs in which one failure is shrunk.
const shrinkBudget = 400

// SweepOptions say how the stories are swept.
type SweepOptions struct {
	// Kind is one of SweepKinds.
	Kind string
	Seed uint64
	// Runs is the number of seeds of a single sweep, from Seed on (0 means 1), or else the
	// number of plans of each story (0 means 1000).
	Runs int
	// Points bounds the points of a story that a single sweep plays. 0 means all. Limit bounds
	// the time in which it plays them; every story has an equal part of that time, and fewer seeds
	// if it is short. Failures are shrunk beyond it. 0 means no bound. The order of the points suits both: see
	// sweep.Sweeper.Groups.
	Points int
	Limit  time.Duration
	// Whole has a single sweep play every point, with every client as the story has it. See
	// sweep.Sweeper.
	Whole bool
	// ShrinkBudget bounds the runs in which one failure is shrunk. 0 means 400.
	ShrinkBudget int
	// Stories are played if the server's level covers them. Nil means catalogue.Stories, or
	// for pairs catalogue.ShortStories.
	Stories []catalogue.Story
	// Artifacts is the folder in which failures are saved. If empty, none is saved.
	Artifacts string
	// Explored, if set, counts the situations that the runs reached.
	Explored *sweep.Explored
	// Done, if set, is called with the progress of a story.
	Done func(column, story string, ended, all, failed int)
}

// Sweep injects faults into every story on the server, in the virtual lab. It returns a result
// for each story, followed by one for each kind of failure in it, shrunk and saved under the ID
// of the scenario that the failure is a case of. If ctx ends, so do the sweep and the shrinking;
// what was not swept is inconclusive.
func Sweep(ctx context.Context, server servers.Server, o SweepOptions) ([]report.Result, error) {
	if server.Server.Handler == nil {
		return nil, fmt.Errorf("%s runs in another process: the virtual lab needs a server in its own", server.Name)
	}
	stories := o.Stories
	if stories == nil && o.Kind == SweepPairs {
		stories = catalogue.ShortStories
	}
	if stories == nil {
		stories = catalogue.Stories
	}
	stories = slices.DeleteFunc(slices.Clone(stories), func(s catalogue.Story) bool { return !server.Level.AtLeast(s.From) })
	o.Limit /= time.Duration(max(1, len(stories)))
	var results []report.Result
	for _, story := range stories {
		if ctx.Err() != nil {
			results = append(results, interrupted(ctx, storyResult(server, story, o, sweep.Result{}), 0))
			continue
		}
		told, err := sweepStory(ctx, server, story, o)
		if err != nil {
			return results, fmt.Errorf("%s, %s: %w", server.Name, story.ID, err)
		}
		results = append(results, told...)
	}
	return results, ctx.Err()
}

func sweepStory(ctx context.Context, server servers.Server, story catalogue.Story, o SweepOptions) ([]report.Result, error) {
	s := sweep.Sweeper{Server: server.Server, Config: servers.ConfigOf(server), Name: catalogue.Diagnose, Whole: o.Whole, Explored: o.Explored}
	if o.Done != nil {
		s.Done = func(ended, all, failed int) { o.Done(server.Name, story.ID, ended, all, failed) }
	}
	found, err := o.play(ctx, s, story)
	if err != nil {
		return nil, err
	}
	results := []report.Result{storyResult(server, story, o, found)}
	if ctx.Err() != nil {
		results[0] = interrupted(ctx, results[0], 0)
	}
	for _, f := range found.Failures {
		results = append(results, failureResult(ctx, s, server, story, o, f))
	}
	return results, nil
}

func (o SweepOptions) play(ctx context.Context, s sweep.Sweeper, story catalogue.Story) (sweep.Result, error) {
	plans := cmp.Or(o.Runs, defaultSweepRuns)
	switch o.Kind {
	case SweepPairs:
		return s.Pairs(ctx, story.Plan(o.Seed), plans)
	case SweepRandom:
		return s.Random(ctx, story.Plan, o.Seed, plans), nil
	}
	var all sweep.Result
	within, end := Within(ctx, o.Limit)
	defer end()
	for n := range o.seeds() {
		if n > 0 && within.Err() != nil { // the first seed at least counts the points
			break
		}
		r, err := s.Singles(within, story.Plan(o.Seed+uint64(n)), o.Points, o.Limit/time.Duration(o.seeds()))
		if err != nil {
			return all, err
		}
		all = all.With(r)
	}
	return all, nil
}

// seeds is the number of seeds of a single sweep.
func (o SweepOptions) seeds() int { return max(1, o.Runs) }

// storyResult sums up a story's runs.
func storyResult(server servers.Server, story catalogue.Story, o SweepOptions, r sweep.Result) report.Result {
	result := report.Result{
		ID: o.Kind + ":" + story.ID, Title: story.Title, Column: server.Name,
		Verdict: check.Verdict{Outcome: check.Pass, Level: server.Level},
		Points:  max(0, r.Passed+r.Failed-r.Unbroken), AllPoints: r.Points, StoodFor: r.StoodFor,
		Tally: r.Tally,
	}
	if o.Limit > 0 && r.Unbroken < o.seeds() {
		result.Title += fmt.Sprintf(" (the time limit left time for %d of %d seeds)", r.Unbroken, o.seeds())
	}
	switch {
	case r.Failed > 0:
		result.Verdict.Outcome, result.Verdict.Reason = check.Fail, failedReason(r)
	case r.Undecided > 0:
		result.Verdict.Outcome = check.Inconclusive
		result.Verdict.Reason = fmt.Sprintf("%d of %d runs came to no verdict; the first: %s", r.Undecided, r.Runs, r.Why)
	case o.Limit > 0 && r.StoodFor == 0 && r.Unfired == 0:
		result.Verdict.Outcome = check.Inconclusive
		result.Verdict.Reason = fmt.Sprintf("the time limit ended before a fault was injected at any of %d points", r.Points)
	case result.Points == 0:
		result.Verdict.Outcome, result.Verdict.Reason = check.Inconclusive, "no planned fault ever fired"
	}
	return result
}

func failedReason(r sweep.Result) string {
	var kinds []string
	for _, f := range r.Failures {
		kinds = append(kinds, fmt.Sprintf("%s %d", f.Name, f.Count))
	}
	return fmt.Sprintf("%d of %d runs break the promise: %s", r.Failed, r.Runs, strings.Join(kinds, ", "))
}

// failureResult shrinks a failure and saves it.
func failureResult(ctx context.Context, s sweep.Sweeper, server servers.Server, story catalogue.Story, o SweepOptions, f sweep.Failure) report.Result {
	small := s.Shrink(ctx, f, cmp.Or(o.ShrinkBudget, shrinkBudget))
	title := fmt.Sprintf("%d runs of %s fail so, the first where %s", f.Count, story.ID, f.Plan.Name())
	if small.Recurred < small.Replayed {
		title += fmt.Sprintf("; it came again in %d of %d replays", small.Recurred, small.Replayed)
	}
	row := 0
	if named, err := catalogue.Find([]string{f.Name}); err == nil {
		title, row = named[0].Title+" ("+title+")", named[0].Row
	}
	result := report.Result{
		ID: f.Name, Row: row, Title: title, Column: server.Name,
		Verdict: small.Verdict, Events: small.Events,
		// Of the runs that fail so, only one has a verdict here. The faults are counted with the story.
		Tally: check.Tally{Runs: f.Count, Lost: small.Verdict.Lost, Duplicated: small.Verdict.Duplicated, Reordered: small.Verdict.Reordered},
	}
	if o.Artifacts == "" {
		return result
	}
	saved := newSaved(server, lab.Virtual, peers.Client{}, f.Name, small.Plan, lab.Run{Events: small.Events, Output: small.Output}, small.Verdict)
	saved.Recurred, saved.Replays = small.Recurred, small.Replayed
	path, err := saved.write(o.Artifacts, fmt.Sprintf("%s-%s-%s-%d", o.Kind, story.ID, f.Name, small.Plan.Seed))
	if err != nil {
		result.Unsaved = err.Error()
		return result
	}
	result.Artifacts = []string{path}
	result.Replay = replayOf(path)
	if small.Recurred < small.Replayed {
		result.Replay = replayOf("--exact", path)
	}
	return result
}
