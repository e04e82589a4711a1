// Package catalogue lists the named scenarios: for each, what the clients do, which faults
// are injected, and what every step of the tutorial must show.
//
// Read [Scenario] first, then [All]: a scenario is data with one line of explanation. The
// rows are in this file (one server) and in sessions.go, transport.go, features.go,
// delivery.go and cluster.go. script.go has the parts that scripts are made of, and
// stories.go the stories that a sweep breaks at every frame.
//
// catalogue plays nothing and judges nothing, and must not import servers.
package catalogue

import (
	"fmt"
	"slices"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/plan"
)

// A Scenario is one case: what the clients do, which faults are injected, and what the
// outcome must be.
type Scenario struct {
	// ID never changes, so that a CI configuration may name it.
	ID string
	// Row is the scenario's number in the catalogue of docs.
	Row int
	// Title says in one line what happens.
	Title string
	// Why says what decides the outcome.
	Why string
	// From is the weakest level whose promise says something about the scenario. A server
	// below it is judged only by Expect. See Promised.
	From contract.Level
	// Cluster tells that the scenario needs several servers, with the names of the plan.
	Cluster bool
	// Restarts tells that the scenario stops and starts the server.
	Restarts bool
	// WaitsOutHeartbeat tells that the script waits as long as the heartbeat in its plan's
	// tuning. A server with a longer heartbeat has then noticed nothing yet.
	WaitsOutHeartbeat bool
	// Needs is the feature that no step has and the scenario is about, such as a server that
	// emits volatile events. Such a scenario is played on Features and FeaturesPublished.
	Needs string
	// RealOnly is the reason why the virtual lab cannot play the scenario; empty if it can.
	RealOnly string
	// Expect is, by step number, what each step must show if every message should be shown
	// exactly once.
	Expect map[string]Expectation
	// Folder is the folder of a user's own scenario; empty for one of the catalogue.
	Folder string
	// Plan writes the script for a seed.
	Plan func(seed uint64) plan.Plan
}

// The kit's servers whose names stand for a step number, as in Scenario.Expect.
const (
	// OnFile is step 9, two servers on one SQLite file.
	OnFile = "9"
	// OnPostgres is step 9 on a PostgreSQL and a Redis of its own.
	OnPostgres = "9-postgres"
	// Features is a server that uses features of Socket.IO which no step uses, on package
	// recovery.
	Features = "features"
	// FeaturesPublished is the same on the library's own adapter.
	FeaturesPublished = "features-published"
)

// Expectation and its values are aliases of package check's, which keep the tables short.
type Expectation = check.Expectation

const (
	ExactlyOnce  = check.ExactlyOnce
	Loses        = check.Loses
	Duplicates   = check.Duplicates
	MayLose      = check.MayLose
	DoesNotApply = check.DoesNotApply
)

// Promised is the weakest level whose promise covers the scenario: that of the first step
// that shows all of it, in the steps' own order. Where no step is played, it is From.
func (s Scenario) Promised() contract.Level {
	for i, step := range []string{"5", "6", "7", "8", "10"} { // each keeps the promise of a level
		if level := contract.Levels[i]; level.AtLeast(s.From) && s.Expect[step] == ExactlyOnce {
			return level
		}
	}
	return s.From
}

// steps writes the Expect map of a row by steps 5 to 7. Steps 3 and 4 do not broadcast yet, so
// they lose every message; from step 8 on every message is delivered.
func steps(step5, step6, step7 Expectation) map[string]Expectation {
	early := Loses
	if step5 == DoesNotApply {
		early = DoesNotApply
	}
	return map[string]Expectation{"3": early, "4": early, "5": step5, "6": step6, "7": step7,
		"8": ExactlyOnce, OnFile: ExactlyOnce, "10": ExactlyOnce}
}

// except changes what a row expects of some of the steps.
func except(all map[string]Expectation, expected Expectation, numbers ...string) map[string]Expectation {
	for _, number := range numbers {
		all[number] = expected
	}
	return all
}

// All lists the scenarios, by row.
var All = byRow(slices.Concat(oneServer, sessionScenarios, transportScenarios, featureScenarios, deliveryScenarios, clusterScenarios))

func byRow(list []Scenario) []Scenario {
	slices.SortStableFunc(list, func(a, b Scenario) int { return a.Row - b.Row })
	return list
}

