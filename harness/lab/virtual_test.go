package lab_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/lab/race"
	"redial/harness/plan"
	"redial/steps/lessons"
)

// step returns the handler of one of the tutorial's servers.
func step(t testing.TB, number string) lab.Handler {
	t.Helper()
	lesson, err := lessons.Find(number)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lessons.Bundle(); err != nil {
		t.Skip(err)
	}
	return func(dir string) (http.Handler, io.Closer, error) {
		return lessons.Handler(lesson, lessons.Settings{DataDir: dir})
	}
}

func play(t testing.TB, server lab.Handler, config lab.Config, p plan.Plan) lab.Run {
	t.Helper()
	return lab.Virtual.Play(t.Context(), lab.InProcess(server), config, p)
}

// forStep7 configures a run by the guarantee of step 7.
var forStep7 = lab.Config{Level: contract.ServerDelivery, KeepsLog: true, OwnRecovery: true}

func clients(kind plan.Kind, transports []string, names ...string) (list []plan.Client) {
	for _, name := range names {
		list = append(list, plan.Client{Name: name, Kind: kind, Transports: transports})
	}
	return list
}

// everything returns a plan with most kinds of disturbance: refreshes, cuts, a switch of
// networks, a crash at a frame and one in the script, a graceful restart, and traffic in the
// background.
func everything(seed uint64, kind plan.Kind, transports ...string) plan.Plan {
	return plan.Plan{
		Seed:    seed,
		Clients: clients(kind, transports, "alice", "bob", "carol"),
		Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.Open, Client: "carol"},
			{Do: plan.AwaitConnected},
			{Do: plan.Send, Client: "alice", Text: "hello"},
			{Do: plan.AwaitShown, Client: "bob", Text: "hello"},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Outage, Client: "bob", For: plan.Duration(3 * time.Second)}},
			{Do: plan.Send, Client: "alice", Text: "meanwhile", Count: 5},
			{Do: plan.StartSending, Client: "alice", Text: "traffic", Every: plan.Duration(7 * time.Millisecond), Count: 100},
			{Do: plan.Refresh, Client: "carol"},
			{Do: plan.AwaitConnected},
			{Do: plan.AwaitShown, Client: "bob", Text: "meanwhile 5"},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Switch, Client: "bob"}},
			{Do: plan.AwaitConnected, Client: "bob"},
			{Do: plan.KillServer},
			{Do: plan.Wait, For: plan.Duration(2 * time.Second)},
			{Do: plan.StartServer},
			{Do: plan.AwaitConnected},
			{Do: plan.StopSending, Client: "alice"},
			{Do: plan.StopServer},
			{Do: plan.StartServer},
		},
		Faults: []plan.Fault{
			{Kind: plan.Cut, Client: "alice", At: plan.Frame{Direction: plan.Down, Number: 20}},
			{Kind: plan.Crash, At: plan.Frame{Client: "carol", Direction: plan.Down, Number: 30}},
			{Kind: plan.RefreshPage, Client: "bob", At: plan.Frame{Direction: plan.Down, Number: 18, After: true}},
		},
	}
}

// A correct server passes a run with every kind of disturbance. The same run on a server
// without a store fails, so that the pass is no accident.
func TestVirtualVerdicts(t *testing.T) {
	for _, kind := range []plan.Kind{plan.Page, plan.Wire} {
		p := everything(3, kind)
		run := play(t, step(t, "7"), forStep7, p)
		if v := check.Judge(run.Events); run.Err != nil || v.Outcome != check.Pass {
			t.Errorf("step 7 with %s clients: %v, %s: %s", kind, run.Err, v.Outcome, v.Reason)
		}
		run = play(t, step(t, "5"), lab.Config{Level: contract.ServerDelivery, OwnRecovery: true}, p)
		if v := check.Judge(run.Events); run.Err != nil || v.Outcome != check.Fail || v.Lost == 0 {
			t.Errorf("step 5 with %s clients: %v, %s with %d lost; it cannot but lose", kind, run.Err, v.Outcome, v.Lost)
		}
	}
}

