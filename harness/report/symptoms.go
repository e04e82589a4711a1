package report

import (
	"cmp"

	"redial/harness/check"
)

// unmet marks a cell that is not as expected.
const unmet = "!"

// observed is what the runs showed, whatever the level promises.
func (r Result) observed() check.Symptoms {
	if r.Outcome() == check.Unsupported {
		return check.Symptoms{}
	}
	seen := check.Symptoms{Lost: r.Lost > 0, Duplicated: r.Duplicated > 0, Reordered: r.Reordered > 0}
	fails := r.Outcome() == check.Fail && r.Verdict.Outcome == check.Fail
	seen.OtherRule = seen == check.Symptoms{} && (fails || r.Verdict.BreaksAnotherRule())
	return seen
}

// isExactlyOnce tells whether the runs showed nothing wrong.
func (r Result) isExactlyOnce() bool {
	return r.Outcome() != check.Unsupported && r.observed() == check.Symptoms{}
}

// cell is what a matrix shows for the result: letters, with a sign before them where they
// are a should, and "!" behind them where they are not as expected.
func (r Result) cell(m marks) string {
	cell := r.letters(m)
	switch {
	case r.isShould() && cell == m.pass:
		cell = m.should
	case r.isShould():
		cell = m.should + cell
	}
	if r.Outcome() != check.Inconclusive && !r.AsExpected() {
		cell += unmet
	}
	return cell
}

// Letters is what was observed, as a matrix shows it.
func (r Result) Letters() string { return r.letters(unicodeMarks) }

func (r Result) letters(m marks) (letters string) {
	switch r.Outcome() {
	case check.Inconclusive:
		return m.inconclusive
	case check.Unsupported:
		return m.unsupported
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
	return cmp.Or(letters, m.pass)
}

// observedWords is the result in the words in which expectations are written.
func (r Result) observedWords() string {
	if r.Outcome() == check.Inconclusive {
		return "inconclusive: " + r.Reason()
	}
	if r.Outcome() == check.Unsupported {
		return string(check.DoesNotApply)
	}
	return string(r.observed().Words())
}

// expectedWords is what the result is held to.
func (r Result) expectedWords() string {
	if r.Expected == "" {
		return "to pass"
	}
	return visible(string(r.Expected))
}
