package lab

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"redial/harness/history"
	"redial/harness/plan"
)

// do performs a step of the script.
func (l *player) do(s plan.Step) error {
	if err := l.alive(); err != nil {
		return err
	}
	l.quiesce()
	c := l.clients[s.Client]
	if s.Do.Disconnects() {
		for _, c := range l.clients {
			c.wasConnected = c.isConnected()
			c.leftBefore = l.disconnections(c.name)
		}
	}
	switch s.Do {
	case plan.Open:
		c.opened.Store(true)
		return c.load(c.Open)
	case plan.Refresh:
		return c.load(func(ctx context.Context) error { return c.Refresh(ctx, nil) })
	case plan.Send:
		return c.sendAll(s)
	case plan.StartSending:
		return c.startSending(s)
	case plan.StopSending:
		if c.stopSending == nil {
			return fmt.Errorf("it does not send in the background")
		}
		c.stopSending()
		c.stopSending = nil
		return nil
	case plan.Close:
		c.opened.Store(false)
		return c.Close()
	case plan.Disconnect, plan.Connect:
		if has, err := c.awaitPage(s.Do, 0); err != nil || !has {
			return err
		}
		if s.Do == plan.Connect {
			return c.Connect()
		}
		return c.Disconnect()
	case plan.Suspend:
		l.record(history.Event{Kind: history.Suspended, Client: c.name, View: c.Status().View})
		return c.Suspend()
	case plan.Resume:
		l.record(history.Event{Kind: history.Resumed, Client: c.name, View: c.Status().View})
		return c.Resume()
	case plan.Throw:
		return c.Throw()
	case plan.Break:
		return l.faults.breakNow(*s.Fault)
	case plan.Arm:
		return l.faults.arm(*s.Fault)
	case plan.StartServer, plan.StopServer, plan.KillServer, plan.PauseServer, plan.ContinueServer:
		return l.servers.step(s.Do, s.Node)
	case plan.Move:
		return c.move(s.Node)
	case plan.LockDatabase:
		return l.servers.lockDatabase()
	case plan.UnlockDatabase:
		return l.servers.unlockDatabase()
	case plan.ReplaceData:
		return l.servers.replaceData()
	case plan.Wait:
		return l.wait(time.Duration(s.For))
	case plan.Barrier:
		return l.ending.barrier()
	default:
		return l.awaitStep(s)
	}
}

// awaitStep performs the steps that wait for an event.
func (l *player) awaitStep(s plan.Step) error {
	late := history.Event{Client: s.Client}
	var met func() bool
	bound := l.config.Bound
	switch s.Do {
	case plan.AwaitConnected:
		late.Detail = "connected: " + cmp.Or(s.Client, "everyone")
		met = func() bool { return l.each(s.Client, (*participant).isConnected) }
	case plan.AwaitDisconnected:
		late.Detail = "disconnected: " + cmp.Or(s.Client, "everyone")
		met = func() bool { return l.each(s.Client, (*participant).hasLeft) }
	case plan.AwaitShown:
		bound = l.config.ShownBound
		if s.Text == "" && l.stream == nil {
			late.Detail = fmt.Sprintf("%s shows %d messages", s.Client, s.Count)
			met = func() bool { return l.countShown(s.Client) >= s.Count }
			break
		}
		if late.Message = l.text(s.Text); l.stream != nil {
			late.Message = l.latest(false)
		}
		late.Detail = fmt.Sprintf("%s shows %q", s.Client, late.Message)
		met = func() bool { return l.hasShown(s.Client, late.Message) }
	case plan.AwaitFault:
		late.Detail = "the fault " + s.Text + " fires"
		met = func() bool { return l.hasFired(s.Text) }
	default:
		return fmt.Errorf("unknown action")
	}
	_, err := l.awaits.expect(bound, met, late)
	return err
}
