package catalogue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"redial/harness/lab"
	"redial/harness/plan"
)

// A part is a sequence of steps; a script is a sequence of parts.
type part []plan.Step

func one(s plan.Step) part { return part{s} }

// do is a step of one client.
func do(action plan.Action, who string) part { return one(plan.Step{Do: action, Client: who}) }

func awaitFault(id string) part { return one(plan.Step{Do: plan.AwaitFault, Text: id}) }

func fault(kind plan.FaultKind, who string) part {
	return one(plan.Step{Do: plan.Break, Fault: &plan.Fault{Kind: kind, Client: who}})
}

// drop injects a fault that disconnects a client which then reconnects.
func drop(kind plan.FaultKind, who string) part {
	return concat(fault(kind, who), do(plan.AwaitDisconnected, who), do(plan.AwaitConnected, who))
}

// dropAll cuts the connection of each of the clients, one after the other, and waits until
// all of them have reconnected.
func dropAll(names []string) (steps part) {
	for _, name := range names {
		steps = concat(steps, fault(plan.Cut, name), do(plan.AwaitDisconnected, name))
	}
	return concat(steps, awaited(plan.AwaitConnected, names...))
}

// arm has a fault injected at a frame that is still to come.
func arm(kind plan.FaultKind, who, id string, at plan.Frame) part {
	return one(plan.Step{Do: plan.Arm, Fault: &plan.Fault{ID: id, Kind: kind, Client: who, At: at}})
}

// repeated is the part for each number from 1 to times.
func repeated(times int, each func(n int) part) (steps part) {
	for n := 1; n <= times; n++ {
		steps = append(steps, each(n)...)
	}
	return steps
}

// startSending has a client send in the background, without a bound if count is 0.
func startSending(who, text, every string, count int) part {
	return one(plan.Step{Do: plan.StartSending, Client: who, Text: text, Every: duration(every), Count: count})
}

func refresh(who string) part { return concat(do(plan.Refresh, who), do(plan.AwaitConnected, who)) }

func script(seed uint64, who []plan.Client, parts ...part) plan.Plan {
	return plan.Plan{Seed: seed, Clients: who, Script: concat(parts...)}
}

// scripted makes the Plan of a scenario whose script is the same for every seed.
func scripted(who []plan.Client, parts ...part) func(seed uint64) plan.Plan {
	return func(seed uint64) plan.Plan { return script(seed, who, parts...) }
}

// tuned makes a Plan that asks the server for a heartbeat or a session of another length.
func tuned(t plan.Tuning, write func(seed uint64) plan.Plan) func(seed uint64) plan.Plan {
	return func(seed uint64) plan.Plan {
		p := write(seed)
		p.Tuning = t
		return p
	}
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

// meet opens the pages of alice and bob, and has each of them show a message of the other.
var meet = concat(open("alice", "bob"),
	untilShown("bob", send("alice", "hello from alice", 1)),
	untilShown("alice", send("bob", "hello from bob", 1)),
	one(plan.Step{Do: plan.Barrier}))

func concat(parts ...part) part { return slices.Concat(parts...) }

func send(who, text string, count int) part {
	return part{{Do: plan.Send, Client: who, Text: text, Count: count}}
}

// untilShown adds a wait until the client shows the last of the messages that a part sends.
func untilShown(by string, sends part) part {
	last := sends[len(sends)-1]
	text := last.Text
	if last.Count > 1 {
		text = fmt.Sprintf("%s %d", text, last.Count)
	}
	return concat(sends, shown(text, by))
}

func outage(who string) part { return concat(fault(plan.Outage, who), do(plan.AwaitDisconnected, who)) }

func heal(who string) part { return concat(fault(plan.Heal, who), do(plan.AwaitConnected, who)) }

// whileOffline plays the parts while the client's network is down. Alice's page shows her
// own messages, so it tells when the server has broadcast them.
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

// restartUnder stops the server by the action while the client is connected, starts it
// again, and waits until the client has reconnected.
func restartUnder(who string, stop plan.Action) part {
	return concat(one(plan.Step{Do: stop}), do(plan.AwaitDisconnected, who), one(plan.Step{Do: plan.StartServer}), do(plan.AwaitConnected, who))
}

// restart stops the server by the action and starts it again. Alice reconnects before bob
// and sends messages, which bob can only get from a log.
func restart(stop plan.Action) part {
	return concat(
		outage("bob"),
		restartUnder("alice", stop),
		untilShown("alice", send("alice", "after the restart", 3)),
		heal("bob"))
}

func wait(text string) part { return part{{Do: plan.Wait, For: duration(text)}} }

// duration parses a constant. It panics on a wrong one, when the program starts.
func duration(text string) plan.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return plan.Duration(d)
}

