package lab_test

import (
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/steps/lessons"
)

// The official client (4.8.4) buffers events that arrive before the answer to its connect
// packet, and keeps them if the connection ends without that answer. The server then sends
// them again. Step 6's page clears the buffer; without that statement the user sees the
// message twice.
func TestWhatCameBeforeTheConnectPacketIsShownOnce(t *testing.T) {
	lesson, err := lessons.Find("6")
	if err != nil {
		t.Fatal(err)
	}
	const line = `socket.io.on("close", () => (socket.receiveBuffer = []));`
	bare := strings.Replace(string(lesson.Page), line, "", 1)
	if bare == string(lesson.Page) {
		t.Fatalf("step 6's page has no %s", line)
	}
	cut := plan.Fault{ID: "unanswered", Kind: plan.Cut, Client: "bob", At: plan.Frame{Direction: plan.Down, Match: `40{`}}
	p := plan.Plan{Clients: clients(plan.Page, nil, "alice", "bob"), Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
		{Do: plan.Break, Fault: &plan.Fault{ID: "away", Kind: plan.Outage, Client: "bob"}},
		{Do: plan.AwaitDisconnected, Client: "bob"},
		{Do: plan.Send, Client: "alice", Text: "meanwhile"},
		{Do: plan.AwaitShown, Client: "alice", Text: "meanwhile"},
		{Do: plan.Arm, Fault: &cut},
		{Do: plan.Break, Fault: &plan.Fault{ID: "back", Kind: plan.Heal, Client: "bob"}},
		{Do: plan.AwaitFault, Text: cut.ID},
		{Do: plan.AwaitConnected, Client: "bob"},
	}}
	for _, c := range []struct {
		name string
		html string
		want int
	}{{"the page", string(lesson.Page), 0}, {"without the line", bare, 1}} {
		t.Run(c.name, func(t *testing.T) {
			run := play(t, step(t, "6"), lab.Config{Level: contract.Recovery, OwnRecovery: true, HTML: []byte(c.html)}, p)
			if run.Err != nil {
				t.Fatal(run.Err)
			}
			v := check.Judge(run.Events)
			if v.Duplicated != c.want || v.Lost+v.Reordered > 0 || v.FaultsFired != v.FaultsPlanned {
				t.Errorf("%d duplicated, want %d; %s", v.Duplicated, c.want, v.Reason)
			}
		})
	}
}
