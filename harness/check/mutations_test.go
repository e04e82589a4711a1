package check

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"redial/harness/contract"
	"redial/harness/history"
)

// TestRightRunPasses draws runs of a right server, and wants a clean pass.
func TestRightRunPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		run := rightRun(t, rapid.Bool().Draw(t, "keeps a log"))
		if v := Judge(run.events); v.Outcome != Pass || len(v.Findings) > 0 {
			t.Fatalf("a right run is judged\n%s%s", verdictText(v), listing(run.events))
		}
	})
}

// TestOneMutationOneRule spoils right runs in one place each, and wants the rule
// that this is for to be blamed, and no other.
func TestOneMutationOneRule(t *testing.T) {
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			tried := 0
			rapid.Check(t, func(t *rapid.T) {
				run := rightRun(t, m.log == withLog || m.log == either && rapid.Bool().Draw(t, "keeps a log"))
				spoiled, rule := m.spoil(t, run)
				if rule == "" {
					return // the run has no place for this mutation
				}
				tried++
				v := Judge(spoiled)
				if blamed := slices.Collect(maps.Keys(v.Counts)); !slices.Equal(blamed, []contract.RuleID{rule}) {
					t.Fatalf("want only %s blamed, got\n%s%s", rule, verdictText(v), listing(spoiled))
				}
				if v.Outcome != Fail || v.Rule() != rule {
					t.Fatalf("want it failed by %s, got %s by %q", rule, v.Outcome, v.Rule())
				}
			})
			if tried == 0 {
				t.Error("no run had a place for it")
			}
		})
	}
}

// A mutation returns the spoiled history and the rule that it breaks; no rule if
// the run has no place for it.
var mutations = []struct {
	name  string
	log   logWish
	spoil func(*rapid.T, *simulation) ([]history.Event, contract.RuleID)
}{
	{"drop a showing", either, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, func(i int) bool { return run.isEntitled(i) })
		if !ok {
			return nil, ""
		}
		return slices.Delete(run.copy(), i, i+1), contract.NoLoss
	}},
	{"show twice", either, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, run.isShowing)
		if !ok {
			return nil, ""
		}
		return slices.Insert(run.copy(), i+1, run.events[i]), contract.NoDuplicate
	}},
	{"swap two of a page", either, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, func(i int) bool { return run.isShowing(i) && run.next(i) > 0 })
		if !ok {
			return nil, ""
		}
		events, j := run.copy(), run.next(i)
		first, second := events[i].Message, events[j].Message
		events[i].Message, events[j].Message = second, first
		switch {
		case run.keepsLog || run.order[first] == run.order[second]:
			return events, contract.Order
		case run.bothShownElsewhere(i, j):
			return events, contract.Agreement
		}
		return nil, ""
	}},
	{"show what nobody sent", either, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, run.isShowing)
		if !ok {
			return nil, ""
		}
		ghost := run.events[i]
		ghost.Message = "ghost"
		return slices.Insert(run.copy(), i+rapid.IntRange(0, 1).Draw(t, "after"), ghost), contract.NoPhantom
	}},
	{"alter a showing", either, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, run.isShowing)
		if !ok {
			return nil, ""
		}
		events := run.copy()
		events[i].Message += "!"
		return events, contract.NoPhantom
	}},
	{"alter everywhere", either, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, run.isShowing)
		if !ok {
			return nil, ""
		}
		events, text := run.copy(), run.events[i].Message
		for i := range events {
			if e := &events[i]; e.Message == text && (e.Kind == history.Shown || e.Kind == history.Stored) {
				e.Message += "!"
			}
		}
		return events, contract.NoPhantom
	}},
	{"acknowledge and do not store", withLog, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, func(i int) bool {
			return run.events[i].Kind == history.Stored && run.acknowledged[run.events[i].Message]
		})
		if !ok {
			return nil, ""
		}
		return slices.Delete(run.copy(), i, i+1), contract.Sends
	}},
	{"show and do not store", withLog, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, func(i int) bool { return run.events[i].Kind == history.Stored })
		if !ok {
			return nil, ""
		}
		text := run.events[i].Message
		return slices.DeleteFunc(run.copy(), func(e history.Event) bool {
			return e.Message == text && (e.Kind == history.Stored || e.Kind == history.Acknowledged)
		}), contract.Agreement
	}},
	{"store twice", withLog, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, func(i int) bool { return run.events[i].Kind == history.Stored })
		if !ok {
			return nil, ""
		}
		return slices.Insert(run.copy(), i, run.events[i]), contract.Sends
	}},
	{"swap a sender's two in the log", withLog, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, func(i int) bool {
			a, b := run.events[i], run.events[min(i+1, len(run.events)-1)]
			return a.Kind == history.Stored && b.Kind == history.Stored && run.order[a.Message] == run.order[b.Message]
		})
		if !ok {
			return nil, ""
		}
		events := run.copy()
		events[i], events[i+1] = events[i+1], events[i]
		return events, contract.Order
	}},
	{"keep nothing of it", withLog, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, func(i int) bool { return run.events[i].Kind == history.Sent && run.mustOutlive(run.events[i]) })
		if !ok {
			return nil, ""
		}
		text := run.events[i].Message
		return slices.DeleteFunc(run.copy(), func(e history.Event) bool {
			return e.Message == text && e.Kind != history.Sent
		}), contract.NoLoss
	}},
	{"swap what two views of a client sent", withLog, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		i, ok := run.draw(t, func(i int) bool {
			a, b := run.events[i], run.events[min(i+1, len(run.events)-1)]
			return run.level == contract.DurableDelivery && a.Kind == history.Stored && b.Kind == history.Stored &&
				run.sender[a.Message].name == run.sender[b.Message].name && run.sender[a.Message] != run.sender[b.Message]
		})
		if !ok {
			return nil, ""
		}
		events := run.copy()
		a, b := events[i].Message, events[i+1].Message
		for i := range events { // in the log and on the pages: only the order is wrong
			if e := &events[i]; e.Kind == history.Stored || e.Kind == history.Shown {
				switch e.Message {
				case a:
					e.Message = b
				case b:
					e.Message = a
				}
			}
		}
		// A page that was shown one before the other was sent would show a wonder.
		for _, text := range []string{a, b} {
			sent := slices.IndexFunc(events, func(e history.Event) bool { return e.Kind == history.Sent && e.Message == text })
			known := slices.IndexFunc(events, func(e history.Event) bool {
				return (e.Kind == history.Shown || e.Kind == history.Acknowledged) && e.Message == text
			})
			if known >= 0 && known < sent {
				return nil, ""
			}
		}
		if run.shownApart(a, b) {
			return nil, ""
		}
		return events, contract.Order
	}},
	{"do not come back", either, func(t *rapid.T, run *simulation) ([]history.Event, contract.RuleID) {
		who := rapid.SampledFrom(run.pages).Draw(t, "who")
		gone := history.Event{Kind: history.Disconnected, Client: who.name, View: who.view, Detail: "transport close"}
		return slices.Insert(run.copy(), len(run.events)-1, gone), contract.Convergence
	}},
}
