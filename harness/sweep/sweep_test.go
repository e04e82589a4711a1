package sweep_test

import (
	"io"
	"net/http"
	"slices"
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
	for _, level := range contract.Levels {
		pages, wires := 0, 0
		for seed := range uint64(100) {
			p := sweep.RandomPlan(func(seed uint64) plan.Plan { return plan.Plan{Seed: seed} }, seed, level)
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
		if pages < 10 || wires < 200 {
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
		if small := s.Shrink(t.Context(), found.Failures[0], 10); small.Recurred != want {
			t.Errorf("%s: it recurred in %d of %d replays, want %d", name, small.Recurred, sweep.Replays, want)
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
		})
	})
	return handshake.Handler(server), closer(func() { server.Close(nil) }), nil
}

type closer func()

func (c closer) Close() error { c(); return nil }
