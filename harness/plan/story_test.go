package plan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func ExampleStory() {
	fmt.Print(Story(Plan{
		Clients: []Client{{Name: "alice"}, {Name: "bob", Transports: []string{"polling", "websocket"}}, {Name: "carol", Kind: Wire}},
		Script: []Step{
			{Do: Open, Client: "alice"},
			{Do: AwaitConnected},
			{Do: Send, Client: "alice", Text: "hello", Count: 5},
			{Do: Break, Fault: &Fault{Kind: Outage, Client: "bob"}},
			{Do: Barrier},
		},
		Faults: []Fault{
			{Kind: Cut, Client: "bob", At: Frame{Direction: Down, Number: 3}},
			{Kind: Crash, At: Frame{Client: "bob", Number: 22, Connection: 2, After: true}},
		},
	}))
	// Output:
	// alice and bob (polling, then websocket) are pages; carol is a wire client.
	// Armed: bob's link is cut before the 3rd frame down.
	// Armed: the server crashes and starts again after the 22nd frame up of bob's connection 2.
	// 1. alice opens the page.
	// 2. wait until everyone is connected.
	// 3. alice sends 5 messages, "hello 1" to "hello 5".
	// 4. bob's link is out until it is healed.
	// 5. wait until every message has arrived.
}

func TestStoryOfEveryStep(t *testing.T) {
	for _, c := range []struct {
		step Step
		want string
	}{
		{Step{Do: Send, Client: "bob", Text: "안녕 🙂"}, `bob sends "안녕 🙂"`},
		{Step{Do: Send, Client: "bob", Text: "two\nlines"}, `bob sends "two\nlines"`},
		{Step{Do: Send, Client: "bob", Text: `{"a":1}`}, "bob sends `{\"a\":1}`"},
		{Step{Do: Send, Client: "bob", Text: "\"\u2028\u202e"}, `bob sends "\"\u2028\u202e"`},
		{Step{Do: Send, Client: "bob", Text: strings.Repeat("x", 70)}, `bob sends "` + strings.Repeat("x", 60) + `…" (70 characters)`},
		{Step{Do: Send, Client: "bob and alice", Text: "x"}, `"bob and alice" sends "x"`},
		{Step{Do: StartSending, Client: "bob", Text: "c", Every: seconds(.02)}, `bob starts to send in the background: a message every 20ms, from "c 1" on`},
		{Step{Do: StartSending, Client: "bob", Text: "c", Count: 9}, `bob starts to send in the background: one message after the other, 9 at most, from "c 1" on`},
		{Step{Do: StopSending, Client: "bob"}, "bob stops sending in the background"},
		{Step{Do: Refresh, Client: "bob"}, "bob refreshes the page"},
		{Step{Do: Close, Client: "bob"}, "bob closes the tab"},
		{Step{Do: Disconnect, Client: "bob"}, "bob calls disconnect()"},
		{Step{Do: Connect, Client: "bob"}, "bob calls connect()"},
		{Step{Do: StopServer}, "the server is stopped"},
		{Step{Do: KillServer}, "the server is killed"},
		{Step{Do: StartServer}, "the server is started again"},
		{Step{Do: AwaitDisconnected, Client: "bob"}, "wait until bob is disconnected"},
		{Step{Do: AwaitShown, Client: "bob", Text: "x"}, `wait until bob sees "x"`},
		{Step{Do: AwaitShown, Client: "bob", Count: 1}, "wait until bob sees 1 message"},
		{Step{Do: AwaitShown, Client: "bob", Count: 3}, "wait until bob sees 3 messages"},
		{Step{Do: AwaitFault, Text: "f1"}, "wait until the fault f1 has happened"},
		{Step{Do: Wait, For: seconds(1.5)}, "1.5s pass"},
		{Step{Do: Break, Fault: &Fault{Kind: Reset, Client: "bob"}}, "bob's link is reset"},
		{Step{Do: Break, Fault: &Fault{Kind: Switch, Client: "bob"}}, "bob switches networks (the server does not notice)"},
		{Step{Do: Break, Fault: &Fault{Kind: Silence, Client: "bob", For: seconds(2)}}, "bob's link goes silent for 2s"},
		{Step{Do: Break, Fault: &Fault{Kind: Delay, Client: "bob", Delay: seconds(.1)}}, "bob's link delays every frame by 100ms until it is healed"},
		{Step{Do: Break, Fault: &Fault{Kind: Limit, Client: "bob", BytesPerSecond: 9}}, "bob's link lets 9 bytes a second through until it is healed"},
		{Step{Do: Break, Fault: &Fault{Kind: IdleClose, Client: "bob", Idle: Duration(5 * time.Second), For: Duration(time.Minute)}}, "bob's link closes connections that are idle for 5s for 1m0s"},
		{Step{Do: Break, Fault: &Fault{Kind: Heal, Client: "bob"}}, "bob's link is healed"},
		{Step{Do: Break, Fault: &Fault{Kind: Restart}}, "the server is stopped and started again"},
		{Step{Do: Arm, Fault: &Fault{Kind: RefreshPage, Client: "bob", At: Frame{Client: "bob"}}},
			"from here on: bob refreshes the page before the 1st frame up of bob's link"},
		{Step{Do: Arm, Fault: &Fault{Kind: HalfOpen, Client: "bob", At: Frame{Match: `42["`, Connection: 3, Number: 2}}},
			"from here on: bob's link is left half-open (the server does not notice) before the 2nd frame up that begins with `42[\"` of connection 3"},
		{Step{Do: "dance", Client: "bob"}, "dance: bob"},
	} {
		if got := c.step.words(); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.step.Do, got, c.want)
		}
	}
}

func TestOrdinals(t *testing.T) {
	for n, want := range map[int]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 111: "111th", 122: "122nd"} {
		if got := ordinal(n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestStoryHasOneLinePerStepForAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		who := rapid.StringN(1, 80, -1).Filter(func(s string) bool { return s != Reader }).Draw(t, "name")
		id := rapid.StringN(1, -1, -1).Draw(t, "ID")
		p := Plan{
			Clients: []Client{{Name: who}},
			Script: []Step{
				{Do: Send, Client: who, Text: rapid.StringN(1, 200, -1).Draw(t, "text"), Count: rapid.IntRange(0, 3).Draw(t, "count")},
				{Do: AwaitFault, Text: id},
				{Do: StartSending, Client: who, Text: rapid.String().Draw(t, "background")},
				{Do: StopSending, Client: who},
			},
			Faults: []Fault{{ID: id, Kind: Cut, Client: who, At: Frame{Match: rapid.String().Draw(t, "match")}}},
		}
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		story := Story(p)
		if lines := strings.Split(story, "\n"); len(lines) != 7 || lines[6] != "" {
			t.Fatalf("%d lines:\n%s", len(lines), story)
		}
		for _, r := range story {
			if r != '\n' && (r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e) {
				t.Fatalf("%U is in the story: %q", r, story)
			}
		}
	})
}
