package sweep_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/sweep"
	"redial/steps/cures/handshake"
)

// Only clients that retry can keep the guarantee of client-delivery, and only pages that of
// durable-delivery over a refresh.
func TestClientsOfRandomPlansCanKeepTheLevel(t *testing.T) {
	story := func(seed uint64) plan.Plan { return plan.Plan{Seed: seed, Clients: []plan.Client{{Name: "alice"}}} }
	for _, level := range contract.Levels {
		pages, wires := 0, 0
		for seed := range uint64(100) {
			p := sweep.RandomPlan(story, seed, level)
			refreshed := map[string]bool{}
			for _, s := range p.Script {
				refreshed[s.Client] = refreshed[s.Client] || s.Do == plan.Refresh
			}
			for _, f := range p.Faults {
				client := f.Client + f.At.Client
				refreshed[client] = refreshed[client] || f.Kind == plan.RefreshPage
			}
			for _, c := range p.Clients {
				if c.Kind != plan.Wire {
					pages++
					continue
				}
				wires++
				if want := level.AtLeast(contract.ClientDelivery); c.Retries != want {
					t.Errorf("%s: %s retries: %v, want %v", level, c.Name, c.Retries, want)
				}
				if level.AtLeast(contract.DurableDelivery) && refreshed[c.Name] {
					t.Errorf("%s: %s, a wire client, is refreshed", level, c.Name)
				}
			}
		}
		if pages < 20 || wires < 200 {
			t.Errorf("%s: of a hundred plans, %d pages and %d wire clients", level, pages, wires)
		}
	}
}

// Shrink also returns a failure that does not recur, with the number of its recurrences.
func TestShrinkCountsRecurrences(t *testing.T) {
	for name, want := range map[string]int{"never again": 0, "always": sweep.Replays} {
		lost := want > 0
		s := sweep.Sweeper{
			Config: lab.Config{Level: contract.Basic, OwnRecovery: true, ShownBound: time.Second},
			Server: lab.InProcess(func(string) (http.Handler, io.Closer, error) { return echo(lost) }),
		}
		p := plan.Plan{Seed: 1, Clients: []plan.Client{{Name: "alice", Kind: plan.Wire}}, Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.AwaitConnected}, {Do: plan.Send, Client: "alice", Text: "hello"},
		}}
		// The failure is found on a server that drops every message; s may have another one.
		found := sweep.Sweeper{Config: s.Config, Server: lab.InProcess(func(string) (http.Handler, io.Closer, error) { return echo(true) })}.
			Play(t.Context(), slices.Values([]plan.Plan{p}))
		if len(found.Failures) != 1 {
			t.Fatalf("%s: %+v", name, found)
		}
		if small := s.Shrink(t.Context(), found.Failures[0], 10); small.Recurred != want || small.Replayed != sweep.Replays {
			t.Errorf("%s: it recurred in %d of %d replays, want %d of %d", name, small.Recurred, small.Replayed, want, sweep.Replays)
		}
	}
}

// When ctx ends, Shrink ends as well: the replays that it has played count, and the history is that
// of the plan.
func TestShrinkEndsWithItsContext(t *testing.T) {
	starts, last := 0, 0
	var end context.CancelFunc
	s := sweep.Sweeper{
		Config: lab.Config{Level: contract.Basic, OwnRecovery: true, ShownBound: time.Second}, Parallel: 1,
		Server: lab.InProcess(func(string) (http.Handler, io.Closer, error) {
			if starts++; starts == last {
				end()
			}
			return echo(true)
		}),
	}
	p := plan.Plan{Seed: 1, Clients: []plan.Client{{Name: "alice", Kind: plan.Wire}}, Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.AwaitConnected}, {Do: plan.Send, Client: "alice", Text: "hello", Count: 20},
	}}
	found := s.Play(t.Context(), slices.Values([]plan.Plan{p}))
	if len(found.Failures) != 1 {
		t.Fatalf("%+v", found)
	}
	shrink := func(budget, ends int) sweep.Failure {
		var ctx context.Context
		ctx, end = context.WithCancel(t.Context())
		if starts, last = 0, ends; ends == 0 {
			end()
		}
		return s.Shrink(ctx, found.Failures[0], budget)
	}
	for _, ends := range []int{0, 3} {
		if small := shrink(0, ends); small.Replayed != ends || small.Recurred != ends || starts != ends {
			t.Errorf("ended in run %d: it recurred in %d of %d replays, in %d runs", ends, small.Recurred, small.Replayed, starts)
		}
	}
	for ends := range 12 {
		small := shrink(10, ends)
		if got, want := small.Plan.Script, small.Events[0].Plan.Script; !slices.Equal(got, want) || starts > ends+1 {
			t.Errorf("ended in run %d of %d: the plan is %+v, and its history is of %+v", ends, starts, got, want)
		}
	}
}

