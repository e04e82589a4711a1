package runner

import (
	"context"
	"fmt"
	"time"

	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/scenarios/servers"
)

// Delivered is how many of the messages of a steady stream a client received that was
// disconnected for two seconds in the middle of it.
type Delivered struct {
	Sent, Shown int
}

// String is the share, as a percentage.
func (d Delivered) String() string {
	if d.Sent == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(d.Shown)/float64(d.Sent))
}

const (
	// streamEvery is the time between two messages of the stream.
	streamEvery = 20 * time.Millisecond
	// drop is how long the network is down, and around how long the stream goes on before
	// and after.
	drop, around = 2 * time.Second, 2 * time.Second
)

// steadyStream has alice send a message every 20 ms for six seconds, while bob's network is
// down for two in the middle. Servers that emit by themselves do so at their own pace.
func steadyStream(seed uint64) plan.Plan {
	return plan.Plan{
		Seed: seed, Scenario: "steady-stream", Clients: []plan.Client{{Name: "alice"}, {Name: "bob"}},
		Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
			{Do: plan.StartSending, Client: "alice", Text: "message", Every: plan.Duration(streamEvery)},
			{Do: plan.Wait, For: plan.Duration(around)},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Outage, Client: "bob", For: plan.Duration(drop)}},
			{Do: plan.AwaitDisconnected, Client: "bob"}, {Do: plan.AwaitConnected, Client: "bob"},
			{Do: plan.Wait, For: plan.Duration(around)},
			{Do: plan.StopSending, Client: "alice"},
			{Do: plan.Barrier},
		},
	}
}

// MeasureDelivered plays the steady stream in the real lab.
func MeasureDelivered(ctx context.Context, server servers.Server, seed uint64) (Delivered, error) {
	run := lab.Real.Play(ctx, server.Server, servers.ConfigOf(server), steadyStream(seed))
	if run.Err != nil {
		return Delivered{}, run.Err
	}
	return deliveredIn(run.Events), nil
}

// deliveredIn counts what others sent from the time on when bob was connected first, until
// the settling at the end, and what of it bob shows.
func deliveredIn(events []history.Event) (d Delivered) {
	sent, connected, settling := map[string]bool{}, false, 0
	for i, e := range events {
		if e.Kind == history.Sent && e.Client == "bob" && settling == 0 {
			settling = i // bob sends nothing but his part of the barrier
		}
	}
	for i, e := range events {
		connected = connected || e.Kind == history.Connected && e.Client == "bob"
		if e.Kind == history.Sent && e.Client != "bob" && connected && (settling == 0 || i < settling) {
			sent[e.Message] = false
		}
		if shown, known := sent[e.Message]; e.Kind == history.Shown && e.Client == "bob" && known && !shown {
			sent[e.Message] = true
			d.Shown++
		}
	}
	d.Sent = len(sent)
	return d
}
