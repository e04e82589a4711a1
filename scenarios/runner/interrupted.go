package runner

import (
	"context"
	"fmt"
	"time"

	"redial/harness/check"
	"redial/harness/report"
)

const (
	// Interrupted is the reason of a result of which no run had ended before the interrupt.
	Interrupted = notPlayed + byInterrupt
	notPlayed   = "not played: "
	byInterrupt = "interrupted"
)

// A TimeLimit is the cause of a context that [Within] has ended.
type TimeLimit time.Duration

func (l TimeLimit) Error() string {
	return fmt.Sprintf("the time limit of %s was exceeded", time.Duration(l))
}

// Within returns a context that ends after the limit, which is then the reason for what was not
// played. A limit of 0 is none.
func Within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, limit, TimeLimit(limit))
}

// Ended returns why ctx has ended: its time limit, or else an interrupt.
func Ended(ctx context.Context) string {
	if limit, ok := context.Cause(ctx).(TimeLimit); ok {
		return limit.Error()
	}
	return byInterrupt
}

// Unplayed returns the reason of a result of which no run had ended when ctx did.
func Unplayed(ctx context.Context) string { return notPlayed + Ended(ctx) }

// interrupted completes a result of which only some runs had ended when ctx did. planned is the
// number of runs there were to be, or 0 if that was not known yet. No other run could change a
// failure, which one run is enough for, and so it is for a failure that is known: see worse.
func interrupted(ctx context.Context, result report.Result, planned int) report.Result {
	final := result.Outcome() == check.Fail
	if result.Expected == check.Fails {
		final = result.Met
	}
	if final {
		return result
	}
	reason := Unplayed(ctx)
	switch {
	case result.Runs > 0 && planned > 0:
		reason = fmt.Sprintf("%s after %d of %d runs", Ended(ctx), result.Runs, planned)
	case result.Runs > 0:
		reason = fmt.Sprintf("%s after %d runs", Ended(ctx), result.Runs)
	}
	result.Met, result.Verdict = false, check.Verdict{Outcome: check.Inconclusive, Level: result.Verdict.Level, Reason: reason}
	return result
}

// Unplayed is the result of a cell that was not played to its end.
func (c Cell) Unplayed(reason string) report.Result {
	return report.Result{
		ID: c.Scenario.ID, Row: c.Scenario.Row, Title: c.Scenario.Title, Column: c.Server.Name,
		Verdict: check.Verdict{Outcome: check.Inconclusive, Level: c.Server.Level, Reason: reason},
	}
}
