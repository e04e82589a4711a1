package catalogue

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"redial/harness/lab"
	"redial/harness/plan"
)

// A part is a few steps that belong together; a script is parts in a row.
type part []plan.Step

func one(s plan.Step) part { return part{s} }

func script(seed uint64, who []plan.Client, parts ...part) plan.Plan {
	p := plan.Plan{Seed: seed, Clients: who}
	for _, steps := range parts {
		p.Script = append(p.Script, steps...)
	}
	return p
}

func clients(names ...string) []plan.Client {
	var list []plan.Client
	for _, name := range names {
		list = append(list, plan.Client{Name: name})
	}
	return list
}

var aliceAndBob = clients("alice", "bob")

// open opens the pages, one after the other, each connected before the next.
func open(names ...string) part {
	var steps part
	for _, name := range names {
		steps = append(steps,
			plan.Step{Do: plan.Open, Client: name},
			plan.Step{Do: plan.AwaitConnected, Client: name})
	}
	return steps
}

// meet opens alice and bob and lets each of them hear the other once.
var meet = concat(open("alice", "bob"),
	untilShown("bob", send("alice", "hello from alice", 1)),
	untilShown("alice", send("bob", "hello from bob", 1)),
	one(plan.Step{Do: plan.Barrier}))

func concat(parts ...part) part {
	var all part
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func send(who, text string, count int) part {
	return part{{Do: plan.Send, Client: who, Text: text, Count: count}}
}

// heard adds to something said that the client shows the last of it.
func untilShown(by string, said part) part {
	last := said[len(said)-1]
	text := last.Text
	if last.Count > 1 {
		text = fmt.Sprintf("%s %d", text, last.Count)
	}
	return append(said[:len(said):len(said)], plan.Step{Do: plan.AwaitShown, Client: by, Text: text})
}

func outage(who string) part {
	return part{
		{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Outage, Client: who}},
		{Do: plan.AwaitDisconnected, Client: who},
	}
}

func heal(who string) part {
	return part{
		{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Heal, Client: who}},
		{Do: plan.AwaitConnected, Client: who},
	}
}

// away takes the client's connection away while alice, who hears herself, says
// what is to be said, and gives it back.
func whileOffline(who string, meanwhile ...part) part {
	steps := outage(who)
	for _, p := range meanwhile {
		if p[len(p)-1].Do == plan.Send {
			p = untilShown("alice", p)
		}
		steps = append(steps, p...)
	}
	return append(steps, heal(who)...)
}

// restart ends the server in the way named and starts it again. Alice is back
// before bob, so that something is said that only she is there to hear.
func restart(end plan.Action) part {
	return concat(
		outage("bob"),
		part{
			{Do: end},
			{Do: plan.AwaitDisconnected, Client: "alice"},
			{Do: plan.StartServer},
			{Do: plan.AwaitConnected, Client: "alice"},
		},
		untilShown("alice", send("alice", "after the restart", 3)),
		heal("bob"))
}

func wait(text string) part { return part{{Do: plan.Wait, For: duration(text)}} }

// duration reads a constant; a scenario with a wrong one fails as it is built.
func duration(text string) plan.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return plan.Duration(d)
}

// payloads says nested JSON, text that looks like markup, other scripts than
// Latin, and bytes. The page sends each as what it is, where its step can.
func payloads(when string) part {
	return part{
		{Do: plan.Send, Client: "alice", Text: `{"nested":{"list":[1,2.5,null,true,{"deep":["가",""]}]},"run":"` + lab.RunMark + `","when":"` + when + `"}`},
		{Do: plan.Send, Client: "alice", Text: `["` + when + `","` + lab.RunMark + `",[],{}]`},
		{Do: plan.Send, Client: "alice", Text: "/binary " + hex(when) + lab.RunMark + "00ff7f80"},
		{Do: plan.Send, Client: "alice", Text: "<b>" + when + "</b> 안녕하세요 🙂 " + lab.RunMark},
		{Do: plan.AwaitShown, Client: "alice", Text: "<b>" + when + "</b> 안녕하세요 🙂 " + lab.RunMark},
	}
}

