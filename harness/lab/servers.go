package lab

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"redial/harness/history"
	"redial/harness/plan"
	"redial/harness/target"
)

// everyServer names the target as a whole, instead of one of its servers. A target that is a
// single server has no other name.
const everyServer = ""

// Servers start and stop the servers, for the script and for the faults.
type servers struct {
	*setting
	// starting counts the starts under way; see await.
	starting atomic.Int32
	// locks are the connections that keep the server's database locked.
	locks []*sql.DB

	known       sync.Mutex
	supervisors map[string]*supervisor // by node; see supervisorOf
}

// supervisorOf returns the supervisor of one server, or of everyServer. A server of a cluster
// counts as running from the beginning, because the cluster as a whole is started first.
func (s *servers) supervisorOf(node string) *supervisor {
	s.known.Lock()
	defer s.known.Unlock()
	one := s.supervisors[node]
	if one == nil {
		one = newSupervisor()
		one.up = node != everyServer
		s.supervisors[node] = one
	}
	return one
}

// start starts every server for the first time, through the same supervisor as any later
// start.
func (s *servers) start() error {
	if err := s.step(plan.StartServer, everyServer); err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return nil
}

// step performs a step of the script on a server, on a service that the servers use, or
// on every server.
func (s *servers) step(do plan.Action, node string) error {
	part, err := s.target.Part(node)
	if err != nil {
		return err
	}
	act := func() error { return s.turn(do, node, part) }
	switch do {
	case plan.StopServer, plan.KillServer:
		return s.supervisorOf(node).end(act)
	case plan.StartServer:
		return s.supervisorOf(node).start(act)
	}
	return act()
}

// restart performs a Crash or a Restart of a server, or of every server.
func (s *servers) restart(f plan.Fault, event history.Event) error {
	end := plan.KillServer
	if f.Kind == plan.Restart {
		end = plan.StopServer
	}
	part, err := s.target.Part(f.Node)
	if err != nil {
		return err
	}
	supervisor := s.supervisorOf(f.Node)
	ended, err := supervisor.interrupt(func() error {
		s.record(event)
		return s.turn(end, f.Node, part)
	})
	if err != nil {
		return err
	}
	if !ended {
		// The fault has not fired, because it ended nothing.
		s.record(history.Event{Kind: history.Note, Node: f.Node, Detail: fmt.Sprintf("the fault %s (%s) had nothing to end: the server was down already", f.ID, f.Kind)})
		return nil
	}
	again := func() error {
		return supervisor.resume(func() error { return s.turn(plan.StartServer, f.Node, part) })
	}
	if f.Node != everyServer {
		return again()
	}
	// The start runs in the background: this goroutine blocks a link that still holds frames
	// of the dead server, which have to arrive before the next start.
	s.background.Go(func() {
		if err := again(); err != nil {
			s.fail(err)
		}
	})
	return nil
}

// turn starts, stops, kills, pauses or continues a part. The caller holds its supervisor.
func (s *servers) turn(do plan.Action, node string, part target.Part) error {
	bound := s.config.Bound
	if do == plan.StartServer {
		bound = cmp.Or(s.config.StartBound, bound)
	}
	ctx, cancel := context.WithTimeout(s.ctx, bound)
	defer cancel()
	switch do {
	case plan.StartServer:
		s.starting.Add(1)
		err := part.Start(ctx)
		s.starting.Add(-1)
		if err != nil {
			return err
		}
		s.recordServer(history.ServerStarted, node, "started")
		return nil
	case plan.StopServer:
		return s.end(node, "stopped", func() error { return part.Stop(ctx) })
	case plan.KillServer:
		return s.end(node, "killed", part.Kill)
	case plan.PauseServer:
		return s.end(node, "paused", part.Pause)
	case plan.ContinueServer:
		s.recordServer(history.ServerStarted, node, "goes on")
		return part.Continue()
	}
	return fmt.Errorf("%s is nothing to do to a server", do)
}

// end ends a part. The end of one of several servers is recorded beforehand, because its
// clients notice it at once and connect to another server. The end of the whole target is
// recorded afterwards, when no server can answer any more.
func (s *servers) end(node, how string, end func() error) error {
	if node != everyServer || how == "paused" {
		s.recordServer(history.ServerStopped, node, how)
		return end()
	}
	err := end()
	if errors.Is(err, target.ErrUnsupported) {
		return err
	}
	if err != nil {
		// The server did not stop as the plan requires, so the run proves nothing.
		s.record(history.Event{Kind: history.TimedOut, Detail: "the server ends when it is asked to: " + err.Error()})
	}
	s.recordServer(history.ServerStopped, node, how)
	return nil
}

// recordServer records a change of a server's state. A change of the target as a whole is
// recorded for each of its servers, whose supervisors need it too.
func (s *servers) recordServer(kind history.Kind, node, detail string) {
	if node != everyServer {
		s.record(history.Event{Kind: kind, Node: node, Detail: detail})
		return
	}
	_, keptDown := s.supervisorOf(everyServer).state()
	for _, one := range s.target.Nodes() {
		e := history.Event{Kind: kind, Node: one, Detail: detail}
		if kind == history.ServerStarted && detail == "started" {
			e.Detail = s.target.NodeAddress(one)
		}
		if one != everyServer {
			s.supervisorOf(one).set(kind == history.ServerStarted, keptDown)
		}
		s.record(e)
	}
}

// areKeptDown reports whether the script keeps the server down, or every server.
func (s *servers) areKeptDown(node string) bool {
	_, all := s.supervisorOf(everyServer).state()
	_, one := s.supervisorOf(node).state()
	return all || one
}
