package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"redial/harness/client"
	"redial/harness/client/wire"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

// An ending plays barriers and reads the log, as the end of a run does.
type ending struct {
	*awaits
	barriers int
	// readings counts the readings of the log, because each one needs a client view of its
	// own.
	readings int
}

// finishStory plays a barrier and reads the log. It repeats both if a fault fired or a
// connection ended meanwhile, because a fault may have waited for a frame of either. Such a
// fault disturbs this attempt when it fires, and may disturb the next one when a client
// notices it.
func (e *ending) finishStory() error {
	for again := 2 * e.faults(); ; again-- {
		before, err := e.untilCalm()
		if err != nil {
			return err
		}
		if !e.config.KeepsLog {
			if err := e.awaitRefill(); err != nil {
				return err
			}
			return e.alive()
		}
		rows, unread := e.readLog(history.Stored)
		if err := e.awaitRefill(); err != nil {
			return err
		}
		if again > 0 && e.breaks.Load() != before {
			// The next attempt uses a new reader, whose mark differs from that of this one.
			e.record(history.Event{Kind: history.Closed, Client: plan.Reader, View: e.readings})
			continue
		}
		if err = e.recordRows(history.Stored, rows, unread); err != nil {
			e.record(history.Event{Kind: history.TimedOut, Detail: "reading the log: " + err.Error()})
		}
		return e.alive()
	}
}

// readLog reads the server's log by Config.ReadLog, or as a new client that is connected to
// the server without a link, so that no fault can disturb it.
func (e *ending) readLog(kind history.Kind) ([]wire.Row, error) {
	e.readings++
	if e.config.ReadLog != nil {
		rows, err := e.requestLog()
		if kind == history.Stored && err == nil && e.stream == nil {
			return e.settled(rows)
		}
		return rows, err
	}
	ctx, cancel := context.WithTimeout(e.ctx, e.config.Bound)
	defer cancel()
	mark := fmt.Sprintf("%s reads the log %s", plan.Reader, kind)
	if e.readings > 1 {
		mark += fmt.Sprint(" ", e.readings)
	}
	mark = e.text(mark)
	e.quiesce()
	e.record(history.Event{Kind: history.Sent, Client: plan.Reader, View: e.readings, Message: mark})
	rows, err := wire.ReadLog(ctx, client.Options{
		Name:   plan.Reader,
		URL:    "http://" + e.target.Address(),
		Record: func(history.Event) {},
		Dial:   e.env.dial,
		Seed:   e.plan.Seed,

		Protocol: e.config.Protocol,
	}, mark, e.config.Keys)
	if kind == history.Stored && !errors.Is(err, wire.ErrTooLong) {
		// Pages receive the reader's own message too. The run is at rest only when they show
		// it.
		late := history.Event{Detail: "everyone shows the message of a new client"}
		if _, err := e.expect(e.config.ShownBound, func() bool { return e.everyoneShows(mark) }, late); err != nil {
			return nil, err
		}
	}
	return rows, err
}

func (e *ending) requestLog() ([]wire.Row, error) {
	ctx, cancel := context.WithTimeout(e.ctx, e.config.Bound)
	defer cancel()
	return e.config.ReadLog(ctx, e.target)
}

// settled waits until every page shows the rows of the log, and reads it again, until it stays
// the same. A server may still store and emit the messages of a connection that has ended, for
// which no barrier waits.
func (e *ending) settled(rows []wire.Row) ([]wire.Row, error) {
	const times, bound = 6, 5 * time.Second
	for range times {
		shown, err := e.awaitProgress(min(bound, e.config.ShownBound), func() bool {
			return !slices.ContainsFunc(rows, func(r wire.Row) bool { return !e.everyoneShows(r.Message) })
		})
		if err != nil {
			return rows, err
		}
		before := len(rows)
		if rows, err = e.requestLog(); err != nil || !shown || len(rows) == before {
			return rows, err
		}
	}
	return rows, nil
}

// recordRows records the rows of the log as events of the kind.
func (e *ending) recordRows(kind history.Kind, rows []wire.Row, err error) error {
	if errors.Is(err, wire.ErrNoLog) {
		// Without a LogRead the run is inconclusive; the note says why.
		e.record(history.Event{Kind: history.Note, Client: plan.Reader, Detail: err.Error()})
		return nil
	}
	given := map[wire.Row]bool{}
	for _, row := range rows {
		if !e.isInStory(row.Message) || row.Offset != 0 && given[row] {
			continue // a row that was sent twice is one row; a page would drop the repeat too
		}
		given[row] = true
		e.record(history.Event{Kind: kind, Client: plan.Reader, Message: row.Message, Offset: row.Offset})
	}
	if err != nil {
		return err
	}
	if kind == history.Stored {
		e.record(history.Event{Kind: history.LogRead, Client: plan.Reader})
	}
	return nil
}

