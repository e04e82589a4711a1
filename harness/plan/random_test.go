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

// threeRandom has the clients of most random scripts in the tests.
var threeRandom = ScriptConfig{Pages: 2, Wires: 1}

func TestRandomFaultsAreValidAndHeal(t *testing.T) {
	base := Plan{Clients: threeClients, Script: []Step{{Do: Open, Client: "bob"}}}
	rapid.Check(t, func(t *rapid.T) {
		keepPages := rapid.Bool().Draw(t, "keep pages")
		seed := rapid.Uint64().Draw(t, "seed")
		p := Random(base, seed, keepPages)
		if err := p.ValidateEnd(); err != nil {
			t.Fatal(err)
		}
		if again := Random(base, seed, keepPages); !reflect.DeepEqual(p, again) {
			t.Fatalf("the seed gave %v and then %v", p, again)
		}
		if p.Seed != seed || len(base.Faults) != 0 {
			t.Fatalf("seed %d of %d; the plan given has %d faults", p.Seed, seed, len(base.Faults))
		}
		if len(p.Faults) < 1 || len(p.Faults) > mostFaults {
			t.Fatalf("%d faults", len(p.Faults))
		}
		for _, f := range p.Faults {
			if keepPages && f.Kind == RefreshPage {
				t.Fatal("a page is refreshed, against keepPages")
			}
			if f.Kind.Lasts() && (f.For < Duration(time.Millisecond) || f.For > longestFault) {
				t.Fatalf("%s lasts %v", f.Kind, time.Duration(f.For))
			}
			if f.At.Client == "" && f.Client == "" || f.At.Connection != 0 || f.At.Number < 1 || f.At.Number > lastFrame {
				t.Fatalf("%s waits at %+v", f.Kind, f.At)
			}
		}
	})
}

func TestRandomSeedsDiffer(t *testing.T) {
	faults, scripts := map[string]bool{}, map[string]bool{}
	for seed := range uint64(300) {
		text, _ := json.Marshal(Random(Plan{Clients: threeClients}, seed, false).Faults)
		faults[string(text)] = true
		text, _ = json.Marshal(RandomScript(seed, threeRandom).Script)
		scripts[string(text)] = true
	}
	// Two plans of a single fault may be equal; two whole scripts are too long to be equal by
	// chance.
	if len(faults) < 295 || len(scripts) != 300 {
		t.Errorf("300 seeds gave %d lists of faults and %d scripts", len(faults), len(scripts))
	}
}

func TestRandomDrawsEveryKindWithAWeight(t *testing.T) {
	drawn := map[FaultKind]bool{}
	for seed := range uint64(1000) {
		for _, f := range Random(Plan{Clients: threeClients}, seed, false).Faults {
			drawn[f.Kind] = true
		}
	}
	for _, r := range faultKinds {
		if drawn[r.kind] != (r.weight > 0) {
			t.Errorf("%s has the weight %d; drawn: %v", r.kind, r.weight, drawn[r.kind])
		}
	}
}

func TestRandomScriptsPassValidateEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := ScriptConfig{
			Pages:     rapid.IntRange(0, 12).Draw(t, "pages"),
			Retries:   rapid.Bool().Draw(t, "retries"),
			KeepPages: rapid.Bool().Draw(t, "keep pages"),
		}
		config.Wires = rapid.IntRange(max(0, 1-config.Pages), 4).Draw(t, "wires")
		seed := rapid.Uint64().Draw(t, "seed")
		p := RandomScript(seed, config)
		if err := p.ValidateEnd(); err != nil {
			t.Fatalf("%v\n%s", err, Story(p))
		}
		if !reflect.DeepEqual(p, RandomScript(seed, config)) {
			t.Fatal("the same seed gave another script")
		}
		keepsItsPromises(t, p)
		if config.KeepPages && slices.ContainsFunc(p.Script, func(s Step) bool { return s.Do == Refresh }) {
			t.Fatal("a page is loaded again, against the config")
		}
	})
}

// keepsItsPromises checks the guarantees of RandomScript's doc independently of ValidateEnd.
func keepsItsPromises(t *rapid.T, p Plan) {
	opened, texts := map[string]bool{}, map[string]bool{}
	var server []Action
	for _, step := range p.Script {
		switch step.Do {
		case Open:
			opened[step.Client] = true
		case Send, StartSending:
			if texts[step.Text] {
				t.Fatalf("%q is sent twice", step.Text)
			}
			texts[step.Text] = true
		case StopServer, KillServer, StartServer:
			server = append(server, step.Do)
		case Break:
			if f := step.Fault; f.Kind.Lasts() && f.For == 0 && f.Kind != Outage {
				t.Fatalf("%s does not heal", f.Kind)
			}
		}
	}
	if len(opened) != len(p.Clients) {
		t.Fatalf("%d of %d clients were opened", len(opened), len(p.Clients))
	}
	if len(server)%2 != 0 {
		t.Fatalf("the server is not started again: %v", server)
	}
	if end := p.Script[len(p.Script)-2:]; end[0].Do != AwaitConnected || end[0].Client != "" || end[1].Do != Barrier {
		t.Fatalf("ends with %v", end)
	}
}

func TestRandomScriptsDoEverything(t *testing.T) {
	done, kinds := map[Action]bool{}, map[FaultKind]bool{}
	for seed := range uint64(50) {
		for _, step := range RandomScript(seed, threeRandom).Script {
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
		want   string // empty if there is no error
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
		{bob(StartSending), "bob still sends"},
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
		{append(bob(), Step{Do: AwaitFault, Text: "f1"}, brk(Cut)), "which is not there"},
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
