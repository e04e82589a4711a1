package runner_test

import (
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
)

// Each row shows the anomaly that it is about on a server with that defect.
func TestRowsOnBrokenServers(t *testing.T) {
	t.Parallel()
	needsSpeed(t)
	const otherRule = "another rule broken"
	for _, test := range []struct {
		server, row string
		// want must be among the observed anomalies: a race may cause others, too.
		want catalogue.Expectation
		// level, if not empty, replaces that of the server.
		level contract.Level
	}{
		{"own-offset", "switch-then-drop", catalogue.Loses, ""},
		{"published-6", "zombie", catalogue.Loses, ""},
		{"published-6", "idle", catalogue.Loses, ""},
		{"published-6", "handler-throws", catalogue.Duplicates, contract.ServerDelivery},
		{"uses-up", "cut-before-connect-packet", catalogue.Loses, ""},
		{"uses-up", "cut-in-missed-events", catalogue.Loses, ""},
		{"published-7", "emit-order-inverted", "reordered", ""},
		{"published-7", "drop-after-two-writers", catalogue.Duplicates, ""},
		{"published-7", "slow-reader", catalogue.Loses, ""},
		{"5", "burst-then-disconnect", catalogue.Loses, contract.ClientDelivery},
		{"8", "burst-then-close", catalogue.Loses, contract.DurableDelivery},
		{"published-6", "polling", catalogue.Loses, ""},
		{"slow-handshake", "polling", catalogue.Loses, ""},
		{"slow-handshake", "connect-at-once", otherRule, ""},
		{"slow-handshake-fixed", "polling", catalogue.ExactlyOnce, ""},
		{"published-6", "upgrade-cut", catalogue.Loses, ""},
		{"slow-handshake-fixed", "connect-at-once", catalogue.ExactlyOnce, ""},
		{"features", "server-disconnects", catalogue.ExactlyOnce, ""},
		{"features", "volatile-then-drop", catalogue.ExactlyOnce, ""},
		{"features", "acknowledged-broadcast", catalogue.Loses, ""},
		{"features", "slow-middleware", catalogue.ExactlyOnce, ""},
		{"features-published", "server-disconnects", otherRule, ""},
		{"features-published", "volatile-then-drop", catalogue.Loses, ""},
		{"features-published", "acknowledged-broadcast", catalogue.Loses, ""},
		{"features-published", "slow-middleware", catalogue.Loses, ""},
	} {
		t.Run(test.server+" "+test.row, func(t *testing.T) {
			server := stepServer(t, test.server)
			which := find(t, test.row)
			if test.level != "" {
				server.Level = test.level
			}
			results := played(t, server, which, runner.Options{Seed: 1, Lab: lab.Virtual})
			got := results[0].Verdict.Observed("")
			if outcome := results[0].Outcome(); outcome != check.Pass && outcome != check.Fail {
				got = catalogue.Expectation(outcome)
			}
			if !strings.Contains(string(got), string(test.want)) {
				t.Errorf("%s, want %s: %s", got, test.want, results[0].Reason())
			}
		})
	}
}
