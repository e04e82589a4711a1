//go:build !js

package messagelog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
)

// postgresLog is a table in PostgreSQL, and a channel in Redis.
type postgresLog struct {
	db      *pgxpool.Pool
	redis   *redis.Client // nil: no bell
	changed bell
	// tell is rung for the goroutine that rings the others' bells, so that nobody's
	// acknowledgement waits for Redis.
	tell    bell
	stop    context.CancelFunc
	stopped []chan struct{}
	// unordered leaves out the lock of append. It is for the test that shows what the
	// lock is for.
	unordered bool
}

const (
	// appending is the number of the lock that is held while a row is appended. (The
	// letters of "redial".)
	appending = 0x72656469616c
	// channel is where the bell rings.
	channel = "redial:messages"

	// Keys and texts are bytes, because TEXT cannot hold a NUL, and a message can.
	postgresSchema = `
	CREATE TABLE IF NOT EXISTS messages (
		id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		client_offset BYTEA UNIQUE,
		content BYTEA NOT NULL
	)`
)

func openPostgres(ctx context.Context, options Options) (Log, error) {
	config, err := pgxpool.ParseConfig(options.DatabaseURL)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL cannot be read: %w", err)
	}
	config.MaxConns = 16
	config.ConnConfig.ConnectTimeout = patience
	// Should this process be stopped (SIGSTOP) in mid-transaction, the others wait for
	// its lock no longer than this.
	milliseconds := strconv.FormatInt(patience.Milliseconds(), 10)
	config.ConnConfig.RuntimeParams["statement_timeout"] = milliseconds
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = milliseconds
	db, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	l := &postgresLog{db: db, changed: make(bell, 1), tell: make(bell, 1)}
	if err := l.makeTable(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("the PostgreSQL of DATABASE_URL cannot be used: %w", err)
	}
	if options.RedisURL != "" {
		config, err := redis.ParseURL(options.RedisURL)
		if err != nil {
			db.Close()
			return nil, fmt.Errorf("REDIS_URL cannot be read: %w", err)
		}
		config.DialTimeout, config.ReadTimeout, config.WriteTimeout = time.Second, time.Second, time.Second
		config.MaxRetries = -1
		l.redis = redis.NewClient(config)
	}
	poll := options.Poll
	if poll <= 0 {
		poll = 500 * time.Millisecond
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.start(func() { l.poll(running, poll) })
	if l.redis != nil {
		l.start(func() { l.ring(running) })
		l.start(func() { l.listen(running) })
	}
	return l, nil
}

func (l *postgresLog) start(loop func()) {
	stopped := make(chan struct{})
	l.stopped = append(l.stopped, stopped)
	go func() { defer close(stopped); loop() }()
}

// makeTable takes the lock too: two processes that make one table at once fail.
func (l *postgresLog) makeTable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return pgx.BeginFunc(ctx, l.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", appending); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, postgresSchema)
		return err
	})
}

// Append gives the row its id under a lock, because PostgreSQL gives out ids before it
// makes rows visible: without the lock 8 could be seen while 7 is still being
// committed, and who reads on from 8 never sees 7. The lock is let go of after the
// commit is visible. So whoever writes to the table has to take it.
//
// The whole transaction is one packet (a batch is a transaction of its own), so no
// process can be stopped, or cut off, with the lock in its hands.
func (l *postgresLog) Append(ctx context.Context, key, text string) (id int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	batch := &pgx.Batch{}
	if !l.unordered {
		batch.Queue("SELECT pg_advisory_xact_lock($1)", appending)
	}
	var named, first []byte // a nil key is NULL, which is like no other NULL
	if key != "" {
		named = []byte(key)
	}
	batch.Queue(`
		WITH appended AS (
			INSERT INTO messages (client_offset, content) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id, content)
		SELECT id, content FROM appended
		UNION ALL SELECT id, content FROM messages WHERE client_offset = $1`,
		named, []byte(text)).QueryRow(func(row pgx.Row) error { return row.Scan(&id, &first) })
	if err := l.db.SendBatch(ctx, batch).Close(); err != nil {
		l.lost(err)
		return 0, err
	}
	if string(first) != text {
		return 0, ErrKeyTaken
	}
	l.changed.ring()
	l.tell.ring()
	return id, nil
}

// lost throws away the other connections too when one of them has died, and tells
// whether it has: most often PostgreSQL was restarted, and all of them are dead.
func (l *postgresLog) lost(err error) bool {
	var answer *pgconn.PgError
	if errors.As(err, &answer) && answer.SeverityUnlocalized == "ERROR" {
		return false // a dead connection says FATAL, or nothing
	}
	l.db.Reset()
	return true
}

// read asks once more where the connection has turned out to be dead.
func (l *postgresLog) read(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := ask(ctx)
	if err != nil && l.lost(err) && ctx.Err() == nil {
		err = ask(ctx)
	}
	return err
}

// After has PostgreSQL add up the lengths, so that what a part has no room for is not sent.
func (l *postgresLog) After(ctx context.Context, id int64, limit int) (found []Row, more bool, err error) {
	var p part
	err = l.read(ctx, func(ctx context.Context) error {
		p = part{}
		rows, err := l.db.Query(ctx, `
			SELECT id, content FROM (
				SELECT id, content, SUM(length(content)) OVER (ORDER BY id) - length(content) AS before
				FROM (SELECT id, content FROM messages WHERE id > $1 ORDER BY id LIMIT $2) AS next
			) AS counted WHERE before < $3 ORDER BY id`, id, limit, partBytes)
		if err != nil {
			return err
		}
		var row Row
		var text []byte
		_, err = pgx.ForEachRow(rows, []any{&row.ID, &text}, func() error {
			row.Text = string(text)
			p.add(row)
			return nil
		})
		return err
	})
	return p.rows, p.isFull(limit), err
}

func (l *postgresLog) Newest(ctx context.Context) (id int64, err error) {
	err = l.read(ctx, func(ctx context.Context) error {
		return l.db.QueryRow(ctx, "SELECT COALESCE(MAX(id), 0) FROM messages").Scan(&id)
	})
	return id, err
}

func (l *postgresLog) Changed() <-chan struct{} { return l.changed }

// poll covers the notifications that are lost: while Redis is away, while this process
// is cut off from it, and when a process dies between storing and telling.
func (l *postgresLog) poll(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.changed.ring()
		case <-ctx.Done():
			return
		}
	}
}

// ring tells the others. One notification may stand for many messages.
func (l *postgresLog) ring(ctx context.Context) {
	for {
		select {
		case <-l.tell:
			// Not an error of anybody's: the others look by themselves in a moment.
			_ = l.redis.Publish(ctx, channel, "").Err()
		case <-ctx.Done():
			return
		}
	}
}

// listen is told by the others. A connection that breaks, or that answers no ping, is
// made again by the library; what was lost meanwhile is the poll's.
func (l *postgresLog) listen(ctx context.Context) {
	subscription := l.redis.Subscribe(ctx, channel)
	defer subscription.Close()
	rings := subscription.Channel()
	for {
		select {
		case _, open := <-rings:
			if !open {
				return
			}
			l.changed.ring()
		case <-ctx.Done():
			return
		}
	}
}

func (l *postgresLog) Close() (err error) {
	l.stop()
	if l.redis != nil {
		err = l.redis.Close()
	}
	for _, stopped := range l.stopped {
		<-stopped
	}
	l.db.Close()
	return err
}
