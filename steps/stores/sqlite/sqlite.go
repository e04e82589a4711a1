// Package sqlite opens the database of steps 7 to 10: all messages, in the order of their ids,
// in one file.
//
// Read [Open] first. github.com/mattn/go-sqlite3 is used because it is SQLite itself. In
// WebAssembly, where it cannot be built, github.com/ncruces/go-sqlite3 replaces it (see
// memory_js.go).
//
// The package knows the table of messages, and must not know Socket.IO or a step.
package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"time"
)

// schema creates the table if it is missing.
const schema = `CREATE TABLE IF NOT EXISTS messages (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	client_offset TEXT UNIQUE,
	content TEXT
)`

// Open opens chat.db in the folder, and creates what is missing. A writer waits up to wait
// for the lock of another one. The driver "" is [Name].
func Open(driver, folder string, wait time.Duration) (*sql.DB, error) {
	path := file(folder)
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("cannot create the data folder: %w; set DATA_DIR to another folder", err)
	}
	// With WAL, pages can read while a message is written. With FULL, a message is safe from
	// a power failure before it is emitted.
	db, err := sql.Open(cmp.Or(driver, Name), fmt.Sprintf("%s?_busy_timeout=%d&_journal_mode=WAL&_synchronous=FULL", path, wait.Milliseconds()))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(16)
	// SQLite returns "busy" at once if several processes request WAL on a new file.
	err = WhileBusy(context.Background(), time.Now().Add(openTimeout), func() error {
		_, err := db.Exec(schema)
		return err
	})
	if err != nil {
		_ = db.Close()
		return nil, Unwritable(folder, err)
	}
	return db, nil
}

// openTimeout limits how long Open waits for other processes that open the same file.
const openTimeout = 5 * time.Second

// WhileBusy repeats a statement while another process has the lock, at most until the time
// given. SQLite's own busy timeout waits longer after each attempt, so it gets no turn while
// others write without a pause. It also ignores the fake clock of a test.
func WhileBusy(ctx context.Context, until time.Time, statement func() error) error {
	for {
		err := statement()
		if err == nil || !IsBusy(err) || time.Now().After(until) {
			return err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// Unwritable returns a one-line error that names the database and DATA_DIR.
func Unwritable(folder string, err error) error {
	return fmt.Errorf("cannot write to the database %s: %w; set DATA_DIR to another folder", file(folder), err)
}

func file(folder string) string { return filepath.Join(folder, "chat.db") }