// A crash loses uncommitted messages and no committed ones: after a crash at any frame, step 7
// still has every message that it acknowledged.
func TestVirtualCrashAtEachFrame(t *testing.T) {
	p := plan.Plan{Clients: clients(plan.Wire, nil, "alice", "bob"), Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
		{Do: plan.Send, Client: "alice", Text: "said", Count: 3},
	}}
	healthy := play(t, step(t, "7"), forStep7, p)
	if healthy.Err != nil || len(healthy.Frames) < 20 {
		t.Fatalf("%v, %d frames", healthy.Err, len(healthy.Frames))
	}
	every := 1
	if race.Enabled { // test-long plays them all
		every = 3
	}
	var broken []plan.Plan
	singles := endsAt(p, healthy.Frames)
	for i := 0; i < len(singles); i += every {
		broken = append(broken, singles[i])
	}
	type outcome struct {
		verdict check.Verdict
		err     error
		fault   plan.Fault
	}
	stopped := 0
	for o := range parallel(len(broken), func(i int) outcome {
		run := play(t, step(t, "7"), forStep7, broken[i])
		return outcome{check.Judge(run.Events), run.Err, broken[i].Faults[0]}
	}) {
		if o.err != nil || o.verdict.Outcome == check.Fail {
			t.Errorf("%s at %+v: %v, %s: %s", o.fault.Kind, o.fault.At, o.err, o.verdict.Outcome, o.verdict.Reason)
		}
		stopped += o.verdict.FaultsFired
	}
	if stopped < len(broken)*9/10 {
		t.Errorf("%d of %d faults fired", stopped, len(broken))
	}
}

// endsAt returns the plans in which the server ends at one of the frames.
func endsAt(p plan.Plan, frames []plan.Passed) (plans []plan.Plan) {
	for _, f := range plan.Points(p, frames) {
		if f.Kind.OnServer() {
			p.Faults = []plan.Fault{f}
			plans = append(plans, p)
		}
	}
	return plans
}

// A second crash or stop while the server is down already, or is stopping, does not end the
// run.
func TestVirtualTwoEndsAtOnce(t *testing.T) {
	p := plan.Plan{Clients: clients(plan.Wire, nil, "alice", "bob"), Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
		{Do: plan.Send, Client: "alice", Text: "said", Count: 3},
	}}
	healthy := play(t, step(t, "7"), forStep7, p)
	if healthy.Err != nil {
		t.Fatal(healthy.Err)
	}
	singles := endsAt(p, healthy.Frames)
	every := 1
	if race.Enabled { // test-long plays them all
		every = 5
	}
	var broken []plan.Plan
	for i := 0; i < len(singles); i += every {
		single := singles[i]
		for _, later := range []int{1, 2, 3} {
			if i+later < len(singles) {
				single.Faults = append(slices.Clone(single.Faults[:1]), singles[i+later].Faults[0])
				broken = append(broken, single)
			}
		}
	}
	superfluous := 0
	for run := range parallel(len(broken), func(i int) lab.Run { return play(t, step(t, "7"), forStep7, broken[i]) }) {
		verdict := check.Judge(run.Events)
		if run.Err != nil || verdict.Outcome == check.Fail {
			t.Errorf("%v, %s: %s", run.Err, verdict.Outcome, verdict.Reason)
		}
		for _, e := range run.Events {
			if e.Kind == history.Note && strings.Contains(e.Detail, "down already") {
				superfluous++
			}
		}
	}
	if superfluous == 0 {
		t.Errorf("in none of %d runs a fault found the server down", len(broken))
	}
}

