package check

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

// detailsPerRule bounds the number of breaks of a rule that a Verdict describes.
const detailsPerRule = 20

// Verdict judges the events that were added so far. It does not change the Checker: events
// can be added afterwards, and Verdict called again.
//
// The Event of a finding is -1 where the Checker has not kept it, in order to save memory:
// it keeps no event for a message that a page shows in the same order as other pages.
// [Verdict.Locate] fills it in from the events.
func (c *Checker) Verdict() Verdict {
	v := Verdict{Level: c.level, Counts: map[contract.RuleID]int{}}
	planned := c.plan.AllFaults()
	v.FaultsPlanned = len(planned)
	unfired := make([]plan.Fault, 0, len(planned))
	for _, f := range planned {
		if c.hasFired(f) {
			v.FaultsFired++
		} else {
			unfired = append(unfired, f)
		}
	}
	if reason := c.unidentified(); reason.Format != "" {
		v.Outcome, v.reason, v.Reason = Inconclusive, reason, reason.String()
		return v
	}
	t := &counter{verdict: &v}
	f := newFacts(c)
	for _, rule := range contract.Rules {
		t.must = rule.MustAt(c.level)
		rules[rule.ID](f, t)
	}
	if v.Outcome, v.reason = c.outcome(&v, unfired); v.Outcome == Fail {
		v.Reason = failReason(&v)
	} else {
		v.Reason = v.reason.String()
	}
	return v
}

func (c *Checker) outcome(v *Verdict, unfired []plan.Fault) (Outcome, Clause) {
	switch {
	case !c.began:
		return Inconclusive, clause("The history does not say how the run began: it has no event of the kind began.")
	case !c.level.AtLeast(contract.Basic):
		return Inconclusive, clause("The history names the level %q, which there is not.", c.level)
	case c.ended == never:
		return Inconclusive, clause("The history was cut short: it has no event of the kind ended.")
	case len(c.sends) == 0:
		return Inconclusive, clause("No client sent a message, so nothing could go wrong.")
	case v.firstMust() >= 0: // even if a fault has not fired, since a right server breaks no rule without one, either
		return Fail, Clause{}
	case len(unfired) > 0:
		return Inconclusive, unfiredReason(unfired)
	}
	if (c.keepsLog || len(c.reading) > 0) && !c.hasLog {
		var why Clause
		if awaited, ok := c.unmetAwait(); ok {
			why = clause(" (%s)", awaited)
		}
		return Inconclusive, clause("The log was not read to its end%s, and without it the promise of this level cannot be checked.", why)
	}
	if awaited, ok := c.unmetAwait(); ok {
		return Inconclusive, clause("No rule was broken, but a wait timed out: %s.", awaited)
	}
	return Pass, Clause{}
}

// unidentified returns the reason why the run cannot be judged if a text stands for two
// messages.
func (c *Checker) unidentified() Clause {
	for i := range c.messages {
		if m := &c.messages[i]; m.ambiguous {
			return clause("The text %s was sent although it had been sent, or was in the log, before: the two messages cannot be distinguished.", quote(m.text))
		}
	}
	return Clause{}
}

// hasFired reports whether the history has the fault. A fault without an ID cannot be
// distinguished from the others and counts as not fired.
func (c *Checker) hasFired(f plan.Fault) bool { return f.ID != "" && c.fired[f.ID] }

func unfiredReason(unfired []plan.Fault) Clause {
	f := unfired[0]
	name := clause("The planned fault %s", f.ID)
	if f.ID == "" {
		name = clause("A planned fault without an ID")
	}
	what := string(f.Kind)
	if f.Client != "" {
		what += ", " + f.Client
	}
	reason := clause("%s (%s) never fired.", name, what)
	if n := len(unfired) - 1; n > 0 {
		reason = clause("%s (%s) never fired, nor did %d more.", name, what, n)
	}
	switch {
	case f.At.Match == "":
		return reason
	case strings.HasPrefix(f.At.Match, "43"):
		return clause("%s It was to happen at an acknowledgement, and not enough of these were seen while the server was up: the server may send none, or the page may ask for none.", reason)
	}
	return clause("%s It was to happen at a packet that begins with %s, and not enough of these were seen while the server was up.", reason, quote(f.At.Match))
}

