package catalogue

import (
	"fmt"
	"time"

	"redial/harness/contract"
	"redial/harness/plan"
)

// transportScenarios are the rows about what lies under the chat: the order in which a
// server emits, what is on its way when a connection ends, and the transports.
var transportScenarios = []Scenario{
	{
		ID: "emit-order-inverted", Row: 21, Title: "two clients send at once, and a page is cut between their messages",
		Why:    "if the later message is emitted first, a cut between the two loses the earlier one for good",
		From:   contract.ServerDelivery,
		Expect: steps(DoesNotApply, DoesNotApply, ExactlyOnce),
		Plan:   cutBetweenWriters,
	},
	{
		ID: "drop-after-two-writers", Row: 22, Title: "two clients send at once; then, without traffic, a disconnection",
		Why:    "if the later message is emitted first, the page's offset goes back, and the server sends that message again",
		From:   contract.ServerDelivery,
		Expect: steps(DoesNotApply, DoesNotApply, ExactlyOnce),
		Plan: func(seed uint64) plan.Plan {
			parts := []part{open("one", "two", "bob")}
			for n := range 3 {
				one, two := fmt.Sprint("one, part ", n+1), fmt.Sprint("two, part ", n+1)
				parts = append(parts, send("one", one, 30), send("two", two, 30),
					shown(one+" 30", "bob"), shown(two+" 30", "bob"),
					outage("bob"), heal("bob"))
			}
			return script(seed, clients("one", "two", "bob"), parts...)
		},
	},
	{
		ID: "burst-then-disconnect", Row: 37, Title: "a burst, then at once the page's own disconnect(), and connect()",
		Why:    "the Go server drops packets that it has read but not processed when a socket closes; without retries the loss goes unnoticed",
		From:   contract.Basic,
		Expect: steps(MayLose, MayLose, MayLose),
		Plan: func(seed uint64) plan.Plan {
			return script(seed, aliceAndBob, meet,
				send("alice", "burst", 100),
				part{{Do: plan.Disconnect, Client: "alice"}, {Do: plan.AwaitDisconnected, Client: "alice"},
					{Do: plan.Connect, Client: "alice"}, {Do: plan.AwaitConnected, Client: "alice"}})
		},
	},
	{
		ID: "burst-then-close", Row: 37, Title: "a burst, then the tab is closed at once, and another one is open",
		Why:    "as burst-then-disconnect, and queued messages are lost with the page",
		From:   contract.Basic,
		Expect: except(steps(MayLose, MayLose, MayLose), Loses, "8", OnFile),
		Plan: func(seed uint64) plan.Plan {
			return script(seed, aliceHerTabAndBob, open("alice", "bob"),
				send("alice", "burst", 100), one(plan.Step{Do: plan.Close, Client: "alice"}),
				open("tab"), untilShown("bob", send("tab", "from the other tab", 2)))
		},
	},
	{
		ID: "slow-reader", Row: 42, Title: "a long replay over a slow connection, which stalls and is cut meanwhile",
		Why:    "the replay continues at the page's offset, while others send",
		From:   contract.ServerDelivery,
		Expect: steps(DoesNotApply, DoesNotApply, ExactlyOnce),
		Plan:   slowReader,
	},
	{
		ID: "polling", Row: 43, Title: "pages that use only HTTP long-polling: a disconnection, a network switch, a cut response",
		Why:    "a failed poll request must not be repeated automatically: the first response contained messages",
		From:   contract.Basic,
		Expect: steps(Loses, ExactlyOnce, ExactlyOnce),
		Plan: func(seed uint64) plan.Plan {
			p := script(seed, over([]string{"polling"}, aliceAndBob), meet,
				whileOffline("bob", send("alice", "bob is offline", 3)),
				untilShown("bob", send("alice", "burst", 15)),
				// At a poll: between two of them there is no connection to break.
				one(plan.Step{Do: plan.Arm, Fault: &plan.Fault{ID: "in a poll", Kind: plan.Switch, Client: "bob",
					At: plan.Frame{Direction: plan.Up}}}),
				send("alice", "for bob to poll again", 1), one(plan.Step{Do: plan.AwaitFault, Text: "in a poll"}),
				whileOffline("bob", send("alice", "while bob changes networks", 3)),
				// The answer to a poll, with a message in it.
				one(plan.Step{Do: plan.Arm, Fault: &plan.Fault{ID: "in an answer", Kind: plan.Cut, Client: "bob",
					At: plan.Frame{Direction: plan.Down}}}),
				send("alice", "in a response that is cut", 1), one(plan.Step{Do: plan.AwaitFault, Text: "in an answer"}),
				awaited(plan.AwaitConnected, "bob"), untilShown("bob", send("alice", "and the next one", 1)))
			// Where nobody is sent anything, a poll is answered by a ping.
			p.Tuning = plan.Tuning{PingInterval: duration("1s"), PingTimeout: duration("5s")}
			return p
		},
	},
	{
		ID: "upgrade-cut", Row: 43, Title: "pages upgrade from polling to WebSocket, and are cut at each frame of the upgrade",
		Why:    "at every moment one of the two transports has the message; a client that is stuck between the two reconnects after the ping timeout",
		From:   contract.Basic,
		Expect: steps(Loses, ExactlyOnce, ExactlyOnce),
		Plan:   upgradeCut,
	},
	{
		ID: "connect-at-once", Row: 45, Title: "the CONNECT packet follows at once after the open packet, and so does a message",
		Why:    "the library starts to listen a moment too late; steps/cures/handshake buffers the packets until it does",
		From:   contract.Basic,
		Expect: steps(ExactlyOnce, ExactlyOnce, ExactlyOnce),
		Plan:   connectAtOnce,
	},
}

