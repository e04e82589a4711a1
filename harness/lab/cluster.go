package lab

import (
	"context"
	"fmt"

	"redial/harness/history"
	"redial/harness/network"
	"redial/harness/plan"
	"redial/harness/target"
)

// cluster is the target where it is several servers.
func (l *player) cluster() (*target.Cluster, error) {
	if cluster, ok := l.config.Target.(*target.Cluster); ok {
		return cluster, nil
	}
	return nil, fmt.Errorf("%w: the plan is about one of several servers, and there is only one", target.ErrUnsupported)
}

// part is the part of the cluster with that name.
func (l *player) part(name string) (target.Part, error) {
	cluster, err := l.cluster()
	if err != nil {
		return nil, err
	}
	return cluster.Part(name)
}

// turnPart does a server step to one part of a cluster.
func (l *player) turnPart(do plan.Action, node string) error {
	part, err := l.part(node)
	if err != nil {
		return err
	}
	act := func() error { return l.turn(do, node, part) }
	switch do {
	case plan.StopServer, plan.KillServer:
		return l.powerOf(node).end(act)
	case plan.StartServer:
		return l.powerOf(node).start(act)
	default:
		return act()
	}
}

// turnWhole pauses the server, or lets it go on.
func (l *player) turnWhole(do plan.Action) error {
	part, ok := l.config.Target.(target.Part)
	if !ok {
		return target.ErrUnsupported
	}
	return l.turn(do, "", part)
}

func (l *player) turn(do plan.Action, node string, part target.Part) error {
	ctx, cancel := context.WithTimeout(l.ctx, l.config.Bound)
	defer cancel()
	// What ends is recorded beforehand: its clients notice at once.
	switch do {
	case plan.StopServer:
		l.record(history.Event{Kind: history.ServerStopped, Node: node, Detail: "stopped"})
		return part.Stop(ctx)
	case plan.KillServer:
		l.record(history.Event{Kind: history.ServerStopped, Node: node, Detail: "killed"})
		return part.Kill()
	case plan.PauseServer:
		l.record(history.Event{Kind: history.ServerStopped, Node: node, Detail: "paused"})
		return part.Pause()
	case plan.StartServer:
		if err := part.Start(ctx); err != nil {
			return err
		}
		l.record(history.Event{Kind: history.ServerStarted, Node: node, Detail: "started"})
		return nil
	case plan.ContinueServer:
		l.record(history.Event{Kind: history.ServerStarted, Node: node, Detail: "goes on"})
		return part.Continue()
	}
	return fmt.Errorf("%s is nothing to do to a server", do)
}

// restartPart is a Crash or a Restart of one part of a cluster.
func (l *player) restartPart(f plan.Fault, event history.Event) error {
	end := plan.KillServer
	if f.Kind == plan.Restart {
		end = plan.StopServer
	}
	part, err := l.part(f.Node)
	if err != nil {
		return err
	}
	power := l.powerOf(f.Node)
	ended, err := power.interrupt(func() error {
		l.record(event)
		return l.turn(end, f.Node, part)
	})
	if err != nil {
		return err
	}
	if !ended {
		l.noteDown(f)
		return nil
	}
	return power.resume(func() error { return l.turn(plan.StartServer, f.Node, part) })
}

// move leads a client's link to another server.
func (l *player) move(c *participant, node string) error {
	cluster, err := l.cluster()
	if err != nil {
		return err
	}
	address := cluster.NodeAddress(node)
	leader, ok := c.link.(network.Leader)
	if !ok || address == "" {
		return fmt.Errorf("%w: no link can lead to the server %q here", target.ErrUnsupported, node)
	}
	leader.Lead(address)
	c.node.Store(node)
	l.record(history.Event{Kind: history.Note, Client: c.name, Node: node, Detail: "the link leads to server " + node + " from now on"})
	return nil
}
