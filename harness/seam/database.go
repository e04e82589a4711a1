package seam

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	steps "redial/steps/stores/sqlite"
)

// Driver is the name of a database/sql driver: that of the steps' SQLite, with a
// pause before and after every statement, and between rows, on files in a folder that has seams.
const Driver = "sqlite3-with-seams"

func init() { sql.Register(Driver, sqlite{steps.Driver()}) }

type sqlite struct{ inner driver.Driver }

// Open opens the file that the name begins with.
func (s sqlite) Open(name string) (driver.Conn, error) {
	conn, err := s.inner.Open(name)
	if err != nil {
		return nil, err
	}
	plain, ok := conn.(*steps.Conn)
	if !ok {
		return nil, fmt.Errorf("the driver has a connection of another type: %T", conn)
	}
	return &connection{plain, At(name)}, nil
}

// connection is the library's, with pauses around what reads and writes.
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
	query context.Context // the query's
}

// Next does not pause on when the query is cancelled: database/sql then waits for it
// with a mutex, and while anybody does, no fake clock passes.
func (r *rows) Next(into []driver.Value) error {
	err := r.Rows.Next(into)
	r.seams.pauseWhile(r.query, "after a row")
	return err
}
