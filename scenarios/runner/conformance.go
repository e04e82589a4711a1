package runner

import (
	"context"
	"slices"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/servers"
)

// A Peer is an application in the table of conformance: what was played on it, and what
// came of it.
type Peer struct {
	// Name is its own words for what it is, Config its redial.yaml.
	Name   string `json:"name"`
	Config string `json:"config"`
	// Claims is the level that its redial.yaml names, Holds the highest that it was seen to
	// keep, empty for none.
	Claims contract.Level `json:"claims"`
	Holds  contract.Level `json:"holds,omitempty"`
	// Levels are those that were played, from the weakest on.
	Levels []LevelResult `json:"levels"`
	// Delivered are the shares of a steady stream that arrived over a two-second drop, one
	// for each time it was measured.
	Delivered []string `json:"delivered"`
	// NotPlayed says in one line why the levels that are not in Levels could not be played, and
	// NotMeasured why a share is missing in Delivered.
	NotPlayed   string `json:"notPlayed,omitempty"`
	NotMeasured string `json:"notMeasured,omitempty"`
}

// A LevelResult is what the scenarios of one level came to.
type LevelResult struct {
	Level contract.Level `json:"level"`
	// Passed and Failed count scenarios; one that failed in any run has failed. Those that are
	// Inconclusive did not fail, and had no verdict in some run; they are in neither count.
	Passed int `json:"passed"`
	Failed int `json:"failed"`
	// NotPlayed says why the level was not tried; empty where it was.
	NotPlayed    string    `json:"notPlayed,omitempty"`
	Failures     []Failure `json:"failures,omitempty"`
	Inconclusive []Failure `json:"inconclusive,omitempty"`
	// Stopped tells that the level is above the claimed one, and was given up at the first
	// scenario that failed each time.
	Stopped bool `json:"stopped,omitempty"`
}

// Holds tells whether the level's promise was kept. While a scenario has no verdict, nobody
// knows.
func (l LevelResult) Holds() bool { return l.Passed > 0 && l.Passed == l.Played() }

// Played counts the scenarios that were played.
func (l LevelResult) Played() int { return l.Passed + l.Failed + len(l.Inconclusive) }

// Races counts the scenarios that failed in some of the runs only.
func (l LevelResult) Races() (n int) {
	for _, f := range l.Failures {
		if f.Times < f.Of {
			n++
		}
	}
	return n
}

// A Failure is a scenario that failed in Times of the Of runs that had a verdict, or one that had
// no verdict in Times of Of runs.
type Failure struct {
	Scenario string          `json:"scenario"`
	Title    string          `json:"title"`
	Rule     contract.RuleID `json:"rule,omitempty"`
	Reason   string          `json:"reason"`
	Story    string          `json:"story"`
	Times    int             `json:"times"`
	Of       int             `json:"of"`
}

// Conform plays the scenarios of the level that an application claims. Where they pass it
// goes on to higher levels until one fails, and where they fail to lower ones until one
// holds: every level below one that holds is part of its promise. Each scenario is played
// options.Runs times, with the next seed each time, and as often again if it fails each time:
// that tells a race of a high rate from a constant failure. If ctx ends, the levels have what had
// ended by then.
func Conform(ctx context.Context, at func(contract.Level) (servers.Server, error), claims contract.Level, rows []catalogue.Scenario, options Options) (levels []LevelResult, holds contract.Level, err error) {
	play := func(level contract.Level) (bool, error) {
		result := LevelResult{Level: level}
		// Below the claimed level the page stays that of the claim: one of a lower level would
		// show twice what the server sends again, and rightly so.
		made := level
		if claims.AtLeast(level) {
			made = claims
		}
		server, err := at(made)
		server.Level = level
		if err != nil {
			result.NotPlayed, err = err.Error(), nil
		} else if result, err = conformTo(ctx, server, claims, rows, options); err != nil && (ctx.Err() == nil || result.Played() == 0) {
			return false, err
		}
		levels = append(levels, result)
		slices.SortFunc(levels, func(a, b LevelResult) int {
			return slices.Index(contract.Levels, a.Level) - slices.Index(contract.Levels, b.Level)
		})
		return result.Holds(), err
	}
	first := slices.Index(contract.Levels, claims)
	step, next := -1, first
	for next >= 0 && next < len(contract.Levels) {
		kept, err := play(contract.Levels[next])
		if kept {
			holds = contract.Levels[next]
		}
		switch {
		case err != nil, kept && step < 0 && next < first, !kept && step > 0:
			return levels, holds, err
		case kept:
			step = 1
		}
		next += step
	}
	return levels, holds, nil
}

