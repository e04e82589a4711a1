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

// An excerpt of an abridged history is that of the whole.
func TestAbridgedTellsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) history.Event {
			e := history.Event{
				Kind: rapid.SampledFrom([]history.Kind{history.Sent, history.Shown, history.Connected, history.FaultFired, history.FaultHealed,
					history.ServerStopped, history.ServerStarted, history.LogRead, history.Stored, history.TimedOut, history.Note}).Draw(t, "kind"),
				Client:  rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "client"),
				Message: rapid.SampledFrom([]string{"one", "two", "three"}).Draw(t, "message"),
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
		a, b := strings.Join(newExcerpt(whole).list(Style{}), "\n"), strings.Join(newExcerpt(short).list(Style{}), "\n")
		if a != b {
			t.Fatalf("of the whole:\n%s\nabridged:\n%s", a, b)
		}
	})
}
