package report

import (
	"strings"

	"redial/harness/check"
)

// symptoms is what went wrong with messages, as a set; none is exactly once.
type symptoms uint8

const (
	lost symptoms = 1 << iota
	duplicated
	reordered
	// otherRule is a failure that is none of the three above.
	otherRule
	doesNotApply
)

// The letters of a matrix and the words of an expectation.
var symptomNames = []struct {
	symptom      symptoms
	letter, word string
}{
	{lost, "L", "lost"},
	{duplicated, "D", "duplicated"},
	{reordered, "R", "reordered"},
	{otherRule, "X", "another rule broken"},
	{doesNotApply, "–", "does not apply"},
}

// unmet marks a cell that is not as expected.
const unmet = "!"

// observed is what the runs showed, whatever the level promises.
func (r Result) observed() symptoms {
	if r.Outcome() == check.Unsupported {
		return doesNotApply
	}
	var seen symptoms
	if r.Lost > 0 {
		seen |= lost
	}
	if r.Duplicated > 0 {
		seen |= duplicated
	}
	if r.Reordered > 0 {
		seen |= reordered
	}
	fails := r.Outcome() == check.Fail && r.Verdict.Outcome == check.Fail
	if seen == 0 && (fails || r.Verdict.BreaksAnotherRule()) {
		seen = otherRule
	}
	return seen
}

func (s symptoms) words() string {
	var words []string
	for _, name := range symptomNames {
		if s&name.symptom != 0 {
			words = append(words, name.word)
		}
	}
	if len(words) == 0 {
		return string(check.ExactlyOnce)
	}
	return strings.Join(words, " and ")
}

// cell is what a matrix shows for the result: letters, and "!" behind them where
// they are not as expected.
func (r Result) cell(m marks) string {
	if r.Outcome() == check.Inconclusive {
		return m.inconclusive
	}
	var cell string
	for _, name := range symptomNames {
		switch {
		case r.observed()&name.symptom == 0:
		case name.symptom == doesNotApply:
			cell += m.unsupported
		default:
			cell += name.letter
		}
	}
	if cell == "" {
		cell = m.pass
	}
	if !r.AsExpected() {
		cell += unmet
	}
	return cell
}

// Letters is what was observed, as a matrix shows it.
func (r Result) Letters() string {
	return strings.TrimSuffix(r.cell(Style{}.marks()), unmet)
}

// observedWords is the result in the words in which expectations are written.
func (r Result) observedWords() string {
	if r.Outcome() == check.Inconclusive {
		return "inconclusive: " + r.Reason()
	}
	return r.observed().words()
}

// expectedWords is what the result is held to.
func (r Result) expectedWords() string {
	if r.Expected == "" {
		return "to pass"
	}
	return visible(string(r.Expected))
}