// awaitRefill waits for the pages that have removed messages: a page may empty its list when it
// reconnects, and fill it again from an answer that comes later. No event tells of that.
func (e *ending) awaitRefill() error {
	const step, bound = 100 * time.Millisecond, 5 * time.Second
	isFilled := func() bool { return len(e.removed()) == 0 }
	if !e.config.Level.AtLeast(contract.ServerDelivery) || isFilled() {
		return nil
	}
	for range min(bound, e.config.ShownBound) / step {
		if filled, err := e.await(step, isFilled); filled || err != nil {
			return err
		}
	}
	return nil
}

// removed has an event for each message that a connected page has removed from its list. Other
// texts, such as the name of a user who is typing, may come and go.
func (e *ending) removed() (events []history.Event) {
	for _, one := range e.plan.Clients {
		c := e.clients[one.Name]
		if !c.opened.Load() || !c.isConnected() {
			continue
		}
		view, texts := client.Removed(c.Client)
		for _, text := range texts {
			if e.wasSent(text) {
				events = append(events, history.Event{Kind: history.Removed, Client: c.name, View: view, Message: text})
			}
		}
	}
	return events
}

// barrier plays a Barrier. It waits until every client is connected; then each client sends a
// mark, one after the other. A connection keeps the order of its messages, so when every
// client shows all marks, the earlier messages of the same connections have arrived as well,
// or never will. (A client that retries keeps the order too, because it has one message in
// flight.)
//
// If a connection ends meanwhile, a client may not have sent its mark, or may have sent it
// before a message that it retries. Then the barrier is repeated.
func (e *ending) barrier() error {
	_, err := e.untilCalm()
	if e.stream != nil {
		e.latest(false) // the stream's later messages are recorded again, because the script continues
	}
	return err
}

// untilCalm plays a barrier, and returns the value of recorder.breaks during which it succeeded.
func (e *ending) untilCalm() (breaks int64, err error) {
	for again := 2*e.faults() + 1; ; again-- {
		e.quiesce()
		breaks = e.breaks.Load()
		silent, err := e.sendMarks(breaks)
		if err != nil {
			return breaks, err
		}
		cameBack := slices.ContainsFunc(silent, (*participant).isConnected)
		if !cameBack && e.breaks.Load() == breaks {
			e.record(history.Event{Kind: history.Barrier})
			return breaks, nil
		}
		if again == 0 {
			e.record(history.Event{Kind: history.Note, Detail: "nothing has come to rest: something broke each time"})
			return breaks, nil
		}
	}
}

func (e *ending) faults() int { return len(e.plan.AllFaults()) }

// sendMarks makes every connected page send a mark, one after the other, and awaits it on all
// pages. It returns the pages that are open and were not connected. breaks is the count of
// breaks before the call: if it has grown, a mark may be lost without a defect of the server,
// so sendMarks stops at the first lost one.
func (e *ending) sendMarks(breaks int64) (silent []*participant, err error) {
	connected := func() bool { return e.each("", (*participant).isConnected) }
	if _, err := e.expect(e.config.Bound, connected, history.Event{Detail: "everyone is connected"}); err != nil {
		return nil, err
	}
	if e.stream != nil {
		_, err := e.expectMark(e.config.ShownBound, e.latest(true))
		return nil, err
	}
	e.barriers++
	bound := e.config.ShownBound
	for _, one := range e.plan.Clients {
		c := e.clients[one.Name]
		if !c.opened.Load() {
			continue
		}
		if !c.Status().Connected {
			silent = append(silent, c)
			continue
		}
		mark := e.text(fmt.Sprintf("%s is here %d", c.name, e.barriers))
		if err := c.send(plan.Barrier, mark); err != nil {
			return nil, err
		}
		ok, err := e.expectMark(bound, mark)
		if err != nil {
			return nil, err
		}
		if !ok {
			if e.breaks.Load() != breaks {
				return silent, nil // the caller repeats the barrier
			}
			bound = min(bound, time.Second) // the run has failed, so the next waits can be short
		}
	}
	return silent, nil
}
