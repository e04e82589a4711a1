package catalogue

import (
	"fmt"

	"redial/harness/contract"
	"redial/harness/plan"
)

// aliceHerTabAndBob are three pages in two browsers.
var aliceHerTabAndBob = []plan.Client{{Name: "alice"}, {Name: "tab", TabOf: "alice"}, {Name: "bob"}}

// longOutage is longer than the 40 s in which the tutorial's client, as published, uses up
// its retries.
const longOutage = "41s"

// whileLocked plays the parts while the database is locked.
func whileLocked(parts ...part) part {
	return concat(one(plan.Step{Do: plan.LockDatabase}), concat(parts...), one(plan.Step{Do: plan.UnlockDatabase}))
}

// deliveryScenarios are the rows about client delivery: every message that a page sends
// reaches the server, once.
var deliveryScenarios = []Scenario{
	{
		ID: "replaced-database", Row: 23, Title: "the database is deleted while a page keeps its offset",
		Why:      "ids start again from 1, and the new log has grown past the page's offset when the page reconnects",
		From:     contract.DurableDelivery, // a server that has only offsets cannot tell one log from another
		Restarts: true,
		Expect:   except(steps(DoesNotApply, DoesNotApply, Loses), Loses, "8", OnFile),
		// Carol's page is closed first: an open page would resend its unacknowledged messages,
		// and so put them into the new log, which is correct.
		Plan: scripted(clients("alice", "bob", "carol"), open("alice", "bob", "carol"),
			send("carol", "in the old log", 6), shown("in the old log 6", "alice", "bob"),
			do(plan.Close, "carol"),
			outage("bob"),
			part{{Do: plan.StopServer}, {Do: plan.AwaitDisconnected, Client: "alice"},
				{Do: plan.ReplaceData}, {Do: plan.StartServer}, {Do: plan.AwaitConnected, Client: "alice"}},
			untilShown("alice", send("alice", "in the new log", 20)),
			heal("bob")),
	},
	{
		ID: "two-tabs-one-refreshed", Row: 25, Title: "two tabs of one browser, each refreshed in turn, with traffic",
		Why:    "tabs share their storage, but not the list that they show",
		From:   contract.Basic,
		Expect: steps(Loses, Loses, ExactlyOnce),
		Plan: scripted(aliceHerTabAndBob, open("alice", "tab", "bob"),
			untilShown("bob", send("alice", "from one tab", 3)), untilShown("alice", send("tab", "from the other", 3)),
			refresh("tab"), send("tab", "right after the refresh", 2),
			startSending("bob", "bob sends", "10ms", 100), shown("bob sends 5", "bob"),
			refresh("alice"), send("alice", "under traffic", 2),
			do(plan.StopSending, "bob")),
	},
	{
		ID: "acknowledgement-cut", Row: 28, Title: "a message is stored, and its acknowledgement is lost",
		Why:    "the page retries, and the server recognises the message by its idempotency key, also after other messages",
		From:   contract.ServerDelivery,
		Expect: steps(DoesNotApply, DoesNotApply, ExactlyOnce),
		Plan: scripted(aliceAndBob, meet,
			one(plan.Step{Do: plan.Arm, Fault: &plan.Fault{ID: "at-the-answer", Kind: plan.Outage, Client: "alice", For: duration("1s"),
				At: plan.Frame{Direction: plan.Down, Match: "43"}}}),
			send("alice", "sent once", 1),
			awaitFault("at-the-answer"), do(plan.AwaitDisconnected, "alice"),
			untilShown("bob", send("bob", "meanwhile", 20)), do(plan.AwaitConnected, "alice"),
			untilShown("bob", send("alice", "and then this", 1))),
	},
	{
		ID: "killed-at-acknowledgement", Row: 28, Title: "the server is killed as it acknowledges a message: before the page receives the acknowledgement, and after",
		Why:      "without the acknowledgement the page retries, and the restarted server must recognise the message; with it the page does not retry, so a message that was not stored is lost",
		From:     contract.ClientDelivery,
		Restarts: true,
		Expect:   steps(DoesNotApply, DoesNotApply, DoesNotApply),
		Plan: scripted(aliceAndBob, meet, killedAtAnswer("before", false),
			// The retry is acknowledged now, so that the next acknowledgement is the next message's.
			shown("acknowledged, and killed before", "bob"), one(plan.Step{Do: plan.Barrier}),
			killedAtAnswer("after", true),
			untilShown("bob", send("alice", "and then this", 1))),
	},
	{
		ID: "slow-database", Row: 29, Title: "the database is unavailable for longer than a page waits for an acknowledgement",
		Why:    "the page retries while the server may still be processing the first attempt",
		From:   contract.ClientDelivery,
		Expect: steps(DoesNotApply, DoesNotApply, DoesNotApply),
		Plan: scripted(aliceAndBob, meet,
			whileLocked(send("alice", "while the database is slow", 3), wait("4s")),
			shown("while the database is slow 3", "bob")),
	},
	{
		ID: "four-cuts", Row: 30, Title: "four cuts while one message is in flight",
		Why:    "the page must not run out of retries",
		From:   contract.ClientDelivery,
		Expect: steps(DoesNotApply, DoesNotApply, DoesNotApply),
		Plan: scripted(aliceAndBob, meet, repeated(4, func(n int) part {
			return arm(plan.Cut, "alice", fmt.Sprint("cut-", n), plan.Frame{Direction: plan.Up, Match: "42", Number: n})
		}), send("alice", "cut off four times", 2), awaitFault("cut-4"), shown("cut off four times 2", "bob")),
	},
	{
		ID: "database-unavailable", Row: 31, Title: "the database is unavailable for " + longOutage,
		Why:    "no message may be dropped silently, however long the outage",
		From:   contract.ClientDelivery,
		Expect: steps(DoesNotApply, DoesNotApply, DoesNotApply),
		Plan: scripted(aliceAndBob, meet,
			whileLocked(send("alice", "while the database is unavailable", 3), send("bob", "bob sends this meanwhile", 2), wait(longOutage)),
			shown("while the database is unavailable 3", "bob"), shown("bob sends this meanwhile 2", "alice")),
	},
	{
		ID: "two-tabs-write-offline", Row: 32, Title: "two tabs of one browser send while offline",
		Why:    "their idempotency keys must not collide (without recovery, the tab that reconnects first misses nothing, and the other one does)",
		From:   contract.Basic,
		Expect: steps(Loses, ExactlyOnce, ExactlyOnce),
		Plan: scripted(aliceHerTabAndBob, open("alice", "tab", "bob"),
			outage("alice"), outage("tab"),
			send("alice", "alice offline", 2), send("tab", "the tab offline", 3), send("alice", "alice again", 2),
			heal("tab"), heal("alice")),
	},
	{
		ID: "refresh-with-pending", Row: 33, Title: "the page is refreshed while messages are unacknowledged",
		Why:    "messages that are buffered only in the page are lost with the page",
		From:   contract.Basic,
		Expect: except(steps(Loses, Loses, Loses), Loses, "8", OnFile),
		Plan: scripted(aliceAndBob, open("alice", "bob"),
			part{{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Outage, Client: "alice", For: duration("1.5s")}},
				{Do: plan.AwaitDisconnected, Client: "alice"}},
			send("alice", "not sent yet", 3),
			refresh("alice"),
			untilShown("bob", send("alice", "from the new page", 2))),
	},
	{
		ID: "tab-closed-with-pending", Row: 33, Title: "the tab is closed while messages are unacknowledged, and another one is open",
		Why:    "as refresh-with-pending",
		From:   contract.Basic,
		Expect: except(steps(Loses, Loses, Loses), Loses, "8", OnFile),
		Plan: scripted(aliceHerTabAndBob, open("alice", "bob"),
			outage("alice"),
			send("alice", "not sent yet", 3),
			do(plan.Close, "alice"),
			open("tab"),
			untilShown("bob", send("tab", "from the other tab", 2)),
			fault(plan.Heal, "alice")),
	},
	{
		ID: "refresh-then-offline", Row: 34, Title: "a refresh, and then sending while offline",
		Why:    "keys from a counter in the page start again after a refresh, and collide",
		From:   contract.Basic,
		Expect: steps(Loses, Loses, ExactlyOnce),
		Plan: scripted(aliceAndBob, open("alice", "bob"),
			untilShown("bob", send("alice", "before the refresh", 3)),
			refresh("alice"),
			outage("alice"), send("alice", "written offline", 3), heal("alice")),
	},
	{
		ID: "laptop-wakes", Row: 35, Title: "a laptop is suspended past the ping timeout; then it sends",
		Why:               "the client knows that the ping is overdue and buffers the message, unless a ping that had arrived earlier is processed first; with retries the message is sent twice",
		From:              contract.Basic,
		Expect:            steps(MayLose, MayLose, MayLose),
		WaitsOutHeartbeat: true,
		Plan: tuned(plan.Tuning{PingInterval: duration("1s"), PingTimeout: duration("1s")}, scripted(aliceAndBob, meet,
			do(plan.Suspend, "alice"), wait("5s"), do(plan.Resume, "alice"),
			send("alice", "good morning", 2),
			do(plan.AwaitDisconnected, "alice"), do(plan.AwaitConnected, "alice"))),
	},
}

// killedAtAnswer has alice send a message, and kills the server at the frame with its
// acknowledgement, before it reaches her page or after. Both pages reconnect.
func killedAtAnswer(id string, after bool) part {
	return concat(
		crashAt(id, "", plan.Frame{Client: "alice", Direction: plan.Down, Match: "43", After: after}),
		send("alice", "acknowledged, and killed "+id, 1),
		awaitFault(id), do(plan.AwaitDisconnected, "alice"), awaited(plan.AwaitConnected, "alice", "bob"))
}