// payloads sends nested JSON, text that looks like markup, other scripts than Latin, and
// bytes. From step 4 on the page sends JSON as a value and bytes as binary. The keys are not
// in alphabetical order: a Go server that decodes an object writes them in it, and a message
// with its keys in another order is unchanged.
func payloads(when string) part {
	return part{
		{Do: plan.Send, Client: "alice", Text: `{"when":"` + when + `","run":"` + lab.RunMark + `","nested":{"list":[1,2.5,null,true,{"deep":["가",""]}]}}`},
		{Do: plan.Send, Client: "alice", Text: `["` + when + `","` + lab.RunMark + `",[],{}]`},
		{Do: plan.Send, Client: "alice", Text: fmt.Sprintf("/binary %x%s00ff7f80", when, lab.RunMark)},
		{Do: plan.Send, Client: "alice", Text: "<b>" + when + "</b> 안녕하세요 🙂 " + lab.RunMark},
		{Do: plan.AwaitShown, Client: "alice", Text: "<b>" + when + "</b> 안녕하세요 🙂 " + lab.RunMark},
	}
}

// texts sends texts that a server may change by mistake: white space at both ends, markup,
// a letter with a combining accent, a NUL, an emoji, and more than 4,000 characters.
func texts(who string) part {
	var sends part
	for _, text := range []string{"  white space around  ", "<b>bold</b> & more", "cafe\u0301", "before\x00after", "🙂", strings.Repeat("long ", 2000) + "!"} {
		sends = append(sends, plan.Step{Do: plan.Send, Client: who, Text: text})
	}
	return sends
}

// draw is the scenario's random source for the run's seed.
func draw(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x7265_6469_616c)) }

// restoreUnderTraffic cuts the connections of three clients that reconnect at once, 60
// times, while another client sends without pause: many sessions are restored during a
// broadcast.
func restoreUnderTraffic(seed uint64) plan.Plan {
	who := []plan.Client{{Name: "writer", Kind: plan.Wire}}
	readers := []string{"bob", "carol", "dave"}
	for _, name := range readers {
		who = append(who, plan.Client{Name: name, Kind: plan.Wire, ReconnectDelay: duration("5ms")})
	}
	return script(seed, who, open("writer"), open(readers...), untilShown("bob", send("writer", "first", 1)),
		startSending("writer", "stream", "500us", 4000),
		repeated(60, func(int) part { return dropAll(readers) }), do(plan.StopSending, "writer"))
}

// loadUnderTraffic opens pages, one straight after the other, while two clients send.
func loadUnderTraffic(seed uint64) plan.Plan {
	who := append(clients("p1", "p2", "p3", "p4", "p5", "p6"), wires("writer-1", "writer-2")...)
	random := draw(seed)
	return script(seed, who, open("writer-1", "writer-2"),
		startSending("writer-1", "one", "5ms", 200), startSending("writer-2", "two", "7ms", 150),
		one(plan.Step{Do: plan.AwaitShown, Client: "writer-1", Count: 20}),
		repeated(6, func(n int) part {
			pause := time.Duration(random.IntN(20_000)+1) * time.Microsecond
			return concat(open(fmt.Sprint("p", n)), wait(pause.String()))
		}),
		do(plan.StopSending, "writer-1"), do(plan.StopSending, "writer-2"))
}

// cutInReplay stores a history, then loads a page whose connection is cut at a random frame
// of the replay while another client sends.
func cutInReplay(seed uint64) plan.Plan {
	random := draw(seed)
	at := plan.Frame{Direction: plan.Down, Match: `42["chat message"`, Number: random.IntN(290) + 5, After: random.IntN(2) == 0}
	return script(seed, append(clients("bob"), wires("writer")...), open("writer"),
		untilShown("writer", send("writer", "history", 300)),
		startSending("writer", "live", "3ms", 500), shown("live 3", "writer"),
		arm(plan.Cut, "bob", "in-replay", at),
		open("bob"), awaitFault("in-replay"), do(plan.AwaitDisconnected, "bob"), do(plan.AwaitConnected, "bob"),
		do(plan.StopSending, "writer"))
}
