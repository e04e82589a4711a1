package messagelog

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"redial/steps/stores/sqlite"
)

// sqliteLog is one file, used by several processes. SQLite lets one of them write at a
// time, so ids become visible in the order in which they were given out.
//
// One thing to know: a process that is stopped (SIGSTOP) in the very middle of a write
// keeps the others from writing until it goes on or dies. They say so, by an error
// after two seconds, and their pages try again; nothing is lost.
type sqliteLog struct {
	db      *sql.DB
	changed bell
	// writing is held by the one goroutine that writes. SQLite would let the others try
	// again and again, in no order; here they queue.
	writing chan struct{}
	stop    context.CancelFunc
	stopped chan struct{}
}

func openSQLite(ctx context.Context, options Options) (Log, error) {
	driver := options.Driver
	if driver == "" {
		driver = "sqlite3"
	}
	db, err := sqlite.Connect(driver, options.Folder, 0)
	if err != nil {
		return nil, err
	}
	if err := makeSQLite(ctx, db); err != nil {
		_ = db.Close()
		return nil, sqlite.Unwritable(options.Folder, err)
	}
	poll := options.Poll
	if poll <= 0 {
		poll = 20 * time.Millisecond
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &sqliteLog{db: db, changed: make(bell, 1), writing: make(chan struct{}, 1), stop: stop, stopped: make(chan struct{})}
	go l.watch(watching, poll)
	return l, nil
}

// makeSQLite makes the table. Where several processes begin on a new file at once,
// SQLite answers "busy" without waiting to all but one that ask for WAL.
func makeSQLite(ctx context.Context, db *sql.DB) error {
	return whileBusy(ctx, time.Now().Add(patience), func() error {
		_, err := db.ExecContext(ctx, sqlite.Schema)
		return err
	})
}

// whileBusy tries again, until the time given, while another process has the database.
// SQLite can wait by itself (its busy timeout, which is off here), but it waits the
// longer the more often it was in vain, and so does not get a turn while the others write
// without a break; and it waits on the machine's clock, also where a test has another.
func whileBusy(ctx context.Context, until time.Time, try func() error) error {
	for {
		err := try()
		if err == nil || !sqlite.IsBusy(err) || time.Now().After(until) {
			return err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// turnWithin is how long a message may wait for its turn. It is shorter than a page's
// ackTimeout: a page is told why it waits before it tries again.
const turnWithin = 2 * time.Second

func (l *sqliteLog) Append(ctx context.Context, key, text string) (id int64, err error) {
	// A repeat costs no write: else a slow disk would be slower by each of them.
	if id, err := l.stored(ctx, key, text); !errors.Is(err, sql.ErrNoRows) {
		return id, err
	}
	until := time.Now().Add(turnWithin)
	select {
	case l.writing <- struct{}{}:
		defer func() { <-l.writing }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	err = whileBusy(ctx, until, func() error {
		return l.db.QueryRowContext(ctx,
			"INSERT INTO messages (client_offset, content) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING id", named(key), text).Scan(&id)
	})
	if err == nil {
		l.changed.ring()
	}
	if errors.Is(err, sql.ErrNoRows) { // another process was faster
		return l.stored(ctx, key, text)
	}
	return id, err
}

// stored is the id of the message with the key; sql.ErrNoRows if there is none.
func (l *sqliteLog) stored(ctx context.Context, key, text string) (id int64, err error) {
	var first string
	err = whileBusy(ctx, time.Now().Add(readWithin), func() error {
		return l.db.QueryRowContext(ctx, "SELECT id, content FROM messages WHERE client_offset = ?", named(key)).Scan(&id, &first)
	})
	if err == nil && first != text {
		return 0, ErrKeyTaken
	}
	return id, err
}

// named is a key as it is stored: NULL is like no other NULL.
func named(key string) any {
	if key == "" {
		return nil
	}
	return key
}

// readWithin is how long a read may wait. Readers do not wait for writers, but for a
// process that repairs what another one left that was killed.
const readWithin = 500 * time.Millisecond

func (l *sqliteLog) After(ctx context.Context, id int64, limit int) (found []Row, more bool, err error) {
	var p part
	err = whileBusy(ctx, time.Now().Add(readWithin), func() error {
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
	err = whileBusy(ctx, time.Now().Add(readWithin), func() error {
		return l.db.QueryRowContext(ctx, "SELECT COALESCE(MAX(id), 0) FROM messages").Scan(&id)
	})
	return id, err
}

func (l *sqliteLog) Changed() <-chan struct{} { return l.changed }

// watch rings when the newest id is another one. (PRAGMA data_version would tell as
// much for as little, but only on one connection that is kept for it.) When the
// database cannot be asked, the reader may look and see for itself.
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
			l.changed.ring()
		}
	}
}

// Close closes the database when the message that is being stored is stored.
func (l *sqliteLog) Close() error {
	l.stop()
	<-l.stopped
	l.writing <- struct{}{}
	defer func() { <-l.writing }()
	return l.db.Close()
}