// A laptop that sleeps past the heartbeat time-out reconnects, and its page shows every
// message of that time once.
func TestVirtualSuspend(t *testing.T) {
	p := plan.Plan{Clients: clients(plan.Page, nil, "alice", "bob"), Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
		{Do: plan.Suspend, Client: "bob"},
		{Do: plan.Send, Client: "alice", Text: "good night", Count: 3},
		{Do: plan.Wait, For: plan.Duration(10 * time.Minute)},
		{Do: plan.Resume, Client: "bob"},
		{Do: plan.AwaitShown, Client: "bob", Text: "good night 3"},
	}}
	run := play(t, step(t, "7"), forStep7, p)
	if v := check.Judge(run.Events); run.Err != nil || v.Outcome != check.Pass {
		t.Errorf("%v, %s: %s", run.Err, v.Outcome, v.Reason)
	}
	for _, e := range run.Events {
		if e.Client == "bob" && e.Kind == history.Shown && e.Message == "good night 1" && e.At < plan.Duration(10*time.Minute) {
			t.Errorf("a suspended page showed something at %s", time.Duration(e.At))
		}
	}
	p.Clients[1].Kind = plan.Wire
	if run := play(t, step(t, "7"), forStep7, p); run.Err == nil || !strings.Contains(run.Err.Error(), "step 4 (suspend bob)") {
		t.Errorf("a wire client was suspended: %v", run.Err)
	}
}

// Two tabs of one browser share localStorage; two browsers do not.
func TestVirtualTabs(t *testing.T) {
	page := []byte(`<ul id="messages"></ul><form id="form"><input id="input"></form>
		<script src="/socket.io/socket.io.js"></script>
		<script>
			const loads = Number(localStorage.getItem("loads")) + 1;
			localStorage.setItem("loads", loads);
			const item = document.createElement("li");
			item.textContent = "load " + loads;
			document.getElementById("messages").appendChild(item);
			io();
		</script>`)
	for tab, want := range map[string]string{"alice": "load 2", "": "load 1"} {
		p := plan.Plan{Clients: clients(plan.Page, nil, "alice", "bob"), Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitShown, Client: "bob", Text: want},
		}}
		p.Clients[1].TabOf = tab
		run := play(t, step(t, "5"), lab.Config{HTML: page, OwnRecovery: true, Bound: time.Second}, p)
		shown := ""
		for _, e := range run.Events {
			if e.Client == "bob" && e.Kind == history.Shown {
				shown = e.Message
				break
			}
		}
		if run.Err != nil || shown != want {
			t.Errorf("bob, a tab of %q, shows %q (%v), want %q", tab, shown, run.Err, want)
		}
	}
}

// conversation returns a short plan with a fault: one of three clients loses its connection
// while the others send messages, and one is refreshed.
func conversation(seed uint64, kind plan.Kind) plan.Plan {
	p := plan.Plan{Seed: seed, Clients: clients(kind, nil, "alice", "bob", "carol")}
	for _, c := range p.Clients {
		p.Script = append(p.Script, plan.Step{Do: plan.Open, Client: c.Name})
	}
	p.Script = append(p.Script,
		plan.Step{Do: plan.AwaitConnected},
		plan.Step{Do: plan.Send, Client: "alice", Text: "hello"},
		plan.Step{Do: plan.AwaitShown, Client: "bob", Text: "hello"},
		plan.Step{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Cut, Client: "bob"}},
		plan.Step{Do: plan.Send, Client: "alice", Text: "meanwhile", Count: 3},
		plan.Step{Do: plan.AwaitConnected, Client: "bob"},
		plan.Step{Do: plan.Refresh, Client: "carol"},
		plan.Step{Do: plan.AwaitConnected},
		plan.Step{Do: plan.Send, Client: "carol", Text: "bye"},
	)
	return p
}

// Any program can play a plan on its server, even outside of tests.
func ExampleLab() {
	myServer := func(dir string) (http.Handler, io.Closer, error) {
		// Data in dir outlives the server process. Here the server is the tutorial's step 7.
		lesson, err := lessons.Find("7")
		if err != nil {
			return nil, nil, err
		}
		return lessons.Handler(lesson, lessons.Settings{DataDir: dir})
	}
	p := plan.Plan{
		Seed:    1,
		Clients: []plan.Client{{Name: "alice", Kind: plan.Wire}, {Name: "bob", Kind: plan.Wire}},
		Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Switch, Client: "bob"}},
			{Do: plan.Send, Client: "alice", Text: "are you there?"},
			{Do: plan.KillServer}, {Do: plan.StartServer},
		},
	}
	config := lab.Config{Level: contract.ServerDelivery, KeepsLog: true, OwnRecovery: true}
	run := lab.Virtual.Play(context.Background(), lab.InProcess(myServer), config, p)
	verdict := check.Judge(run.Events)
	fmt.Println(run.Err, verdict.Outcome, verdict.Reason)
	// Output: <nil> pass
}

