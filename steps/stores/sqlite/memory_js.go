package sqlite

// WebAssembly has no cgo, and a browser has no file system. There the driver is SQLite
// translated to Go (github.com/ncruces/go-sqlite3). Its files are in memory, and readers have
// snapshots as with WAL (its VFS mvcc; see busy_js.go).

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

// Name is the name of the driver in package database/sql. The library registers "sqlite3".
const Name = "sqlite3-in-memory"

func init() { sql.Register(Name, memory{}) }

// memory is the driver. It supports the data source names of mattn/go-sqlite3 that the kit
// uses.
type memory struct{}

// Driver returns the driver, for a driver that wraps it.
func Driver() driver.Driver { return memory{} }

// Open opens the file that the name begins with, and creates it if it is missing.
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

// Conn is a connection. It runs a query without preparing it first, as that of
// mattn/go-sqlite3 does, so that a driver that wraps it receives the same calls.
type Conn struct{ ncruces.Conn }

// ExecContext runs one statement, or several without arguments.
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

// IsBusy reports whether another connection has the lock.
func IsBusy(err error) bool { return errors.Is(err, sqlite3.BUSY) || errors.Is(err, sqlite3.LOCKED) }

// IsUnique reports whether a UNIQUE column has the value already.
func IsUnique(err error) bool { return errors.Is(err, sqlite3.CONSTRAINT_UNIQUE) }

func makeFolder(string) error { return nil }

// names are the existing files. A file stays after its last connection is closed.
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

// keyOf returns the name of a file in mvcc.
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

// Copy copies the committed content of a folder's files to another folder.
func Copy(from, to string) {
	for _, file := range Files(from) {
		copied := path.Join(to, strings.TrimPrefix(file, from))
		names.add(copied)
		mvcc.Create(keyOf(copied), mvcc.TakeSnapshot(keyOf(file)))
	}
}

// Remove removes the files in a folder and below it. Open connections keep their file.
func Remove(folder string) {
	for _, file := range Files(folder) {
		mvcc.Delete(keyOf(file))
		names.Lock()
		delete(names.known, file)
		names.Unlock()
	}
}
