package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
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
	// Error says why nothing could be played.
	Error string `json:"error,omitempty"`
}

// A LevelResult is what the scenarios of one level came to.
type LevelResult struct {
	Level contract.Level `json:"level"`
	// Passed and Failed count scenarios; one that failed in any run has failed.
	Passed int `json:"passed"`
	Failed int `json:"failed"`
	// NotPlayed says why the level was not tried; empty where it was.
	NotPlayed string    `json:"notPlayed,omitempty"`
	Failures  []Failure `json:"failures,omitempty"`
	// Stopped tells that the level is above the claimed one, and was given up at the first
	// scenario that failed each time.
	Stopped bool `json:"stopped,omitempty"`
}

// Holds tells whether the level's promise was kept.
func (l LevelResult) Holds() bool { return l.NotPlayed == "" && l.Failed == 0 && l.Passed > 0 }

// Race tells whether every failure came in some of the runs only.
func (l LevelResult) Race() bool {
	return l.Failed > 0 && !slices.ContainsFunc(l.Failures, func(f Failure) bool { return f.Times == f.Of })
}

// A Failure is a scenario that failed in Times of Of runs.
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
// options.Runs times, with the next seed each time.
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
			result.NotPlayed = err.Error()
		} else if result, err = conformTo(ctx, server, claims, rows, options); err != nil {
			return false, err
		}
		levels = append(levels, result)
		slices.SortFunc(levels, func(a, b LevelResult) int {
			return slices.Index(contract.Levels, a.Level) - slices.Index(contract.Levels, b.Level)
		})
		return result.Holds(), nil
	}
	first := slices.Index(contract.Levels, claims)
	step, next := -1, first
	for next >= 0 && next < len(contract.Levels) {
		kept, err := play(contract.Levels[next])
		switch {
		case err != nil:
			return levels, holds, err
		case kept:
			holds = contract.Levels[next]
			if step < 0 && next < first {
				return levels, holds, nil
			}
			step = 1
		case step > 0:
			return levels, holds, nil
		}
		next += step
	}
	return levels, holds, nil
}

// conformTo plays the scenarios of the server's level.
func conformTo(ctx context.Context, server servers.Server, claims contract.Level, rows []catalogue.Scenario, options Options) (LevelResult, error) {
	if server.Server.Handler == nil {
		if err := Preflight(ctx, &server); err != nil {
			return LevelResult{Level: server.Level}, err
		}
	}
	if claims.AtLeast(server.Level) {
		return conformAt(ctx, server, rows, options)
	}
	return conformAbove(ctx, server, rows, options)
}

// conformAbove plays the scenarios of a level above the claimed one, up to the first that fails
// in every run.
func conformAbove(ctx context.Context, server servers.Server, rows []catalogue.Scenario, options Options) (LevelResult, error) {
	once := options
	once.Runs = 1
	l := LevelResult{Level: server.Level}
	for len(rows) > 0 {
		some := rows[:min(len(rows), 2*max(options.Parallel, 1))]
		rows = rows[len(some):]
		part, err := conformAt(ctx, server, some, once)
		if err != nil {
			return part, err
		}
		for i, f := range part.Failures {
			row, err := catalogue.FindIn(some, []string{f.Scenario})
			if err != nil {
				return part, err
			}
			again, err := conformAt(ctx, server, row, options)
			if err != nil {
				return part, err
			}
			part.Failures[i].Of = 1 + max(options.Runs, 1)
			if len(again.Failures) > 0 {
				part.Failures[i].Times += again.Failures[0].Times
			}
			l.Stopped = l.Stopped || part.Failures[i].Times == part.Failures[i].Of
		}
		l.Passed, l.Failed = l.Passed+part.Passed, l.Failed+part.Failed
		l.Failures = append(l.Failures, part.Failures...)
		if l.Stopped {
			return l, nil
		}
	}
	return l, nil
}

// conformAt plays all of the scenarios.
func conformAt(ctx context.Context, server servers.Server, rows []catalogue.Scenario, options Options) (LevelResult, error) {
	l := LevelResult{Level: server.Level}
	runs := max(options.Runs, 1)
	options.Runs = 1
	failures := map[string]*Failure{}
	for n := range runs {
		results, err := Run(ctx, []servers.Server{server}, rows, options)
		if err != nil {
			return l, err
		}
		options.Seed++
		for _, result := range results {
			l.count(n, result, failures, runs)
		}
	}
	for _, s := range rows {
		if f := failures[s.ID]; f != nil {
			l.Failures = append(l.Failures, *f)
		}
	}
	l.Failed = len(l.Failures)
	l.Passed -= l.Failed
	return l, nil
}

// count adds the result of a scenario in one of the runs.
func (l *LevelResult) count(run int, result report.Result, failures map[string]*Failure, runs int) {
	outcome := result.Outcome()
	if outcome == check.Unsupported {
		return
	}
	if run == 0 {
		l.Passed++
	}
	if outcome == check.Pass {
		return
	}
	f := failures[result.ID]
	if f == nil {
		f = &Failure{Scenario: result.ID, Title: result.Title, Rule: result.Verdict.Rule(), Reason: result.Reason(), Of: runs}
		if len(result.Events) > 0 && result.Events[0].Plan != nil {
			f.Story = plan.Story(*result.Events[0].Plan)
		}
		failures[result.ID] = f
	}
	f.Times++
}

// ConformPeer is Conform for one application, and measures the delivered share of a stream.
func ConformPeer(ctx context.Context, p Peer, at func(contract.Level) (servers.Server, error), rows []catalogue.Scenario, options Options) (Peer, error) {
	var err error
	p.Levels, p.Holds, err = Conform(ctx, at, p.Claims, rows, options)
	if ctx.Err() != nil {
		return p, ctx.Err()
	}
	if err != nil {
		p.Error = err.Error()
		return p, nil
	}
	server, err := at(p.Claims)
	if err != nil || options.Lab == lab.Virtual {
		return p, err
	}
	for n := range max(options.Runs, 1) {
		share, err := MeasureDelivered(ctx, server, options.Seed+uint64(n))
		if err != nil {
			return p, errors.Join(fmt.Errorf("%s: the steady stream: %w", p.Name, err), ctx.Err())
		}
		p.Delivered = append(p.Delivered, share.String())
	}
	return p, nil
}
