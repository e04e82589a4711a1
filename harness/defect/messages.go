package defect

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"redial/steps/stores/sqlite"
)

// A row is one message of the log.
type row struct {
	id   int64
	text string
}

// messages is the log, in a file of its own.
type messages struct{ db *sql.DB }

func openMessages(dir string) (*messages, error) {
	path := filepath.Join(dir, "chat.db")
	// Where another program has locked the file, it is the page that waits, not the server.
	db, err := sql.Open(sqlite.Name, "file:"+path+"?_busy_timeout=100&_journal_mode=WAL&_synchronous=NORMAL&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	// More than one: "published" stores while it replays.
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

// insert stores a message and returns its id. With keep unset the id is taken and
// the row is not there: AUTOINCREMENT gives no id twice.
func (m *messages) insert(text, key string, keep bool) (int64, error) {
	tx, err := m.db.Begin()
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
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

// rightQuery is what a page is sent: the rows with a higher id, in order.
const rightQuery = "SELECT id, text FROM messages WHERE id > ? ORDER BY id"

// after returns the rows with a higher id.
func (m *messages) after(offset int64) ([]row, error) { return m.selected(rightQuery, offset) }

// selected returns the rows of a query for ids and texts, which has the offset.
func (m *messages) selected(query string, offset int64) ([]row, error) {
	var rows []row
	err := m.each(query, offset, func(r row) { rows = append(rows, r) })
	return rows, err
}

// each calls f for one row after the other, while the query is open.
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
