package report

import (
	"slices"

	"redial/harness/history"
	"redial/harness/plan"
)

// readMessages indexes when each message was sent, which frames carry it, and when the server is
// first known to have it.
func (st *stage) readMessages() {
	known := map[string]bool{} // letters and identities
	see := func(id string, at plan.Duration) {
		if before, ok := st.seen[id]; !ok || at < before {
			st.seen[id] = at
		}
	}
	for i, e := range st.Events {
		id := history.Identity(e.Message)
		if e.Kind == history.Shown || e.Kind == history.Acknowledged {
			see(id, e.At)
		}
		if e.Message == "" {
			continue
		}
		switch e.Kind {
		case history.Sent:
			st.sent[id] = append(st.sent[id], i)
			fallthrough
		case history.Shown, history.Stored, history.Repeated, history.Found:
			known[e.Message], known[id] = true, true
		}
	}
	for i, f := range st.Traffic.Frames {
		found := messagesIn(f, known)
		if len(found) > 0 {
			st.carried[i] = found
		}
		for _, m := range found {
			if f.Direction == plan.Down {
				see(history.Identity(m), f.Left)
			}
		}
	}
	leads := map[string]string{}
	for _, e := range st.Events {
		switch {
		case e.Kind == history.Note && e.Node != "" && e.Client != "":
			leads[e.Client] = e.Node
			if len(st.home[e.Client]) == 0 {
				st.home[e.Client] = []residence{{0, e.Node}}
			}
		case e.Kind == history.Connected && leads[e.Client] != "":
			st.home[e.Client] = append(st.home[e.Client], residence{e.At, leads[e.Client]})
		}
	}
}

// sentBy is the index of the Sent event of a message that was observed at that time, or -1.
func (st *stage) sentBy(message, client string, at plan.Duration) int {
	found := -1
	for _, i := range st.sent[history.Identity(message)] {
		e := st.Events[i]
		if e.At <= at && (client == "" || e.Client == client) {
			found = i
		}
	}
	if found < 0 && client != "" { // another tab of the same browser may send it
		return st.sentBy(message, "", at)
	}
	return found
}

// arrange orders the lanes: half of the clients, the servers, the log, the other clients. The
// server is in the middle so that arrows stay short. If there are more clients than lanes,
// those that a finding concerns keep theirs.
func (st *stage) arrange() {
	var clients, servers []string
	concerned := map[string]bool{}
	for _, f := range st.Findings {
		concerned[f.Client] = true
		for _, i := range st.sent[history.Identity(f.Message)] {
			concerned[st.Events[i].Client] = true
		}
	}
	hasLog := false
	see := func(client string) {
		if client != "" && client != plan.Reader && client != plan.Stream && !slices.Contains(clients, client) {
			clients = append(clients, client)
		}
	}
	for _, e := range st.Events {
		switch e.Kind {
		case history.Stored, history.Found, history.LogRead:
			hasLog = true
			continue
		case history.ServerStarted, history.ServerStopped:
			if !slices.Contains(servers, e.Node) {
				servers = append(servers, e.Node)
			}
		case history.Began:
			hasLog = hasLog || e.KeepsLog
		}
		see(e.Client)
	}
	for _, f := range st.Traffic.Frames {
		see(f.Client)
	}
	if len(servers) > 1 { // an event that concerns the whole cluster
		servers = slices.DeleteFunc(servers, func(node string) bool { return node == "" })
	}
	if len(servers) == 0 {
		servers = []string{""}
	}
	servers = servers[:min(len(servers), lanesDrawn/2)]
	if room := lanesDrawn - 1 - len(servers); len(clients) > room {
		st.left.Clients = len(clients) - room
		kept := map[string]bool{}
		for _, first := range []bool{true, false} {
			for _, c := range clients {
				if concerned[c] == first && len(kept) < room {
					kept[c] = true
				}
			}
		}
		clients = slices.DeleteFunc(clients, func(c string) bool { return !kept[c] })
	}
	above := (len(clients) + 1) / 2
	for _, c := range clients[:above] {
		st.lanes = append(st.lanes, stageLane{kind: clientLane, name: c, id: "client:" + c, towards: 1})
	}
	for _, node := range servers {
		st.lanes = append(st.lanes, stageLane{kind: serverLane, name: node, id: "server:" + node})
	}
	if hasLog {
		st.lanes = append(st.lanes, stageLane{kind: logLane, id: "log"})
	}
	for _, c := range clients[above:] {
		st.lanes = append(st.lanes, stageLane{kind: clientLane, name: c, id: "client:" + c, towards: -1})
	}
	st.names = map[string]int{}
	for i, l := range st.lanes {
		st.names[l.id] = i
	}
}

func (st *stage) lane(id string) int {
	if i, ok := st.names[id]; ok {
		return i
	}
	return -1
}

func (st *stage) laneOf(e history.Event) int {
	switch e.Kind {
	case history.Stored, history.Found:
		return st.lane("log")
	case history.ServerStarted, history.ServerStopped, history.DataReplaced:
		return st.serverLane(e.Node)
	case history.FaultFired, history.FaultHealed:
		if e.Client == "" || e.FaultKind.OnServer() {
			return st.serverLane(e.Node)
		}
	}
	return st.lane("client:" + e.Client)
}

func (st *stage) serverLane(node string) int {
	if i := st.lane("server:" + node); i >= 0 {
		return i
	}
	return slices.IndexFunc(st.lanes, func(l stageLane) bool { return l.kind == serverLane })
}

func (st *stage) serverOf(client string, at plan.Duration) int {
	node := ""
	for _, r := range st.home[client] {
		if r.since <= at || node == "" {
			node = r.node
		}
	}
	return st.serverLane(node)
}
