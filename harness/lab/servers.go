package lab

import (
	"context"
	"errors"
	"fmt"

	"redial/harness/history"
	"redial/harness/network"
	"redial/harness/plan"
	"redial/harness/target"
)

// everyServer names the target as a whole, in the place of one of its servers. A target
// that is a single server has only that.
const everyServer = ""

// supervisorOf is the supervisor of one server, or of everyServer. The servers are up to
// begin with, since the whole is.
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

// start starts every server for the first time.
func (l *player) start() error { return l.serverStep(plan.StartServer, everyServer) }

// serverStep does a step of the script to a server, to something that the servers stand
// on, or to every server.
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

// restart is a Crash or a Restart of a server, or of every server.
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
		// It has not fired: nothing happened.
		l.record(history.Event{Kind: history.Note, Node: f.Node, Detail: fmt.Sprintf("the fault %s (%s) had nothing to end: the server was down already", f.ID, f.Kind)})
		return nil
	}
	again := func() error {
		return supervisor.resume(func() error { return l.turn(plan.StartServer, f.Node, part) })
	}
	if f.Node != everyServer {
		return again()
	}
	// Not here, where a link still holds what the dead server had sent: that arrives
	// before the next start, not after it.
	l.background.Go(func() {
		if err := again(); err != nil {
			l.fail(err)
		}
	})
	return nil
}

// turn starts, stops, kills, pauses or continues a part. The caller has its supervisor.
func (l *player) turn(do plan.Action, node string, part target.Part) error {
	ctx, cancel := context.WithTimeout(l.ctx, l.config.Bound)
	defer cancel()
	switch do {
	case plan.StartServer:
		if err := part.Start(ctx); err != nil {
			if node == everyServer {
				return fmt.Errorf("%w: %w", ErrUnreachable, err)
			}
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

// end ends a part. One of several is recorded as ended beforehand, since its clients
// notice at once and go on to another server; the whole afterwards, when it can answer
// nobody any more.
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
		// It was not stopped as the plan says, so the run cannot prove anything.
		l.record(history.Event{Kind: history.TimedOut, Detail: "the server ends when it is asked to: " + err.Error()})
	}
	l.recordServer(history.ServerStopped, node, how)
	return nil
}

// recordServer records what has become of a server. What becomes of every server becomes
// of each, whose supervisor has to know.
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

// move leads a client's link to another server.
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

// isKeptApart tells whether the script keeps the client from its server, and how: the
// server is down that the client's link leads to, or the link lets nothing through.
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
