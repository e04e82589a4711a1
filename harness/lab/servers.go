package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"redial/harness/history"
	"redial/harness/network"
	"redial/harness/plan"
	"redial/harness/target"
)

// everyServer names the target as a whole, instead of one of its servers. A target that is a
// single server has no other name.
const everyServer = ""

// supervisorOf returns the supervisor of one server, or of everyServer. A server of a cluster
// counts as running from the beginning, because the cluster as a whole is started first.
func (l *player) supervisorOf(node string) *supervisor {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.supervisors[node]
	if s == nil {
		s = newSupervisor()
		s.up = node != everyServer
		l.supervisors[node] = s
	}
	return s
}

// start starts every server for the first time, through the same supervisor as any later
// start.
func (l *player) start() error {
	if err := l.serverStep(plan.StartServer, everyServer); err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return nil
}

// serverStep performs a step of the script on a server, on a service that the servers use, or
// on every server.
func (l *player) serverStep(do plan.Action, node string) error {
	part, err := l.target.Part(node)
	if err != nil {
		return err
	}
	act := func() error { return l.turn(do, node, part) }
	switch do {
	case plan.StopServer, plan.KillServer:
		return l.supervisorOf(node).end(act)
	case plan.StartServer:
		return l.supervisorOf(node).start(act)
	}
	return act()
}

// restart performs a Crash or a Restart of a server, or of every server.
func (l *player) restart(f plan.Fault, event history.Event) error {
	end := plan.KillServer
	if f.Kind == plan.Restart {
		end = plan.StopServer
	}
	part, err := l.target.Part(f.Node)
	if err != nil {
		return err
	}
	supervisor := l.supervisorOf(f.Node)
	ended, err := supervisor.interrupt(func() error {
		l.record(event)
		return l.turn(end, f.Node, part)
	})
	if err != nil {
		return err
	}
	if !ended {
		// The fault has not fired, because it ended nothing.
		l.record(history.Event{Kind: history.Note, Node: f.Node, Detail: fmt.Sprintf("the fault %s (%s) had nothing to end: the server was down already", f.ID, f.Kind)})
		return nil
	}
	again := func() error {
		return supervisor.resume(func() error { return l.turn(plan.StartServer, f.Node, part) })
	}
	if f.Node != everyServer {
		return again()
	}
	// The start runs in the background: this goroutine blocks a link that still holds frames
	// of the dead server, which have to arrive before the next start.
	l.background.Go(func() {
		if err := again(); err != nil {
			l.fail(err)
		}
	})
	return nil
}

// turn starts, stops, kills, pauses or continues a part. The caller holds its supervisor.
func (l *player) turn(do plan.Action, node string, part target.Part) error {
	bound := l.config.Bound
	if do == plan.StartServer {
		bound = cmp.Or(l.config.StartBound, bound)
	}
	ctx, cancel := context.WithTimeout(l.ctx, bound)
	defer cancel()
	switch do {
	case plan.StartServer:
		l.starting.Add(1)
		err := part.Start(ctx)
		l.starting.Add(-1)
		if err != nil {
			return err
		}
		l.recordServer(history.ServerStarted, node, "started")
		return nil
	case plan.StopServer:
		return l.end(node, "stopped", func() error { return part.Stop(ctx) })
	case plan.KillServer:
		return l.end(node, "killed", part.Kill)
	case plan.PauseServer:
		return l.end(node, "paused", part.Pause)
	case plan.ContinueServer:
		l.recordServer(history.ServerStarted, node, "goes on")
		return part.Continue()
	}
	return fmt.Errorf("%s is nothing to do to a server", do)
}

// end ends a part. The end of one of several servers is recorded beforehand, because its
// clients notice it at once and connect to another server. The end of the whole target is
// recorded afterwards, when no server can answer any more.
func (l *player) end(node, how string, end func() error) error {
	if node != everyServer || how == "paused" {
		l.recordServer(history.ServerStopped, node, how)
		return end()
	}
	err := end()
	if errors.Is(err, target.ErrUnsupported) {
		return err
	}
	if err != nil {
		// The server did not stop as the plan requires, so the run proves nothing.
		l.record(history.Event{Kind: history.TimedOut, Detail: "the server ends when it is asked to: " + err.Error()})
	}
	l.recordServer(history.ServerStopped, node, how)
	return nil
}

// recordServer records a change of a server's state. A change of the target as a whole is
// recorded for each of its servers, whose supervisors need it too.
func (l *player) recordServer(kind history.Kind, node, detail string) {
	if node != everyServer {
		l.record(history.Event{Kind: kind, Node: node, Detail: detail})
		return
	}
	_, keptDown := l.supervisorOf(everyServer).state()
	for _, one := range l.target.Nodes() {
		e := history.Event{Kind: kind, Node: one, Detail: detail}
		if kind == history.ServerStarted && detail == "started" {
			e.Detail = l.target.NodeAddress(one)
		}
		if one != everyServer {
			l.supervisorOf(one).set(kind == history.ServerStarted, keptDown)
		}
		l.record(e)
	}
}

// move makes a client's next connections lead to another server.
func (l *player) move(c *participant, node string) error {
	if _, err := l.target.Part(node); err != nil {
		return err
	}
	leader, ok := c.link.(network.Leader)
	address := l.target.NodeAddress(node)
	if !ok || address == "" {
		return fmt.Errorf("%w: no link can lead to the server %q here", target.ErrUnsupported, node)
	}
	leader.Lead(address)
	c.node.Store(node)
	l.record(history.Event{Kind: history.Note, Client: c.name, Node: node, Detail: "the link leads to server " + node + " from now on"})
	return nil
}

// isKeptApart reports whether the script keeps the client from its server, and how: the server
// that the client's link leads to is down, or the link passes no frame.
func (l *player) isKeptApart(c *participant) (how string, is bool) {
	if l.ctx.Err() != nil {
		return "", false
	}
	_, down := l.supervisorOf(everyServer).state()
	if node := c.node.Load(); node != nil && !down {
		_, down = l.supervisorOf(node.(string)).state()
	}
	if down {
		return "the server is down", true
	}
	return "the link is out", c.unhealed.Load() > 0
}
