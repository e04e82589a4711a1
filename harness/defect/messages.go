package defect

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"redial/steps/stores/sqlite"
)

type row struct {
	id   int64
	text string
}

// messages is the log: a SQLite file, so that it survives a restart.
type messages struct{ db *sql.DB }

func openMessages(dir string) (*messages, error) {
	path := filepath.Join(dir, "chat.db")
	// The timeout is short so that a lock of another program fails the insert soon: then the
	// page retries, and the server does not wait.
	db, err := sql.Open(sqlite.Name, "file:"+path+"?_busy_timeout=100&_journal_mode=WAL&_synchronous=NORMAL&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	// Several connections, because "published" stores messages while a replay's query is open.
	db.SetMaxOpenConns(4)
	_, err = db.Exec(`CREATE TABLE IF NOT EXISTS messages (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		key TEXT UNIQUE,
		text TEXT NOT NULL)`)
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("the log %s cannot be opened: %w", path, err)
	}
	return &messages{db}, nil
}

func (m *messages) close() error { return m.db.Close() }

// insert stores a message and returns its id. Without keep the id is used up and the row is
// deleted: AUTOINCREMENT never assigns an id twice.
func (m *messages) insert(text, key string, keep bool) (int64, error) {
	tx, err := m.db.Begin()
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }() // no effect after Commit
	result, err := tx.Exec("INSERT INTO messages (text, key) VALUES (?, NULLIF(?, ''))", text, key)
	if err != nil {
		return 0, err
	}
	id, err := result.LastInsertId()
	if err != nil {
		return 0, err
	}
	if !keep {
		if _, err := tx.Exec("DELETE FROM messages WHERE id = ?", id); err != nil {
			return 0, err
		}
	}
	return id, tx.Commit()
}

// find returns the id of the message that was stored with the key.
func (m *messages) find(key string) (id int64, known bool, err error) {
	if key == "" {
		return 0, false, nil
	}
	err = m.db.QueryRow("SELECT id FROM messages WHERE key = ?", key).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return id, err == nil, err
}

// rightQuery is the correct replay: the rows after the offset, in order.
const rightQuery = "SELECT id, text FROM messages WHERE id > ? ORDER BY id"

// selected runs a query for ids and texts, whose parameter is the offset.
func (m *messages) selected(query string, offset int64) ([]row, error) {
	var rows []row
	err := m.each(query, offset, func(r row) { rows = append(rows, r) })
	return rows, err
}

// each calls f for each row while the query is still open, so that messages can be stored and
// broadcast in the middle of a replay.
func (m *messages) each(query string, offset int64, f func(row)) error {
	rows, err := m.db.Query(query, offset)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.id, &r.text); err != nil {
			return err
		}
		f(r)
	}
	return rows.Err()
}
