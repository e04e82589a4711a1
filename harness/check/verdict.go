package check

import (
	"redial/harness/contract"
)

// Outcome is what a run, or a scenario over all its runs, comes to.
type Outcome string

const (
	// Pass: the planned faults fired and every must-rule held.
	Pass Outcome = "pass"
	// Fail: a must-rule was broken.
	Fail Outcome = "fail"
	// Inconclusive: the run cannot be trusted either way; a planned fault never
	// fired, or the history ended early. Never counted as a pass.
	Inconclusive Outcome = "inconclusive"
	// Unsupported: the target does not offer what the scenario needs.
	Unsupported Outcome = "unsupported"
)

// Anomaly says in which way a message went wrong.
type Anomaly string

const (
	Lost       Anomaly = "lost"
	Duplicated Anomaly = "duplicated"
	Reordered  Anomaly = "reordered"
	Phantom    Anomaly = "phantom"
	// Unstored: acknowledged, and not in the log; or shown, and not in the log.
	Unstored Anomaly = "unstored"
	// StoredTwice: more than one row in the log for one message.
	StoredTwice Anomaly = "stored twice"
	// Late: a page that was not connected, or not up to date, within the bound.
	Late Anomaly = "late"
	// SentAgain: the server sent it to a page that had been sent it before.
	SentAgain Anomaly = "sent again"
)

// A Finding is one break of one rule.
type Finding struct {
	Rule    contract.RuleID `json:"rule"`
	Anomaly Anomaly         `json:"anomaly"`
	// Must tells whether it fails the run at the history's level.
	Must bool `json:"must"`
	// Client and View say where it was seen; empty for the log.
	Client string `json:"client,omitempty"`
	View   int    `json:"view,omitempty"`
	// Message is the offending text.
	Message string `json:"message,omitempty"`
	// Other is the message that it stands on the wrong side of, where that is the break.
	Other string `json:"other,omitempty"`
	// Expected and Observed are a clause each, for a person.
	Expected string `json:"expected"`
	Observed string `json:"observed"`
	// Named are the indices of the events that the two clauses name. (Their text counts
	// from 1.)
	Named []int `json:"named,omitempty"`
	// Event is the index in the history of the event that shows it, or of the one
	// after which it can no longer come right; -1 when there is none, or when a
	// Checker has not kept it.
	Event int `json:"event"`
}

// A Verdict is what one history comes to.
type Verdict struct {
	Outcome Outcome        `json:"outcome"`
	Level   contract.Level `json:"level"`
	// Reason says in one line why, for every outcome but Pass.
	Reason string `json:"reason,omitempty"`
	// Findings holds the first few breaks of each rule, in the order of
	// contract.Rules; the counts below are complete.
	Findings []Finding `json:"findings,omitempty"`
	// Lost and Reordered count messages, once for each view that they went wrong
	// in, and once for the log or for all views together where it is that which is
	// blamed. Duplicated counts every showing, and every row, too many.
	Lost       int `json:"lost"`
	Duplicated int `json:"duplicated"`
	Reordered  int `json:"reordered"`
	// Counts is the number of breaks of each rule that was broken.
	Counts map[contract.RuleID]int `json:"counts,omitempty"`
	// FaultsPlanned and FaultsFired count the plan's faults (those of Break and
	// Arm steps included) and the ones seen to happen.
	FaultsPlanned int `json:"faultsPlanned"`
	FaultsFired   int `json:"faultsFired"`
}

// Rule is the first must-rule that was broken, or "" where none was.
func (v Verdict) Rule() contract.RuleID {
	for _, f := range v.Findings {
		if f.Must {
			return f.Rule
		}
	}
	return ""
}
