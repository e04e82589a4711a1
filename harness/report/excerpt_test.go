package report

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"redial/harness/check"
	"redial/harness/history"
)

// TestExcerptKeepsTheNearest compares the choice that is made in one pass, with little
// memory, with one that has the whole history.
func TestExcerptKeepsTheNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) history.Event {
			return history.Event{
				Kind:    rapid.SampledFrom([]history.Kind{history.Sent, history.Shown, history.Connected, history.FaultFired, history.Note}).Draw(t, "kind"),
				Client:  rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "client"),
				Message: rapid.SampledFrom([]string{"one", "two", "three"}).Draw(t, "message"),
			}
		}), 1, 200).Draw(t, "events")
		f := &check.Finding{Client: "bob", Message: "one", Event: rapid.IntRange(-1, len(events)-1).Draw(t, "offence")}
		var want []Numbered
		sent := f.Event
		for i, e := range events {
			if e.Kind == history.Sent && e.Message == f.Message {
				sent = i
			}
			if matters(e, f) || i == f.Event {
				want = append(want, Numbered{i, e})
			}
		}
		slices.SortStableFunc(want, func(a, b Numbered) int { return rank(a.Index, sent, f.Event) - rank(b.Index, sent, f.Event) })
		want = want[:min(len(want), excerptEvents)]
		slices.SortFunc(want, func(a, b Numbered) int { return a.Index - b.Index })
		got := relevant(slices.Values(events), f)
		if got.Total != len(events) || len(want)+len(got.Events) > 0 && !reflect.DeepEqual(got.Events, want) {
			t.Fatalf("of %d events\ngot  %v\nwant %v", got.Total, got.Events, want)
		}
	})
}
