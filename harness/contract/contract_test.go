package contract

import (
	"strings"
	"testing"
)

func TestParseLevel(t *testing.T) {
	for _, l := range Levels {
		if got, err := ParseLevel(string(l)); err != nil || got != l {
			t.Errorf("%s: %v, %v", l, got, err)
		}
	}
	_, err := ParseLevel("exactly-once")
	if err == nil || !strings.Contains(err.Error(), "basic, recovery, server-delivery") {
		t.Errorf("the error has to list the levels; got %v", err)
	}
}

func TestLevelsGrow(t *testing.T) {
	for i, l := range Levels {
		for j, other := range Levels {
			if l.AtLeast(other) != (i >= j) {
				t.Errorf("%s.AtLeast(%s) is %v", l, other, l.AtLeast(other))
			}
		}
	}
	if Level("nonsense").AtLeast(Basic) {
		t.Error("an unknown level includes the promise of basic")
	}
}

func TestRulesAreWellFormed(t *testing.T) {
	seen := map[RuleID]bool{}
	for _, r := range Rules {
		if seen[r.ID] {
			t.Errorf("two rules are called %s", r.ID)
		}
		seen[r.ID] = true
		if !strings.HasSuffix(r.Sentence, ".") || strings.Count(r.Sentence, ".") != 1 {
			t.Errorf("%s: the rule must be one sentence, not %q", r.ID, r.Sentence)
		}
		if r.MustAt(DurableDelivery) != (r.MustFrom != Never) {
			t.Errorf("%s: MustAt(durable-delivery) contradicts MustFrom", r.ID)
		}
	}
}
