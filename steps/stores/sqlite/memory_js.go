package sqlite

// In WebAssembly there is no cgo, and in a browser no file system. SQLite is the same
// there, translated to Go (github.com/ncruces/go-sqlite3), and its files are in memory,
// each with the snapshots that WAL gives readers (its VFS mvcc; see busy_js.go).

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/ncruces/go-sqlite3"
	ncruces "github.com/ncruces/go-sqlite3/driver"
	"github.com/ncruces/go-sqlite3/vfs/mvcc"
)

// Name is the driver's, of package database/sql. (The library has taken "sqlite3".)
const Name = "sqlite3-in-memory"

func init() { sql.Register(Name, memory{}) }

// memory is the driver. It takes the names of data sources that mattn/go-sqlite3
// takes, as far as the kit uses them.
type memory struct{}

// Driver is the driver, for one that wraps it.
func Driver() driver.Driver { return memory{} }

// Open opens the file that the name begins with, and makes it when it is not there.
func (memory) Open(name string) (driver.Conn, error) {
	file, query, _ := strings.Cut(strings.TrimPrefix(name, "file:"), "?")
	asked, err := url.ParseQuery(query)
	if err != nil {
		return nil, err
	}
	given := url.Values{
		"vfs":     {busyVFS},
		"_txlock": {cmp.Or(asked.Get("_txlock"), "deferred")},
		"_pragma": {fmt.Sprintf("busy_timeout(%s)", cmp.Or(asked.Get("_busy_timeout"), "5000"))},
	}
	names.add(file)
	inner, err := (&ncruces.SQLite{}).Open("file:" + file + "?" + given.Encode())
	if err != nil {
		return nil, err
	}
	return &Conn{inner.(ncruces.Conn)}, nil
}

// Conn is a connection. It runs a query without preparing it
// first, as mattn's does, so that a driver that wraps it sees the same calls.
type Conn struct{ ncruces.Conn }

// ExecContext runs one statement, or several that have no arguments.
func (c *Conn) ExecContext(ctx context.Context, query string, arguments []driver.NamedValue) (driver.Result, error) {
	if len(arguments) == 0 {
		return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, arguments)
	}
	prepared, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer prepared.Close()
	return prepared.(driver.StmtExecContext).ExecContext(ctx, arguments)
}

// QueryContext runs one statement.
func (c *Conn) QueryContext(ctx context.Context, query string, arguments []driver.NamedValue) (driver.Rows, error) {
	prepared, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	found, err := prepared.(driver.StmtQueryContext).QueryContext(ctx, arguments)
	if err != nil {
		return nil, errors.Join(err, prepared.Close())
	}
	return rows{found, prepared}, nil
}

// rows close the statement that they come from.
type rows struct {
	driver.Rows
	prepared driver.Stmt
}

func (r rows) Close() error { return errors.Join(r.Rows.Close(), r.prepared.Close()) }

// IsBusy tells whether the error says that another connection has a lock.
func IsBusy(err error) bool { return errors.Is(err, sqlite3.BUSY) || errors.Is(err, sqlite3.LOCKED) }

// IsUnique tells whether the error says that a column that is UNIQUE has the value already.
func IsUnique(err error) bool { return errors.Is(err, sqlite3.CONSTRAINT_UNIQUE) }

func makeFolder(string) error { return nil }

// names are the files that are there. A file stays when its last connection is closed.
var names register

type register struct {
	sync.Mutex
	known map[string]bool
}

func (r *register) add(file string) {
	r.Lock()
	defer r.Unlock()
	if r.known == nil {
		r.known = map[string]bool{}
	}
	if !r.known[file] {
		r.known[file] = true
		mvcc.Create(keyOf(file), mvcc.Snapshot{})
	}
}

// keyOf is the name that mvcc knows a file by.
func keyOf(file string) string { return strings.TrimPrefix(file, "/") }

// Files lists the files in a folder and below it, in memory.
func Files(folder string) (files []string) {
	names.Lock()
	defer names.Unlock()
	for file := range names.known {
		if strings.HasPrefix(file, folder+"/") {
			files = append(files, file)
		}
	}
	return files
}

// Copy copies what is committed in a folder's files to another folder.
func Copy(from, to string) {
	for _, file := range Files(from) {
		copied := path.Join(to, strings.TrimPrefix(file, from))
		names.add(copied)
		mvcc.Create(keyOf(copied), mvcc.TakeSnapshot(keyOf(file)))
	}
}

// Remove removes the files in a folder and below it. Whoever has one open keeps it.
func Remove(folder string) {
	for _, file := range Files(folder) {
		mvcc.Delete(keyOf(file))
		names.Lock()
		delete(names.known, file)
		names.Unlock()
	}
}
