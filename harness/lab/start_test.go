package lab_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
)

// startsAgain is step 7, which calls again before each start but the first.
func startsAgain(t *testing.T, again func() error) lab.Handler {
	server, starts := step(t, "7"), 0
	return func(dir string) (http.Handler, io.Closer, error) {
		if starts++; starts > 1 {
			if err := again(); err != nil {
				return nil, nil, err
			}
		}
		return server(dir)
	}
}

// crashed has the clients reconnect to a server that a fault kills and starts again.
var crashed = plan.Plan{Clients: clients(plan.Wire, nil, "alice", "bob"), Script: []plan.Step{
	{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
	{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Crash}},
	{Do: plan.AwaitDisconnected}, {Do: plan.AwaitConnected},
}}

// The start is longer than the bound of an await, which counts from its end.
func TestAwaitDoesNotCountTheTimeOfAStart(t *testing.T) {
	config := forStep7
	config.Bound, config.StartBound = 20*time.Second, time.Minute
	run := play(t, startsAgain(t, func() error { time.Sleep(50 * time.Second); return nil }), config, crashed)
	late := slices.IndexFunc(run.Events, func(e history.Event) bool { return e.Kind == history.TimedOut })
	if run.Err != nil || late >= 0 || run.Virtual < 50*time.Second {
		t.Errorf("%v after %s; the event that timed out: %d", run.Err, run.Virtual, late)
	}
}

func TestFailedRestartIsNoUnreachableTarget(t *testing.T) {
	run := play(t, startsAgain(t, func() error { return errors.New("the disk is full") }), forStep7, crashed)
	if run.Err == nil || errors.Is(run.Err, lab.ErrUnreachable) || !strings.Contains(run.Err.Error(), "the disk is full") {
		t.Errorf("a restart: %v", run.Err)
	}
	never := func(string) (http.Handler, io.Closer, error) { return nil, nil, errors.New("the disk is full") }
	if run := play(t, never, forStep7, crashed); !errors.Is(run.Err, lab.ErrUnreachable) {
		t.Errorf("the first start: %v", run.Err)
	}
}

// An action that package plan lists has to be performed here.
func TestEveryActionIsPerformed(t *testing.T) {
	for _, action := range plan.Actions {
		does := plan.Step{Do: action, Client: "alice", Text: "hello", Count: 1, For: 1, Fault: &plan.Fault{Kind: plan.Cut, Client: "alice"}}
		p := plan.Plan{Clients: clients(plan.Page, nil, "alice"), Script: []plan.Step{{Do: plan.Open, Client: "alice"}, {Do: plan.AwaitConnected}, does}}
		if by := action.EndedBy(); by != "" {
			p.Script = append(p.Script, plan.Step{Do: by, Client: "alice"})
		}
		if p.Validate() != nil {
			p.Script[2].Node = "a"
		}
		if run := play(t, step(t, "7"), forStep7, p); run.Err != nil && strings.Contains(run.Err.Error(), "unknown") {
			t.Error(run.Err)
		}
	}
}

// A page that the script keeps from the server for good does not keep the run from its end.
func TestVirtualRunEndsWhileAPageIsKeptApart(t *testing.T) {
	breaks := func(kind plan.FaultKind) plan.Step {
		return plan.Step{Do: plan.Break, Fault: &plan.Fault{Kind: kind, Client: "alice"}}
	}
	for how, apart := range map[string]plan.Step{"the server is down": {Do: plan.KillServer}, "an outage": breaks(plan.Outage)} {
		run := play(t, step(t, "7"), forStep7, plan.Plan{Clients: clients(plan.Page, []string{"websocket"}, "alice"), Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.AwaitConnected}, breaks(plan.RefreshPage), apart,
		}})
		if run.Err != nil {
			t.Errorf("%s: %v", how, run.Err)
		}
	}
}