// texts are texts that something on the way may be tempted to change: white space at both
// ends, markup, a letter and its accent apart, a NUL, an emoji, and more than 255 characters.
func texts(who string) part {
	var said part
	for _, text := range []string{"  white space around  ", "<b>bold</b> & more", "cafe\u0301", "before\x00after", "🙂", strings.Repeat("long ", 60) + "!"} {
		said = append(said, plan.Step{Do: plan.Send, Client: who, Text: text})
	}
	return said
}

func hex(text string) string { return fmt.Sprintf("%x", text) }

// draw makes the scenario's random source from the run's seed.
func draw(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x7265_6469_616c)) }

// restoreUnderTraffic cuts three fast clients again and again while another writes
// without pause, so that many sessions are restored with a broadcast under way.
func restoreUnderTraffic(seed uint64) plan.Plan {
	who := []plan.Client{{Name: "writer", Kind: plan.Wire}}
	readers := []string{"bob", "carol", "dave"}
	for _, name := range readers {
		who = append(who, plan.Client{Name: name, Kind: plan.Wire, ReconnectDelay: duration("5ms")})
	}
	parts := []part{open("writer"), open(readers...), untilShown("bob", send("writer", "first", 1)),
		{{Do: plan.StartSending, Client: "writer", Text: "stream", Every: duration("500us"), Count: 4000}}}
	for range 60 {
		var cuts, back part
		for _, name := range readers {
			cuts = append(cuts, plan.Step{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Cut, Client: name}},
				plan.Step{Do: plan.AwaitDisconnected, Client: name})
			back = append(back, plan.Step{Do: plan.AwaitConnected, Client: name})
		}
		parts = append(parts, cuts, back)
	}
	parts = append(parts, part{{Do: plan.StopSending, Client: "writer"}})
	return script(seed, who, parts...)
}

// loadUnderTraffic opens pages, one straight after the other, while two writers
// write.
func loadUnderTraffic(seed uint64) plan.Plan {
	who := append(clients("p1", "p2", "p3", "p4", "p5", "p6"),
		plan.Client{Name: "writer-1", Kind: plan.Wire}, plan.Client{Name: "writer-2", Kind: plan.Wire})
	random := draw(seed)
	parts := []part{open("writer-1", "writer-2"),
		{{Do: plan.StartSending, Client: "writer-1", Text: "one", Every: duration("5ms"), Count: 200}},
		{{Do: plan.StartSending, Client: "writer-2", Text: "two", Every: duration("7ms"), Count: 150}},
		{{Do: plan.AwaitShown, Client: "writer-1", Count: 20}},
	}
	for n := 1; n <= 6; n++ {
		page := fmt.Sprintf("p%d", n)
		parts = append(parts, part{
			{Do: plan.Open, Client: page},
			{Do: plan.AwaitConnected, Client: page},
			{Do: plan.Wait, For: plan.Duration(time.Duration(random.IntN(20_000)+1) * time.Microsecond)},
		})
	}
	parts = append(parts, part{{Do: plan.StopSending, Client: "writer-1"}, {Do: plan.StopSending, Client: "writer-2"}})
	return script(seed, who, parts...)
}

// cutInReplay gives the log a history, then loads a page whose connection is cut
// somewhere in the replay while somebody writes.
func cutInReplay(seed uint64) plan.Plan {
	random := draw(seed)
	who := append(clients("bob"), plan.Client{Name: "writer", Kind: plan.Wire})
	parts := []part{open("writer"),
		untilShown("writer", send("writer", "history", 300)),
		{{Do: plan.StartSending, Client: "writer", Text: "live", Every: duration("3ms"), Count: 500}},
		{{Do: plan.AwaitShown, Client: "writer", Text: "live 3"}},
		{{Do: plan.Arm, Fault: &plan.Fault{ID: "in-replay", Kind: plan.Cut, Client: "bob", At: plan.Frame{
			Direction: plan.Down, Match: `42["chat message"`, Number: random.IntN(290) + 5, After: random.IntN(2) == 0}}}},
		{{Do: plan.Open, Client: "bob"},
			{Do: plan.AwaitConnected, Client: "bob"},
			{Do: plan.AwaitFault, Text: "in-replay"},
			{Do: plan.AwaitDisconnected, Client: "bob"},
			{Do: plan.AwaitConnected, Client: "bob"}},
		{{Do: plan.StopSending, Client: "writer"}},
	}
	return script(seed, who, parts...)
}
