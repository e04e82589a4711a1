package plan

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func anyRandomConfig(t *rapid.T) RandomConfig {
	config := RandomConfig{
		Least:     rapid.IntRange(0, 5).Draw(t, "least"),
		Most:      rapid.IntRange(0, 20).Draw(t, "most"),
		LastFrame: rapid.IntRange(0, 50).Draw(t, "last frame"),
		Longest:   Duration(rapid.IntRange(0, 100_000).Draw(t, "longest, ms")) * Duration(time.Millisecond),
	}
	if rapid.Bool().Draw(t, "passed") {
		config.Frames = passedFrames("alice", "bob", "reader").Draw(t, "frames")
	}
	if rapid.Bool().Draw(t, "weighted") {
		config.Weights = map[FaultKind]int{Limit: 3, Delay: 2, Silence: 1, Outage: 2, Cut: 0, Crash: rapid.IntRange(0, 3).Draw(t, "crash")}
	}
	return config
}

func TestRandomFaultsAreValidAndHeal(t *testing.T) {
	base := Plan{Clients: threeClients, Script: []Step{{Do: Open, Client: "bob"}}}
	rapid.Check(t, func(t *rapid.T) {
		config := anyRandomConfig(t)
		seed := rapid.Uint64().Draw(t, "seed")
		p := Random(base, seed, config)
		if err := p.ValidateEnd(); err != nil {
			t.Fatal(err)
		}
		if again := Random(base, seed, config); !reflect.DeepEqual(p, again) {
			t.Fatalf("the seed gave %v and then %v", p, again)
		}
		if p.Seed != seed || len(base.Faults) != 0 {
			t.Fatalf("seed %d of %d; the plan given has %d faults", p.Seed, seed, len(base.Faults))
		}
		if len(config.Frames) > 0 && ofClients(config.Frames, "alice", "bob") == 0 {
			if len(p.Faults) != 0 {
				t.Fatalf("no frame of a client of the plan, and yet %s", p.Name())
			}
			return
		}
		least := max(1, config.Least)
		most := max(least, config.Most)
		if config.Most == 0 {
			most = least + 4
		}
		if len(p.Faults) < least || len(p.Faults) > most {
			t.Fatalf("%d faults, want %d to %d", len(p.Faults), least, most)
		}
		for _, f := range p.Faults {
			aimedWell(t, config, f)
		}
	})
}

// aimedWell checks one random fault against what it was drawn from.
func aimedWell(t *rapid.T, config RandomConfig, f Fault) {
	config = config.withDefaults()
	if config.Weights[f.Kind] == 0 {
		t.Fatalf("%s has no weight", f.Kind)
	}
	if f.Kind.Lasts() && (f.For < Duration(time.Millisecond) || f.For > max(config.Longest, Duration(time.Millisecond))) {
		t.Fatalf("%s lasts %v of at most %v", f.Kind, time.Duration(f.For), time.Duration(config.Longest))
	}
	on := f.At.Client
	if on == "" {
		on = f.Client
	}
	if on == "" || f.At.Connection != 0 {
		t.Fatalf("%s waits at %+v", f.Kind, f.At)
	}
	most := config.LastFrame
	if len(config.Frames) > 0 {
		most = 0
		for _, passed := range config.Frames {
			if passed.Client == on && passed.Direction == f.At.Direction {
				most++
			}
		}
	}
	if f.At.Number < 1 || f.At.Number > most {
		t.Fatalf("%s, where there are %d frames", f.Name(), most)
	}
}

func TestRandomSeedsDiffer(t *testing.T) {
	faults, scripts := map[string]bool{}, map[string]bool{}
	for seed := range uint64(300) {
		text, _ := json.Marshal(Random(Plan{Clients: threeClients}, seed, RandomConfig{}).Faults)
		faults[string(text)] = true
		text, _ = json.Marshal(RandomScript(seed, ScriptConfig{}).Script)
		scripts[string(text)] = true
	}
	// Two plans of a single fault may be alike; scripts are too long for that.
	if len(faults) < 295 || len(scripts) != 300 {
		t.Errorf("300 seeds gave %d lists of faults and %d scripts", len(faults), len(scripts))
	}
}

