package runner_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/defect"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
	"redial/steps/stores/backends"
)

// Step 9 keeps its promise on a PostgreSQL and a Redis, into which faults are injected, too.
// (suite.TestScenarios plays every row with a SQLite file.)
func TestClusterOnPostgres(t *testing.T) {
	t.Parallel()
	if s, err := backends.StartPostgres(t.Context()); errors.Is(err, backends.ErrMissing) {
		t.Skip(err)
	} else if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	server := stepServer(t, "9-postgres")
	var rows []catalogue.Scenario
	for _, s := range catalogue.All {
		if s.Cluster {
			rows = append(rows, s)
		}
	}
	results := played(t, server, rows, runner.Options{
		Seed: uint64(time.Now().UnixNano()), Golden: true, Artifacts: artifacts,
	})
	for _, r := range results {
		t.Logf("%s: %s, %s", r.ID, r.Outcome(), r.Took.Round(time.Millisecond))
		if !r.AsExpected() {
			t.Errorf("%s: %s (files: %v)", r.ID, r.Reason(), r.Artifacts)
		}
	}
}

// Two servers that share the log are caught where one of them does not know what the other did,
// and pass where both do.
func TestClusterDefectsAreCaught(t *testing.T) {
	t.Parallel()
	needsSpeed(t)
	kills, err := runner.Defects(t.Context(), clusters(), runner.Options{Seed: 1, Lab: lab.Real})
	if err != nil {
		t.Fatal(err)
	}
	allCaught(t, kills)
	right, err := servers.RightTogether()
	if err != nil {
		t.Fatal(err)
	}
	rows := slices.DeleteFunc(slices.Clone(catalogue.All), func(s catalogue.Scenario) bool { return !s.Cluster })
	allPass(t, played(t, right, rows, runner.Options{Seed: 1, Lab: lab.Real}), 6)
}

func clusters() []defect.Defect {
	return slices.DeleteFunc(slices.Clone(defect.All), func(d defect.Defect) bool { return !d.Cluster })
}

// Faults and pages of one server of a cluster take into account that the script has stopped
// or started that server.
func TestFaultsAndPagesWaitForTheirServer(t *testing.T) {
	t.Parallel()
	server := stepServer(t, "9")
	crash := plan.Fault{ID: "crash", Kind: plan.Crash, Node: "a"}
	for name, script := range map[string][]plan.Step{
		"a fault crashes a server that was started with the cluster": {
			{Do: plan.KillServer, Node: "a"}, {Do: plan.KillServer}, {Do: plan.StartServer},
			{Do: plan.Break, Fault: &crash}, {Do: plan.AwaitFault, Text: crash.ID},
		},
		"a page waits until its own server is started": {
			{Do: plan.KillServer, Node: "a"}, {Do: plan.AwaitDisconnected, Client: "alice"},
			{Do: plan.Break, Fault: &plan.Fault{ID: "again", Kind: plan.RefreshPage, Client: "alice"}},
			{Do: plan.Send, Client: "alice", Text: "sent without a page"},
			{Do: plan.Send, Client: "bob", Text: "sent by bob"},
			{Do: plan.Wait, For: plan.Duration(8 * time.Second)},
			{Do: plan.StartServer, Node: "a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := plan.Plan{Seed: 1, Clients: []plan.Client{{Name: "alice", Kind: plan.Page, Node: "a"}, {Name: "bob", Kind: plan.Page, Node: "b"}}}
			p.Script = slices.Concat([]plan.Step{{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected}},
				script, []plan.Step{{Do: plan.AwaitConnected}, {Do: plan.Send, Client: "alice", Text: "after the restart"}})
			config := servers.ConfigOf(server)
			config.Bound = 5 * time.Second
			run := lab.Real.Play(t.Context(), server.Server, config, p)
			if run.Err != nil {
				t.Fatal(run.Err)
			}
			if v := check.Judge(run.Events); v.Outcome != check.Pass || v.FaultsFired != 1 {
				t.Errorf("%s: %s, %d faults fired", v.Outcome, v.Reason, v.FaultsFired)
			}
		})
	}
}
