package lab

import (
	"fmt"
	"time"

	"redial/harness/history"
	"redial/harness/target"
)

// Awaits wait for conditions.
type awaits struct {
	*setting
	servers *servers
}

// await waits until met returns true. It calls met after each recorded event, once everything
// else that happens at the same instant is over; otherwise the result would depend on the
// scheduler. It returns false when the bound has passed, and an error when the run cannot
// continue. If a fault's restart of a server takes longer than the bound, the bound begins
// again with its end: before that, no client can connect.
func (a *awaits) await(bound time.Duration, met func() bool) (bool, error) {
	timer := time.NewTimer(bound)
	defer timer.Stop()
	for late := false; ; {
		changed := a.history.Changed()
		a.quiesce()
		if late && a.servers.starting.Load() == 0 {
			late = false
			timer.Reset(bound)
		}
		if met() {
			return true, nil
		}
		select {
		case <-changed:
		case err := <-a.failed:
			return false, err
		case <-a.target.Exited():
			printed := "nothing"
			if line := target.LastLine(a.target.Output()); line != "" {
				printed = "last: " + line
			}
			return false, fmt.Errorf("the server ended by itself; it printed %s", printed)
		case <-timer.C:
			if late = a.servers.starting.Load() > 0; late {
				continue
			}
			a.quiesce()
			return met(), nil
		case <-a.ctx.Done():
			return false, a.ctx.Err()
		}
	}
}

// awaitProgress is await with a bound that starts again while pages show further messages: a
// slow page has lost nothing, and notices the end of its connection only after it has
// processed the messages before. The number of restarts is bounded, because a server may emit
// without end.
func (a *awaits) awaitProgress(bound time.Duration, met func() bool) (ok bool, err error) {
	const times = 6
	for range times {
		before := a.showings.Load()
		if ok, err = a.await(bound, met); ok || err != nil || a.showings.Load() == before {
			break
		}
	}
	return ok, err
}

// expect is awaitProgress, and records late if the condition is not met within the bound. The
// run continues then, because package check judges what is missing.
func (a *awaits) expect(bound time.Duration, met func() bool, late history.Event) (ok bool, err error) {
	if ok, err = a.awaitProgress(bound, met); err == nil && !ok {
		late.Kind = history.TimedOut
		a.record(late)
	}
	return ok, err
}

// expectMark expects that every connected page shows the mark.
func (a *awaits) expectMark(bound time.Duration, mark string) (ok bool, err error) {
	late := history.Event{Message: mark, Detail: fmt.Sprintf("everyone shows %q", mark)}
	return a.expect(bound, func() bool { return a.everyoneShows(mark) }, late)
}

func (a *awaits) everyoneShows(mark string) bool {
	return a.each("", func(c *participant) bool {
		return !c.isConnected() || a.hasShown(c.name, mark) // rule convergence judges a page that is not connected
	})
}
