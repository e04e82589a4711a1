package runner_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/network/paths"
	"redial/harness/plan"
	"redial/harness/target"
	"redial/scenarios/internal/verdict"
	"redial/scenarios/servers"
)

// thereAndBack switches bob's network to 4G before a frame that he is sent, and back to WiFi
// after a frame that he sends, while alice sends without pause.
func thereAndBack() plan.Plan {
	at := func(id string, direction plan.Direction, after bool) *plan.Fault {
		return &plan.Fault{ID: id, Kind: plan.Switch, Client: "bob", At: plan.Frame{Client: "bob", Direction: direction, Number: 3, After: after}}
	}
	back := []plan.Step{{Do: plan.AwaitDisconnected, Client: "bob"}, {Do: plan.AwaitConnected, Client: "bob"}}
	p := plan.Plan{
		Clients: []plan.Client{{Name: "alice"}, {Name: "bob"}},
		Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
			{Do: plan.Send, Client: "alice", Text: "first"}, {Do: plan.AwaitShown, Client: "bob", Text: "first"},
			{Do: plan.StartSending, Client: "alice", Text: "alice sends", Every: plan.Duration(20 * time.Millisecond)},
			{Do: plan.Arm, Fault: at("to 4g", plan.Down, false)}, {Do: plan.AwaitFault, Text: "to 4g"},
		},
	}
	p.Script = append(p.Script, back...)
	p.Script = append(p.Script, plan.Step{Do: plan.Arm, Fault: at("to wifi", plan.Up, true)},
		plan.Step{Do: plan.Send, Client: "bob", Text: "one"}, plan.Step{Do: plan.Send, Client: "bob", Text: "two"}, plan.Step{Do: plan.Send, Client: "bob", Text: "three"},
		plan.Step{Do: plan.AwaitFault, Text: "to wifi"})
	p.Script = append(p.Script, back...)
	p.Script = append(p.Script, plan.Step{Do: plan.StopSending, Client: "alice"})
	return p
}

func TestARealSwitchLosesNothing(t *testing.T) {
	t.Parallel()
	withBrowser(t)
	if err := paths.Available(); err != nil {
		t.Skip(err)
	}
	run := inChromium(t, "10", thereAndBack(), func(c *lab.Config) { c.RealNetwork = true })
	if run.Err != nil {
		t.Fatalf("%v\n%s", run.Err, run.Output)
	}
	if v := check.Judge(run.Events); v.Outcome != check.Pass || v.FaultsFired != 2 {
		t.Errorf("%s: %s (%d faults)", v.Outcome, v.Reason, v.FaultsFired)
	}
	var fired []string
	for _, e := range run.Events {
		if e.Kind == history.FaultFired {
			fired = append(fired, e.Detail)
		}
	}
	for n, want := range []string{" down, from now on 4g, 198.18.", " up, after it, from now on wifi, 198.18."} {
		if len(fired) != 2 || !strings.Contains(fired[n], want) {
			t.Errorf("fired at %q, want %q", fired, want)
		}
	}
}

// The kit's page runs in this process, which cannot switch networks.
func TestARealSwitchNeedsAClientWithAProcess(t *testing.T) {
	server := stepServer(t, "7")
	config := servers.ConfigOf(server)
	config.RealNetwork = true
	run := lab.Real.Play(t.Context(), server.Server, config, thereAndBack())
	if v := verdict.Of(run, contract.ServerDelivery); !errors.Is(run.Err, target.ErrUnsupported) || v.Outcome != check.Unsupported {
		t.Errorf("%v; %s: %s", run.Err, v.Outcome, v.Reason)
	}
}