// conformTo plays the scenarios of the server's level: above the claimed one only once and some at
// a time, up to the first that fails in every run.
func conformTo(ctx context.Context, server servers.Server, claims contract.Level, rows []catalogue.Scenario, options Options) (LevelResult, error) {
	l := LevelResult{Level: server.Level}
	if server.Server.Handler == nil {
		if err := Preflight(ctx, &server); err != nil {
			return l, err
		}
	}
	above, atOnce, first := !claims.AtLeast(server.Level), len(rows), options
	if above {
		atOnce, first.Runs = 2*options.Parallel, 1
	}
	for some := range slices.Chunk(rows, max(atOnce, 2)) {
		part, err := conformAt(ctx, server, some, first)
		if err == nil {
			err = confirm(ctx, server, some, &part, options)
		}
		if err != nil && ctx.Err() == nil {
			return part, err
		}
		l.Passed, l.Failed = l.Passed+part.Passed, l.Failed+part.Failed
		l.Failures, l.Inconclusive = append(l.Failures, part.Failures...), append(l.Inconclusive, part.Inconclusive...)
		l.Stopped = above && slices.ContainsFunc(part.Failures, func(f Failure) bool { return f.Times == f.Of })
		if l.Stopped {
			break
		}
	}
	return l, ctx.Err()
}

// confirm plays again what has failed each time.
func confirm(ctx context.Context, server servers.Server, rows []catalogue.Scenario, l *LevelResult, options Options) error {
	for i := range l.Failures {
		f := &l.Failures[i]
		if f.Times < f.Of {
			continue
		}
		row, err := catalogue.FindIn(rows, []string{f.Scenario})
		if err != nil {
			return err
		}
		next := options
		next.Seed += uint64(max(options.Runs, 1)) // a run without a verdict had a seed, too
		again, err := conformAt(ctx, server, row, next)
		if err != nil {
			return err
		}
		f.Of += again.Passed * max(options.Runs, 1)
		for _, more := range again.Failures {
			f.Times, f.Of = f.Times+more.Times, f.Of+more.Of
		}
		for _, open := range again.Inconclusive {
			f.Of += open.Of - open.Times
		}
	}
	return nil
}

// conformAt plays all of the scenarios. If ctx ends, those that had not ended have no verdict.
func conformAt(ctx context.Context, server servers.Server, rows []catalogue.Scenario, options Options) (LevelResult, error) {
	l := LevelResult{Level: server.Level}
	runs := max(options.Runs, 1)
	options.Runs = 1
	played := map[string][]report.Result{}
	for range runs {
		results, err := Run(ctx, []servers.Server{server}, rows, options)
		if err != nil && ctx.Err() == nil {
			return l, err
		}
		options.Seed++
		for _, result := range results {
			result.Events = slices.Clone(result.Events[:min(1, len(result.Events))]) // many histories fill the memory
			played[result.ID] = append(played[result.ID], result)
		}
	}
	for _, s := range rows {
		l.count(played[s.ID])
	}
	return l, ctx.Err()
}

// count adds the runs of one scenario.
func (l *LevelResult) count(runs []report.Result) {
	of := map[check.Outcome][]report.Result{}
	for _, result := range runs {
		of[result.Outcome()] = append(of[result.Outcome()], result)
	}
	switch {
	case len(of[check.Fail]) > 0:
		l.Failed++
		l.Failures = append(l.Failures, failureOf(of[check.Fail], len(of[check.Fail])+len(of[check.Pass])))
	case len(of[check.Inconclusive]) > 0:
		l.Inconclusive = append(l.Inconclusive, failureOf(of[check.Inconclusive], len(runs)))
	case len(of[check.Pass]) > 0:
		l.Passed++
	}
}

// failureOf is the first of the failures of a scenario.
func failureOf(failed []report.Result, of int) Failure {
	result := failed[0]
	f := Failure{Scenario: result.ID, Title: result.Title, Rule: result.Verdict.Rule(), Reason: result.Reason(), Times: len(failed), Of: of}
	if len(result.Events) > 0 && result.Events[0].Plan != nil {
		f.Story = plan.Story(*result.Events[0].Plan)
	}
	return f
}

// ConformPeer is Conform for one application, and measures the delivered share of a stream. It
// fails only if ctx is done: what cannot be played or measured is said in the table.
func ConformPeer(ctx context.Context, p Peer, at func(contract.Level) (servers.Server, error), rows []catalogue.Scenario, options Options) (Peer, error) {
	var err error
	if p.Levels, p.Holds, err = Conform(ctx, at, p.Claims, rows, options); err != nil {
		p.NotPlayed = reason(ctx, err)
		return p, ctx.Err()
	}
	server, err := at(p.Claims)
	for n := 0; err == nil && n < max(options.Runs, 1); n++ {
		var share Delivered
		if share, err = MeasureDelivered(ctx, server, options.Seed+uint64(n)); err == nil {
			p.Delivered = append(p.Delivered, share.String())
		}
	}
	if err != nil {
		p.NotMeasured = reason(ctx, err)
	}
	return p, ctx.Err()
}

// reason says in one line why something was not played: if ctx has ended, err is a consequence.
func reason(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return Ended(ctx)
	}
	return oneLine(err.Error())
}
