package lab_test

import (
	"reflect"
	"strings"
	"testing"

	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/lab/race"
	"redial/harness/plan"
)

// Recording the traffic does not change the run, and the traffic has every frame that a fault
// can wait for, with the same numbers.
func TestTrafficHasEveryFrameAndChangesNothing(t *testing.T) {
	for _, transports := range [][]string{nil, {"polling", "websocket"}} {
		if race.Enabled && len(transports) > 0 {
			continue // with polling the library has a race, and no two runs are the same
		}
		p := everything(7, plan.Page, transports...)
		plain := play(t, step(t, "7"), forStep7, p)
		recording := forStep7
		recording.Traffic = true
		run := play(t, step(t, "7"), recording, p)
		if plain.Err != nil || run.Err != nil {
			t.Fatal(plain.Err, run.Err)
		}
		if len(plain.Traffic.Frames) > 0 {
			t.Error("frames are recorded that nobody asked for")
		}
		if !reflect.DeepEqual(plain.Events, run.Events) || !reflect.DeepEqual(plain.Frames, run.Frames) {
			t.Error("with its traffic recorded, the run is another one")
		}
		recorded := map[plan.Passed]history.Frame{}
		overall := map[string]int{}
		for _, f := range run.Traffic.Frames {
			if f.At < f.Left {
				t.Errorf("a frame arrives before it leaves: %+v", f)
			}
			if f.Overall > 0 {
				recorded[f.Passed] = f
				way := f.Client + string(f.Direction)
				overall[way] = max(overall[way], f.Overall)
			}
		}
		missing, counted := 0, map[string]int{}
		for _, f := range run.Frames {
			if f.Client == plan.Reader {
				continue
			}
			counted[f.Client+string(f.Direction)]++
			got, known := recorded[f]
			switch {
			case !known:
				missing++ // the end of a stream, or a frame in flight when the run ended
			case got.Overall != counted[f.Client+string(f.Direction)]:
				t.Errorf("%+v is frame %d of its client", got, counted[f.Client+string(f.Direction)])
			}
		}
		if missing > 3 {
			t.Errorf("%d of %d frames are not recorded", missing, len(run.Frames))
		}
		if len(run.Traffic.Connections) < 8 {
			t.Errorf("%d connections", len(run.Traffic.Connections))
		}
	}
}

// A message that the server emits to a half-open connection is lost in the traffic, and the
// server notices the end of the connection late.
func TestTrafficShowsWhatIsSentIntoAHalfOpenConnection(t *testing.T) {
	config := forStep7
	config.Traffic = true
	run := play(t, step(t, "7"), config, plan.Plan{
		Clients: clients(plan.Page, nil, "alice", "bob"),
		Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.HalfOpen, Client: "bob"}},
			{Do: plan.Send, Client: "alice", Text: "into the void"},
			{Do: plan.AwaitConnected},
			{Do: plan.AwaitShown, Client: "bob", Text: "into the void"},
			{Do: plan.Wait, For: plan.Duration(60e9)},
		},
	})
	if run.Err != nil {
		t.Fatal(run.Err)
	}
	has := func(client string, direction plan.Direction, lost bool) (n int) {
		for _, f := range run.Traffic.Frames {
			if f.Client == client && f.Direction == direction && f.Lost == lost && f.Type == "text" && strings.Contains(f.Text, `"into the void`) {
				n++
			}
		}
		return n
	}
	if up, lost, got := has("alice", plan.Up, false), has("bob", plan.Down, true), has("bob", plan.Down, false); up != 1 || lost != 1 || got != 1 {
		t.Errorf("the message went up %d times, was lost %d times and arrived %d times", up, lost, got)
	}
	late := false
	for _, c := range run.Traffic.Connections {
		if c.Opened <= 0 {
			t.Errorf("opened at no time: %+v", c)
		}
		late = late || c.Client == "bob" && c.Ended > 0 && c.Noticed > c.Ended+plan.Duration(15e9)
	}
	if !late {
		t.Errorf("the server notices the half-open connection at once, or never: %+v", run.Traffic.Connections)
	}
}

func BenchmarkTraffic(b *testing.B) {
	for name, on := range map[string]bool{"off": false, "on": true} {
		b.Run(name, func(b *testing.B) {
			config := forStep7
			config.Traffic = on
			for b.Loop() {
				if run := lab.Virtual.Play(b.Context(), lab.InProcess(step(b, "7")), config, everything(7, plan.Wire)); run.Err != nil {
					b.Fatal(run.Err)
				}
			}
		})
	}
}
