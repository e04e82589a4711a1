package messagelog

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"redial/steps/stores/sqlite"
)

// sqliteLog is one file, used by several processes. SQLite lets one of them write at a time,
// so ids become visible in order.
//
// A process that is suspended (SIGSTOP) during a write blocks the writes of the others until
// it resumes or ends. Their Append returns an error after two seconds, and their pages
// retry, so no message is lost.
type sqliteLog struct {
	db      *sql.DB
	changed signal
	// writing is held by the goroutine that writes, so that the others queue. In SQLite they
	// would retry in no order.
	writing chan struct{}
	stop    context.CancelFunc
	stopped chan struct{}
}

func openSQLite(ctx context.Context, options Options) (Log, error) {
	db, err := sqlite.Open(options.Driver, options.Folder, 0)
	if err != nil {
		return nil, err
	}
	poll := options.poll
	if poll <= 0 {
		poll = 20 * time.Millisecond
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &sqliteLog{db: db, changed: make(signal, 1), writing: make(chan struct{}, 1), stop: stop, stopped: make(chan struct{})}
	go l.watch(watching, poll)
	return l, nil
}

// turnTimeout limits how long a message waits to be written. It is shorter than a page's
// ackTimeout, so that the page shows the reason before it retries.
const turnTimeout = 2 * time.Second

func (l *sqliteLog) Append(ctx context.Context, key, text string) (id int64, err error) {
	// A retry needs no write. Otherwise retries would make a slow disk slower.
	if id, err := l.idOf(ctx, key, text); !errors.Is(err, sql.ErrNoRows) {
		return id, err
	}
	until := time.Now().Add(turnTimeout)
	select {
	case l.writing <- struct{}{}:
		defer func() { <-l.writing }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	err = sqlite.WhileBusy(ctx, until, func() error {
		return l.db.QueryRowContext(ctx,
			"INSERT INTO messages (client_offset, content) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING id", key, text).Scan(&id)
	})
	if err == nil {
		l.changed.send()
	}
	if errors.Is(err, sql.ErrNoRows) { // another process has stored the key meanwhile
		return l.idOf(ctx, key, text)
	}
	return id, err
}

// idOf returns the id of the message with the key, or sql.ErrNoRows.
func (l *sqliteLog) idOf(ctx context.Context, key, text string) (id int64, err error) {
	var first string
	err = sqlite.WhileBusy(ctx, time.Now().Add(readTimeout), func() error {
		return l.db.QueryRowContext(ctx, "SELECT id, content FROM messages WHERE client_offset = ?", key).Scan(&id, &first)
	})
	if err == nil && first != text {
		return 0, ErrKeyTaken
	}
	return id, err
}

// readTimeout limits how long a read waits: not for writers, but for a process that recovers
// the file after a crash.
const readTimeout = 500 * time.Millisecond

func (l *sqliteLog) After(ctx context.Context, id int64, limit int) (found []Row, more bool, err error) {
	var p part
	err = sqlite.WhileBusy(ctx, time.Now().Add(readTimeout), func() error {
		p, err = l.after(ctx, id, limit)
		return err
	})
	return p.rows, p.isFull(limit), err
}

func (l *sqliteLog) after(ctx context.Context, id int64, limit int) (found part, err error) {
	rows, err := l.db.QueryContext(ctx, "SELECT id, content FROM messages WHERE id > ? ORDER BY id LIMIT ?", id, limit)
	if err != nil {
		return found, err
	}
	defer rows.Close()
	for !found.isFull(limit) && rows.Next() {
		var row Row
		if err := rows.Scan(&row.ID, &row.Text); err != nil {
			return found, err
		}
		found.add(row)
	}
	return found, rows.Err()
}

func (l *sqliteLog) Newest(ctx context.Context) (id int64, err error) {
	err = sqlite.WhileBusy(ctx, time.Now().Add(readTimeout), func() error {
		return l.db.QueryRowContext(ctx, "SELECT COALESCE(MAX(id), 0) FROM messages").Scan(&id)
	})
	return id, err
}

func (l *sqliteLog) Changed() <-chan struct{} { return l.changed }

// watch sends a signal when the newest id has changed, and when it cannot be read: the reader
// then gets the error. PRAGMA data_version would need a connection of its own.
func (l *sqliteLog) watch(ctx context.Context, poll time.Duration) {
	defer close(l.stopped)
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	last := int64(-1)
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		newest, err := l.Newest(context.Background())
		if err != nil || newest != last {
			last = newest
			l.changed.send()
		}
	}
}

// Close waits for the message that is being stored.
func (l *sqliteLog) Close() error {
	l.stop()
	<-l.stopped
	l.writing <- struct{}{}
	defer func() { <-l.writing }()
	return l.db.Close()
}
