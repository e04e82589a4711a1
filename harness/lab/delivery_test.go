package lab_test

import (
	"strings"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/steps/lessons"
)

// intoTheDark lets alice send messages on a half-open connection, which she still takes for
// open.
var intoTheDark = plan.Plan{
	Seed:    1,
	Clients: clients(plan.Page, nil, "alice", "bob"),
	Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
		{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Silence, Client: "alice"}},
		{Do: plan.Send, Client: "alice", Text: "into the dark", Count: 2},
		{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Switch, Client: "alice"}},
		{Do: plan.AwaitDisconnected, Client: "alice"},
		{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Heal, Client: "alice"}},
		{Do: plan.AwaitConnected, Client: "alice"},
	},
}

// answerCut loses the acknowledgement of a message of alice's that the server has stored.
var answerCut = plan.Plan{
	Seed:    1,
	Clients: clients(plan.Page, nil, "alice", "bob"),
	Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
		{Do: plan.Send, Client: "alice", Text: "said once"},
		{Do: plan.AwaitShown, Client: "bob", Text: "said once"},
		{Do: plan.AwaitConnected},
	},
	Faults: []plan.Fault{{Kind: plan.Cut, Client: "alice", At: plan.Frame{Direction: plan.Down, Match: "43"}}},
}

// Client delivery needs a page that retries and a server that recognises a retry. If either is
// missing, the run fails by the rule that depends on it.
func TestClientDeliveryNeedsBothEnds(t *testing.T) {
	page := func(number string) []byte {
		lesson, err := lessons.Find(number)
		if err != nil {
			t.Fatal(err)
		}
		return lesson.Page
	}
	for _, c := range []struct {
		name, server, page string
		plan               plan.Plan
		rule               contract.RuleID
	}{
		{"a dead connection", "8", "8", intoTheDark, ""},
		{"a dead connection, and a page that says it once", "8", "7", intoTheDark, contract.NoLoss},
		{"an answer that is cut", "8", "8", answerCut, ""},
		{"an answer that is cut, and a server that stores it again", "7", "8", answerCut, contract.Sends},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := lab.Config{Level: contract.ClientDelivery, KeepsLog: true, OwnRecovery: true, HTML: page(c.page)}
			run := play(t, step(t, c.server), config, c.plan)
			if run.Err != nil {
				t.Fatal(run.Err)
			}
			v := check.Judge(run.Events)
			want := check.Pass
			if c.rule != "" {
				want = check.Fail
			}
			if v.Outcome != want || v.Rule() != c.rule {
				t.Errorf("%s by %q, want %s by %q: %s", v.Outcome, v.Rule(), want, c.rule, v.Reason)
			}
			if v.FaultsFired != v.FaultsPlanned {
				t.Errorf("%d of %d faults fired", v.FaultsFired, v.FaultsPlanned)
			}
		})
	}
}

// A message that takes longer than three seconds on a slow link is not lost: the page waits
// for its acknowledgement, and then sends the next message. The time depends on the number of
// bytes and not of characters, which Korean text shows.
func TestALongMessageOnASlowLine(t *testing.T) {
	for _, number := range []string{"8", "9", "10"} {
		for language, long := range map[string]string{"English": strings.Repeat("x", 18_000), "Korean": strings.Repeat("가", 6_000)} {
			p := plan.Plan{Clients: clients(plan.Page, []string{"websocket"}, "alice", "bob"), Script: []plan.Step{
				{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
				{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Limit, Client: "alice", BytesPerSecond: 1_500}},
				{Do: plan.Send, Client: "alice", Text: long}, {Do: plan.Send, Client: "alice", Text: "after"},
				{Do: plan.AwaitShown, Client: "bob", Text: "after"},
			}}
			run := play(t, step(t, number), lab.Config{Level: contract.ClientDelivery, KeepsLog: true, OwnRecovery: true, ShownBound: time.Minute}, p)
			if run.Err != nil {
				t.Fatal(run.Err)
			}
			for _, e := range run.Events {
				if e.Kind == history.TimedOut {
					t.Errorf("step %s, %s: awaited in vain: %.100s", number, language, e.Detail)
				}
			}
			if v := check.Judge(run.Events); v.Outcome != check.Pass {
				t.Errorf("step %s, %s: %.300s", number, language, v.Reason)
			}
		}
	}
}

// A backlog arrives on a slow link although it takes longer than the client's heartbeat
// time-out: each connection delivers a further part of it, and all of it is delivered before
// the session expires.
func TestMuchIsMissedOnASlowLine(t *testing.T) {
	long := strings.Repeat("x", 60_000)
	for _, number := range []string{"6", "8", "10"} {
		p := plan.Plan{Clients: clients(plan.Page, []string{"websocket"}, "alice", "bob"), Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
			{Do: plan.Send, Client: "bob", Text: "before"}, {Do: plan.AwaitShown, Client: "alice", Text: "before"},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Limit, Client: "alice", BytesPerSecond: 5_000}},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Outage, Client: "alice", For: plan.Duration(time.Second)}},
			{Do: plan.Send, Client: "bob", Text: long, Count: 5}, {Do: plan.AwaitShown, Client: "alice", Text: long + " 5"},
		}}
		run := play(t, step(t, number), lab.Config{Level: contract.Recovery, OwnRecovery: true, ShownBound: 100 * time.Second}, p)
		for _, e := range run.Events {
			if e.Kind == history.TimedOut {
				t.Errorf("step %s: awaited in vain: …%s", number, e.Detail[max(0, len(e.Detail)-60):])
			}
		}
		if v := check.Judge(run.Events); run.Err != nil || v.Outcome != check.Pass {
			t.Errorf("step %s: %v, %.300s", number, run.Err, v.Reason)
		}
	}
}
