package runner_test

import (
	"os"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/defect"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/target"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// Each example fails on a server with the defect that the example is about, by the expected
// rule.
func TestExamplesFailOnBrokenServers(t *testing.T) {
	needsSpeed(t)
	t.Parallel()
	rows, err := catalogue.ReadOwn("../examples")
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]bool{}
	for _, test := range []struct {
		example, defect string
		level           contract.Level
		rule            contract.RuleID
	}{
		{"slow-polling", "never-recovers", contract.Recovery, contract.NoLoss},
		{"idle-proxy", "never-recovers", contract.Recovery, contract.NoLoss},
		{"login-expires", "refuses", contract.ServerDelivery, contract.Convergence},
		// This server lets a client join its room only at the first connection.
		{"buffered-before-join", "leaves-out", contract.ClientDelivery, contract.NoLoss},
		{"reconnection-storm", "skips", contract.ServerDelivery, contract.NoLoss},
	} {
		tried[test.example] = true
		t.Run(test.example, func(t *testing.T) {
			t.Parallel()
			row, err := catalogue.FindIn(rows, []string{test.example})
			if err != nil {
				t.Fatal(err)
			}
			broken, err := defect.Find(test.defect)
			if err != nil {
				t.Fatal(err)
			}
			broken.Level = test.level
			server, err := servers.Broken(broken)
			if err != nil {
				t.Fatal(err)
			}
			wantFailure(t, server, row, lab.Virtual, test.rule)
		})
	}
	t.Run("rolling-deploy", func(t *testing.T) {
		t.Parallel()
		row, err := catalogue.FindIn(rows, []string{"rolling-deploy"})
		if err != nil {
			t.Fatal(err)
		}
		wantFailure(t, twoServersOfStep8(t), row, lab.Real, contract.NoLoss)
	})
	for _, row := range rows {
		if !tried[row.ID] && row.ID != "rolling-deploy" {
			t.Errorf("%s is not shown to fail on anything", row.ID)
		}
	}
}

// twoServersOfStep8 share a database, and do not notify each other of new messages.
func twoServersOfStep8(t *testing.T) servers.Server {
	t.Helper()
	server := stepServer(t, catalogue.OnFile)
	alone := stepServer(t, "8")
	itself, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server.Step, server.Name, server.HTML = "", "two servers of step 8", alone.HTML
	server.ShownBound = 3 * time.Second // a message that is not broadcast never arrives
	server.Server.Target = func(tuning plan.Tuning) (target.Target, error) {
		return target.NewCluster(target.ClusterOptions{Nodes: server.Nodes, Command: target.CommandOptions{
			Command: []string{itself, servers.ServeStep, "8"}, Name: server.Name, Tuning: tuning,
		}})
	}
	return server
}

func wantFailure(t *testing.T, server servers.Server, rows []catalogue.Scenario, in lab.Lab, rule contract.RuleID) {
	t.Helper()
	results := played(t, server, rows, runner.Options{Seed: 1, Lab: in})
	for _, r := range results {
		// A server of the real lab that nothing notifies may also be asked for its log too early.
		blamed := r.Verdict.Rule() == rule || in == lab.Real && r.Verdict.Counts[rule] > 0
		if r.Outcome() != check.Fail || !blamed {
			t.Errorf("%s on %s: %s by %q, want a failure by %q: %s", r.ID, server.Name, r.Outcome(), r.Verdict.Rule(), rule, r.Reason())
		}
	}
}
