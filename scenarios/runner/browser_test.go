package runner_test

import (
	"errors"
	"flag"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/client/browser"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/target"
	"redial/scenarios/catalogue"
	"redial/scenarios/internal/verdict"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

var browserRefreshes = flag.Int("browser-refreshes", 3, "how often TestRefreshInChromium refreshes a page of each step")

var (
	waysRows  = flag.String("ways-scenarios", "clean-drop,refresh", "the scenarios, or all, that TestBothWaysAgree plays in Chromium")
	waysSteps = flag.String("ways-steps", "5,6,7", "the steps that it plays them on")
)

// withBrowser skips the test if there is no Chromium. TestMain closes it.
func withBrowser(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: no test in a browser")
	}
	if _, err := browser.Find(); err != nil {
		t.Skip(err)
	}
}

// stepPage makes clients of the steps' own pages.
var stepPage = browser.Spec{Input: "#input", Submit: "#form button", Messages: "#messages li"}.New

// inChromium plays the plan on a step, with its own page in Chromium.
func inChromium(t *testing.T, step string, p plan.Plan, change func(*lab.Config)) lab.Run {
	t.Helper()
	server := stepServer(t, step)
	config := servers.ConfigOf(server)
	config.NewPage = stepPage
	if change != nil {
		change(&config)
	}
	return lab.Real.Play(t.Context(), server.Server, config, p)
}

// pageEvents is a plan with each kind of event of a page: a refresh under traffic, a refresh at
// a frame, an outage, a suspended laptop and a second tab.
func pageEvents() plan.Plan {
	link := func(kind plan.FaultKind) *plan.Fault { return &plan.Fault{ID: string(kind), Kind: kind, Client: "bob"} }
	return plan.Plan{
		Clients: []plan.Client{{Name: "alice"}, {Name: "bob"}, {Name: "bob's other tab", TabOf: "bob"}},
		Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.Open, Client: "bob's other tab"},
			{Do: plan.AwaitConnected},
			{Do: plan.StartSending, Client: "alice", Text: "alice sends", Every: plan.Duration(20 * time.Millisecond)},
			{Do: plan.Refresh, Client: "bob"},
			{Do: plan.AwaitConnected},
			{Do: plan.Send, Client: "bob", Text: "refreshed"},
			{Do: plan.Arm, Fault: &plan.Fault{ID: "at a frame", Kind: plan.RefreshPage, Client: "bob", At: plan.Frame{Client: "bob", Direction: plan.Down, Number: 3}}},
			{Do: plan.AwaitFault, Text: "at a frame"},
			{Do: plan.AwaitDisconnected, Client: "bob"},
			{Do: plan.AwaitConnected},
			{Do: plan.Break, Fault: link(plan.Outage)},
			{Do: plan.AwaitDisconnected, Client: "bob"},
			{Do: plan.Send, Client: "alice", Text: "bob is offline"},
			{Do: plan.AwaitShown, Client: "alice", Text: "bob is offline"},
			{Do: plan.Break, Fault: link(plan.Heal)},
			{Do: plan.AwaitConnected},
			{Do: plan.Suspend, Client: "bob"},
			{Do: plan.Send, Client: "alice", Text: "bob is suspended"},
			{Do: plan.AwaitShown, Client: "alice", Text: "bob is suspended"},
			{Do: plan.Resume, Client: "bob"},
			{Do: plan.StopSending, Client: "alice"},
			{Do: plan.Send, Client: "bob", Text: "awake"},
		},
	}
}

func TestPromisesInChromium(t *testing.T) {
	t.Parallel()
	withBrowser(t)
	for _, step := range []string{"5", "7", "8", "10"} {
		t.Run("step "+step, func(t *testing.T) {
			t.Parallel()
			run := inChromium(t, step, pageEvents(), nil)
			if run.Err != nil {
				t.Fatalf("%v\n%s", run.Err, run.Output)
			}
			v := check.Judge(run.Events)
			if v.Outcome != check.Pass || v.FaultsFired != v.FaultsPlanned {
				t.Errorf("%s: %s (%d of %d faults)", v.Outcome, v.Reason, v.FaultsFired, v.FaultsPlanned)
			}
		})
	}
}

// Step 5 loses messages that are sent while a page is disconnected. Judged at the level of
// step 6 it must fail: a client that shows no loss would prove nothing.
func TestALossIsSeenInChromium(t *testing.T) {
	t.Parallel()
	withBrowser(t)
	run := inChromium(t, "5", pageEvents(), func(c *lab.Config) { c.Level = contract.Recovery })
	if v := check.Judge(run.Events); run.Err != nil || v.Outcome != check.Fail || v.Lost == 0 {
		t.Errorf("%v; %s: %s", run.Err, v.Outcome, v.Reason)
	}
}

