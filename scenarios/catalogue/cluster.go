package catalogue

import (
	"fmt"
	"slices"

	"redial/harness/contract"
	"redial/harness/plan"
)

// onTwoServers are alice on server a and bob on server b.
var onTwoServers = slices.Concat(at("a", "alice"), at("b", "bob"))

// everyCluster is what a row expects of step 9 on either database, and onlyPostgres of
// step 9 on PostgreSQL.
var (
	everyCluster = map[string]Expectation{OnFile: ExactlyOnce, OnPostgres: ExactlyOnce}
	onlyPostgres = map[string]Expectation{OnPostgres: ExactlyOnce}
)

// at are pages that connect to the server.
func at(node string, names ...string) []plan.Client {
	who := clients(names...)
	for i := range who {
		who[i].Node = node
	}
	return who
}

func server(do plan.Action, node string) part { return one(plan.Step{Do: do, Node: node}) }

func move(who, node string) part { return one(plan.Step{Do: plan.Move, Client: who, Node: node}) }

// crashAt crashes a server at a frame; without a name it is the only server.
func crashAt(id, node string, at plan.Frame) part {
	return one(plan.Step{Do: plan.Arm, Fault: &plan.Fault{ID: id, Kind: plan.Crash, Node: node, At: at}})
}

func awaited(do plan.Action, names ...string) (steps part) {
	for _, name := range names {
		steps = append(steps, plan.Step{Do: do, Client: name})
	}
	return steps
}

// shown waits until each of the clients shows the text.
func shown(text string, names ...string) (steps part) {
	for _, name := range names {
		steps = append(steps, plan.Step{Do: plan.AwaitShown, Client: name, Text: text})
	}
	return steps
}

