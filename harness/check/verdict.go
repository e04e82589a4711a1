package check

import (
	"encoding/json"
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
	// Named are the events that the two clauses name. In Go they are indices of the history; in
	// JSON, as in the clauses, the first event is 1.
	Named []int `json:"namedEvents,omitempty"`
	// Event is the event that shows the break, or by which the message was due. In Go it is an
	// index of the history, and -1 if there is none or a Checker has not kept it. In JSON the
	// first event is 1, and the field is missing where there is none.
	Event int `json:"atEvent,omitempty"`

	expected, observed Clause
}

// MarshalJSON counts events from 1, as every text of a report does.
func (f Finding) MarshalJSON() ([]byte, error) {
	type fields Finding
	return json.Marshal(fields(f.counting(1)))
}

// UnmarshalJSON does not read the fields "event" and "named" of files that were written when
// they counted from 0: such a finding has no events.
func (f *Finding) UnmarshalJSON(text []byte) error {
	type fields Finding
	var read fields
	err := json.Unmarshal(text, &read)
	*f = Finding(read).counting(-1)
	return err
}

// counting returns the finding with its events shifted.
func (f Finding) counting(shift int) Finding {
	f.Event += shift
	f.Named = slices.Clone(f.Named)
	for i := range f.Named {
		f.Named[i] += shift
	}
	return f
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
