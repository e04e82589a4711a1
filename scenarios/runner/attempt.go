package runner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"redial/harness/check"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/scenarios/servers"
)

// attempt plays the cell once and completes the result, which already has the scenario and the
// expectation. The error is the reason why the run did not end. The result of a run that ctx has
// ended has no tally.
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
	if s := c.Server.Protocol; c.Scenario.Folder == "" && (c.Server.NewPage != nil || s != nil && s.Send != nil && s.Send.NoAck) {
		p.Script = slices.DeleteFunc(p.Script, sendsUnstorable)
	}
	if r.options.Lab == lab.Real {
		p = c.Server.Spread(p)
	}
	config := configFor(c.Server, p)
	if r.options.Golden {
		config.Level = GoldenLevel
	}
	if r.options.Client.New != nil {
		config.NewPage = newPage(r.options.Client, config.Level)
	}
	run := playWithin(ctx, r.options.Lab, r.options.Limit, c.Server, config, p)
	r.up(c.Server, len(run.Began) > 0)
	if run.Err != nil && ctx.Err() != nil {
		return result, ctx.Err()
	}
	result.Verdict = c.judge(p, run, config.Level, result.Expected)
	result.Met = result.Verdict.Meets(result.Expected, c.Server.Level)
	switch {
	case result.Verdict.Outcome == check.Pass:
		result.Beyond = check.Beyond(result.Verdict.Level, run.Events)
	case r.options.Golden && result.Verdict.Outcome == check.Fail && !c.promises(run):
		result.Beyond = check.Beyond(c.Server.Level, run.Events)
	}
	result.Tally = r.tally(c, result.Verdict)
	result.Took, result.Virtual = run.Real, run.Virtual
	result.Events, result.Replay = run.Events, r.replay(c, seed)
	if result.Verdict.Outcome == check.Unsupported {
		if !r.options.Golden {
			result.Expected = ""
		}
		return result, nil
	}
	if result.Outcome() != check.Pass && result.Verdict.Outcome != check.Pass && r.options.Artifacts != "" { // an unexpected pass is no failure
		path, err := newSaved(c.Server, r.options.Lab, r.options.Client, c.Scenario.ID, p, run, result.Verdict).
			write(r.options.Artifacts, fmt.Sprintf("%s-%d", c.Scenario.ID, seed))
		if err != nil {
			result.Unsaved = err.Error()
		} else {
			result.Artifacts = []string{path}
			if r.options.Golden { // check would judge the run at the level of the step
				result.Replay = replayOf(path)
			}
		}
	}
	if r.options.Client.New != nil && result.Verdict.Outcome != check.Pass {
		result.Official = r.official(ctx, c, config, p)
	}
	return result, run.Err
}

// configFor returns the lab's settings for a run of the plan on the server.
func configFor(server servers.Server, p plan.Plan) lab.Config {
	config := servers.ConfigOf(server)
	switch {
	case waitsForHeartbeat(server, p):
		config.Bound = lab.DefaultBound + server.Heartbeat
	case server.NewPage != nil:
		// The page upgrades from polling to WebSocket. If that is cut, the official client can
		// be stuck until its ping timeout: see the scenario upgrade-cut.
		config.Bound = lab.DefaultBound + cmp.Or(server.Heartbeat, libraryHeartbeat)
	}
	return config
}

// playWithin plays the plan within the limit of a run; see [Options].
func playWithin(ctx context.Context, in lab.Lab, limit time.Duration, server servers.Server, config lab.Config, p plan.Plan) lab.Run {
	// A scenario waits for the heartbeat and for a start a few times at most, and each of its
	// other waits has a bound that includes the heartbeat.
	limit = cmp.Or(limit, defaultLimit+10*max(0, config.Bound-lab.DefaultBound, config.StartBound-lab.DefaultBound))
	limited, stop := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the run was given up: it had not ended after %s", limit))
	defer stop()
	run := in.Play(limited, server.Server, config, p)
	if run.Err != nil && limited.Err() != nil && ctx.Err() == nil {
		run.Err = context.Cause(limited) // run.Err is only a consequence of that
	}
	return run
}

// promises tells whether the run breaks the promise of the server's own level.
func (c Cell) promises(run lab.Run) bool {
	return c.Server.Level.AtLeast(c.Scenario.From) && check.JudgeAt(c.Server.Level, run.Events).Outcome == check.Fail
}

// libraryHeartbeat is the sum of pingInterval and pingTimeout by default.
const libraryHeartbeat = 45 * time.Second

// tally counts one run. If an expectation replaces the promise of the level, an order that the
// server does not promise is not counted.
func (r *Runner) tally(c Cell, v check.Verdict) check.Tally {
	t := v.Tally()
	if r.options.Golden {
		t.Reordered = v.ReorderedFor(c.Server.Level)
	}
	return t
}