func wires(names ...string) []plan.Client {
	who := clients(names...)
	for i := range who {
		who[i].Kind = plan.Wire
	}
	return who
}

// over lets pages use these transports.
func over(transports []string, who []plan.Client) []plan.Client {
	who = everyone(who)
	for i := range who {
		who[i].Transports = transports
	}
	return who
}

// cutBetweenWriters cuts a page again and again, at some message, while two write. They
// are pages, and on two servers where there are two: these may be in each other's way at
// the database, and a page that retries minds that as little as it should.
func cutBetweenWriters(seed uint64) plan.Plan {
	random := draw(seed)
	parts := []part{open("one", "two", "bob"), {
		{Do: plan.StartSending, Client: "one", Text: "one", Every: duration("45ms")},
		{Do: plan.StartSending, Client: "two", Text: "two", Every: duration("50ms")}}}
	for n := range 3 {
		id := fmt.Sprint("between-", n+1)
		parts = append(parts, part{
			{Do: plan.Arm, Fault: &plan.Fault{ID: id, Kind: plan.Cut, Client: "bob", At: plan.Frame{
				Direction: plan.Down, Match: `42["chat message"`, Number: 6 + random.IntN(14), After: random.IntN(2) == 0}}},
			{Do: plan.AwaitFault, Text: id}, {Do: plan.AwaitDisconnected, Client: "bob"}, {Do: plan.AwaitConnected, Client: "bob"}})
	}
	parts = append(parts, part{{Do: plan.StopSending, Client: "one"}, {Do: plan.StopSending, Client: "two"}})
	return script(seed, clients("one", "two", "bob"), parts...)
}

// slowReader has a page load a long history over a line that takes seconds for it.
func slowReader(seed uint64) plan.Plan {
	random := draw(seed)
	return script(seed, append(wires("writer"), clients("bob")...), open("writer"),
		untilShown("writer", send("writer", "history", 2000)),
		part{{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Limit, Client: "bob", BytesPerSecond: 200_000}},
			{Do: plan.Open, Client: "bob"}, {Do: plan.AwaitConnected, Client: "bob"},
			{Do: plan.StartSending, Client: "writer", Text: "live", Every: duration("10ms"), Count: 1000},
			{Do: plan.AwaitShown, Client: "bob", Count: 100 + random.IntN(200)},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Silence, Client: "bob", For: duration("500ms")}},
			{Do: plan.AwaitShown, Client: "bob", Count: 500 + random.IntN(500)},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Cut, Client: "bob"}},
			{Do: plan.AwaitDisconnected, Client: "bob"}, {Do: plan.AwaitConnected, Client: "bob"},
			{Do: plan.AwaitShown, Client: "bob", Text: "history 2000"},
			{Do: plan.StopSending, Client: "writer"},
			{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Heal, Client: "bob"}}})
}

// upgradeFrames is how many frames go each way from the first request to the end of an
// upgrade.
const upgradeFrames = 6

// upgradeCut takes pages away while alice says something, and cuts each of them at
// another frame of the way back.
func upgradeCut(seed uint64) plan.Plan {
	var names []string
	var arm, cut, fired, back part
	for _, direction := range []plan.Direction{plan.Up, plan.Down} {
		for n := 1; n <= upgradeFrames; n++ {
			name := fmt.Sprint(direction, "-", n)
			names = append(names, name)
			cut = append(cut, outage(name)...)
			arm = append(arm, plan.Step{Do: plan.Arm, Fault: &plan.Fault{ID: "cut-" + name, Kind: plan.Cut, Client: name,
				At: plan.Frame{Direction: direction, Number: n, After: n%2 == 0}}},
				plan.Step{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Heal, Client: name}})
			fired = append(fired, plan.Step{Do: plan.AwaitFault, Text: "cut-" + name})
			back = append(back, plan.Step{Do: plan.AwaitConnected, Client: name})
		}
	}
	p := script(seed, append(clients("alice"), over([]string{"polling", "websocket"}, clients(names...))...),
		open("alice"), open(names...), untilShown(names[0], send("alice", "hello", 1)), one(plan.Step{Do: plan.Barrier}),
		cut, untilShown("alice", send("alice", "while they are offline", 3)),
		arm, part{{Do: plan.StartSending, Client: "alice", Text: "while they come back", Every: duration("40ms"), Count: 100}},
		fired, back, one(plan.Step{Do: plan.StopSending, Client: "alice"}))
	// The official client (engine.io-client 6.6) that loses the WebSocket after the answer
	// to its probe has paused its polling, and does not take it up again: it says and hears
	// nothing until its heartbeat ends.
	p.Tuning = plan.Tuning{PingInterval: duration("1s"), PingTimeout: duration("3s")}
	return p
}

// connectAtOnce cuts clients that lose no time again and again. At the end one of them
// has something to say as soon as it is back.
func connectAtOnce(seed uint64) plan.Plan {
	names := []string{"bob", "carol", "dave", "erin"}
	who := wires(names...)
	for i := range who {
		who[i].Eager, who[i].ReconnectDelay = true, plan.Duration(time.Millisecond)
	}
	parts := []part{open(names...)}
	for range 50 {
		for _, name := range names {
			parts = append(parts, part{{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Cut, Client: name}},
				{Do: plan.AwaitDisconnected, Client: name}})
		}
		parts = append(parts, awaited(plan.AwaitConnected, names...))
	}
	return script(seed, who, append(parts, outage("bob"), send("bob", "back at once", 3), heal("bob"))...)
}
