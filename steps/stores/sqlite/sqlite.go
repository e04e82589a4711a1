// Package sqlite opens the database of steps 7 to 10: all messages, in the order of their ids,
// in one file.
//
// Read [Open] first. github.com/mattn/go-sqlite3 is used because it is SQLite itself. In
// WebAssembly, where it cannot be built, github.com/ncruces/go-sqlite3 replaces it (see
// memory_js.go).
//
// The package must not know the chat.
package sqlite

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"time"
)

// Schema makes the table, unless it is there.
const Schema = `CREATE TABLE IF NOT EXISTS messages (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	client_offset TEXT UNIQUE,
	content TEXT
)`

// Open opens chat.db in the folder, and makes what is missing of them. wait is how long a
// writer waits for another one's lock.
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

// Connect is Open without the table.
func Connect(driver, folder string, wait time.Duration) (*sql.DB, error) {
	path := file(folder)
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("cannot make the data folder: %w; set DATA_DIR to another one", err)
	}
	// WAL lets pages read while a message is written. FULL makes a message safe
	// from a power cut before anybody is shown it.
	db, err := sql.Open(driver, fmt.Sprintf("%s?_busy_timeout=%d&_journal_mode=WAL&_synchronous=FULL", path, wait.Milliseconds()))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(16)
	return db, nil
}

// Unwritable says in one line that the folder's database cannot be written to, and what
// to do.
func Unwritable(folder string, err error) error {
	return fmt.Errorf("cannot write to the database %s: %w; set DATA_DIR to another folder", file(folder), err)
}

func file(folder string) string { return filepath.Join(folder, "chat.db") }
