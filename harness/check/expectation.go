package check

import (
	"slices"
	"strings"

	"redial/harness/contract"
)

// An Expectation names the symptoms that a run is expected to show, whatever its level
// promises: lost, duplicated or reordered messages. MayLose leaves the outcome
// of a race open.
type Expectation string

const (
	// ExactlyOnce: every message is shown once, in order, on every page.
	ExactlyOnce Expectation = "exactly once"
	// Loses: at least one message is lost, and nothing else goes wrong.
	Loses Expectation = "lost"
	// Duplicates: at least one message is shown twice, and nothing else goes wrong.
	Duplicates Expectation = "duplicated"
	// MayLose: a race decides whether a message is lost; nothing else may go wrong.
	MayLose Expectation = "lost or not"
	// Fails: the failure is known. A pass does not meet the expectation, so that a fix is
	// noticed.
	Fails Expectation = "a failure that is known"
	// DoesNotApply: the target does not offer what the scenario tries.
	DoesNotApply Expectation = "does not apply"
)

// Symptoms are the ways in which messages went wrong. The zero value means that each was
// shown exactly once.
type Symptoms struct {
	Lost, Duplicated, Reordered bool
	// OtherRule tells that a rule was broken that is about none of the three.
	OtherRule bool
}

// Words returns the symptoms in the words of an Expectation.
func (s Symptoms) Words() Expectation {
	var words []string
	for _, symptom := range []struct {
		seen bool
		word string
	}{{s.Lost, string(Loses)}, {s.Duplicated, string(Duplicates)}, {s.Reordered, "reordered"}, {s.OtherRule, "another rule broken"}} {
		if symptom.seen {
			words = append(words, symptom.word)
		}
	}
	if len(words) == 0 {
		return ExactlyOnce
	}
	return Expectation(strings.Join(words, " and "))
}

// Observed returns the symptoms that the verdict found on a target that claims the level, in
// the words of an Expectation. An empty level claims every promise.
func (v Verdict) Observed(claimed contract.Level) Expectation {
	if v.Outcome == Unsupported {
		return DoesNotApply
	}
	return Symptoms{
		Lost: v.Lost > 0, Duplicated: v.Duplicated > 0, Reordered: v.ReorderedFor(claimed) > 0, OtherRule: v.BreaksAnotherRule(),
	}.Words()
}

// BreaksAnotherRule reports whether a rule was broken that is not about lost, duplicated or
// reordered messages, or agreement by a message that a page shows and the log lacks.
func (v Verdict) BreaksAnotherRule() bool {
	unstored := func(f Finding) bool { return f.Anomaly == Unstored }
	return v.Counts[contract.NoPhantom]+v.Counts[contract.Sends]+v.Counts[contract.Convergence] > 0 || slices.ContainsFunc(v.Findings, unstored)
}

// ReorderedFor counts the reordered messages on a target that claims the level. Below the
// level that promises one order to all pages (at step 5, for instance), two pages may show
// messages of two senders in different orders.
func (v Verdict) ReorderedFor(claimed contract.Level) int {
	if claimed == "" {
		return v.Reordered
	}
	for _, rule := range contract.Rules {
		if rule.ID == contract.Agreement && !rule.MustAt(claimed) {
			return v.Counts[contract.Order]
		}
	}
	return v.Reordered
}

// Meets reports whether the verdict found what is expected of a target that claims the
// level. An inconclusive verdict meets no expectation.
func (v Verdict) Meets(expected Expectation, claimed contract.Level) bool {
	observed := v.Observed(claimed)
	switch {
	case v.Outcome == Inconclusive:
		return false
	case expected == Fails:
		return v.Outcome == Fail
	case expected == MayLose:
		return observed == Loses || observed == ExactlyOnce
	}
	return observed == expected
}