// failReason joins the sentence of the first must-rule that was broken, and the finding.
func failReason(v *Verdict) string {
	f := v.Findings[v.firstMust()]
	reason := f.Rule.Sentence() + " But " + f.clause()
	if n := v.Counts[f.Rule] - 1; n > 0 {
		reason += fmt.Sprintf(" (and %d more)", n)
	}
	return reason
}

// A counter counts every break of a rule, and describes only the first few to bound the memory.
type counter struct {
	verdict *Verdict
	must    bool
}

// blame counts one break. It calls describe only for the first detailsPerRule of them.
func (t *counter) blame(rule contract.RuleID, a Anomaly, describe func() Finding) {
	switch a {
	case Lost:
		t.verdict.Lost++
	case Reordered:
		t.verdict.Reordered++
	}
	t.verdict.Counts[rule]++
	if t.verdict.Counts[rule] > detailsPerRule {
		return
	}
	f := describe()
	f.Rule, f.Anomaly, f.Must = rule, a, t.must
	t.verdict.Findings = append(t.verdict.Findings, f)
}

// duplicated is blame for a message that has extra copies.
func (t *counter) duplicated(copies int, rule contract.RuleID, a Anomaly, describe func() Finding) {
	t.verdict.Duplicated += copies
	t.blame(rule, a, describe)
}

// finding makes a Finding without its rule. v is nil for the log, id -1 for no message.
func (f *facts) finding(v *view, id int32, event int, expected, observed Clause) Finding {
	finding := Finding{Event: event, Expected: expected.String(), Observed: observed.String(), expected: expected, observed: observed}
	if event == never {
		finding.Event = -1
	}
	if v != nil {
		finding.Client, finding.View = v.client, v.number
	}
	if id >= 0 {
		finding.Message = f.text(id)
	}
	return finding
}

func (f *facts) text(id int32) string { return f.messages[id].text }

// shownAt returns the event with which v first showed the message, or -1 if it was not kept.
func (f *facts) shownAt(v *view, id int32) int {
	m := &f.messages[id]
	if f.views[m.firstView] == v {
		return m.shown
	}
	for _, r := range v.runs {
		if r.from == m.place {
			return r.event
		}
	}
	return -1
}

// storedAt returns the event of the n-th row of the message, counted from 1.
func (f *facts) storedAt(id, n int32) int {
	for _, r := range f.log {
		if r.message == id {
			if n--; n == 0 {
				return r.event
			}
		}
	}
	return -1
}

// Locate fills in the Event of each finding for which the Checker did not keep it. events is
// the history that was judged.
func (v *Verdict) Locate(events iter.Seq[history.Event]) {
	type showing struct {
		viewName
		message string
	}
	missing := map[showing][]*Finding{}
	for i := range v.Findings {
		if f := &v.Findings[i]; f.Event < 0 {
			key := showing{viewName{f.Client, f.View}, history.Identity(f.Message)}
			missing[key] = append(missing[key], f)
		}
	}
	i := 0
	for e := range events {
		if e.Kind == history.Shown {
			key := showing{viewName{e.Client, e.View}, history.Identity(e.Message)}
			for _, f := range missing[key] {
				f.Event = i
			}
			if delete(missing, key); len(missing) == 0 {
				return
			}
		}
		i++
	}
}

// String describes the finding in one line.
func (f Finding) String() string { return string(f.Rule) + ": " + f.clause() }

func (f Finding) clause() string {
	where := "the server's log"
	if f.Client != "" {
		where = fmt.Sprintf("%s's page (view %d)", f.Client, f.View)
	}
	message := quote(f.Message)
	what := ""
	switch f.Anomaly {
	case Lost:
		what = "does not show " + message
	case Duplicated:
		what = "showed " + message + " too often"
	case Reordered:
		what = "has " + message + " out of order"
	case Phantom:
		what = "has " + message
	case Unstored:
		what = "showed " + message + ", which is not in the log"
		if f.Rule == contract.Sends {
			what = "sent " + message + ", which is not in the log"
		}
	case StoredTwice:
		what = "holds " + message + " too often"
	case SentAgain:
		what = "was sent " + message + " again"
	case Late:
		what = "was not connected"
	}
	return fmt.Sprintf("%s %s: expected %s, but %s", where, what, f.Expected, f.Observed)
}

// quote escapes line breaks and other control characters, so that a text stays on its line.
func quote(text string) string { return strconv.Quote(text) }