// The lab waits for a slow page as long as the page shows further messages, and gives up after
// one bound if the page shows none.
func TestASlowPageIsWaitedFor(t *testing.T) {
	for _, c := range []struct {
		step string
		want int // awaits that time out
	}{{"7", 0}, {"4", 1}} {
		p := plan.Plan{Seed: 1, Clients: clients(plan.Wire, nil, "alice", "bob"), Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Limit, Client: "bob", BytesPerSecond: 3000}},
			{Do: plan.Send, Client: "alice", Text: "news", Count: 100},
			{Do: plan.AwaitShown, Client: "bob", Text: "news 100"},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Heal, Client: "bob"}},
		}}
		run := play(t, step(t, c.step), lab.Config{OwnRecovery: true, ShownBound: time.Second}, p)
		vain := 0
		for _, e := range run.Events {
			if e.Kind == history.TimedOut && e.Message == "news 100" {
				vain++
			}
		}
		if run.Err != nil || vain != c.want {
			t.Errorf("step %s: %v, %d awaits in vain, want %d", c.step, run.Err, vain, c.want)
		}
	}
}

// A page that a fault refreshes waits as long as the script keeps it from the server; a
// message that the script would send from it meanwhile is not sent.
func TestVirtualPageThatIsKeptApart(t *testing.T) {
	ofAlice := func(kind plan.FaultKind) plan.Step {
		return plan.Step{Do: plan.Break, Fault: &plan.Fault{Kind: kind, Client: "alice"}}
	}
	refresh, stop, start := ofAlice(plan.RefreshPage), plan.Step{Do: plan.StopServer}, plan.Step{Do: plan.StartServer}
	for how, steps := range map[string]struct{ first, second, joins plan.Step }{
		"the server stops while it loads": {refresh, stop, start},
		"the server is down":              {stop, refresh, start},
		"an outage":                       {ofAlice(plan.Outage), refresh, ofAlice(plan.Heal)},
		"a silence":                       {ofAlice(plan.Silence), refresh, ofAlice(plan.Heal)},
	} {
		p := plan.Plan{Clients: clients(plan.Page, []string{"websocket"}, "alice"), Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.AwaitConnected},
			steps.first, steps.second,
			{Do: plan.Send, Client: "alice", Text: "nobody can say that"},
			{Do: plan.Wait, For: plan.Duration(lab.VirtualBound + time.Minute)},
			steps.joins, {Do: plan.AwaitConnected}, {Do: plan.Send, Client: "alice", Text: "said"},
		}}
		run := play(t, step(t, "7"), forStep7, p)
		if v := check.Judge(run.Events); run.Err != nil || v.Outcome != check.Pass {
			t.Errorf("%s: %v, %s: %s", how, run.Err, v.Outcome, v.Reason)
		}
		for _, e := range run.Events {
			if e.Message == "nobody can say that" {
				t.Errorf("%s: %s: %s", how, e.Kind, e.Message)
			}
		}
	}
}

// A barrier's mark that is lost with its page's connection is no defect of the server, so the
// bound for the next mark is not shortened.
func TestAMarkThatIsLostHurriesNobody(t *testing.T) {
	mark := plan.Frame{Direction: plan.Up, Match: "42"}
	p := plan.Plan{Clients: clients(plan.Wire, []string{"websocket"}, "alice", "bob"), Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected}, {Do: plan.Barrier},
	}, Faults: []plan.Fault{
		{Kind: plan.HalfOpen, Client: "alice", At: mark},
		{Kind: plan.Silence, Client: "bob", At: mark, For: plan.Duration(5 * time.Second)},
	}}
	run := play(t, step(t, "6"), lab.Config{Level: contract.Recovery, OwnRecovery: true}, p)
	if v := check.Judge(run.Events); run.Err != nil || v.Outcome != check.Pass {
		t.Errorf("%v, %s: %s", run.Err, v.Outcome, v.Reason)
	}
}
