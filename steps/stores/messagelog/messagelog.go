// Package messagelog is the list of all messages that several servers share: each message
// once, in one order, permanently.
//
// Read [Log] first; [Open] opens one. There are two kinds:
//
//   - one SQLite file, for several processes on one machine (sqlite.go);
//   - PostgreSQL, for several machines, with Redis to notify the others (postgres.go).
//
// # Why servers read the log, and Redis only notifies
//
// A server that crashes after storing a message has not notified the others. If they learned
// of messages from that server only, they would never show this one, although it may have been
// acknowledged. So each server reads the log itself, from its own position, and a notification
// only means "read the log again". A lost notification costs a short delay, because every
// server also polls the log.
//
// For the same reason this package uses plain Redis, and not the Redis Streams adapter of the
// Socket.IO library. The adapter broadcasts events, but under load it was observed to lose
// messages for clients that reconnect and to deliver in a different order on each server, and
// after an idle timeout it continues at the newest entry. A notification needs none of its
// features: it is one PUBLISH.
//
// # Libraries
//
// github.com/mattn/go-sqlite3, because it is SQLite itself; github.com/jackc/pgx, because it
// sends a whole transaction in one packet (see append in postgres.go);
// github.com/redis/go-redis, the official client.
//
// The package must not know the chat: texts and keys are strings to it.
package messagelog

import (
	"context"
	"errors"
	"time"
)

// A Log is one process's access to the shared log. Its methods, but for Changed, are
// safe for concurrent use; each returns within about 5 s, also when the store is unavailable.
type Log interface {
	// Append stores text under key, and returns its id when it is safe from a crash of this
	// process and of the store. If the key is stored already, Append stores nothing, and
	// returns the id of the first message, or ErrKeyTaken if the texts differ.
	//
	// After any other error the message may or may not be stored. A retry with the same key
	// is always safe.
	Append(ctx context.Context, key, text string) (id int64, err error)
	// After returns the next rows after id, in order, and whether there may be more. It
	// returns at most limit rows, and stops after 256 KB of text. After a row
	// was returned, no row with a lower id becomes visible.
	After(ctx context.Context, id int64, limit int) (rows []Row, more bool, err error)
	// Newest returns the id of the newest row, 0 for an empty log.
	Newest(ctx context.Context) (int64, error)
	// Changed returns a channel that has a value whenever the log may have grown. It is for
	// one reader, which sees every row if it calls After for each value.
	Changed() <-chan struct{}
	// Close waits for the message that is being stored. The other methods fail after Close.
	Close() error
}

// A Row is one message.
type Row struct {
	// ID grows from row to row, not always by one.
	ID   int64
	Text string
}

// partBytes is the length of the texts at which a part ends.
const partBytes = 256 << 10

// A part collects the rows that After returns.
type part struct {
	rows  []Row
	bytes int
}

func (p *part) add(row Row) {
	p.rows = append(p.rows, row)
	p.bytes += len(row.Text)
}

func (p *part) isFull(limit int) bool { return len(p.rows) == limit || p.bytes >= partBytes }

// ErrKeyTaken means that another text is stored under the key. The message is not stored, so
// it must not be acknowledged.
var ErrKeyTaken = errors.New("another message has this key, and this one was not stored")

// Options describe the log to open. Without a DatabaseURL it is chat.db in Folder.
type Options struct {
	// Folder contains chat.db. Open creates it if it is missing.
	Folder string
	// Driver is the database/sql driver for SQLite; "" is that of package sqlite.
	Driver string
	// DatabaseURL is PostgreSQL's, "postgres://user:password@host:port/database".
	DatabaseURL string
	// RedisURL is "redis://:password@host:port/0". Without it, messages of other processes
	// are noticed at the next poll.
	RedisURL string
	// poll is the interval between two looks for messages of other processes. Zero means
	// 20 ms for SQLite, which has no notifications, and 500 ms for PostgreSQL.
	poll time.Duration
}

// Open opens the log, and creates it if it is missing.
func Open(ctx context.Context, options Options) (Log, error) {
	if options.DatabaseURL != "" {
		return openPostgres(ctx, options)
	}
	return openSQLite(ctx, options)
}

// callTimeout limits every call of a store.
const callTimeout = 5 * time.Second

// A signal wakes one reader. It holds one value, however often it is sent.
type signal chan struct{}

func (s signal) send() {
	select {
	case s <- struct{}{}:
	default:
	}
}
