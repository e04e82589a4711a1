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

// Delivered counts the messages of a steady stream, and those that a client received which was
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
	// drop is how long the network is down, and around how long the stream lasts before and
	// after that.
	drop, around = 2 * time.Second, 2 * time.Second
)

// steadyStream has alice send a message every 20 ms for six seconds. Bob's network is down for
// two seconds in the middle. A server that emits by itself sets its own interval.
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
	p := steadyStream(seed)
	run := playWithin(ctx, lab.Real, 0, server, configFor(server, p), p)
	if run.Err != nil {
		return Delivered{}, run.Err
	}
	return deliveredIn(run.Events), nil
}

// deliveredIn counts the messages that other clients sent between bob's first connection and
// the barrier at the end, and those of them that bob shows.
func deliveredIn(events []history.Event) (d Delivered) {
	sent, connected, barrier := map[string]bool{}, false, 0
	for i, e := range events {
		if e.Kind == history.Sent && e.Client == "bob" && barrier == 0 {
			barrier = i // bob sends only his message of the barrier
		}
	}
	for i, e := range events {
		connected = connected || e.Kind == history.Connected && e.Client == "bob"
		if e.Kind == history.Sent && e.Client != "bob" && connected && (barrier == 0 || i < barrier) {
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
