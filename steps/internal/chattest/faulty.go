package chattest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync/atomic"
	"testing"

	"github.com/mattn/go-sqlite3"
)

// FaultyDriver is SQLite with connections that a test disturbs with OnQuery and OnExec.
const FaultyDriver = "sqlite3 with faults"

func init() { sql.Register(FaultyDriver, faulty{&sqlite3.SQLiteDriver{}}) }

// ErrDisk is what SQLite reports if it cannot read or write its file.
var ErrDisk error = sqlite3.Error{Code: sqlite3.ErrIoErr}

var before, after atomic.Pointer[func(query string) error]

// OnQuery lets the test fail queries until it ends: fault is called before each query, and the
// query fails with the error that fault returns.
func OnQuery(t *testing.T, fault func(query string) error) { disturb(t, &before, fault) }

// OnExec calls fault after each statement that has succeeded; an error of fault is reported
// although the statement is committed.
func OnExec(t *testing.T, fault func(query string) error) { disturb(t, &after, fault) }

func disturb(t *testing.T, at *atomic.Pointer[func(string) error], fault func(string) error) {
	at.Store(&fault)
	t.Cleanup(func() { at.Store(nil) })
}

// failQuery lets the query number n from now on fail, counted from 1: at once or, as SQLite
// does, when its first row is read.
func failQuery(t *testing.T, n int, atRow bool) {
	var count atomic.Int32
	OnQuery(t, func(string) error {
		if int(count.Add(1)) != n {
			return nil
		}
		if atRow {
			return failAtRow{ErrDisk}
		}
		return ErrDisk
	})
}

// failAtRow makes OnQuery fail the query when its first row is read.
type failAtRow struct{ error }

type faulty struct{ driver.Driver }

func (d faulty) Open(name string) (driver.Conn, error) {
	conn, err := d.Driver.Open(name)
	if err != nil {
		return nil, err
	}
	return faultyConn{conn.(*sqlite3.SQLiteConn)}, nil
}

type faultyConn struct{ *sqlite3.SQLiteConn }

func (c faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	var err error
	if fault := before.Load(); fault != nil {
		err = (*fault)(query)
	}
	if atRow, ok := err.(failAtRow); ok {
		return failingRows{atRow.error}, nil
	}
	if err != nil {
		return nil, err
	}
	return c.SQLiteConn.QueryContext(ctx, query, args)
}

func (c faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, err := c.SQLiteConn.ExecContext(ctx, query, args)
	if fault := after.Load(); err == nil && fault != nil {
		err = (*fault)(query)
	}
	return result, err
}

type failingRows struct{ err error }

func (failingRows) Columns() []string           { return []string{""} }
func (failingRows) Close() error                { return nil }
func (r failingRows) Next([]driver.Value) error { return r.err }