// TestRefreshInChromium refreshes a page while another one sends without pause. Each time the
// new page shows the log from its first row, in order and without a gap.
func TestRefreshInChromium(t *testing.T) {
	t.Parallel()
	withBrowser(t)
	for _, step := range []string{"7", "8", "9", "10"} {
		t.Run("step "+step, func(t *testing.T) {
			t.Parallel()
			p := plan.Plan{Clients: []plan.Client{{Name: "alice"}, {Name: "bob"}}}
			do := func(s plan.Step) { p.Script = append(p.Script, s) }
			do(plan.Step{Do: plan.Open, Client: "alice"})
			do(plan.Step{Do: plan.Open, Client: "bob"})
			do(plan.Step{Do: plan.AwaitConnected})
			// A page sends one message after the other. At step 9 an acknowledgement takes some 50 ms,
			// so that a faster sender's outbox would grow with each refresh.
			do(plan.Step{Do: plan.StartSending, Client: "alice", Text: "alice sends", Every: plan.Duration(100 * time.Millisecond)})
			for n := range *browserRefreshes {
				mark := "refresh " + strconv.Itoa(n+1)
				do(plan.Step{Do: plan.Refresh, Client: "bob"})
				do(plan.Step{Do: plan.Send, Client: "alice", Text: mark})
				do(plan.Step{Do: plan.AwaitShown, Client: "bob", Text: mark})
			}
			do(plan.Step{Do: plan.StopSending, Client: "alice"})
			run := inChromium(t, step, p, nil)
			if run.Err != nil {
				t.Fatalf("%v\n%s", run.Err, run.Output)
			}
			if v := check.Judge(run.Events); v.Outcome != check.Pass {
				t.Errorf("%s: %s", v.Outcome, v.Reason)
			}
			rows, views := logAndViews(run.Events)
			equal := 0
			for view, list := range views {
				if view == 1 {
					continue
				}
				mark := "refresh " + strconv.Itoa(view-1)
				if !slices.Contains(list, mark) || len(list) > len(rows) || !slices.Equal(list, rows[:len(list)]) {
					t.Errorf("view %d is not the log down to %q: it has %d of %d rows", view, mark, len(list), len(rows))
					continue
				}
				equal++
			}
			if equal != *browserRefreshes {
				t.Errorf("%d of %d refreshed pages were equal to the log", equal, *browserRefreshes)
			}
			t.Logf("%d of %d refreshed pages equal the log, of %d rows; %s", equal, *browserRefreshes, len(rows), run.Real.Round(time.Second))
		})
	}
}

// TestBothWaysAgree plays scenarios with each step's own page in Chromium. The outcome must be
// that of the matrix, which plays them with the same page in the kit's own window.
func TestBothWaysAgree(t *testing.T) {
	withBrowser(t)
	t.Parallel()
	rows := catalogue.All
	if *waysRows != "all" {
		var err error
		if rows, err = catalogue.Find(strings.Split(*waysRows, ",")); err != nil {
			t.Fatal(err)
		}
	}
	var tested []servers.Server
	for _, step := range strings.Split(*waysSteps, ",") {
		server := stepServer(t, step)
		server.NewPage = stepPage
		tested = append(tested, server)
	}
	results, err := runner.Run(t.Context(), tested, rows, runner.Options{Seed: 1, Golden: true, Parallel: 2})
	if err != nil {
		t.Fatal(err)
	}
	agree, beyond := 0, 0
	for _, r := range results {
		switch {
		case r.Outcome() == check.Unsupported:
			beyond++
			t.Logf("%s, %s: %s", r.Column, r.ID, r.Reason())
		case r.Outcome() != check.Pass:
			t.Errorf("%s, %s: %s: %s", r.Column, r.ID, r.Outcome(), r.Reason())
		default:
			agree++
		}
	}
	if agree == 0 {
		t.Error("no outcome was compared")
	}
	t.Logf("%d outcomes agree; %d scenarios cannot be played so", agree, beyond)
}

// logAndViews are the rows of the server's log, and what each view of bob has shown.
func logAndViews(events []history.Event) (rows []string, views map[int][]string) {
	views = map[int][]string{}
	for _, e := range events {
		switch {
		case e.Kind == history.Stored:
			rows = append(rows, e.Message)
		case e.Kind == history.Shown && e.Client == "bob":
			views[e.View] = append(views[e.View], e.Message)
		}
	}
	return rows, views
}

// An event that an application's own page cannot produce makes a run unsupported, not failed.
func TestWhatChromiumCannotDoIsUnsupported(t *testing.T) {
	t.Parallel()
	withBrowser(t)
	server := stepServer(t, "7")
	throw := plan.Plan{Clients: []plan.Client{{Name: "alice"}}, Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.AwaitConnected}, {Do: plan.Throw, Client: "alice"},
	}}
	run := inChromium(t, "7", throw, nil)
	if v := verdict.Of(run, contract.ServerDelivery); v.Outcome != check.Unsupported {
		t.Errorf("%s: %s", v.Outcome, v.Reason)
	}
	config := servers.ConfigOf(server)
	config.NewPage = stepPage
	if run := lab.Virtual.Play(t.Context(), server.Server, config, throw); !errors.Is(run.Err, target.ErrUnsupported) {
		t.Errorf("the virtual lab: %v", run.Err)
	}
}
