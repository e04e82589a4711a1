package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"redial/harness/client"
	"redial/harness/client/wire"
	"redial/harness/history"
	"redial/harness/plan"
)

// finishStory plays a barrier and reads the log. It repeats both if a fault fired or a
// connection ended meanwhile, because a fault may have waited for a frame of either. Such a
// fault disturbs this attempt when it fires, and may disturb the next one when a client
// notices it.
func (l *player) finishStory() error {
	for again := 2 * l.faults(); ; again-- {
		before, err := l.untilCalm()
		if err != nil {
			return err
		}
		disturbed := func() bool { return again > 0 && l.state.breaks() != before }
		if !l.config.KeepsLog {
			return nil
		}
		rows, err := l.readLog(history.Stored)
		if disturbed() {
			// The next attempt uses a new reader, whose mark differs from that of this one.
			l.record(history.Event{Kind: history.Closed, Client: plan.Reader, View: l.readings})
			continue
		}
		if err = l.recordRows(history.Stored, rows, err); err != nil {
			l.record(history.Event{Kind: history.TimedOut, Detail: "reading the log: " + err.Error()})
		}
		return l.alive()
	}
}

// readLog reads the server's log by Config.ReadLog, or as a new client that is connected to
// the server without a link, so that no fault can disturb it.
func (l *player) readLog(kind history.Kind) ([]wire.Row, error) {
	ctx, cancel := context.WithTimeout(l.ctx, l.config.Bound)
	defer cancel()
	l.readings++
	if l.config.ReadLog != nil {
		rows, err := l.config.ReadLog(ctx, l.target)
		if kind == history.Stored && err == nil && l.streamOf() == nil {
			return l.settled(ctx, rows)
		}
		return rows, err
	}
	mark := fmt.Sprintf("%s reads the log %s", plan.Reader, kind)
	if l.readings > 1 {
		mark += fmt.Sprint(" ", l.readings)
	}
	mark = l.text(mark)
	l.quiesce()
	l.record(history.Event{Kind: history.Sent, Client: plan.Reader, View: l.readings, Message: mark})
	rows, err := wire.ReadLog(ctx, client.Options{
		Name:   plan.Reader,
		URL:    "http://" + l.target.Address(),
		Record: func(history.Event) {},
		Dial:   l.env.dial,
		Seed:   l.plan.Seed,

		Protocol: l.config.Protocol,
	}, mark, func(w *wire.Client) { w.Keys = l.config.Keys })
	if kind == history.Stored && !errors.Is(err, wire.ErrTooLong) {
		// Pages receive the reader's own message too. The run is at rest only when they show
		// it.
		ok, awaitErr := l.awaitProgress(l.config.ShownBound, func() bool { return l.everyoneShows(mark) })
		if awaitErr != nil {
			return nil, awaitErr
		}
		if !ok {
			l.record(history.Event{Kind: history.TimedOut, Detail: "everyone shows the message of a new client"})
		}
	}
	return rows, err
}

// settled waits until every page shows the rows of the log, and reads it again, until it stays
// the same. A server may still store and emit the messages of a connection that has ended, for
// which no barrier waits.
func (l *player) settled(ctx context.Context, rows []wire.Row) ([]wire.Row, error) {
	const times, bound = 6, 5 * time.Second
	for range times {
		shown, err := l.awaitProgress(min(bound, l.config.ShownBound), func() bool {
			return !slices.ContainsFunc(rows, func(r wire.Row) bool { return !l.everyoneShows(r.Message) })
		})
		if err != nil {
			return rows, err
		}
		before := len(rows)
		if rows, err = l.config.ReadLog(ctx, l.target); err != nil || !shown || len(rows) == before {
			return rows, err
		}
	}
	return rows, nil
}