// A sweep may end early. The first quarter of the groups has every kind of fault, reaches the
// end of the story, and what has been played until ctx ends is counted.
func TestSinglesThatEndsEarlyIsSpreadOverTheStory(t *testing.T) {
	planned := 0
	ctx, cancel := context.WithCancel(t.Context())
	s := sweep.Sweeper{
		Config: lab.Config{Level: contract.Basic, ShownBound: time.Second}, Parallel: 1,
		Server: lab.InProcess(func(string) (http.Handler, io.Closer, error) { return echo(false) }),
		Done: func(ended, all, _ int) {
			if planned = all; ended == 4 {
				cancel()
			}
		},
	}
	p := plan.Plan{Seed: 1, Clients: []plan.Client{{Name: "alice", Kind: plan.Wire}}, Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.AwaitConnected}, {Do: plan.Send, Client: "alice", Text: "hello", Count: 9},
	}}
	for _, s.Whole = range []bool{false, true} {
		groups, points, err := s.Groups(p)
		if err != nil || points < len(groups) || len(groups) < 100 {
			t.Fatalf("%d groups of %d points, %v", len(groups), points, err)
		}
		kinds, reached, end := map[plan.FaultKind]bool{}, 0, 0
		for i, group := range groups {
			fault := group[0].Faults[0]
			end = max(end, fault.At.Number)
			if i < len(groups)/4 {
				kinds[fault.Kind] = true
				reached = max(reached, fault.At.Number)
			}
		}
		if len(kinds) != len(plan.Sweep) || reached < end*3/4 {
			t.Errorf("the first %d of %d groups have the kinds %v, and reach frame %d of %d", len(groups)/4, len(groups), kinds, reached, end)
		}
	}
	s.Whole = false
	r, err := s.Singles(ctx, p, 0, 0)
	if err != nil || r.Runs < 4 || r.Runs > 6 || r.StoodFor < r.Runs-1 || r.StoodFor > r.Points/2 || planned < 100 {
		t.Errorf("%v: %d of %d runs, for %d of %d points", err, r.Runs, planned, r.StoodFor, r.Points)
	}
}

// The first groups end the server at an acknowledgement, also where a polling answer carries it,
// behind its first line and other packets.
func TestSweepEndsTheServerAtPollingAcknowledgementsFirst(t *testing.T) {
	server := lab.InProcess(func(string) (http.Handler, io.Closer, error) { return echo(false) })
	config := lab.Config{Level: contract.Basic, ShownBound: time.Second, Traffic: true}
	p := plan.Plan{Seed: 1, Clients: []plan.Client{{Name: "alice", Kind: plan.Wire, Retries: true, Transports: []string{"polling"}}}, Script: []plan.Step{
		{Do: plan.Open, Client: "alice"}, {Do: plan.AwaitConnected}, {Do: plan.Send, Client: "alice", Text: "hello", Count: 3},
	}}
	acknowledges := map[plan.Passed]bool{}
	for _, f := range lab.Virtual.Play(t.Context(), server, config, p).Traffic.Frames {
		if strings.Contains(f.Text, "\n43") || strings.Contains(f.Text, "\x1e43") {
			acknowledges[f.Passed] = true
		}
	}
	groups, _, err := sweep.Sweeper{Server: server, Config: config}.Groups(p)
	if err != nil || len(acknowledges) < 3 {
		t.Fatalf("%d acknowledgements, %v", len(acknowledges), err)
	}
	for i := range len(acknowledges) {
		fault := groups[2*i][0].Faults[0]
		at := plan.Passed{Client: "alice", Connection: fault.At.Connection, Direction: fault.At.Direction, Number: fault.At.Number}
		if !fault.Kind.OnServer() || !acknowledges[at] {
			t.Errorf("group %d is a %s at %+v", 2*i, fault.Kind, at)
		}
	}
}

// echo is a chat that emits each message to all clients, or drops it.
func echo(loses bool) (http.Handler, io.Closer, error) {
	server := socket.NewServer(nil, nil)
	_ = server.On("connection", func(args ...any) {
		_ = args[0].(*socket.Socket).On(contract.ChatEvent, func(args ...any) {
			if !loses {
				_ = server.Sockets().Emit(contract.ChatEvent, args[0])
			}
			if acknowledge, asked := args[len(args)-1].(socket.Ack); asked {
				acknowledge(nil, nil)
			}
		})
	})
	return handshake.Handler(server), closer(func() { server.Close(nil) }), nil
}

type closer func()

func (c closer) Close() error { c(); return nil }
