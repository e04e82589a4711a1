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

const exactlyOnce = "exactly once"

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
	if seen == 0 && r.Outcome() == check.Fail {
		seen = otherRule
	}
	return seen
}

// parseSymptoms reads an expectation; ok is false for a word it does not know.
func parseSymptoms(text string) (set symptoms, ok bool) {
	text = strings.TrimSpace(strings.ToLower(text))
	if text == exactlyOnce {
		return 0, true
	}
	for word := range strings.SplitSeq(strings.ReplaceAll(text, " and ", ","), ",") {
		known := false
		for _, name := range symptomNames {
			if strings.TrimSpace(word) == name.word {
				set |= name.symptom
				known = true
			}
		}
		if !known {
			return 0, false
		}
	}
	return set, true
}

func (s symptoms) words() string {
	var words []string
	for _, name := range symptomNames {
		if s&name.symptom != 0 {
			words = append(words, name.word)
		}
	}
	if len(words) == 0 {
		return exactlyOnce
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
		cell += "!"
	}
	return cell
}

// Letters is what was observed, as a matrix shows it.
func (r Result) Letters() string {
	r.Expected = ""
	if r.Verdict.Outcome == check.Fail {
		r.Expected = r.observed().words()
	}
	return r.cell(Style{}.marks())
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
	if _, ok := parseSymptoms(r.Expected); !ok {
		return visible(r.Expected) + " (this report does not know these words)"
	}
	return visible(r.Expected)
}
