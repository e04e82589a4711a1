package report

import (
	"cmp"

	"redial/harness/check"
)

// unmet marks a cell that differs from its expectation.
const unmet = "!"

// observed is what the runs showed, independent of what the level promises.
func (r Result) observed() check.Symptoms {
	if r.Outcome() == check.Unsupported {
		return check.Symptoms{}
	}
	seen := check.Symptoms{Lost: r.Lost > 0, Duplicated: r.Duplicated > 0, Reordered: r.Reordered > 0}
	fails := r.Outcome() == check.Fail && r.Verdict.Outcome == check.Fail
	seen.OtherRule = seen == check.Symptoms{} && (fails || r.Verdict.BreaksAnotherRule())
	return seen
}

// isExactlyOnce reports whether the runs showed no symptom.
func (r Result) isExactlyOnce() bool {
	return r.Outcome() != check.Unsupported && r.observed() == check.Symptoms{}
}

// cell is the text of a matrix cell: letters, with a sign before them if they are a should,
// and "!" after them if they differ from the expectation.
func (r Result) cell() string {
	cell := r.Letters()
	switch {
	case r.isShould() && cell == passMark:
		cell = shouldMark
	case r.isShould():
		cell = shouldMark + cell
	}
	if r.Outcome() != check.Inconclusive && !r.AsExpected() {
		cell += unmet
	}
	return cell
}

// Letters is the observed result in the letters of a matrix.
func (r Result) Letters() (letters string) {
	switch r.Outcome() {
	case check.Inconclusive:
		return inconclusiveMark
	case check.Unsupported:
		return unsupportedMark
	}
	seen := r.observed()
	for _, symptom := range []struct {
		seen   bool
		letter string
	}{{seen.Lost, "L"}, {seen.Duplicated, "D"}, {seen.Reordered, "R"}, {seen.OtherRule, "X"}} {
		if symptom.seen {
			letters += symptom.letter
		}
	}
	return cmp.Or(letters, passMark)
}

// observedWords is the observed result in the same words as an expectation.
func (r Result) observedWords() string {
	if r.Outcome() == check.Inconclusive {
		return "inconclusive: " + r.Reason()
	}
	if r.Outcome() == check.Unsupported {
		return string(check.DoesNotApply)
	}
	return string(r.observed().Words())
}

func (r Result) expectedWords() string {
	if r.Expected == "" {
		return "to pass"
	}
	return Visible(string(r.Expected))
}
