package check

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"redial/harness/contract"
	"redial/harness/history"
)

// TestCorrectRunPasses: a run of a correct server passes without a finding.
func TestCorrectRunPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		run := correctRun(t, rapid.Bool().Draw(t, "keeps a log"))
		if v := Judge(run.events); v.Outcome != Pass || len(v.Findings) > 0 {
			t.Fatalf("a correct run is judged\n%s%s", verdictText(v), listing(run.events))
		}
	})
}

// TestOneMutationBreaksOneRule mutates one event of a correct run, and requires that only the
// rule of the mutation is blamed.
func TestOneMutationBreaksOneRule(t *testing.T) {
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			mutated := 0
			rapid.Check(t, func(t *rapid.T) {
				run := correctRun(t, m.log == withLog || m.log == either && rapid.Bool().Draw(t, "keeps a log"))
				i, ok := run.draw(t, func(i int) bool { return m.fits(run, i) })
				if !ok {
					return
				}
				events, rule := m.mutate(t, run, i)
				if rule == "" {
					return
				}
				mutated++
				v := Judge(events)
				if blamed := slices.Collect(maps.Keys(v.Counts)); !slices.Equal(blamed, []contract.RuleID{rule}) {
					t.Fatalf("want only %s blamed, got\n%s%s", rule, verdictText(v), listing(events))
				}
				if v.Outcome != Fail || v.Rule() != rule {
					t.Fatalf("want it failed by %s, got %s by %q", rule, v.Outcome, v.Rule())
				}
			})
			if mutated == 0 {
				t.Error("the mutation applied to no run")
			}
		})
	}
}

// A mutation applies to an event that fits. It returns the mutated history and the rule that
// it breaks, or no rule where the run turns out to be unsuitable.
var mutations = []struct {
	name   string
	log    logMode
	fits   func(run *simulation, i int) bool
	mutate func(t *rapid.T, run *simulation, i int) ([]history.Event, contract.RuleID)
}{
	{"remove a shown message", either, (*simulation).isEntitled, func(_ *rapid.T, run *simulation, i int) ([]history.Event, contract.RuleID) {
		return slices.Delete(run.copy(), i, i+1), contract.NoLoss
	}},
	{"show twice", either, (*simulation).isShown, func(_ *rapid.T, run *simulation, i int) ([]history.Event, contract.RuleID) {
		return slices.Insert(run.copy(), i+1, run.events[i]), contract.NoDuplicate
	}},
	{"swap two messages on a page", either, func(run *simulation, i int) bool {
		return run.isShown(i) && run.next(i) > 0
	}, func(_ *rapid.T, run *simulation, i int) ([]history.Event, contract.RuleID) {
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
	{"show a message that was never sent", either, (*simulation).isShown, func(t *rapid.T, run *simulation, i int) ([]history.Event, contract.RuleID) {
		phantom := run.events[i]
		phantom.Message = "phantom"
		return slices.Insert(run.copy(), i+rapid.IntRange(0, 1).Draw(t, "after"), phantom), contract.NoPhantom
	}},
	{"alter a message on one page", either, (*simulation).isShown, func(_ *rapid.T, run *simulation, i int) ([]history.Event, contract.RuleID) {
		events := run.copy()
		events[i].Message += "!"
		return events, contract.NoPhantom
	}},
	{"alter a message on all pages and in the log", either, (*simulation).isShown, func(_ *rapid.T, run *simulation, i int) ([]history.Event, contract.RuleID) {
		events, text := run.copy(), run.events[i].Message
		for i := range events {
			if e := &events[i]; e.Message == text && (e.Kind == history.Shown || e.Kind == history.Stored) {
				e.Message += "!"
			}
		}
		return events, contract.NoPhantom
	}},
	{"acknowledge without storing", withLog, func(run *simulation, i int) bool {
		return run.isStored(i) && run.acknowledged[run.events[i].Message]
	}, func(_ *rapid.T, run *simulation, i int) ([]history.Event, contract.RuleID) {
		return slices.Delete(run.copy(), i, i+1), contract.Sends
	}},
	{"show without storing", withLog, (*simulation).isStored, func(_ *rapid.T, run *simulation, i int) ([]history.Event, contract.RuleID) {
		text := run.events[i].Message
		return slices.DeleteFunc(run.copy(), func(e history.Event) bool {
			return e.Message == text && (e.Kind == history.Stored || e.Kind == history.Acknowledged)
		}), contract.Agreement
	}},
	{"store twice", withLog, (*simulation).isStored, func(_ *rapid.T, run *simulation, i int) ([]history.Event, contract.RuleID) {
		return slices.Insert(run.copy(), i, run.events[i]), contract.Sends
	}},
	{"swap two messages of a sender in the log", withLog, func(run *simulation, i int) bool {
		return run.isStored(i) && run.isStored(i+1) && run.order[run.events[i].Message] == run.order[run.events[i+1].Message]
	}, func(_ *rapid.T, run *simulation, i int) ([]history.Event, contract.RuleID) {
		events := run.copy()
		events[i], events[i+1] = events[i+1], events[i]
		return events, contract.Order
	}},
	{"remove every trace of a message after it was sent", withLog, func(run *simulation, i int) bool {
		return run.events[i].Kind == history.Sent && run.mustOutlive(run.events[i])
	}, func(_ *rapid.T, run *simulation, i int) ([]history.Event, contract.RuleID) {
		text := run.events[i].Message
		return slices.DeleteFunc(run.copy(), func(e history.Event) bool {
			return e.Message == text && e.Kind != history.Sent
		}), contract.NoLoss
	}},
	{"swap messages of two views of a client", withLog, func(run *simulation, i int) bool {
		if run.level != contract.DurableDelivery || !run.isStored(i) || !run.isStored(i+1) {
			return false
		}
		a, b := run.sender[run.events[i].Message], run.sender[run.events[i+1].Message]
		return a.name == b.name && a != b
	}, func(_ *rapid.T, run *simulation, i int) ([]history.Event, contract.RuleID) {
		events := run.copy()
		a, b := events[i].Message, events[i+1].Message
		for i := range events { // in the log and on the pages, so that only the order is wrong
			if e := &events[i]; e.Kind == history.Stored || e.Kind == history.Shown {
				switch e.Message {
				case a:
					e.Message = b
				case b:
					e.Message = a
				}
			}
		}
		// A message that is now shown before it was sent would break another rule.
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
	{"end with a disconnected page", either, func(run *simulation, i int) bool {
		return run.events[i].Kind == history.Ended
	}, func(t *rapid.T, run *simulation, i int) ([]history.Event, contract.RuleID) {
		p := rapid.SampledFrom(run.pages).Draw(t, "page")
		disconnected := history.Event{Kind: history.Disconnected, Client: p.name, View: p.view, Detail: "transport close"}
		return slices.Insert(run.copy(), i, disconnected), contract.Convergence
	}},
}
