package catalogue

import (
	"redial/harness/contract"
	"redial/harness/plan"
)

// A Story is what a sweep breaks: an ordinary conversation that passes when nothing is
// broken. What breaks it, and where, is the sweep's.
type Story struct {
	// ID is stable.
	ID string
	// Title says in one line what happens.
	Title string
	// From is the weakest level that the story is told at.
	From contract.Level
	// Plan writes the script for a seed.
	Plan func(seed uint64) plan.Plan
}

// pause is between two messages that are not said in one breath. A story does not wait
// for what is said to be shown: where it is broken, that may never be.
var pause = wait("100ms")

// Stories are what `redial check --sweep` tells.
var Stories = []Story{
	{
		ID: "conversation", Title: "three pages and a dozen messages; one page is loaded again",
		From: contract.Basic,
		Plan: func(seed uint64) plan.Plan {
			return seamed("4ms", script(seed, clients("alice", "bob", "carol"), open("alice", "bob", "carol"),
				send("alice", "hello", 1), pause, send("bob", "hello yourself", 1), pause,
				send("alice", "news", 4), pause,
				part{{Do: plan.Refresh, Client: "carol"}},
				send("alice", "are you there", 1),
				part{{Do: plan.AwaitConnected, Client: "carol"}},
				send("carol", "back again", 1), pause,
				send("bob", "more news", 3), pause,
				send("alice", "goodbye", 1), send("bob", "goodbye yourself", 1)))
		},
	},
	{
		ID: "absences", Title: "a page that disconnects and reconnects while others send, and an idle minute",
		From: contract.Recovery,
		Plan: func(seed uint64) plan.Plan {
			return seamed("80ms", script(seed, aliceAndBob, open("alice", "bob"),
				send("alice", "hello", 1), pause,
				part{{Do: plan.StartSending, Client: "alice", Text: "traffic", Every: duration("150ms"), Count: 12},
					{Do: plan.Break, Fault: &plan.Fault{Kind: plan.Cut, Client: "bob"}},
					{Do: plan.AwaitDisconnected, Client: "bob"},
					{Do: plan.AwaitConnected, Client: "bob"},
					{Do: plan.StopSending, Client: "alice"}},
				send("alice", "meanwhile", 2),
				wait("50s"),
				send("bob", "still here", 1), pause, send("alice", "so am I", 1)))
		},
	},
}

// ShortStories are what a sweep of pairs tells: two faults hit each other the more often,
// the fewer frames there are to hit.
var ShortStories = []Story{{
	ID: "exchange", Title: "two pages, and a few messages each",
	From: contract.Basic,
	Plan: func(seed uint64) plan.Plan {
		return seamed("4ms", script(seed, aliceAndBob, open("alice", "bob"),
			send("alice", "hello", 1), pause, send("bob", "hello yourself", 2), pause, send("alice", "goodbye", 1)))
	},
}}

// seamed gives the plan pauses at the server's seams: of about what a frame takes in the
// virtual network, so that another frame may come in between, or long enough for one of
// several that a client sends in the background to do so.
func seamed(longest string, p plan.Plan) plan.Plan {
	p.Seams = duration(longest)
	return p
}
