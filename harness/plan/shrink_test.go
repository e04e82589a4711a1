package plan

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// plenty is a budget that no test here exhausts.
const plenty = 5000

// A watched predicate checks the plans that Shrink calls it with.
type watched struct {
	t     rapid.TB
	fails func(Plan) bool
	rests bool
	calls map[string]bool
}

func watch(t rapid.TB, start Plan, fails func(Plan) bool) *watched {
	if !fails(start) {
		t.Fatal("the plan to begin with does not fail")
	}
	return &watched{t: t, fails: fails, rests: start.ValidateEnd() == nil, calls: map[string]bool{}}
}

func (w *watched) ask(p Plan) bool {
	if err := p.Validate(); err != nil {
		w.t.Fatalf("asked with an invalid plan: %v", err)
	}
	if err := p.ValidateEnd(); w.rests && err != nil {
		w.t.Fatalf("asked with a plan that does not come to rest: %v", err)
	}
	text, _ := json.Marshal(p)
	if w.calls[string(text)] {
		w.t.Fatalf("asked twice with\n%s", Story(p))
	}
	w.calls[string(text)] = true
	return w.fails(p)
}

// shrunk shrinks twice with a watched predicate, and checks the guarantees that hold for every
// plan.
func shrunk(t rapid.TB, start Plan, budget int, fails func(Plan) bool) Plan {
	before, _ := json.Marshal(start)
	w := watch(t, start, fails)
	small := Shrink(context.Background(), start, w.ask, budget)
	if len(w.calls) > max(0, budget) {
		t.Fatalf("%d calls of at most %d", len(w.calls), budget)
	}
	if !fails(small) || small.Validate() != nil {
		t.Fatalf("what is left does not fail, or is not valid:\n%s", Story(small))
	}
	if after, _ := json.Marshal(start); string(after) != string(before) {
		t.Fatal("the plan given was changed")
	}
	if again := Shrink(context.Background(), start, fails, budget); Story(again) != Story(small) || key(again) != key(small) {
		t.Fatalf("shrunk to\n%s and then to\n%s", Story(small), Story(again))
	}
	return small
}

// cutBeforeEvenFrame holds if bob's connection is cut before an even frame, and alice sends a
// message after bob has opened his page.
func cutBeforeEvenFrame(p Plan) bool {
	cut := slices.ContainsFunc(p.Faults, func(f Fault) bool {
		return f.Kind == Cut && f.Client == "bob" && !f.At.After && f.At.Number > 0 && f.At.Number%2 == 0
	})
	bob := slices.IndexFunc(p.Script, func(s Step) bool { return s.Do == Open && s.Client == "bob" })
	return cut && bob >= 0 && slices.ContainsFunc(p.Script[bob:], func(s Step) bool { return s.Do == Send && s.Client == "alice" })
}

func TestShrinkReachesTheKnownMinimum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		start := RandomScript(seed, ScriptConfig{Pages: rapid.IntRange(2, 6).Draw(t, "pages"), Wires: 2})
		start = Random(start, seed, false)
		start.Faults = append(start.Faults, Fault{Kind: Cut, Client: "bob",
			At: Frame{Direction: Down, Number: 2 * rapid.IntRange(1, 40).Draw(t, "half the frame")}})
		start.Script = append(start.Script, Step{Do: Send, Client: "alice", Text: "at last", Count: 5}, Step{Do: Barrier})

		small := shrunk(t, start, plenty, cutBeforeEvenFrame)
		if len(small.Clients) != 2 || len(small.Faults) != 1 || small.Faults[0].At.Number != 2 || len(small.Script) != 3 {
			t.Fatalf("not the least that fails:\n%s", Story(small))
		}
		for _, step := range small.Script {
			if step.Count > 1 {
				t.Fatalf("one message would do:\n%s", Story(small))
			}
		}
	})
}