func TestRandomWeights(t *testing.T) {
	const draws = 3000
	count := map[FaultKind]int{}
	config := RandomConfig{Least: draws, Most: draws, Weights: map[FaultKind]int{Cut: 1, Crash: 3, Switch: 0}}
	for _, f := range Random(Plan{Clients: threeClients}, 1, config).Faults {
		count[f.Kind]++
	}
	if share := float64(count[Crash]) / draws; share < 0.7 || share > 0.8 || count[Cut]+count[Crash] != draws {
		t.Errorf("with weights 1 and 3 came %v", count)
	}
	everything := map[FaultKind]bool{}
	for _, f := range Random(Plan{Clients: threeClients}, 1, RandomConfig{Least: draws, Most: draws}).Faults {
		everything[f.Kind] = true
	}
	if len(everything) != len(DefaultWeights()) {
		t.Errorf("the default weights gave only %v", everything)
	}
}

func TestRandomWithNobody(t *testing.T) {
	if p := Random(Plan{}, 1, RandomConfig{}); len(p.Faults) != 0 {
		t.Errorf("nobody's link breaks: %v", p.Faults)
	}
}

func TestRandomPanicsOnMistakes(t *testing.T) {
	for name, weights := range map[string]map[FaultKind]int{
		"heal": {Heal: 1}, "unknown": {"flood": 1}, "negative": {Cut: -1}, "nothing": {}, "all zero": {Cut: 0},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			Random(Plan{Clients: threeClients}, 1, RandomConfig{Weights: weights})
		})
	}
}

func TestRandomScriptsComeToRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := ScriptConfig{
			Pages:      rapid.IntRange(0, 12).Draw(t, "pages"),
			Wires:      rapid.IntRange(0, 4).Draw(t, "wires"),
			Moves:      rapid.IntRange(0, 60).Draw(t, "moves"),
			KeepServer: rapid.Bool().Draw(t, "keep server"),
			Retries:    rapid.Bool().Draw(t, "retries"),
			KeepPages:  rapid.Bool().Draw(t, "keep pages"),
		}
		if rapid.Bool().Draw(t, "any transport") {
			config.Transports = [][]string{{"polling"}, {"polling", "websocket"}, nil}
		}
		seed := rapid.Uint64().Draw(t, "seed")
		p := RandomScript(seed, config)
		if err := p.ValidateEnd(); err != nil {
			t.Fatalf("%v\n%s", err, Story(p))
		}
		if !reflect.DeepEqual(p, RandomScript(seed, config)) {
			t.Fatal("the same seed gave another script")
		}
		if len(p.Script) > 20*(max(config.Moves, 12)+16) {
			t.Fatalf("%d steps for %d moves", len(p.Script), config.Moves)
		}
		inOrder(t, p, config)
		if config.KeepPages && slices.ContainsFunc(p.Script, func(s Step) bool { return s.Do == Refresh }) {
			t.Fatal("a page is loaded again, against the config")
		}
	})
}

// inOrder checks by itself, not by ValidateEnd, what RandomScript promises.
func inOrder(t *rapid.T, p Plan, config ScriptConfig) {
	opened, texts := map[string]bool{}, map[string]bool{}
	var off []Action
	for _, step := range p.Script {
		switch step.Do {
		case Open:
			opened[step.Client] = true
		case Send, StartSending:
			if texts[step.Text] {
				t.Fatalf("%q is said twice", step.Text)
			}
			texts[step.Text] = true
		case StopServer, KillServer, StartServer:
			off = append(off, step.Do)
		case Break:
			if f := step.Fault; f.Kind.Lasts() && f.For == 0 && f.Kind != Outage {
				t.Fatalf("%s does not heal", f.Kind)
			}
		}
	}
	if len(opened) != len(p.Clients) {
		t.Fatalf("%d of %d clients were opened", len(opened), len(p.Clients))
	}
	if len(off)%2 != 0 || config.KeepServer && len(off) > 0 {
		t.Fatalf("the server is treated like this: %v", off)
	}
	if end := p.Script[len(p.Script)-2:]; end[0].Do != AwaitConnected || end[0].Client != "" || end[1].Do != Barrier {
		t.Fatalf("ends with %v", end)
	}
}

