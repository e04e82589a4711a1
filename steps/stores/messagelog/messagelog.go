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
	// Append stores text under key and returns its id, once it is safe from a crash of
	// this process and of the store. A key that is there already stores nothing and
	// gives the id of the first; with another text it is ErrKeyTaken. An empty key names
	// nothing, and the message is stored.
	//
	// Any other error leaves open whether the message was stored. To append it again,
	// with the same key, is always right.
	Append(ctx context.Context, key, text string) (id int64, err error)
	// After returns up to limit rows with ids above id, the lowest first, and whether there
	// may be more: fewer than limit where they have more than 256 KB. They are safe to read
	// up to: nothing will ever appear below a row that was returned.
	After(ctx context.Context, id int64, limit int) (rows []Row, more bool, err error)
	// Newest is the id of the newest row, 0 when there is none.
	Newest(ctx context.Context) (int64, error)
	// Changed is a channel on which a value comes when the log may have grown. It is
	// for one reader; who looks at the log at each value misses nothing.
	Changed() <-chan struct{}
	// Close ends everything that was started, when what is being stored is stored. After
	// it, the other methods fail.
	Close() error
}

// A Row is one message.
type Row struct {
	// ID grows with the log, not always by one.
	ID   int64
	Text string
}

// partBytes bounds the texts of a part, but for its last row's.
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

// ErrKeyTaken says that a key names another text already: two messages were given
// one key, and to acknowledge the second would be to lose it.
var ErrKeyTaken = errors.New("the key of this message names another message already")

// Options say which log to open. With DatabaseURL empty it is chat.db in Folder.
type Options struct {
	// Folder is where chat.db is; it is made when it is not there.
	Folder string
	// Driver is the database/sql driver to reach SQLite through; empty: "sqlite3".
	Driver string
	// DatabaseURL is PostgreSQL's, "postgres://user:password@host:port/database".
	DatabaseURL string
	// RedisURL is the bell's, "redis://:password@host:port/0". Empty: no bell, and
	// other processes' messages are seen at the next poll.
	RedisURL string
	// Poll is how often to look for what other processes have stored. Zero means 20 ms
	// for SQLite, where it is the only way, and 500 ms for PostgreSQL.
	Poll time.Duration
}

// Open opens the log, and makes it when it is not there.
func Open(ctx context.Context, options Options) (Log, error) {
	if options.DatabaseURL != "" {
		return openPostgres(ctx, options)
	}
	return openSQLite(ctx, options)
}

// patience bounds every call of a store.
const patience = 5 * time.Second

// A bell wakes one reader, however often it is rung before the reader looks.
type bell chan struct{}

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}