// TestShrinkKeepsWhatIsNeeded draws some faults and texts that a plan needs in order to fail:
// exactly these have to remain.
func TestShrinkKeepsWhatIsNeeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		start := RandomScript(seed, threeRandom)
		start = Random(Random(start, seed, false), seed+1, false).WithFaultIDs()
		needed := map[string]bool{}
		for _, part := range partsOf(start) {
			if rapid.IntRange(0, 4).Draw(t, "needed") == 0 {
				needed[part] = true
			}
		}
		fails := func(p Plan) bool {
			there := partsOf(p)
			for part := range maps.Keys(needed) {
				if !slices.Contains(there, part) {
					return false
				}
			}
			return true
		}
		budget := rapid.SampledFrom([]int{-1, 0, 1, 7, 60, plenty}).Draw(t, "budget")
		small := shrunk(t, start, budget, fails)
		if left := partsOf(small); budget == plenty && len(left) != len(needed) {
			t.Fatalf("needed %v, left %v:\n%s", slices.Sorted(maps.Keys(needed)), left, Story(small))
		}
	})
}

// partsOf names the armed faults and the messages of a plan.
func partsOf(p Plan) []string {
	var parts []string
	for _, f := range p.Faults {
		parts = append(parts, f.ID)
	}
	for _, step := range p.Script {
		if step.Do == Send {
			parts = append(parts, step.Text)
		}
	}
	return parts
}

// total adds up the function worth over all steps.
func total(p Plan, worth func(Step) int) int {
	sum := 0
	for _, step := range p.Script {
		sum += worth(step)
	}
	return sum
}

func sentBy(s Step) int {
	if s.Do == Send {
		return max(1, s.Count)
	}
	return 0
}

func seconds(n float64) Duration { return Duration(n * float64(time.Second)) }