func TestRandomScriptsDoEverything(t *testing.T) {
	done, kinds := map[Action]bool{}, map[FaultKind]bool{}
	for seed := range uint64(50) {
		for _, step := range RandomScript(seed, ScriptConfig{}).Script {
			done[step.Do] = true
			if step.Fault != nil {
				kinds[step.Fault.Kind] = true
			}
		}
	}
	for _, action := range []Action{Open, Send, StartSending, StopSending, Refresh, Disconnect, Connect, StopServer, KillServer, StartServer, Wait, Barrier} {
		if !done[action] {
			t.Errorf("50 scripts, and none with %s", action)
		}
	}
	for _, kind := range []FaultKind{Cut, Reset, HalfOpen, Switch, Silence, Outage, Delay, Heal} {
		if !kinds[kind] {
			t.Errorf("50 scripts, and none with %s", kind)
		}
	}
}

func TestValidateEndSaysWhatIsWrong(t *testing.T) {
	brk := func(kind FaultKind) Step { return Step{Do: Break, Fault: &Fault{Kind: kind, Client: "bob"}} }
	bob := func(actions ...Action) []Step {
		steps := []Step{{Do: Open, Client: "bob"}}
		for _, do := range actions {
			step := Step{Do: do, Client: "bob", Text: "x"}
			if do == StopServer || do == StartServer {
				step = Step{Do: do}
			}
			steps = append(steps, step)
		}
		return steps
	}
	for _, c := range []struct {
		script []Step
		want   string // empty: nothing
	}{
		{bob(Send, StartSending, StopSending, Refresh, Disconnect, Send, Connect, Close, Open), ""},
		{bob(StopServer, Send, AwaitDisconnected, StartServer, AwaitConnected), ""},
		{append(bob(), brk(Outage), brk(Heal), brk(Cut)), ""},
		{append(bob(), brk(Silence), brk(Switch), brk(Heal)), ""},
		{bob()[1:], ""},
		{[]Step{{Do: Send, Client: "zoe", Text: "x"}}, "no client of the plan"},
		{bob(Send)[1:], `send by "bob", whose page is not open`},
		{bob(Open), "which is open"},
		{bob(Close, Send), "not open"},
		{bob(StopSending), "does not send in the background"},
		{bob(StartSending, StartSending, StopSending), "still sends"},
		{bob(StartSending, Refresh, StopSending), "still sends"},
		{bob(StartSending), `"bob" still sends`},
		{bob(Disconnect), "stays disconnected"},
		{bob(Disconnect, AwaitConnected, Connect), "cannot be"},
		{append(bob(Disconnect), Step{Do: AwaitConnected}), "not everyone can be"},
		{bob(StopServer), "the server is not up"},
		{bob(StopServer, StopServer, StartServer), "stop-server, and it is so already"},
		{bob(StartServer), "so already"},
		{bob(StopServer, Refresh, StartServer), "cannot reach the server"},
		{append(bob(StopServer), brk(Crash)), "not up"},
		{[]Step{brk(Cut)}, "has no connection"},
		{append(bob(), brk(Outage), brk(Cut), brk(Heal)), "has no connection"},
		{append(bob(), brk(Heal)), "nothing is broken"},
		{append(bob(), brk(Outage)), "is not healed"},
		{append(bob(), brk(Silence), Step{Do: Refresh, Client: "bob"}, brk(Heal)), "cannot reach"},
		{append(bob(), Step{Do: Arm, Fault: &Fault{Kind: Outage, Client: "bob"}}), "is not healed"},
		{append(bob(), Step{Do: AwaitFault, Text: "f9"}), "which is not there"},
		{append(bob(), Step{Do: Arm, Fault: &Fault{Kind: Cut, Client: "bob"}}, Step{Do: AwaitFault, Text: "f1"}), ""},
		{append([]Step{brk(RefreshPage)}, bob()...), "not open"},
		{append(bob(StartSending), Step{Do: Barrier}), "barrier while bob sends"},
		{append(bob(StartSending, StopSending), Step{Do: Barrier}), ""},
	} {
		err := Plan{Clients: threeClients, Script: c.script}.ValidateEnd()
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%v\n%s", err, Story(Plan{Script: c.script}))
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n")):
			t.Errorf("got %v; want one line with %q\n%s", err, c.want, Story(Plan{Script: c.script}))
		}
	}
	forever := Plan{Clients: threeClients, Faults: []Fault{{Kind: Silence, Client: "bob"}}}
	if err := forever.ValidateEnd(); err == nil {
		t.Error("an armed silence without end passed")
	}
	forever.Faults[0].For = 1
	if err := forever.ValidateEnd(); err != nil {
		t.Error(err)
	}
}
