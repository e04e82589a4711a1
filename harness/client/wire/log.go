package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"redial/harness/client"
	"redial/harness/history"
)

// A Row is one message of a server's log, as a new client receives it.
type Row struct {
	Message string
	// Offset is the row's id; 0 if the server sent none.
	Offset int64
}

// sendDelay is how long after the answer to CONNECT the sentinel is sent. The Go server answers
// before it registers the connection as connected, and closes it if an event comes in between
// (servers/socket v3.0.2, namespace._doConnect: 30 times in 900 without the delay). Clients
// under test have no such delay.
const sendDelay = 50 * time.Millisecond

// mostRows bounds the rows that are read, and so the memory that they take.
const mostRows = 150_000

// ErrTooLong is returned for a log that has more rows than are read, or no end.
var ErrTooLong = fmt.Errorf("it has more than %d rows, or no end", mostRows)

// ErrNoLog is returned if the sentinel came back without an offset: the server keeps no log that
// a new client could receive.
var ErrNoLog = errors.New("the server sends no offsets, so it keeps no log to be read")

// ReadLog reads a server's log as a new client with offset 0 receives it, repeated rows included.
// It returns the rows in the order of arrival up to and including the sentinel, a text that no
// other client sends.
//
// It uses two clients, because a server may mix its replay with live messages. The first one
// sends the sentinel and waits until it comes back, or without an echo until it is
// acknowledged: then it is in the log. For the second client the sentinel is the last row of
// the replay. If the server gave it no offset, ReadLog returns ErrNoLog. But if the server sends
// its complete history, that is the log, with or without offsets.
//
// If ctx or the connection ends first, ReadLog returns the rows so far and an error. keys is
// [Client.Keys] of the clients.
func ReadLog(ctx context.Context, options client.Options, sentinel string, keys bool) ([]Row, error) {
	rows, mark, err := readUntil(ctx, options, sentinel, true, keys)
	if err != nil {
		return rows, err
	}
	p := New(options).proto
	unseen := p.NoEcho && p.Receive.Offset != "" // only the second client receives an offset
	if mark.Offset == 0 && p.History == nil && !unseen {
		return nil, ErrNoLog
	}
	rows, mark, err = readUntil(ctx, options, sentinel, false, keys)
	if err != nil {
		return rows, err
	}
	if mark.Offset == 0 && p.History == nil {
		return nil, ErrNoLog
	}
	return append(rows, mark), nil
}

// readUntil opens a client and reads until it receives the sentinel. With send it sends the
// sentinel itself.
func readUntil(ctx context.Context, options client.Options, sentinel string, send, keys bool) (rows []Row, mark Row, err error) {
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
	w.Keys = keys
	// A server that sends its complete history may send it again at every message. Without
	// Raw, the client then shows only the new messages, which are the rest of the log.
	w.Raw = w.proto.History == nil || w.proto.NamesOffset()
	noEcho := send && w.proto.NoEcho // the client shows its own message without an echo
	defer w.Close()
	if err := w.Open(ctx); err != nil {
		return nil, Row{}, err
	}
	progress := "the server was not reached"
	var maySend, arrived <-chan time.Time
	for seen := 0; ; {
		for _, e := range events.Events(seen) {
			seen++
			switch e.Kind {
			case history.Connected:
				progress = "the message that marks the end of the log did not come back"
				if send {
					maySend = time.After(sendDelay)
				}
			case history.Sent:
				if noEcho && w.proto.Send.NoAck { // no packet shows when the server has it
					arrived = time.After(sendDelay)
				}
			case history.Acknowledged:
				if noEcho {
					return rows, Row{Message: sentinel}, nil
				}
				progress = "the message that marks the end of the log was accepted but did not come back"
			case history.Refused:
				return rows, Row{}, fmt.Errorf("the server refused the message that marks its end: %s", e.Detail)
			case history.Disconnected:
				return rows, Row{}, fmt.Errorf("the connection ended after %d rows: %s", len(rows), e.Detail)
			case history.Shown:
				row := Row{Message: e.Message, Offset: e.Offset}
				switch {
				case e.Message != sentinel:
					rows = append(rows, row)
				case !noEcho:
					return rows, row, nil
				}
				if len(rows) > mostRows {
					return nil, Row{}, ErrTooLong
				}
			}
		}
		select {
		case <-changed:
		case <-maySend:
			if err := w.Send(sentinel); err != nil {
				return rows, Row{}, err
			}
		case <-arrived:
			return rows, Row{Message: sentinel}, nil
		case <-ctx.Done():
			return rows, Row{}, fmt.Errorf("%s (%w; %d rows so far)", progress, ctx.Err(), len(rows))
		}
	}
}