// oneServer are the scenarios for any server.
var oneServer = []Scenario{
	{
		ID: "clean-drop", Row: 1, Title: "a clean disconnection, after at least one message",
		Why:    "recovery, or the database, holds the messages sent meanwhile",
		From:   contract.Basic,
		Expect: steps(Loses, ExactlyOnce, ExactlyOnce),
		Plan: scripted(aliceAndBob, meet,
			whileOffline("bob", send("alice", "bob is offline", 3))),
	},
	{
		ID: "drop-before-any-event", Row: 2, Title: "a disconnection before the page has received any event",
		Why:    "without an event there is no offset to recover from; step 6 sends each page an event as it connects",
		From:   contract.Basic,
		Expect: steps(Loses, ExactlyOnce, ExactlyOnce),
		Plan: scripted(aliceAndBob, open("alice", "bob"),
			whileOffline("bob", send("alice", "bob is offline", 3))),
	},
	{
		ID: "network-switch", Row: 3, Title: "WiFi to 4G: the old connection stays half-open",
		Why:    "the server has not noticed the disconnection, so the new connection has to take over the session of the old one",
		From:   contract.Basic,
		Expect: steps(Loses, ExactlyOnce, ExactlyOnce),
		Plan: scripted(aliceAndBob, meet,
			fault(plan.Switch, "bob"),
			whileOffline("bob", send("alice", "while bob changes networks", 3))),
	},
	{
		ID: "offline-too-long", Row: 7, Title: "disconnected for longer than maxDisconnectionDuration",
		Why:    "the session has expired",
		From:   contract.Basic,
		Expect: steps(Loses, Loses, ExactlyOnce),
		Plan: tuned(plan.Tuning{MaxDisconnection: duration("1s")}, scripted(aliceAndBob, meet,
			whileOffline("bob", send("alice", "bob is offline", 3), wait("1.5s")))),
	},
	{
		ID: "server-killed", Row: 8, Title: "the server is killed (SIGKILL) and restarted",
		Why:      "everything in the server's memory is lost",
		From:     contract.Basic,
		Restarts: true,
		Expect:   steps(Loses, Loses, ExactlyOnce),
		Plan:     scripted(aliceAndBob, meet, restart(plan.KillServer)),
	},
	{
		ID: "server-restarted", Row: 9, Title: "the server is stopped (SIGTERM) and restarted",
		Why:      "everything in the server's memory is lost",
		From:     contract.Basic,
		Restarts: true,
		Expect:   steps(Loses, Loses, ExactlyOnce),
		Plan:     scripted(aliceAndBob, meet, restart(plan.StopServer)),
	},
	{
		ID: "drop-then-restart", Row: 9, Title: "the server is killed and restarted while a page is disconnected",
		Why:      "messages that the page missed before the restart, and after it, have to come from one log",
		From:     contract.Basic,
		Restarts: true,
		Expect:   steps(Loses, Loses, ExactlyOnce),
		Plan: scripted(aliceAndBob, meet,
			outage("bob"), untilShown("alice", send("alice", "before the restart", 2)),
			restartUnder("alice", plan.KillServer),
			untilShown("alice", send("alice", "after the restart", 2)), heal("bob")),
	},
	{
		ID: "own-disconnect", Row: 10, Title: "the page's own disconnect(), then connect()",
		Why:    "a disconnection that the client asked for is not recovered (the Go server sometimes sees the connection close before the disconnect packet, and then it does recover)",
		From:   contract.Basic,
		Expect: steps(Loses, MayLose, ExactlyOnce),
		Plan: scripted(aliceAndBob, meet,
			do(plan.Disconnect, "bob"),
			do(plan.AwaitDisconnected, "bob"),
			untilShown("alice", send("alice", "bob is offline", 3)),
			do(plan.Connect, "bob"),
			do(plan.AwaitConnected, "bob")),
	},
	{
		ID: "restore-under-traffic", Row: 16, Title: "broadcasts while a session is being restored",
		Why:    "the library restores a session in two steps, and a message that is broadcast between them is lost",
		From:   contract.Recovery,
		Expect: map[string]Expectation{"6": ExactlyOnce, "7": ExactlyOnce, "8": ExactlyOnce, OnFile: ExactlyOnce, "10": ExactlyOnce},
		Plan:   restoreUnderTraffic,
	},
	{
		ID: "five-drops", Row: 18, Title: "five disconnections in a row",
		Why:    "each recovery must leave the state that the next one needs",
		From:   contract.Basic,
		Expect: steps(Loses, ExactlyOnce, ExactlyOnce),
		Plan: scripted(aliceAndBob, meet, repeated(5, func(n int) part {
			return whileOffline("bob", send("alice", fmt.Sprint("in drop ", n), 2))
		})),
	},
	{
		ID: "drops-under-traffic", Row: 18, Title: "three disconnections while another client sends without pause",
		Why:    "a message sent while the page reconnects belongs either to its replay or to the live messages, never to both",
		From:   contract.Basic,
		Expect: steps(Loses, ExactlyOnce, ExactlyOnce),
		// Step 10's page keeps 200 messages that are not acknowledged yet, and refuses more.
		Plan: scripted(aliceAndBob, meet, startSending("alice", "traffic", "20ms", 190),
			repeated(3, func(int) part { return concat(wait("400ms"), drop(plan.Cut, "bob")) }), do(plan.StopSending, "alice")),
	},
	{
		ID: "load-under-traffic", Row: 19, Title: "pages load while others send: connecting between commit and emit",
		Why:    "a row that the replay has read may be broadcast to the same page a moment later",
		From:   contract.ServerDelivery,
		Expect: steps(DoesNotApply, DoesNotApply, ExactlyOnce),
		Plan:   loadUnderTraffic,
	},
	{
		ID: "cut-in-replay", Row: 20, Title: "cut in the middle of a replay, with live messages in between",
		Why:    "a live message during the replay moves the offset past messages that were not replayed yet",
		From:   contract.ServerDelivery,
		Expect: steps(DoesNotApply, DoesNotApply, ExactlyOnce),
		Plan:   cutInReplay,
	},
	{
		ID: "refresh", Row: 24, Title: "page refresh, with and without traffic",
		Why:    "a new page has no messages: it must receive all of them again, once",
		From:   contract.Basic,
		Expect: steps(Loses, Loses, ExactlyOnce),
		Plan: scripted(clients("alice", "bob", "carol"), open("alice", "bob", "carol"),
			untilShown("bob", send("alice", "before the refresh", 5)),
			refresh("bob"),
			startSending("carol", "carol sends", "5ms", 300), shown("carol sends 5", "alice"),
			refresh("bob"),
			do(plan.StopSending, "carol")),
	},
	{
		ID: "long-history", Row: 24, Title: "a page is opened after 1,100 messages",
		Why:    "a replay that is sent in batches must send all of them",
		From:   contract.ServerDelivery,
		Expect: steps(DoesNotApply, DoesNotApply, ExactlyOnce),
		Plan: scripted(append(clients("bob"), wires("writer")...),
			open("writer"), untilShown("writer", send("writer", "history", 1100)), open("bob")),
	},
	{
		ID: "write-offline", Row: 26, Title: "sending while offline",
		Why:    "the client buffers messages while it is offline, and sends them when it reconnects",
		From:   contract.Basic,
		Expect: steps(ExactlyOnce, ExactlyOnce, ExactlyOnce),
		Plan: scripted(aliceAndBob, meet,
			outage("alice"),
			send("alice", "written offline", 3),
			heal("alice")),
	},
	{
		ID: "write-on-dead-connection", Row: 27, Title: "sending on a dead connection that still looks open",
		Why:    "at most once: without acknowledgements and retries the loss goes unnoticed",
		From:   contract.Basic,
		Expect: steps(Loses, Loses, Loses),
		Plan: scripted(aliceAndBob, meet,
			fault(plan.Silence, "alice"),
			send("alice", "on a dead link", 2),
			fault(plan.Switch, "alice"),
			do(plan.AwaitDisconnected, "alice"),
			heal("alice"),
			do(plan.AwaitConnected, "alice")),
	},
	{
		ID: "burst", Row: 36, Title: "a burst from one sender",
		Why:    "messages that one page sends in order are stored and shown in that order",
		From:   contract.Basic,
		Expect: steps(ExactlyOnce, ExactlyOnce, ExactlyOnce),
		Plan:   scripted(aliceAndBob, meet, untilShown("bob", send("alice", "burst", 200))),
	},
	{
		ID: "payloads-drop", Row: 44, Title: "nested JSON and binary across a clean disconnection",
		Why:    "every payload is delivered unchanged",
		From:   contract.Basic,
		Expect: steps(Loses, ExactlyOnce, ExactlyOnce),
		Plan:   scripted(aliceAndBob, meet, payloads("early"), whileOffline("bob", payloads("offline"))),
	},
	{
		ID: "texts", Row: 44, Title: "texts that servers tend to change, across a clean disconnection",
		Why:    "a text is delivered as sent: not truncated, trimmed, escaped or normalised",
		From:   contract.Basic,
		Expect: steps(Loses, ExactlyOnce, ExactlyOnce),
		Plan:   scripted(aliceAndBob, meet, whileOffline("bob", concat(texts("alice"), send("alice", "the last of them", 1)))),
	},
	{
		ID: "payloads-restart", Row: 44, Title: "nested JSON and binary across a killed server",
		Why:      "as payloads-drop",
		From:     contract.Basic,
		Restarts: true,
		Expect:   steps(Loses, Loses, ExactlyOnce),
		Plan:     scripted(aliceAndBob, meet, payloads("early"), restart(plan.KillServer), payloads("late")),
	},
	{
		ID: "payloads-refresh", Row: 44, Title: "nested JSON and binary across a page refresh",
		Why:    "as payloads-drop",
		From:   contract.Basic,
		Expect: steps(Loses, Loses, ExactlyOnce),
		Plan: scripted(aliceAndBob, meet, payloads("early"),
			refresh("bob"),
			payloads("late")),
	},
}