func TestShrinkTable(t *testing.T) {
	brk := func(f Fault) Step { return Step{Do: Break, Fault: &f} }
	meet := []Step{
		{Do: Open, Client: "alice"}, {Do: Open, Client: "bob"}, {Do: Open, Client: "carol"}, {Do: AwaitConnected},
	}
	with := func(steps ...Step) Plan { return Plan{Clients: threeClients, Script: slices.Concat(meet, steps)} }
	for _, c := range []struct {
		name  string
		start Plan
		fails func(Plan) bool
		want  string
	}{
		{"everything fails", with(Step{Do: Barrier}), func(Plan) bool { return true }, "Nobody takes part.\n"},
		{
			"the fewest messages, and the await for the last follows",
			with(Step{Do: Send, Client: "alice", Text: "hi", Count: 90}, Step{Do: AwaitShown, Client: "alice", Text: "hi 90"}),
			func(p Plan) bool {
				return total(p, sentBy) >= 17 && slices.ContainsFunc(p.Script, func(s Step) bool { return s.Do == AwaitShown })
			},
			"alice is a page.\n1. alice opens the page.\n" +
				"2. alice sends 17 messages, \"hi 1\" to \"hi 17\".\n3. wait until alice sees \"hi 17\".\n",
		},
		{
			"an outage goes with its heal and its awaits",
			with(brk(Fault{Kind: Outage, Client: "bob"}), Step{Do: AwaitDisconnected, Client: "bob"},
				Step{Do: Send, Client: "alice", Text: "hi"},
				brk(Fault{Kind: Heal, Client: "bob"}), Step{Do: AwaitConnected, Client: "bob"}),
			func(p Plan) bool { return total(p, sentBy) > 0 },
			"alice is a page.\n1. alice opens the page.\n2. alice sends \"hi\".\n",
		},
		{
			"a locked database goes with its unlocking",
			with(Step{Do: LockDatabase}, Step{Do: Send, Client: "alice", Text: "hi"}, Step{Do: UnlockDatabase}),
			func(p Plan) bool { return total(p, sentBy) > 0 },
			"alice is a page.\n1. alice opens the page.\n2. alice sends \"hi\".\n",
		},
		{
			"an outage that is needed keeps its heal",
			with(brk(Fault{Kind: Outage, Client: "bob"}), Step{Do: AwaitDisconnected, Client: "bob"},
				Step{Do: Send, Client: "alice", Text: "hi"},
				brk(Fault{Kind: Heal, Client: "bob"}), Step{Do: AwaitConnected, Client: "bob"}),
			func(p Plan) bool {
				return slices.ContainsFunc(p.Script, func(s Step) bool { return s.Fault != nil && s.Fault.Kind == Outage })
			},
			"bob is a page.\n1. bob's link is out until it is healed.\n2. bob's link is healed.\n",
		},
		{
			"a restart and background sending go whole",
			with(Step{Do: StartSending, Client: "carol", Text: "c", Every: seconds(.01)}, Step{Do: AwaitShown, Client: "bob", Text: "c 4"},
				Step{Do: KillServer}, Step{Do: AwaitDisconnected}, Step{Do: StartServer}, Step{Do: AwaitConnected},
				Step{Do: Refresh, Client: "bob"}, Step{Do: StopSending, Client: "carol"}),
			func(p Plan) bool {
				return slices.ContainsFunc(p.Script, func(s Step) bool { return s.Do == Refresh })
			},
			"bob is a page.\n1. bob opens the page.\n2. bob refreshes the page.\n",
		},
		{
			"background sending becomes messages",
			with(Step{Do: StartSending, Client: "alice", Text: "c", Every: seconds(.01)}, Step{Do: AwaitShown, Client: "alice", Text: "c 40"},
				Step{Do: StopSending, Client: "alice"},
				Step{Do: StartSending, Client: "alice", Text: "d", Every: seconds(.01)}, Step{Do: StopSending, Client: "alice"}),
			func(p Plan) bool {
				talks := slices.ContainsFunc(p.Script, func(s Step) bool { return s.Do == StartSending && s.Text == "c" })
				return (talks || total(p, sentBy) >= 3) && slices.ContainsFunc(p.Script, func(s Step) bool { return s.Do == AwaitShown })
			},
			"alice is a page.\n1. alice opens the page.\n" +
				"2. alice sends 3 messages, \"c 1\" to \"c 3\".\n3. wait until alice sees \"c 3\".\n",
		},
		{
			"times become round figures",
			with(Step{Do: Wait, For: seconds(61)}, brk(Fault{Kind: Silence, Client: "bob", For: seconds(4.2)})),
			func(p Plan) bool {
				return total(p, func(s Step) int { return int(s.For) }) >= int(seconds(1.3)) &&
					slices.ContainsFunc(p.Script, func(s Step) bool { return s.Fault != nil && s.Fault.For > seconds(.07) })
			},
			"bob is a page.\n1. 2s pass.\n2. bob's link goes silent for 100ms.\n",
		},
		{
			"an awaited fault goes with its await, and a crash with the client at whose frame it waits",
			Plan{Clients: threeClients, Faults: []Fault{{Kind: Crash, At: Frame{Client: "carol"}}, {Kind: Cut, Client: "bob"}},
				Script: slices.Concat(meet, []Step{
					{Do: Arm, Fault: &Fault{ID: "mine", Kind: Delay, Client: "bob", Delay: seconds(.3), For: seconds(7),
						At: Frame{Number: 30, Connection: 4}}},
					{Do: AwaitFault, Text: "f2"}, {Do: AwaitFault, Text: "mine"}, {Do: AwaitFault, Text: "f1"}})},
			func(p Plan) bool {
				return slices.ContainsFunc(p.Script, func(s Step) bool {
					return s.Do == Arm && s.Fault.At.Number >= 12 && s.Fault.At.Connection >= 2 && s.Fault.Delay > 0
				})
			},
			"bob is a page.\n" +
				"1. from here on: bob's link delays every frame by 1ms for 1ms before the 12th frame up of connection 2.\n",
		},
		{
			"both faults are needed",
			Plan{Clients: threeClients, Script: meet, Faults: []Fault{
				{Kind: Cut, Client: "bob"}, {Kind: Reset, Client: "alice", At: Frame{Number: 9}}, {Kind: Switch, Client: "alice"},
				{Kind: HalfOpen, Client: "bob", At: Frame{Direction: Down, Number: 100, After: true}}, {Kind: Cut, Client: "carol"}}},
			func(p Plan) bool {
				kinds := map[FaultKind]bool{}
				for _, f := range p.Faults {
					kinds[f.Kind] = true
				}
				return kinds[Reset] && kinds[HalfOpen]
			},
			"alice and bob are pages.\nArmed: alice's link is reset before the 1st frame up.\n" +
				"Armed: bob's link is left half-open (the server does not notice) after the 1st frame down.\n",
		},
		{
			"a step and the await for it go at once, where either alone would not do",
			with(Step{Do: Send, Client: "bob", Text: "x"}, Step{Do: Wait, For: seconds(.001)}, Step{Do: AwaitShown, Client: "bob", Text: "x"},
				brk(Fault{Kind: Outage, Client: "bob"}), Step{Do: Wait, For: seconds(.001)}, Step{Do: AwaitDisconnected, Client: "bob"},
				Step{Do: Refresh, Client: "alice"}, brk(Fault{Kind: Heal, Client: "bob"}), Step{Do: Refresh, Client: "bob"}),
			func(p Plan) bool {
				n := map[Action]int{}
				for _, s := range p.Script {
					n[s.Do]++
				}
				return n[Wait] == 2 && n[Refresh] == 2 && n[Send] == n[AwaitShown] && n[AwaitDisconnected]*2 == n[Break]
			},
			"alice and bob are pages.\n1. alice opens the page.\n2. bob opens the page.\n3. 1ms pass.\n4. 1ms pass.\n" +
				"5. alice refreshes the page.\n6. bob refreshes the page.\n",
		},
		{
			"a low frame number is found where halving would jump over it",
			Plan{Clients: threeClients, Faults: []Fault{{Kind: Cut, Client: "bob", At: Frame{Number: 40}}}},
			func(p Plan) bool {
				return len(p.Faults) > 0 && (p.Faults[0].At.Number == 3 || p.Faults[0].At.Number == 40)
			},
			"bob is a page.\nArmed: bob's link is cut before the 3rd frame up.\n",
		},
		{
			"a plan that never rests is shrunk too",
			with(brk(Fault{Kind: Outage, Client: "bob"}), Step{Do: Send, Client: "bob", Text: "hi"}),
			func(p Plan) bool {
				return slices.ContainsFunc(p.Script, func(s Step) bool { return s.Fault != nil })
			},
			"bob is a page.\n1. bob's link is out until it is healed.\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if small := shrunk(t, c.start, plenty, c.fails); Story(small) != c.want {
				t.Errorf("shrunk to\n%swant\n%s", Story(small), c.want)
			}
		})
	}
}

func TestShrinkStopsWithItsContext(t *testing.T) {
	start := RandomScript(1, threeRandom)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	small := Shrink(ctx, start, func(Plan) bool {
		if calls++; calls == 3 {
			cancel()
			return true // the result may be due to ctx, so it must not count
		}
		return false
	}, plenty)
	if calls != 3 {
		t.Errorf("%d calls, want 3", calls)
	}
	if Story(small) != Story(start) {
		t.Errorf("what failed after the end was taken:\n%s", Story(small))
	}
}

// BenchmarkShrink measures the cost of a search without its runs, and reports the number of
// runs.
func BenchmarkShrink(b *testing.B) {
	start := Random(RandomScript(7, ScriptConfig{Pages: 3}), 7, false)
	start.Faults = append(start.Faults, Fault{Kind: Cut, Client: "bob", At: Frame{Number: 40}})
	start.Script = append(start.Script, Step{Do: Send, Client: "alice", Text: "at last"})
	calls := 0
	for b.Loop() {
		Shrink(b.Context(), start, func(p Plan) bool { calls++; return cutBeforeEvenFrame(p) }, plenty)
	}
	b.ReportMetric(float64(calls)/float64(b.N), "runs/op")
}
