package seam

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	steps "redial/steps/stores/sqlite"
)

// Driver is the name of a database/sql driver: the SQLite driver of the steps, with a pause
// before and after every statement and between rows for files in a folder that has seams.
const Driver = "sqlite3-with-seams"

func init() { sql.Register(Driver, sqlite{steps.Driver()}) }

type sqlite struct{ inner driver.Driver }

// Open opens the database file; the pauses are those of the folder in its name.
func (s sqlite) Open(name string) (driver.Conn, error) {
	conn, err := s.inner.Open(name)
	if err != nil {
		return nil, err
	}
	plain, ok := conn.(*steps.Conn)
	if !ok {
		return nil, fmt.Errorf("the SQLite driver opened a connection of the unexpected type %T", conn)
	}
	return &connection{plain, At(name)}, nil
}

// connection pauses around the statements of the library's connection.
type connection struct {
	*steps.Conn
	seams Seams
}

func (c *connection) ExecContext(ctx context.Context, query string, arguments []driver.NamedValue) (driver.Result, error) {
	c.seams.pauseWhile(ctx, "before writing")
	result, err := c.Conn.ExecContext(ctx, query, arguments)
	c.seams.pauseWhile(ctx, "after writing")
	return result, err
}

func (c *connection) QueryContext(ctx context.Context, query string, arguments []driver.NamedValue) (driver.Rows, error) {
	c.seams.pauseWhile(ctx, "before reading")
	found, err := c.Conn.QueryContext(ctx, query, arguments)
	if err != nil {
		return nil, err
	}
	return &rows{found, c.seams, ctx}, nil
}

type rows struct {
	driver.Rows
	seams Seams
	query context.Context
}

// Next ends its pause when the query is cancelled. database/sql waits for Next with a mutex
// then, and a fake clock does not advance while a goroutine waits for a mutex.
func (r *rows) Next(into []driver.Value) error {
	err := r.Rows.Next(into)
	r.seams.pauseWhile(r.query, "after a row")
	return err
}
