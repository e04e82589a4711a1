package scenarios_test

import (
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/scenarios"
)

// TestRowsOnBrokenServers shows that a row finds what it is there to find: each of these
// servers is broken in the way that the row is about, and what is seen is that.
func TestRowsOnBrokenServers(t *testing.T) {
	const otherRule = "another rule broken"
	for _, test := range []struct {
		subject, row string
		// want must be among what is observed: a race may do more.
		want scenarios.Expectation
		// level, when not empty, is the promise that the row is for.
		level contract.Level
	}{
		{"own-offset", "switch-then-drop", scenarios.Loses, ""},
		{"published-6", "zombie", scenarios.Loses, ""},
		{"published-6", "idle", scenarios.Loses, ""},
		{"published-6", "handler-throws", scenarios.Duplicates, ""},
		{"uses-up", "cut-before-connect-packet", scenarios.Loses, ""},
		{"uses-up", "cut-in-missed-events", scenarios.Loses, ""},
		{"published-7", "emit-order-inverted", "reordered", ""},
		{"published-7", "drop-after-two-writers", scenarios.Duplicates, ""},
		{"published-7", "slow-reader", scenarios.Loses, ""},
		{"5", "burst-then-disconnect", scenarios.Loses, contract.ClientDelivery},
		{"8", "burst-then-close", scenarios.Loses, contract.DurableDelivery},
		{"published-6", "polling", scenarios.Loses, ""},
		{"late", "polling", scenarios.Loses, ""},
		{"late", "connect-at-once", otherRule, ""},
		{"late-and-handled", "polling", scenarios.ExactlyOnce, ""},
		{"published-6", "upgrade-cut", scenarios.Loses, ""},
		{"late-and-handled", "connect-at-once", scenarios.ExactlyOnce, ""},
		{"habits", "server-disconnects", scenarios.ExactlyOnce, ""},
		{"habits", "volatile-then-drop", scenarios.ExactlyOnce, ""},
		{"habits", "acknowledged-broadcast", scenarios.Loses, ""},
		{"habits", "slow-middleware", scenarios.ExactlyOnce, ""},
		{"habits-published", "server-disconnects", otherRule, ""},
		{"habits-published", "volatile-then-drop", scenarios.Loses, ""},
		{"habits-published", "acknowledged-broadcast", scenarios.Loses, ""},
		{"habits-published", "slow-middleware", scenarios.Loses, ""},
	} {
		t.Run(test.subject+" "+test.row, func(t *testing.T) {
			switch {
			case underRace && test.subject == "late" && test.row == "connect-at-once":
				t.Skip("hours of clients that hang and come again: too slow for the race detector")
			case underRace && polls(test.row):
				t.Skip("the library races with itself where a client polls")
			}
			subject, err := scenarios.Step(test.subject)
			if err != nil {
				t.Fatal(err)
			}
			which, err := scenarios.Find([]string{test.row})
			if err != nil {
				t.Fatal(err)
			}
			if test.level != "" {
				subject.Level = test.level
			}
			results, err := scenarios.Run(t.Context(), []scenarios.Subject{subject}, which, scenarios.Options{Seed: 1, Lab: lab.Virtual})
			if err != nil {
				t.Fatal(err)
			}
			got := results[0].Verdict.Observed("")
			if outcome := results[0].Outcome(); outcome != check.Pass && outcome != check.Fail {
				got = scenarios.Expectation(outcome)
			}
			if !strings.Contains(string(got), string(test.want)) {
				t.Errorf("%s, want %s: %s", got, test.want, results[0].Reason())
			}
		})
	}
}
