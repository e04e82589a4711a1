package lab

import (
	"context"
	"errors"
	"fmt"

	"redial/harness/client"
	"redial/harness/history"
	"redial/harness/plan"
)

// comeToRest settles and reads the log, and does so again where something has broken
// meanwhile: a fault may have waited for a frame of this very part. It breaks this
// part when it happens, and may break the next one when it is noticed.
func (l *player) comeToRest() error {
	for again := 2 * l.faults(); ; again-- {
		before, err := l.settled()
		if err != nil {
			return err
		}
		disturbed := func() bool { return again > 0 && l.state.breaks() != before }
		if !l.config.KeepsLog {
			return nil
		}
		rows, err := l.readLog(history.Stored)
		if disturbed() {
			// The next reader is another one, who knows nothing of what this one said.
			l.record(history.Event{Kind: history.Closed, Client: plan.Reader, View: l.readings})
			continue
		}
		if err = l.recordRows(history.Stored, rows, err); err != nil {
			l.record(history.Event{Kind: history.TimedOut, Detail: "a fresh reader of the log: " + err.Error()})
		}
		return l.alive()
	}
}

// readLog reads the server's log as a fresh reader, straight from the server.
func (l *player) readLog(kind history.Kind) ([]client.Row, error) {
	ctx, cancel := context.WithTimeout(l.ctx, l.config.Bound)
	defer cancel()
	l.readings++
	mark := fmt.Sprintf("%s reads the log %s", plan.Reader, kind)
	if l.readings > 1 {
		mark += fmt.Sprint(" ", l.readings)
	}
	mark = l.text(mark)
	l.rest()
	l.record(history.Event{Kind: history.Sent, Client: plan.Reader, View: l.readings, Message: mark})
	rows, err := client.ReadLog(ctx, client.Options{
		Name:   plan.Reader,
		URL:    "http://" + l.config.Target.Address(),
		Record: func(history.Event) {},
		Dial:   l.world.dial,
		Seed:   l.plan.Seed,
	}, mark)
	if kind == history.Stored {
		// The reader's own message goes to the pages too: let it arrive.
		ok, awaitErr := l.awaitShown(l.config.ShownBound, func() bool { return l.everyoneShows(mark) })
		if awaitErr != nil {
			return nil, awaitErr
		}
		if !ok {
			l.record(history.Event{Kind: history.TimedOut, Detail: "everyone shows what the fresh reader said"})
		}
	}
	return rows, err
}

// recordRows records what reading the log has given as events of the kind.
func (l *player) recordRows(kind history.Kind, rows []client.Row, err error) error {
	if errors.Is(err, client.ErrNoLog) {
		// Not this run's failure: without a log, every page owes what any page shows.
		l.record(history.Event{Kind: history.Note, Client: plan.Reader, Detail: err.Error()})
		return nil
	}
	given := map[client.Row]bool{}
	for _, row := range rows {
		if row.Offset != 0 && given[row] {
			continue // one row given twice is not two rows; a page would drop it too
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
