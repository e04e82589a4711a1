package check

import (
	"slices"

	"redial/harness/contract"
)

// Outcome is the result of a run, or of a scenario over all its runs.
type Outcome string

const (
	// Pass: the planned faults fired and every must-rule held.
	Pass Outcome = "pass"
	// Fail: a must-rule was broken.
	Fail Outcome = "fail"
	// Inconclusive: the run proves nothing, because a planned fault never fired, for
	// instance, or the history ended early. It never counts as a pass.
	Inconclusive Outcome = "inconclusive"
	// Unsupported: the target does not offer what the scenario needs.
	Unsupported Outcome = "unsupported"
)

// Anomaly is the way in which a message went wrong.
type Anomaly string

const (
	Lost       Anomaly = "lost"
	Duplicated Anomaly = "duplicated"
	Reordered  Anomaly = "reordered"
	Phantom    Anomaly = "phantom"
	// Unstored: the message was acknowledged or shown, and is not in the log.
	Unstored Anomaly = "unstored"
	// StoredTwice: the log has more than one row for the message.
	StoredTwice Anomaly = "stored twice"
	// Late: a page was not connected within the time limit.
	Late Anomaly = "late"
	// SentAgain: the server sent the message to a page that had been sent it before.
	SentAgain Anomaly = "sent again"
)

// A Finding is one break of one rule.
type Finding struct {
	Rule    contract.RuleID `json:"rule"`
	Anomaly Anomaly         `json:"anomaly"`
	// Must tells whether the break fails the run at the history's level.
	Must bool `json:"must"`
	// Client and View name the page that is at fault; they are empty for the log.
	Client string `json:"client,omitempty"`
	View   int    `json:"view,omitempty"`
	// Message is the text of the message that went wrong.
	Message string `json:"message,omitempty"`
	// Other is the message relative to which Message is out of order, or the missing one
	// that Message stands for.
	Other string `json:"other,omitempty"`
	// Expected and Observed are a clause each, to be read by a person.
	Expected string `json:"expected"`
	Observed string `json:"observed"`
	// Named are the indices, from 0, of the events that the two clauses name. The clauses
	// themselves count events from 1.
	Named []int `json:"named,omitempty"`
	// Event is the index in the history of the event that shows the break, or by which the
	// message was due; -1 if there is none, or if a Checker has not kept it.
	Event int `json:"event"`

	expected, observed Clause
}

// A Verdict is the judgement on one history.
type Verdict struct {
	Outcome Outcome        `json:"outcome"`
	Level   contract.Level `json:"level"`
	// Reason explains every outcome but Pass in one line.
	Reason string `json:"reason,omitempty"`
	// Findings holds the first few breaks of each rule, in the order of
	// contract.Rules; the counts below are complete.
	Findings []Finding `json:"findings,omitempty"`
	// Lost and Reordered count messages, once for each view or log that is blamed. Duplicated
	// counts every extra copy on a page and every extra row.
	Lost       int `json:"lost"`
	Duplicated int `json:"duplicated"`
	Reordered  int `json:"reordered"`
	// Counts is the number of breaks of each rule that was broken.
	Counts map[contract.RuleID]int `json:"counts,omitempty"`
	// FaultsPlanned and FaultsFired count the plan's faults (those of Break and
	// Arm steps included) and the ones seen to happen.
	FaultsPlanned int `json:"faultsPlanned"`
	FaultsFired   int `json:"faultsFired"`

	reason Clause
}

// Rule returns the first must-rule that was broken, or "" if none was.
func (v Verdict) Rule() contract.RuleID {
	if i := v.firstMust(); i >= 0 {
		return v.Findings[i].Rule
	}
	return ""
}

// firstMust returns the index of the first finding that fails the run, or -1.
func (v Verdict) firstMust() int {
	return slices.IndexFunc(v.Findings, func(f Finding) bool { return f.Must })
}
