package catalogue

import (
	"redial/harness/contract"
	"redial/harness/plan"
)

// sessionScenarios are the rows about the session that a server keeps for a disconnected
// page, beyond one drop: it is restored repeatedly, late, or after it has expired.
var sessionScenarios = []Scenario{
	{
		ID: "switch-then-drop", Row: 4, Title: "a network switch, then a clean disconnection before the page has received any event",
		Why:    "however the server handled the switch, the page's offset is from before it",
		From:   contract.Basic,
		Expect: steps(Loses, ExactlyOnce, ExactlyOnce),
		Plan: scripted(aliceAndBob, meet,
			fault(plan.Switch, "bob"),
			whileOffline("bob", send("alice", "while bob changes networks", 3)),
			whileOffline("bob", send("alice", "bob is offline", 3))),
	},
	{
		ID: "zombie", Row: 5, Title: "a clean disconnection, then a half-open one, then the ping timeout of the old connection",
		Why:    "a session may be restored once: a dead connection that closes late must not end the live session",
		From:   contract.Recovery,
		Expect: steps(DoesNotApply, ExactlyOnce, ExactlyOnce),
		// The page reconnects within 2.4 s, before the server notices the half-open connection,
		// and the wait is longer.
		Plan: tuned(plan.Tuning{PingInterval: duration("400ms"), PingTimeout: duration("2s")}, scripted(aliceAndBob, meet,
			drop(plan.Cut, "bob"), untilShown("bob", send("alice", "after the clean drop", 1)),
			drop(plan.HalfOpen, "bob"), wait("3s"),
			untilShown("alice", send("alice", "after the ping timeout", 3)), send("bob", "bob receives his own message", 1))),
	},
	{
		ID: "idle", Row: 6, Title: "no message for longer than maxDisconnectionDuration, then a disconnection",
		Why:    "the last event is deleted, and with it the position from which the page has to continue",
		From:   contract.Basic,
		Expect: steps(Loses, ExactlyOnce, ExactlyOnce),
		// The wait is longer than the library keeps an event, and than steps/cures/recovery
		// does, which adds the heartbeat; the drop itself is shorter than a session is kept.
		Plan: tuned(plan.Tuning{PingInterval: duration("500ms"), PingTimeout: duration("3s"), MaxDisconnection: duration("4s")},
			scripted(aliceAndBob, meet, wait("9s"), whileOffline("bob", send("alice", "bob is offline", 3)))),
	},
	{
		ID: "handler-throws", Row: 14, Title: "a handler of the page throws at the last message before a disconnection",
		Why:    "the client updates its offset after all handlers have returned, so the server sends the message again; a page with an offset of its own drops it",
		From:   contract.ServerDelivery, // a page without an offset of its own has to show it twice
		Expect: steps(Loses, Duplicates, ExactlyOnce),
		Plan: scripted(aliceAndBob, meet,
			do(plan.Throw, "bob"), untilShown("bob", send("alice", "at which a handler throws", 1)),
			whileOffline("bob", send("alice", "bob is offline", 3))),
	},
	{
		ID: "cut-before-connect-packet", Row: 17, Title: "the page reconnects, and is cut between its CONNECT packet and the server's answer",
		Why:    "a session must stay recoverable until the page knows that it was restored",
		From:   contract.Basic,
		Expect: steps(Loses, ExactlyOnce, ExactlyOnce),
		Plan: scripted(aliceAndBob, meet,
			cutOnReturn("asked", 3, plan.Frame{Direction: plan.Up, Match: "40", After: true}),
			cutOnReturn("answered", 3, plan.Frame{Direction: plan.Down, Match: "40"})),
	},
	{
		ID: "cut-in-missed-events", Row: 17, Title: "the page reconnects, and is cut among the events that it missed",
		Why:    "the page buffers events that arrive before the CONNECT packet, and drops them when it does not arrive; the server has to keep them all",
		From:   contract.Recovery,
		Expect: steps(DoesNotApply, ExactlyOnce, ExactlyOnce),
		Plan: scripted(aliceAndBob, meet,
			cutOnReturn("before an event", 3, plan.Frame{Direction: plan.Down, Match: "42"}),
			cutOnReturn("after an event", 150, plan.Frame{Direction: plan.Down, Match: "42", After: true})),
	},
}

// cutOnReturn has alice send a number of messages, which bob misses because he is offline, and
// cuts bob's connection at a frame of his reconnection.
func cutOnReturn(id string, missed int, at plan.Frame) part {
	return concat(
		outage("bob"), untilShown("alice", send("alice", "bob is offline: "+id, missed)),
		arm(plan.Cut, "bob", id, at), fault(plan.Heal, "bob"), awaitFault(id), do(plan.AwaitConnected, "bob"))
}
