//go:build !js

package messagelog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
)

// postgresLog is a table in PostgreSQL, and a channel in Redis.
type postgresLog struct {
	db      *pgxpool.Pool
	redis   *redis.Client // nil without a RedisURL
	changed signal
	// stored wakes the goroutine that notifies other processes, so that no acknowledgement
	// waits for Redis.
	stored  signal
	stop    context.CancelFunc
	running sync.WaitGroup
	// unordered disables the lock of Append, for the test that shows why it is needed.
	unordered bool
}

const (
	// appendLock is the number of the lock that is held while a row is appended: the letters
	// of "redial".
	appendLock = 0x72656469616c
	// channel is the Redis channel of the notifications.
	channel = "redial:messages"

	// Keys and texts are bytes, because TEXT cannot hold a NUL.
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
	config.ConnConfig.ConnectTimeout = callTimeout
	// If this process is suspended (SIGSTOP) during a transaction, PostgreSQL releases its
	// lock after this time.
	milliseconds := strconv.FormatInt(callTimeout.Milliseconds(), 10)
	config.ConnConfig.RuntimeParams["statement_timeout"] = milliseconds
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = milliseconds
	db, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	l := &postgresLog{db: db, changed: make(signal, 1), stored: make(signal, 1)}
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
	poll := options.poll
	if poll <= 0 {
		poll = 500 * time.Millisecond
	}
	open, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.running.Go(func() { l.poll(open, poll) })
	if l.redis != nil {
		l.running.Go(func() { l.notify(open) })
		l.running.Go(func() { l.listen(open) })
	}
	return l, nil
}

// makeTable takes the lock, because one of two concurrent CREATE TABLE statements fails.
func (l *postgresLog) makeTable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return pgx.BeginFunc(ctx, l.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", appendLock); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, postgresSchema)
		return err
	})
}

// Append assigns the id under a lock, because PostgreSQL assigns ids before rows become
// visible: without the lock, a reader could see row 8 while row 7 is still being committed,
// continue after 8, and never see 7. PostgreSQL releases the lock after the commit. Every
// writer has to take it.
//
// A batch is a transaction, and is sent in one packet. So a process that is suspended or
// disconnected never holds the lock.
func (l *postgresLog) Append(ctx context.Context, key, text string) (id int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	batch := &pgx.Batch{}
	if !l.unordered {
		batch.Queue("SELECT pg_advisory_xact_lock($1)", appendLock)
	}
	var first []byte
	batch.Queue(`
		WITH appended AS (
			INSERT INTO messages (client_offset, content) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id, content)
		SELECT id, content FROM appended
		UNION ALL SELECT id, content FROM messages WHERE client_offset = $1`,
		[]byte(key), []byte(text)).QueryRow(func(row pgx.Row) error { return row.Scan(&id, &first) })
	if err := l.db.SendBatch(ctx, batch).Close(); err != nil {
		l.resetIfBroken(err)
		return 0, err
	}
	if string(first) != text {
		return 0, ErrKeyTaken
	}
	l.changed.send()
	l.stored.send()
	return id, nil
}

// resetIfBroken reports whether the error is that of a broken connection, and then closes
// all connections: PostgreSQL has probably restarted.
func (l *postgresLog) resetIfBroken(err error) bool {
	var failed *pgconn.PgError
	if errors.As(err, &failed) && failed.SeverityUnlocalized == "ERROR" {
		return false // a broken connection has FATAL, or another kind of error
	}
	l.db.Reset()
	return true
}

// read runs the query again if the connection was broken.
func (l *postgresLog) read(ctx context.Context, query func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := query(ctx)
	if err != nil && l.resetIfBroken(err) && ctx.Err() == nil {
		err = query(ctx)
	}
	return err
}

// After has PostgreSQL add up the lengths, so that it sends no rows that a part cannot hold.
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

// poll covers lost notifications: Redis may be unavailable, or a process may crash after
// it has stored a message and before it has notified the others.
func (l *postgresLog) poll(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.changed.send()
		case <-ctx.Done():
			return
		}
	}
}

// notify notifies the other processes. One notification may be for many messages.
func (l *postgresLog) notify(ctx context.Context) {
	for {
		select {
		case <-l.stored:
			// An error needs no handling, because the other processes poll.
			_ = l.redis.Publish(ctx, channel, "").Err()
		case <-ctx.Done():
			return
		}
	}
}

// listen receives the notifications of the other processes. The library reconnects when the
// connection breaks; poll covers the notifications that are lost meanwhile.
func (l *postgresLog) listen(ctx context.Context) {
	subscription := l.redis.Subscribe(ctx, channel)
	defer subscription.Close()
	notifications := subscription.Channel()
	for {
		select {
		case _, open := <-notifications:
			if !open {
				return
			}
			l.changed.send()
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
	l.running.Wait()
	l.db.Close()
	return err
}
