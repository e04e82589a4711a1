package plan

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDecodeNamesTheError(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no JSON", `{`, "not a plan"},
		{"duration as a number", `{"tuning":{"pingInterval":5}}`, "not a plan"},
		{"duration without a unit", `{"tuning":{"pingInterval":"5"}}`, "a duration is written like 1.5s"},
		{"client without a name", `{"clients":[{}]}`, "has no name"},
		{"two clients of one name", `{"clients":[{"name":"a"},{"name":"a"}]}`, "two clients"},
		{"the reader's name", `{"clients":[{"name":"reader"}]}`, "reserved for the lab"},
		{"unknown kind", `{"clients":[{"name":"a","kind":"ship"}]}`, `unknown kind "ship"`},
		{"a page that retries", `{"clients":[{"name":"a","retries":true}]}`, "only a wire client"},
		{"unknown transport", `{"clients":[{"name":"a","transports":["carrier pigeon"]}]}`, "websocket and polling"},
		{"tab of an unknown client", `{"clients":[{"name":"a","tabOf":"b"},{"name":"b"}]}`, `"a" is a tab of "b", which is no client listed before it`},
		{"suspend of an unknown client", `{"script":[{"do":"suspend","client":"zoe"}]}`, `"zoe", which is no client`},
		{"unknown action", `{"script":[{"do":"dance"}]}`, `step 1: unknown action "dance"`},
		{"unknown client", `{"script":[{"do":"open","client":"zoe"}]}`, `"zoe", which is no client`},
		{"break without a fault", `{"script":[{"do":"break"}]}`, "has no fault"},
		{"unknown fault", `{"faults":[{"kind":"flood"}]}`, `unknown kind "flood"`},
		{"fault on the link of an unknown client", `{"faults":[{"kind":"cut","client":"zoe"}]}`, "no client of the plan"},
		{"frame of an unknown client", `{"clients":[{"name":"a"}],"faults":[{"kind":"crash","at":{"client":"zoe"}}]}`, "waits for a frame of"},
		{"negative frame", `{"clients":[{"name":"a"}],"faults":[{"kind":"cut","client":"a","at":{"number":-1}}]}`, "negative"},
		{"limit of nothing", `{"clients":[{"name":"a"}],"faults":[{"kind":"limit","client":"a"}]}`, "bytesPerSecond"},
		{"idle connections closed at no time", `{"clients":[{"name":"a"}],"faults":[{"kind":"idle-close","client":"a"}]}`, "needs idle"},
		{"a negative ping", `{"tuning":{"pingInterval":"-1s"}}`, "the tuning has a time of -1s"},
		{"a wait of a year", `{"script":[{"do":"wait","for":"8760h"}]}`, "out of bounds"},
		{"sending without end", `{"clients":[{"name":"a"}],"script":[{"do":"start-sending","client":"a","count":1000000000}]}`, "out of bounds"},
		{"a silence of a year", `{"clients":[{"name":"a"}],"faults":[{"kind":"silence","client":"a","for":"8760h"}]}`, "lasts longer than 24h"},
		{"wait for nothing", `{"script":[{"do":"wait"}]}`, "needs a time"},
		{"two faults of one ID", `{"clients":[{"name":"a"}],"faults":[{"id":"f2","kind":"cut","client":"a"},{"id":"f2","kind":"reset","client":"a"}]}`, `two faults have the ID "f2"`},
		{"a crash at a frame of nobody", `{"faults":[{"kind":"crash"}]}`, "names no client whose frame that is"},
		{"a crash armed at a frame of nobody", `{"script":[{"do":"arm","fault":{"kind":"crash"}}]}`, "step 1: crash waits for a frame"},
		{"wait for no fault", `{"faults":[],"script":[{"do":"await-fault","text":"f1"}]}`, `"f1", which is the ID of no fault`},
		{"a background that does not stop", `{"clients":[{"name":"a"}],"script":[{"do":"start-sending","client":"a"}]}`, "it needs stop-sending"},
		{"a laptop that does not wake", `{"clients":[{"name":"a"}],"script":[{"do":"suspend","client":"a"}]}`, "it needs resume"},
		{"a barrier while the database is locked", `{"script":[{"do":"lock-database"},{"do":"barrier"},{"do":"unlock-database"}]}`, "barrier while the database is locked"},
		{"a database that stays locked", `{"script":[{"do":"lock-database"}]}`, "still locked when the script ends"},
		{"a barrier while suspended", `{"clients":[{"name":"a"}],"script":[{"do":"suspend","client":"a"},{"do":"barrier"},{"do":"resume","client":"a"}]}`, "barrier while a is suspended"},
		{"sending while suspended", `{"clients":[{"name":"a"}],"script":[{"do":"suspend","client":"a"},{"do":"send","client":"a","text":"x"}]}`, "resume has to come first"},
		{"a negative delay", `{"clients":[{"name":"a","kind":"wire","reconnectDelay":"-1s"}]}`, "a reconnectDelay of -1s"},
		{"send without a text", `{"clients":[{"name":"a"}],"script":[{"do":"send","client":"a"}]}`, "no text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v; want one line with %q", err, c.want)
			}
		})
	}
}

func TestPlanSurvivesJSON(t *testing.T) {
	p := Plan{
		Scenario: "s", Seed: 1<<64 - 1, Clients: []Client{{Name: "a", Kind: Wire, Transports: []string{"polling"}}},
		Script: []Step{{Do: Break, Fault: &Fault{Kind: Silence, Client: "a", For: Duration(1500 * time.Millisecond)}}},
		Faults: []Fault{{ID: "x", Kind: Cut, Client: "a", At: Frame{Direction: Down, Number: 3, Match: "42", After: true}}},
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"for":"1.5s"`) {
		t.Errorf("a duration should read as text: %s", text)
	}
	back, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := json.Marshal(back)
	if string(again) != string(text) {
		t.Errorf("came back as %s, went as %s", again, text)
	}
}

func TestWithFaultIDsNumbersACopy(t *testing.T) {
	step := &Fault{Kind: Cut, Client: "a"}
	p := Plan{Faults: []Fault{{Kind: Cut}, {ID: "mine", Kind: Reset}}, Script: []Step{{Do: Break, Fault: step}}}
	n := p.WithFaultIDs()
	if got := n.Faults[0].ID + n.Faults[1].ID + n.Script[0].Fault.ID; got != "f1minef3" {
		t.Errorf("IDs are %q", got)
	}
	if step.ID != "" || p.Faults[0].ID != "" {
		t.Error("the plan that was given has been changed")
	}
}

// An ID that the plan gives to one fault is given to no other.
func TestFaultsGetAnIDOfTheirOwn(t *testing.T) {
	p := Plan{Clients: []Client{{Name: "a"}}, Faults: []Fault{{ID: "f2", Kind: Cut, Client: "a"}, {Kind: Reset, Client: "a"}, {Kind: Cut, Client: "a"}}}.WithFaultIDs()
	if ids := []string{p.Faults[0].ID, p.Faults[1].ID, p.Faults[2].ID}; !slices.Equal(ids, []string{"f2", "f3", "f4"}) || p.Validate() != nil {
		t.Errorf("%v, %v", ids, p.Validate())
	}
}
