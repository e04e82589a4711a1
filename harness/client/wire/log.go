package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"redial/harness/client"
	"redial/harness/history"
)

// A Row is one message of a server's log, as a fresh client is given it.
type Row struct {
	Message string
	// Offset is the row's id; 0 where the server sent none.
	Offset int64
}

// sayDelay is how long after CONNECT was answered the sentinel is sent. The Go
// server answers before it knows the connection as connected, and closes it when
// an event comes in between (servers/socket v3.0.2, namespace._doConnect: 30 times
// in 900 without the delay). Clients under test get no such help.
const sayDelay = 50 * time.Millisecond

// mostRows bounds what is read of a log, for the sake of memory.
const mostRows = 150_000

// ErrTooLong is returned for a log that has more rows than are read, or no end.
var ErrTooLong = fmt.Errorf("it has more than %d rows, or no end", mostRows)

// ErrNoLog: what the reader sent came back without an offset, so the server keeps
// no log that a fresh client could be given.
var ErrNoLog = errors.New("the server sends no offsets, so it keeps no log to be read")

// ReadLog reads a server's log, as a fresh client with offset 0 is given it,
// without dropping anything, and returns the rows up to the sentinel in the
// order in which they came, the sentinel's own last. The sentinel is a text that
// nobody else sends.
//
// It takes two clients, because a server may mix what it replays with what is
// sent meanwhile. The first sends the sentinel and waits until it comes back, or where
// there is no echo until it is acknowledged: now it is in the log. For the second it is
// the last row of the replay. A server that gave the sentinel no offset keeps no log:
// that is ErrNoLog. But where the server sends its whole history, its order is the log's,
// and rows without an offset are numbered from 1.
//
// When ctx ends first, or the connection ends once it was made, it returns what it
// has and an error that says so. Anything else about the clients can be set in
// change.
func ReadLog(ctx context.Context, options client.Options, sentinel string, change ...func(*Client)) ([]Row, error) {
	rows, mark, err := readUntil(ctx, options, sentinel, true, change)
	if err != nil {
		return rows, err
	}
	p := New(options).speaks
	unseen := p.NoEcho && p.Receive.Offset != "" // the second client will see
	if mark.Offset == 0 && p.History == nil && !unseen {
		return nil, ErrNoLog
	}
	rows, mark, err = readUntil(ctx, options, sentinel, false, change)
	if err != nil {
		return rows, err
	}
	rows = append(rows, mark)
	for i := range rows {
		switch {
		case mark.Offset != 0:
		case p.History == nil:
			return nil, ErrNoLog
		default:
			rows[i].Offset = int64(i + 1)
		}
	}
	return rows, nil
}

// readUntil opens a client and reads until it is shown the sentinel. With say it sends
// the sentinel itself.
func readUntil(ctx context.Context, options client.Options, sentinel string, say bool, change []func(*Client)) (rows []Row, mark Row, err error) {
	changed, events := make(chan struct{}, 1), history.NewRecorder()
	options.ServerOffset = nil
	options.Record = func(e history.Event) {
		events.Add(e)
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	w := New(options)
	for _, f := range change {
		f(w)
	}
	// A server that sends its whole history may do so at every message: then the new ones
	// are the rest of the log, and everything once more is not.
	w.Raw = w.speaks.History == nil || w.speaks.NamesOffset()
	blind := say && w.speaks.NoEcho // it shows what it sends by itself
	defer w.Close()
	if err := w.Open(ctx); err != nil {
		return nil, Row{}, err
	}
	progress := "the server was not reached"
	var maySay, arrived <-chan time.Time
	for seen := 0; ; {
		for _, e := range events.Events(seen) {
			seen++
			switch e.Kind {
			case history.Connected:
				progress = "the message that marks the end of the log did not come back"
				if say {
					maySay = time.After(sayDelay)
				}
			case history.Sent:
				if blind && w.speaks.Send.NoAck { // nothing tells when the server has it
					arrived = time.After(sayDelay)
				}
			case history.Acknowledged:
				if blind {
					return rows, Row{Message: sentinel}, nil
				}
				progress = "the message that marks the end of the log was accepted but did not come back"
			case history.Refused:
				return rows, Row{}, fmt.Errorf("reading the log: the server refused the message that marks its end: %s", e.Detail)
			case history.Disconnected:
				return rows, Row{}, fmt.Errorf("reading the log: the connection ended after %d rows: %s", len(rows), e.Detail)
			case history.Shown:
				row := Row{Message: e.Message, Offset: e.Offset}
				switch {
				case e.Message != sentinel:
					rows = append(rows, row)
				case !blind:
					return rows, row, nil
				}
				if len(rows) > mostRows {
					return nil, Row{}, fmt.Errorf("reading the log: %w", ErrTooLong)
				}
			}
		}
		select {
		case <-changed:
		case <-maySay:
			if err := w.Send(sentinel); err != nil {
				return rows, Row{}, fmt.Errorf("reading the log: %w", err)
			}
		case <-arrived:
			return rows, Row{Message: sentinel}, nil
		case <-ctx.Done():
			return rows, Row{}, fmt.Errorf("reading the log: %s (%w; %d rows so far)", progress, ctx.Err(), len(rows))
		}
	}
}