// recordRows records the rows of the log as events of the kind.
func (l *player) recordRows(kind history.Kind, rows []wire.Row, err error) error {
	if errors.Is(err, wire.ErrNoLog) {
		// An unreadable log is not a failure: package check then expects every page to show
		// each message that any page shows.
		l.record(history.Event{Kind: history.Note, Client: plan.Reader, Detail: err.Error()})
		return nil
	}
	given := map[wire.Row]bool{}
	for _, row := range rows {
		if !l.isInStory(row.Message) || row.Offset != 0 && given[row] {
			continue // a row that was sent twice is one row; a page would drop the repeat too
		}
		given[row] = true
		l.record(history.Event{Kind: kind, Client: plan.Reader, Message: row.Message, Offset: row.Offset})
	}
	if err != nil {
		return err
	}
	if kind == history.Stored {
		l.record(history.Event{Kind: history.LogRead, Client: plan.Reader})
	}
	return nil
}

// barrier plays a Barrier. It waits until every client is connected; then each client sends a
// mark, one after the other. A connection keeps the order of its messages, so when every
// client shows all marks, the earlier messages of the same connections have arrived as well,
// or never will. (A client that retries keeps the order too, because it has one message in
// flight.)
//
// If a connection ends meanwhile, a client may not have sent its mark, or may have sent it
// before a message that it retries. Then the barrier is repeated.
func (l *player) barrier() error {
	_, err := l.untilCalm()
	if l.streamOf() != nil {
		l.latest(false) // the stream's later messages are recorded again, because the script continues
	}
	return err
}

// untilCalm plays a barrier, and returns the value of breaks() during which it succeeded.
func (l *player) untilCalm() (breaks int, err error) {
	for again := 2*l.faults() + 1; ; again-- {
		l.quiesce()
		breaks = l.state.breaks()
		silent, err := l.sendMarks(breaks)
		if err != nil {
			return breaks, err
		}
		cameBack := slices.ContainsFunc(silent, func(c *participant) bool { return c.Status().Connected })
		if !cameBack && l.state.breaks() == breaks {
			l.record(history.Event{Kind: history.Barrier})
			return breaks, nil
		}
		if again == 0 {
			l.record(history.Event{Kind: history.Note, Detail: "nothing has come to rest: something broke each time"})
			return breaks, nil
		}
	}
}

func (l *player) faults() int { return len(l.plan.AllFaults()) }

// sendMarks makes every connected page send a mark, one after the other, and awaits it on all
// pages. It returns the pages that are open and were not connected. breaks is the count of
// breaks before the call: if it has grown, a mark may be lost without a defect of the server,
// so sendMarks stops at the first lost one.
func (l *player) sendMarks(breaks int) (silent []*participant, err error) {
	ok, err := l.awaitProgress(l.config.Bound, func() bool {
		return l.each("", func(c *participant) bool { return c.Status().Connected })
	})
	if err != nil {
		return nil, err
	}
	if !ok {
		l.record(history.Event{Kind: history.TimedOut, Detail: "everyone is connected"})
	}
	if l.streamOf() != nil {
		return nil, l.awaitLatest()
	}
	l.barriers++
	bound := l.config.ShownBound
	for _, name := range l.names {
		c := l.clients[name]
		if !c.opened {
			continue
		}
		if !c.Status().Connected {
			silent = append(silent, c)
			continue
		}
		mark := l.text(fmt.Sprintf("%s is here %d", name, l.barriers))
		if err := l.sendOnce(c, plan.Step{Do: plan.Barrier}, mark); err != nil {
			return nil, err
		}
		ok, err := l.awaitProgress(bound, func() bool { return l.everyoneShows(mark) })
		if err != nil {
			return nil, err
		}
		if !ok {
			l.record(history.Event{Kind: history.TimedOut, Message: mark, Detail: fmt.Sprintf("everyone shows %q", mark)})
			if l.state.breaks() != breaks {
				return silent, nil // the caller repeats the barrier
			}
			bound = min(bound, time.Second) // the run has failed, so the next waits can be short
		}
	}
	return silent, nil
}

func (l *player) everyoneShows(mark string) bool {
	return l.each("", func(c *participant) bool {
		if !c.Status().Connected {
			return true // rule convergence judges a page that is not connected
		}
		return l.state.hasShown(c.name, mark)
	})
}
