package catalogue

import (
	"redial/harness/contract"
	"redial/harness/defect"
	"redial/harness/plan"
)

// featureScenarios are the rows about features of Socket.IO that no step uses. They are
// played on two servers that use them: one on package recovery, one on the library's adapter.
var featureScenarios = []Scenario{
	{
		ID: "server-disconnects", Row: 11, Title: "the server disconnects a page",
		Why:    "a page that receives a disconnect packet does not reconnect, by design (after disconnect(true) the Go server sends that packet only sometimes); it reconnects when only the connection is closed",
		From:   contract.Recovery,
		Needs:  "a server that disconnects pages",
		Expect: onFeatures(ExactlyOnce, ExactlyOnce),
		Plan: scripted(aliceAndBob, meet,
			send("alice", defect.Disconnecting+"bob goes", 1),
			awaited(plan.AwaitDisconnected, "bob"), awaited(plan.AwaitConnected, "bob"),
			untilShown("bob", send("alice", "and bob is back", 3))),
	},
	{
		ID: "volatile-then-drop", Row: 12, Title: "a volatile message is the last before a disconnection",
		Why:    "it has no offset, so the page takes its last argument for one, which the server does not know",
		From:   contract.Recovery,
		Needs:  "a server that emits volatile events",
		Expect: onFeatures(ExactlyOnce, Loses),
		Plan: scripted(aliceAndBob, meet,
			untilShown("bob", send("alice", defect.Volatile+"not so important", 1)),
			whileOffline("bob", send("alice", "bob is offline", 3))),
	},
	{
		ID: "acknowledged-broadcast", Row: 13, Title: "a broadcast with acknowledgements while a page is disconnected",
		Why:    "neither the library nor package recovery stores a packet that asks for an acknowledgement: a disconnected page does not receive it later",
		From:   contract.Recovery,
		Needs:  "a server that asks everyone for an acknowledgement",
		Expect: onFeatures(Loses, Loses),
		Plan: scripted(aliceAndBob, meet,
			untilShown("bob", send("alice", defect.Acknowledged+"is everyone there", 1)),
			whileOffline("bob", send("alice", defect.Acknowledged+"bob is offline", 3))),
	},
	{
		ID: "slow-middleware", Row: 15, Title: "a page reconnects through a slow middleware (skipMiddlewares is false), with traffic",
		Why:    "a message sent meanwhile is neither among the missed events nor live for the page yet",
		From:   contract.Recovery,
		Needs:  "a server with a middleware",
		Expect: onFeatures(ExactlyOnce, Loses),
		Plan: scripted(aliceAndBob, meet,
			startSending("alice", "traffic", "10ms", 1000), drop(plan.Cut, "bob"), do(plan.StopSending, "alice")),
	},
}

// onFeatures writes the Expect map for these two servers.
func onFeatures(ours, published Expectation) map[string]Expectation {
	return map[string]Expectation{Features: ours, FeaturesPublished: published}
}
