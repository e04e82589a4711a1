package catalogue

import (
	"fmt"
	"slices"
	"time"

	"redial/harness/contract"
	"redial/harness/plan"
)

// transportScenarios are the rows about the layers below the chat: the order in which a
// server emits, the packets in flight when a connection ends, and the transports.
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
		Why:    "if the later message is emitted first, the page's offset goes back, and the server sends that message again; all pages have to show one order",
		From:   contract.Recovery,
		Expect: steps(DoesNotApply, ExactlyOnce, ExactlyOnce),
		Plan: scripted(clients("one", "two", "bob"), open("one", "two", "bob"), repeated(3, func(n int) part {
			one, two := fmt.Sprint("one, part ", n), fmt.Sprint("two, part ", n)
			return concat(send("one", one, 30), send("two", two, 30), shown(one+" 30", "bob"), shown(two+" 30", "bob"),
				outage("bob"), heal("bob"))
		})),
	},
	{
		ID: "burst-then-disconnect", Row: 37, Title: "a burst, then at once the page's own disconnect(), and connect()",
		Why:    "the Go server drops packets that it has read but not processed when a socket closes; without retries the loss goes unnoticed",
		From:   contract.Basic,
		Expect: steps(MayLose, MayLose, MayLose),
		Plan: scripted(aliceAndBob, meet,
			send("alice", "burst", 100),
			do(plan.Disconnect, "alice"), do(plan.AwaitDisconnected, "alice"), do(plan.Connect, "alice"), do(plan.AwaitConnected, "alice")),
	},
	{
		ID: "burst-then-close", Row: 37, Title: "a burst, then the tab is closed at once, and another one is open",
		Why:    "as burst-then-disconnect, and queued messages are lost with the page",
		From:   contract.Basic,
		Expect: except(steps(MayLose, MayLose, MayLose), Loses, "8", OnFile),
		Plan: scripted(aliceHerTabAndBob, open("alice", "bob"),
			send("alice", "burst", 100), do(plan.Close, "alice"),
			open("tab"), untilShown("bob", send("tab", "from the other tab", 2))),
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
		// While no message is sent, a poll request is answered by a ping: the short interval
		// bounds the wait for the next poll.
		Plan: tuned(plan.Tuning{PingInterval: duration("1s"), PingTimeout: duration("5s")}, scripted(over([]string{"polling"}, aliceAndBob), meet,
			whileOffline("bob", send("alice", "bob is offline", 3)),
			untilShown("bob", send("alice", "burst", 15)),
			// The switch fires at a poll request: between two of them there is no connection to break.
			arm(plan.Switch, "bob", "in a poll", plan.Frame{Direction: plan.Up}),
			send("alice", "for bob to poll again", 1), awaitFault("in a poll"),
			whileOffline("bob", send("alice", "while bob changes networks", 3)),
			// The cut hits the response to a poll request, with a message in it.
			arm(plan.Cut, "bob", "in an answer", plan.Frame{Direction: plan.Down}),
			send("alice", "in a response that is cut", 1), awaitFault("in an answer"),
			awaited(plan.AwaitConnected, "bob"), untilShown("bob", send("alice", "and the next one", 1)))),
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
		Why:    "the library starts to listen a moment too late; steps/cures/handshake reads no packet until it does",
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

// over are the clients with these transports.
func over(transports []string, who []plan.Client) []plan.Client {
	who = slices.Clone(who)
	for i := range who {
		who[i].Transports = transports
	}
	return who
}

// cutBetweenWriters cuts a page's connection three times, at random messages, while two
// other pages send. The senders are pages and not wire clients: with two servers on one
// SQLite file a write can fail because the database is locked, and a page retries.
func cutBetweenWriters(seed uint64) plan.Plan {
	random := draw(seed)
	return script(seed, clients("one", "two", "bob"), open("one", "two", "bob"),
		startSending("one", "one", "45ms", 0), startSending("two", "two", "50ms", 0),
		repeated(3, func(n int) part {
			id := fmt.Sprint("between-", n)
			at := plan.Frame{Direction: plan.Down, Match: `42["chat message"`, Number: 6 + random.IntN(14), After: random.IntN(2) == 0}
			return concat(arm(plan.Cut, "bob", id, at), awaitFault(id), do(plan.AwaitDisconnected, "bob"), do(plan.AwaitConnected, "bob"))
		}),
		do(plan.StopSending, "one"), do(plan.StopSending, "two"))
}

// slowReader has a page load a long history over a connection that needs seconds for it.
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

// upgradeCut has alice send messages while the other pages are offline, and cuts each of
// these at another frame of its reconnection.
func upgradeCut(seed uint64) plan.Plan {
	var names []string
	var outages, heals, fired part
	for _, direction := range []plan.Direction{plan.Up, plan.Down} {
		for n := 1; n <= upgradeFrames; n++ {
			name := fmt.Sprint(direction, "-", n)
			names = append(names, name)
			outages = append(outages, outage(name)...)
			heals = concat(heals, arm(plan.Cut, name, "cut-"+name, plan.Frame{Direction: direction, Number: n, After: n%2 == 0}), fault(plan.Heal, name))
			fired = append(fired, awaitFault("cut-"+name)...)
		}
	}
	p := script(seed, append(clients("alice"), over([]string{"polling", "websocket"}, clients(names...))...),
		open("alice"), open(names...), untilShown(names[0], send("alice", "hello", 1)), one(plan.Step{Do: plan.Barrier}),
		outages, untilShown("alice", send("alice", "while they are offline", 3)),
		heals, startSending("alice", "while they come back", "40ms", 100),
		fired, awaited(plan.AwaitConnected, names...), do(plan.StopSending, "alice"))
	// The official client (engine.io-client 6.6) pauses polling when its probe is answered,
	// and does not resume it if the WebSocket closes then: it neither sends nor receives
	// anything until its ping timeout. On a busy machine all these pages are slow to answer a
	// ping; in less time alice's connection would end too, with a message of hers on it.
	p.Tuning = plan.Tuning{PingInterval: duration("1s"), PingTimeout: duration("6s")}
	return p
}

// connectAtOnce cuts the connections of clients that reconnect without a delay, 50 times.
// At the end one of them sends as soon as it has reconnected.
func connectAtOnce(seed uint64) plan.Plan {
	names := []string{"bob", "carol", "dave", "erin"}
	who := wires(names...)
	for i := range who {
		who[i].Eager, who[i].ReconnectDelay = true, plan.Duration(time.Millisecond)
	}
	return script(seed, who, open(names...), repeated(50, func(int) part { return dropAll(names) }),
		outage("bob"), send("bob", "back at once", 3), heal("bob"))
}
