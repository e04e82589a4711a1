package lab_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/target"
)

var (
	oneOnline = []plan.Step{{Do: plan.Open, Client: "alice"}, {Do: plan.AwaitConnected}}
	alone     = clients(plan.Page, nil, "alice")
)

// While its database is locked, a server acknowledges nothing; once it is unlocked, the server
// acknowledges every message.
func TestLockedDatabase(t *testing.T) {
	p := plan.Plan{Seed: 1, Clients: alone, Script: slices.Concat(oneOnline, []plan.Step{
		{Do: plan.LockDatabase},
		{Do: plan.Send, Client: "alice", Text: "kept"},
		{Do: plan.Wait, For: plan.Duration(20 * time.Second)},
		{Do: plan.UnlockDatabase},
		{Do: plan.AwaitShown, Client: "alice", Text: "kept"},
	})}
	if err := p.ValidateEnd(); err != nil {
		t.Fatal(err)
	}
	config := lab.Config{Level: contract.ClientDelivery, KeepsLog: true, OwnRecovery: true}
	run := play(t, step(t, "8"), config, p)
	if run.Err != nil {
		t.Fatal(run.Err)
	}
	if v := check.Judge(run.Events); v.Outcome != check.Pass {
		t.Errorf("%s: %s", v.Outcome, v.Reason)
	}
	at := func(fits func(history.Event) bool) plan.Duration {
		return run.Events[slices.IndexFunc(run.Events, fits)].At
	}
	sent := at(func(e history.Event) bool { return e.Kind == history.Sent && e.Message == "kept" })
	answered := at(func(e history.Event) bool { return e.Kind == history.Acknowledged && e.Message == "kept" })
	if waited := time.Duration(answered - sent); waited < 20*time.Second {
		t.Errorf("it was acknowledged after %v, while the database was locked", waited)
	}
}

// Messages from before the data was replaced do not count as lost; later messages do.
func TestReplacedData(t *testing.T) {
	p := plan.Plan{Seed: 1, Clients: alone, Script: slices.Concat(oneOnline, []plan.Step{
		{Do: plan.Send, Client: "alice", Text: "old"},
		{Do: plan.AwaitShown, Client: "alice", Text: "old"},
		{Do: plan.Wait, For: plan.Duration(time.Second)}, // for the acknowledgement
		{Do: plan.StopServer}, {Do: plan.ReplaceData}, {Do: plan.StartServer},
		{Do: plan.AwaitDisconnected}, {Do: plan.AwaitConnected},
		{Do: plan.Send, Client: "alice", Text: "new"},
		{Do: plan.AwaitShown, Client: "alice", Text: "new"},
	})}
	if err := p.ValidateEnd(); err != nil {
		t.Fatal(err)
	}
	config := lab.Config{Level: contract.DurableDelivery, KeepsLog: true, OwnRecovery: true}
	run := play(t, step(t, "10"), config, p)
	if run.Err != nil {
		t.Fatal(run.Err)
	}
	if v := check.Judge(run.Events); v.Outcome != check.Pass {
		t.Errorf("%s: %s", v.Outcome, v.Reason)
	}
	rows := func(text string) int {
		return len(slices.DeleteFunc(slices.Clone(run.Events), func(e history.Event) bool { return e.Kind != history.Stored || e.Message != text }))
	}
	if rows("old") != 0 || rows("new") != 1 {
		t.Errorf("the log has the old message %d times and the new one %d times, want 0 and 1", rows("old"), rows("new"))
	}
	// Without the event data-replaced, the same history is one of a server that lost
	// acknowledged messages.
	forgotten := slices.DeleteFunc(slices.Clone(run.Events), func(e history.Event) bool { return e.Kind == history.DataReplaced })
	if v := check.Judge(forgotten); v.Outcome != check.Fail {
		t.Errorf("a server that forgets what it has acknowledged: %s", v.Outcome)
	}
}

// The lab refuses to lock or replace data that it cannot access, at a URL or in a server
// without a database.
func TestNoDataToTouch(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for _, do := range []plan.Action{plan.LockDatabase, plan.ReplaceData} {
		elsewhere := lab.Server{Target: func(plan.Tuning) (target.Target, error) { return target.NewURL(server.URL, nil) }}
		p := plan.Plan{Script: []plan.Step{{Do: do}, {Do: plan.UnlockDatabase}}}
		if run := lab.Real.Play(t.Context(), elsewhere, lab.Config{Level: contract.Basic}, p); !errors.Is(run.Err, target.ErrNoData) {
			t.Errorf("%s of a URL's: %v, want ErrNoData", do, run.Err)
		}
		if run := play(t, step(t, "5"), lab.Config{Level: contract.Basic, OwnRecovery: true}, p); !errors.Is(run.Err, target.ErrNoData) {
			t.Errorf("%s of a step without a database: %v, want ErrNoData", do, run.Err)
		}
	}
}
