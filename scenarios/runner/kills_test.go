package runner_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/scenarios/servers"
)

// `make soak-kills` sets these flags; the defaults only show that the test works.
var (
	kills     = flag.Int("kills", 5, "how often to kill a server of each step in TestKills")
	killSteps = flag.String("kill-steps", "8,9", "the steps whose servers TestKills kills, with commas between")
)

// killsInARun bounds the size of one history.
const killsInARun = 25

// TestKills kills servers (SIGKILL) at random frames, under traffic from 8 wire clients,
// and starts them again: every acknowledged message has to be in every view, and in the
// log, exactly once. Where there are several servers, one of them is killed at a time.
//
// From level client-delivery on the clients send each message again, with its key, until
// it is acknowledged; so by the end all of them are. Below, they send it once, and one
// that was not acknowledged may be there or not.
func TestKills(t *testing.T) {
	for _, step := range strings.Split(*killSteps, ",") {
		t.Run("step "+step, func(t *testing.T) {
			server := stepServer(t, step)
			var sum tally
			began := time.Now()
			for seed := uint64(began.UnixNano()); sum.kills < *kills && !t.Failed(); seed++ {
				p := killPlan(seed, min(killsInARun, *kills-sum.kills), server)
				run := lab.Real.Play(t.Context(), server.Server, servers.ConfigOf(server), p)
				if run.Err != nil {
					t.Errorf("seed %d: %v\n%s", seed, run.Err, run.Output)
				}
				before := sum.kills
				sum.add(run.Events)
				if sum.kills == before {
					t.Fatalf("seed %d: no server was killed", seed)
				}
				if v := check.Judge(run.Events); v.Outcome != check.Pass {
					t.Errorf("seed %d: %s: %s", seed, v.Outcome, v.Reason)
				}
			}
			t.Logf("%d kills in %s: %s", sum.kills, time.Since(began).Round(time.Second), sum)
			if retries(server) && sum.acknowledged != sum.sent {
				t.Errorf("%d of %d messages were acknowledged", sum.acknowledged, sum.sent)
			}
		})
	}
}

// retries tells whether the step's clients send again what is not acknowledged.
func retries(s servers.Server) bool { return s.Level.AtLeast(contract.ClientDelivery) }

// killPlan has eight clients send in the background, and kills a server count times, each time
// at a random frame of one of its clients.
func killPlan(seed uint64, count int, server servers.Server) plan.Plan {
	const clients = 8
	random := rand.New(rand.NewPCG(seed, 0))
	p := plan.Plan{Seed: seed}
	nodes := server.Nodes
	if len(nodes) == 0 {
		nodes = []string{""}
	}
	for n := range clients {
		p.Clients = append(p.Clients, plan.Client{
			Name: fmt.Sprintf("client-%d", n+1), Kind: plan.Wire, Node: nodes[n%len(nodes)],
			ReconnectDelay: plan.Duration(20 * time.Millisecond), Retries: retries(server),
		})
		name := p.Clients[n].Name
		p.Script = append(p.Script, plan.Step{Do: plan.Open, Client: name}, plan.Step{Do: plan.AwaitConnected, Client: name},
			plan.Step{Do: plan.StartSending, Client: name, Text: name + " sends", Every: plan.Duration(80 * time.Millisecond)})
	}
	for n := range count {
		client := p.Clients[random.IntN(clients)]
		at := plan.Frame{Client: client.Name, Direction: plan.Down, Number: 1 + random.IntN(60), After: random.IntN(2) == 0}
		if random.IntN(2) == 0 {
			at.Direction, at.Number = plan.Up, 1+random.IntN(8)
		}
		id := fmt.Sprint("kill ", n+1)
		p.Script = append(p.Script,
			plan.Step{Do: plan.Arm, Fault: &plan.Fault{ID: id, Kind: plan.Crash, Node: client.Node, At: at}},
			plan.Step{Do: plan.AwaitFault, Text: id})
		// A client that sends each message once loses those that it sends before it notices the
		// disconnection. The next kill needs a client that is connected.
		for _, c := range p.Clients {
			if c.Node == client.Node {
				p.Script = append(p.Script, plan.Step{Do: plan.AwaitDisconnected, Client: c.Name})
			}
		}
		p.Script = append(p.Script, plan.Step{Do: plan.AwaitConnected})
	}
	for _, c := range p.Clients {
		p.Script = append(p.Script, plan.Step{Do: plan.StopSending, Client: c.Name})
	}
	return p
}

// A tally counts the events of several histories, without the messages of the log's reader.
type tally struct{ kills, sent, acknowledged, shown, stored, reconnections int }

func (t *tally) add(events []history.Event) {
	readers := map[string]bool{}
	for _, e := range events {
		if e.Kind == history.Sent && e.Client == plan.Reader {
			readers[e.Message] = true
		}
		if readers[e.Message] {
			continue
		}
		switch e.Kind {
		case history.FaultFired:
			t.kills++
		case history.Sent:
			t.sent++
		case history.Acknowledged:
			t.acknowledged++
		case history.Shown:
			t.shown++
		case history.Stored:
			t.stored++
		case history.Disconnected:
			t.reconnections++
		}
	}
}

func (t tally) String() string {
	return fmt.Sprintf("%d messages sent, %d acknowledged, %d stored; %d times shown, over %d lost connections",
		t.sent, t.acknowledged, t.stored, t.shown, t.reconnections)
}
