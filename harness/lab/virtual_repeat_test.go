package lab_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/lab/race"
	"redial/harness/plan"
	"redial/harness/seam"
	"redial/steps/lessons"
)

// The same plan gives the same events at the same times, and the same frames, independently of
// the order in which goroutines are scheduled.
func TestVirtualIsRepeatable(t *testing.T) {
	runs := *repeats
	if testing.Short() || race.Enabled {
		runs = 4
	}
	websocket, polling, upgrade := []string(nil), []string{"polling"}, []string{"polling", "websocket"}
	for _, c := range []struct {
		name       string
		step       string
		kind       plan.Kind
		transports []string
		runs       int
	}{
		{"pages", "7", plan.Page, websocket, runs},
		{"pages that poll", "7", plan.Page, polling, runs / 4},
		{"pages that upgrade", "7", plan.Page, upgrade, runs / 4},
		{"wire", "7", plan.Wire, websocket, 2 * runs},
		{"wire that polls", "7", plan.Wire, polling, runs},
		{"the library's own recovery", "6", plan.Page, websocket, runs / 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			if race.Enabled && len(c.transports) > 0 {
				t.Skip("the library races with itself where a client polls")
			}
			config := forStep7
			config.KeepsLog, config.OwnRecovery = c.step == "7", c.step == "7"
			config.Level = contract.ClientDelivery
			p := everything(7, c.kind, c.transports...)
			first := play(t, step(t, c.step), config, p)
			if first.Err != nil {
				t.Fatal(first.Err)
			}
			if v := check.Judge(first.Events); v.FaultsFired != v.FaultsPlanned {
				t.Errorf("%d of %d faults fired: %s", v.FaultsFired, v.FaultsPlanned, v.Reason)
			}
			want := story(t, first)
			for again := range parallel(c.runs, func(int) lab.Run { return play(t, step(t, c.step), config, p) }) {
				if got := story(t, again); !bytes.Equal(got, want) {
					t.Fatalf("the same plan gave another run:\n%s", difference(want, got))
				}
			}
		})
	}
}

// Different seeds give different runs. Without this check, TestVirtualIsRepeatable would pass
// for a lab that ignores the seed and the time.
func TestVirtualSeedsDiffer(t *testing.T) {
	stories := map[string]bool{}
	for seed := range uint64(5) {
		p := everything(0, plan.Wire)
		p.Faults = nil
		run := play(t, step(t, "7"), forStep7, withSeed(p, seed))
		var times strings.Builder
		for _, e := range run.Events {
			fmt.Fprintln(&times, e.At, e.Kind, e.Client)
		}
		stories[times.String()] = true
	}
	if len(stories) != 5 {
		t.Errorf("5 seeds gave %d runs", len(stories))
	}
}

func withSeed(p plan.Plan, seed uint64) plan.Plan {
	p.Seed = seed
	return p
}

// parallel yields the results of n calls, of which a few run at the same time.
func parallel[R any](n int, call func(i int) R) func(yield func(R) bool) {
	return func(yield func(R) bool) {
		results := make(chan R)
		slots := make(chan struct{}, runtime.GOMAXPROCS(0)+1)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				slots <- struct{}{}
				r := call(i)
				<-slots
				results <- r
			})
		}
		go func() { all.Wait(); close(results) }()
		going := true
		for r := range results {
			going = going && yield(r)
		}
	}
}

// story returns the part of a run that has to be the same in every repetition.
func story(t *testing.T, run lab.Run) []byte {
	t.Helper()
	var text bytes.Buffer
	if run.Err != nil {
		fmt.Fprintln(&text, run.Err)
	}
	if err := history.Write(&text, run.Events); err != nil {
		t.Fatal(err)
	}
	for _, f := range run.Frames {
		fmt.Fprintln(&text, f)
	}
	return text.Bytes()
}

func difference(want, got []byte) string {
	a, b := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\nfirst: %.200s\nthen:  %.200s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines, then %d", len(a), len(b))
}

// A server with pauses at its seams is repeatable too, although the library closes its sockets
// one by one in unspecified order.
func TestVirtualStopIsRepeatable(t *testing.T) {
	lesson, err := lessons.Find("7")
	if err != nil {
		t.Fatal(err)
	}
	server := func(dir string) (http.Handler, io.Closer, error) {
		return lessons.Handler(lesson, lessons.Settings{DataDir: dir, Driver: seam.Driver, Options: seam.At(dir).Options()})
	}
	p := plan.Plan{
		Seams: plan.Duration(20 * time.Millisecond), Clients: clients(plan.Wire, nil, "alice", "bob", "carol", "dave"),
		Script: []plan.Step{
			{Do: plan.Open, Client: "alice"}, {Do: plan.Open, Client: "bob"}, {Do: plan.Open, Client: "carol"}, {Do: plan.Open, Client: "dave"},
			{Do: plan.AwaitConnected},
			{Do: plan.Send, Client: "alice", Text: "hello", Count: 3}, {Do: plan.Send, Client: "bob", Text: "hello to you", Count: 3},
			{Do: plan.AwaitShown, Client: "dave", Text: "hello 1"}, {Do: plan.StopServer}, {Do: plan.StartServer},
		},
	}
	for p.Seed = range uint64(6) {
		first := play(t, server, forStep7, p)
		if first.Err != nil {
			t.Fatal(first.Err)
		}
		want := story(t, first)
		for again := range parallel(8, func(int) lab.Run { return play(t, server, forStep7, p) }) {
			if got := story(t, again); !bytes.Equal(got, want) {
				t.Fatalf("the same plan gave another run:\n%s", difference(want, got))
			}
		}
	}
}
