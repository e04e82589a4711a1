package runner_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
	"redial/steps/stores/backends"
)

// TestClusterOnPostgres holds step 9 to its promise on a PostgreSQL and a Redis, which
// are broken too. (TestScenarios has it on a SQLite file, in every row.)
func TestClusterOnPostgres(t *testing.T) {
	if s, err := backends.StartPostgres(t.Context()); errors.Is(err, backends.ErrMissing) {
		t.Skip(err)
	} else if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	server, err := servers.Step("9-postgres")
	if err != nil {
		t.Fatal(err)
	}
	var rows []catalogue.Scenario
	for _, s := range catalogue.All {
		if s.Cluster {
			rows = append(rows, s)
		}
	}
	results, err := runner.Run(t.Context(), []servers.Server{server}, rows, runner.Options{
		Seed: uint64(time.Now().UnixNano()), Golden: true, Artifacts: artifacts,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		t.Logf("%s: %s, %s", r.ID, r.Outcome(), r.Took.Round(time.Millisecond))
		if !r.AsExpected() {
			t.Errorf("%s: %s (files: %v)", r.ID, r.Reason(), r.Artifacts)
		}
	}
}

// TestClusterPartsAreKeptDown: what the script does to one server holds for the faults and
// the pages of that server.
func TestClusterPartsAreKeptDown(t *testing.T) {
	server, err := servers.Step("9")
	if err != nil {
		t.Fatal(err)
	}
	crash := plan.Fault{ID: "crash", Kind: plan.Crash, Node: "a"}
	for name, script := range map[string][]plan.Step{
		"a fault ends what the whole's start has started": {
			{Do: plan.KillServer, Node: "a"}, {Do: plan.KillServer}, {Do: plan.StartServer},
			{Do: plan.Break, Fault: &crash}, {Do: plan.AwaitFault, Text: crash.ID},
		},
		"a page waits for the server that it is led to": {
			{Do: plan.KillServer, Node: "a"}, {Do: plan.AwaitDisconnected, Client: "alice"},
			{Do: plan.Break, Fault: &plan.Fault{ID: "again", Kind: plan.RefreshPage, Client: "alice"}},
			{Do: plan.Send, Client: "alice", Text: "nobody can say that"},
			{Do: plan.Send, Client: "bob", Text: "bob can"},
			{Do: plan.Wait, For: plan.Duration(8 * time.Second)},
			{Do: plan.StartServer, Node: "a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := plan.Plan{Seed: 1, Clients: []plan.Client{{Name: "alice", Kind: plan.Page, Node: "a"}, {Name: "bob", Kind: plan.Page, Node: "b"}}}
			p.Script = slices.Concat([]plan.Step{{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected}},
				script, []plan.Step{{Do: plan.AwaitConnected}, {Do: plan.Send, Client: "alice", Text: "and life goes on"}})
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
