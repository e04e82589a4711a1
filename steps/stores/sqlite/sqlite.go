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
	"database/sql"
	"fmt"
	"path/filepath"
	"time"
)

// Schema creates the table if it is missing.
const Schema = `CREATE TABLE IF NOT EXISTS messages (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	client_offset TEXT UNIQUE,
	content TEXT
)`

// Open opens chat.db in the folder, and creates what is missing. A writer waits up to wait
// for the lock of another one.
func Open(driver, folder string, wait time.Duration) (*sql.DB, error) {
	db, err := Connect(driver, folder, wait)
	if err != nil {
		return nil, err
	}
	if _, err := db.Exec(Schema); err != nil {
		_ = db.Close()
		return nil, Unwritable(folder, err)
	}
	return db, nil
}

// Connect is Open without the table. The driver "" is [Name].
func Connect(driver, folder string, wait time.Duration) (*sql.DB, error) {
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
	return db, nil
}

// Unwritable returns a one-line error that names the database and DATA_DIR.
func Unwritable(folder string, err error) error {
	return fmt.Errorf("cannot write to the database %s: %w; set DATA_DIR to another folder", file(folder), err)
}

func file(folder string) string { return filepath.Join(folder, "chat.db") }
