package runner

import (
	"fmt"

	"redial/harness/check"
	"redial/harness/report"
)

// Interrupted is the reason of a result of which no run had ended before the interrupt.
const Interrupted = "not played: interrupted"

// interrupted completes a result of which only some runs have ended. A failure is one all the
// same. planned is the number of runs there were to be, or 0 if that was not known yet.
func interrupted(result report.Result, planned int) report.Result {
	if result.Verdict.Outcome == check.Fail {
		return result
	}
	reason := Interrupted
	switch {
	case result.Runs > 0 && planned > 0:
		reason = fmt.Sprintf("interrupted after %d of %d runs", result.Runs, planned)
	case result.Runs > 0:
		reason = fmt.Sprintf("interrupted after %d runs", result.Runs)
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