// clusterScenarios are the rows of the catalogue that need several servers.
var clusterScenarios = []Scenario{
	{
		ID: "crash-before-emit", Row: 38, Title: "a server crashes after storing a message, before the acknowledgement",
		Why:  "the other server must find the message in the log, and the retry must not be stored a second time",
		From: contract.ClientDelivery, Cluster: true, Restarts: true, Expect: everyCluster,
		Plan: scripted(onTwoServers, meet,
			crashAt("at-the-acknowledgement", "a", plan.Frame{Client: "alice", Direction: plan.Down, Match: "43"}),
			send("alice", "stored, and the server dies", 1),
			awaitFault("at-the-acknowledgement"),
			awaited(plan.AwaitConnected, "alice"),
			shown("stored, and the server dies", "bob", "alice"),
			untilShown("alice", send("bob", "and the others go on", 1))),
	},
	{
		ID: "node-dies", Row: 39, Title: "a server crashes for good; its pages connect to another",
		Why:  "messages that the crashed server stored are in the log, and a page's offset means the same on every server",
		From: contract.ClientDelivery, Cluster: true, Restarts: true, Expect: everyCluster,
		Plan: scripted(slices.Concat(at("a", "alice", "carol"), at("b", "bob")), open("carol"), meet,
			send("alice", "burst", 40), shown("burst 10", "bob"),
			server(plan.KillServer, "a"),
			awaited(plan.AwaitDisconnected, "alice", "carol"),
			untilShown("bob", send("bob", "while they are offline", 3)),
			move("alice", "b"), move("carol", "b"),
			awaited(plan.AwaitConnected, "alice", "carol"),
			shown("burst 40", "alice", "bob", "carol")),
	},
	{
		ID: "nodes-killed-in-turn", Row: 39, Title: "each server is killed and restarted in turn, with traffic on both",
		Why:  "a restarted server continues at the current end of the log, and its pages at their own offsets",
		From: contract.ClientDelivery, Cluster: true, Restarts: true, Expect: everyCluster,
		Plan: scripted(onTwoServers, meet, repeated(3, func(n int) part {
			node, whose := "a", "alice"
			if n == 2 {
				node, whose = "b", "bob"
			}
			// A page sends its next message when the last one is acknowledged, so some of
			// these are in flight when the server is killed.
			burst := fmt.Sprint("burst ", n)
			return concat(send("alice", "alice's "+burst, 25), send("bob", "bob's "+burst, 25),
				shown("alice's "+burst+" 3", "bob"), shown("bob's "+burst+" 3", "alice"),
				server(plan.KillServer, node), awaited(plan.AwaitDisconnected, whose),
				server(plan.StartServer, node), awaited(plan.AwaitConnected, whose),
				shown("alice's "+burst+" 25", "bob"), shown("bob's "+burst+" 25", "alice"))
		})),
	},
	{
		ID: "node-paused", Row: 39, Title: "a server is paused (SIGSTOP) and continued later",
		Why:  "it resumes with old connections and an old position in the log, and must neither go back nor skip",
		From: contract.ClientDelivery, Cluster: true, Restarts: true, Expect: everyCluster,
		// A ping timeout below a second ended connections on busy machines again and again.
		Plan: tuned(plan.Tuning{PingInterval: duration("500ms"), PingTimeout: duration("3s")}, scripted(slices.Concat(at("a", "alice", "carol"), at("b", "bob")), open("carol"), meet,
			send("bob", "burst", 30), shown("burst 3", "alice"),
			server(plan.PauseServer, "a"),
			send("alice", "to a paused server", 2),
			awaited(plan.AwaitDisconnected, "alice"),
			move("alice", "b"), awaited(plan.AwaitConnected, "alice"),
			shown("to a paused server 2", "bob"),
			server(plan.ContinueServer, "a"),
			awaited(plan.AwaitConnected, "carol"),
			shown("to a paused server 2", "carol"))),
	},
	{
		ID: "client-moves", Row: 39, Title: "a page moves back and forth between the servers, with traffic",
		Why:  "a session is valid on one server only, and the page's offset on all of them",
		From: contract.ClientDelivery, Cluster: true, Expect: everyCluster,
		Plan: scripted(onTwoServers, meet, repeated(3, func(n int) part {
			burst, moved := fmt.Sprint("burst ", n), fmt.Sprint("bob's move ", n)
			return concat(send("alice", burst, 25), shown(burst+" 3", "bob"),
				move("bob", []string{"a", "b", "a"}[n-1]), fault(plan.Cut, "bob"),
				send("bob", moved, 1),
				awaited(plan.AwaitDisconnected, "bob"), awaited(plan.AwaitConnected, "bob"), shown(moved, "alice"))
		})),
	},
	{
		ID: "join-elsewhere", Row: 40, Title: "pages load from one server while messages from the other are in flight",
		Why:  "replay and live messages have to meet at one position of the log, whichever server a message came from",
		From: contract.ClientDelivery, Cluster: true, Expect: everyCluster,
		Plan: func(seed uint64) plan.Plan {
			p := loadUnderTraffic(seed)
			for i := range p.Clients {
				p.Clients[i].Node = "b"
				if p.Clients[i].Kind == plan.Wire {
					p.Clients[i].Node = "a"
				}
			}
			return p
		},
	},
	{
		ID: "redis-restarted", Row: 41, Title: "Redis is killed and restarted",
		Why:  "a notification is lost; the servers poll the log in any case",
		From: contract.ClientDelivery, Cluster: true, Restarts: true, Expect: onlyPostgres,
		Plan: scripted(onTwoServers, breakRedis(plan.KillServer, plan.StartServer, "redis")),
	},
	{
		ID: "redis-cut-off", Row: 41, Title: "one server's connections to Redis go silent",
		Why:  "as redis-restarted, and the server gets no error from its dead connections",
		From: contract.ClientDelivery, Cluster: true, Restarts: true, Expect: onlyPostgres,
		Plan: scripted(onTwoServers, breakRedis(plan.PauseServer, plan.ContinueServer, "b-to-redis")),
	},
	{
		ID: "postgres-cut-off", Row: 41, Title: "a server's connection to PostgreSQL is cut during commits, repeatedly",
		Why:  "a message may be stored although its server got no answer: the retry must not be stored a second time",
		From: contract.ClientDelivery, Cluster: true, Restarts: true, Expect: onlyPostgres,
		Plan: scripted(onTwoServers, meet, send("alice", "burst", 90), send("bob", "bob's burst", 90),
			repeated(6, func(n int) part {
				return concat(shown(fmt.Sprint("burst ", 10*n-7), "bob"),
					server(plan.KillServer, "a-to-postgres"), server(plan.StartServer, "a-to-postgres"))
			}), shown("burst 90", "bob")),
	},
	{
		ID: "postgres-restarted", Row: 41, Title: "PostgreSQL is killed, and stopped, during commits, with traffic on both servers",
		Why:  "an error leaves open whether the message was stored: the server does not acknowledge it, and the retry finds the stored one",
		From: contract.ClientDelivery, Cluster: true, Restarts: true, Expect: onlyPostgres,
		Plan: scripted(onTwoServers, meet, restartPostgres(1, plan.KillServer), restartPostgres(2, plan.StopServer)),
	},
}

// breakRedis has both pages send while the servers get no notifications, and after.
func breakRedis(stop, restore plan.Action, what string) part {
	return concat(meet,
		server(stop, what),
		untilShown("bob", send("alice", "while Redis is down", 5)), untilShown("alice", send("bob", "while it is down, too", 5)),
		server(restore, what),
		untilShown("bob", send("alice", "after it is back", 5)), untilShown("alice", send("bob", "back as well", 5)))
}

// restartPostgres restarts PostgreSQL while both pages send. A page sends its next message
// when the last one is acknowledged, so some message is always being committed.
func restartPostgres(n int, stop plan.Action) part {
	burst, back := fmt.Sprint("burst ", n), fmt.Sprint("it is back ", n)
	return concat(send("alice", "alice's "+burst, 60), send("bob", "bob's "+burst, 60),
		shown("alice's "+burst+" 3", "bob"), shown("bob's "+burst+" 3", "alice"),
		server(stop, "postgres"), server(plan.StartServer, "postgres"),
		send("bob", back, 1), shown(back, "alice"))
}
