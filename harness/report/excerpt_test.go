package report

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"redial/harness/check"
	"redial/harness/history"
	"redial/harness/plan"
)

// Abridge may drop only events that no excerpt needs: the excerpt of an abridged history, and
// its drawing, are those of the whole.
func TestAbridgedTellsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) history.Event {
			e := history.Event{
				Kind: rapid.SampledFrom([]history.Kind{history.Sent, history.Shown, history.Connected, history.Disconnected, history.FaultFired, history.FaultHealed,
					history.ServerStopped, history.ServerStarted, history.LogRead, history.Stored, history.TimedOut, history.Note}).Draw(t, "kind"),
				Client:  rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "client"),
				Message: rapid.SampledFrom([]string{"one", "two", "three"}).Draw(t, "message"),
			}
			switch e.Kind {
			case history.Sent, history.Shown, history.Stored, history.TimedOut:
			default:
				e.Message = "" // no event of these kinds has one
			}
			if e.Kind == history.FaultFired {
				e.FaultKind = rapid.SampledFrom([]plan.FaultKind{plan.Cut, plan.Heal}).Draw(t, "fault")
			}
			return e
		}), 1, abridgedTo).Draw(t, "events")
		whole := Result{Events: events, Verdict: check.Verdict{Outcome: check.Fail, Findings: []check.Finding{{
			Client: rapid.SampledFrom([]string{"bob", ""}).Draw(t, "whose"), Message: "one", Other: "two", Must: true,
			Anomaly: rapid.SampledFrom([]check.Anomaly{check.Lost, check.Duplicated, check.Unstored, check.Late}).Draw(t, "anomaly"),
			Event:   rapid.IntRange(-1, len(events)-1).Draw(t, "offence"), Named: []int{rapid.IntRange(0, len(events)-1).Draw(t, "named")},
		}}}}
		short := whole
		short.Events = nil
		short.Abridge(slices.Values(events))
		told := func(r Result) string {
			x := newExcerpt(r)
			return strings.Join(append(x.list(Style{}), x.lanes(Style{Width: 100})...), "\n")
		}
		a, b := told(whole), told(short)
		if a != b {
			t.Fatalf("of the whole:\n%s\nabridged:\n%s", a, b)
		}
	})
}
