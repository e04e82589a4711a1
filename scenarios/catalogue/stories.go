package catalogue

import (
	"redial/harness/contract"
	"redial/harness/plan"
)

// A Story is an ordinary conversation, into which a sweep injects faults.
type Story struct {
	// ID is stable.
	ID string
	// Title says in one line what happens.
	Title string
	// From is the weakest level at which the story is played.
	From contract.Level
	// Plan writes the script for a seed.
	Plan func(seed uint64) plan.Plan
}

// pause separates two messages. A story does not wait until a message is shown: after a
// fault that may never happen.
var pause = wait("100ms")

// Stories are played by `redial check --sweep`.
var Stories = []Story{
	{
		ID: "conversation", Title: "three pages and a dozen messages; one page is loaded again",
		From: contract.Basic,
		Plan: seamed("4ms", scripted(clients("alice", "bob", "carol"), open("alice", "bob", "carol"),
			send("alice", "hello", 1), pause, send("bob", "hello yourself", 1), pause,
			send("alice", "news", 4), pause,
			do(plan.Refresh, "carol"),
			send("alice", "are you there", 1),
			do(plan.AwaitConnected, "carol"),
			send("carol", "back again", 1), pause,
			send("bob", "more news", 3), pause,
			send("alice", "goodbye", 1), send("bob", "goodbye yourself", 1))),
	},
	{
		ID: "absences", Title: "a page that disconnects and reconnects while others send, and an idle minute",
		From: contract.Recovery,
		Plan: seamed("80ms", scripted(aliceAndBob, open("alice", "bob"),
			send("alice", "hello", 1), pause,
			startSending("alice", "traffic", "150ms", 12), drop(plan.Cut, "bob"), do(plan.StopSending, "alice"),
			send("alice", "meanwhile", 2),
			wait("50s"),
			send("bob", "still here", 1), pause, send("alice", "so am I", 1))),
	},
}

// ShortStories are for sweeps of pairs: the fewer frames a story has, the more often two
// faults fall close together.
var ShortStories = []Story{{
	ID: "exchange", Title: "two pages, and a few messages each",
	From: contract.Basic,
	Plan: seamed("4ms", scripted(aliceAndBob, open("alice", "bob"),
		send("alice", "hello", 1), pause, send("bob", "hello yourself", 2), pause, send("alice", "goodbye", 1))),
}}

// seamed gives the plan pauses at the server's seams. They are as long as a frame takes in
// the virtual network, or as the interval of background traffic, so that another frame may
// arrive during one.
func seamed(longest string, write func(seed uint64) plan.Plan) func(seed uint64) plan.Plan {
	return func(seed uint64) plan.Plan {
		p := write(seed)
		p.Seams = duration(longest)
		return p
	}
}
