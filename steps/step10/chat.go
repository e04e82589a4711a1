// Package step10 adds durable delivery: a sent message outlives its page, and a page notices
// when the server has another log than before.
//
// The first half is in index.html, an outbox in the browser's storage. The server needs
// nothing new for it: the idempotency key makes a retry harmless, from any tab. The second
// half is in this file: fingerprint, has and restartLog. An offset is a message's position.
// In a log that was deleted, or restored from an old copy, another message has that position.
// The fingerprint detects this, for a page that reconnects and for a server that kept
// running.
//
// Read the outbox in index.html first, then those three functions.
package step10

import (
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/steps/cures/backpressure"
	"redial/steps/cures/handshake"
	"redial/steps/cures/recovery"
	"redial/steps/internal/serve"
	"redial/steps/stores/sqlite"
)

// Page is the page that the server serves.
//
//go:embed index.html
var Page []byte

// columns are read of each message. One that step 7 stored has no key.
const columns = "id, COALESCE(client_offset, ''), content"

type chat struct {
	server     *socket.Server
	replayPage int

	// order is held while a message is stored and emitted, and while a page joins the room.
	order serve.Lock
	db    *sql.DB
	// published is the id of the last message that was emitted, and publishedMark its
	// fingerprint.
	published     int64
	publishedMark string
	// room, a socket.Room, receives the live messages. A page joins it when its replay is
	// complete. Each log has a room of its own.
	room atomic.Value
}

// New makes the server of this step, with its database in settings.DataDir.
func New(settings serve.Settings) (http.Handler, io.Closer, error) {
	settings = settings.WithDefaults()
	// Where another program has locked the database, the page waits and retries. If the
	// server waited, all other messages would wait behind this one.
	db, err := sqlite.Open(settings.Driver, settings.DataDir, 100*time.Millisecond)
	if err != nil {
		return nil, nil, err
	}
	// Recovery as before, except that events to a single page are not stored, since they
	// can be read from the database again.
	(&recovery.Builder{
		Takeover:         true,
		SkipDirect:       true,
		MaxDisconnection: settings.MaxDisconnection,
	}).Apply(settings.Options)
	c := &chat{server: socket.NewServer(nil, settings.Options), replayPage: settings.ReplayPage, order: serve.NewLock(), db: db}
	if err := c.startLog(); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	// A page that reads nothing while others send is disconnected before the data that
	// waits for it fills the memory. When it reconnects, it catches up like any other page.
	backpressure.Limit{}.Apply(c.server)
	_ = c.server.On("connection", func(args ...any) { c.connected(args[0].(*socket.Socket)) })

	routes := http.NewServeMux()
	routes.Handle("GET /{$}", serve.Page(Page))
	routes.Handle("/socket.io/", handshake.Handler(c.server))
	return routes, c, nil
}

func (c *chat) connected(client *socket.Socket) {
	_ = client.On("chat message", func(args ...any) {
		var id int64
		text, key, err := serve.TextAndKey(args)
		if err == nil {
			id, err = c.storeAndEmit(text, key)
		}
		if errors.Is(err, errUnavailable) {
			// The page resends a message that is not acknowledged. An error would be
			// a final answer.
			log.Print(err)
			_ = client.Emit("unavailable", err.Error())
			return
		}
		serve.Answer(client, args, map[string]any{"offset": id}, err)
	})
	// A recovered page is in its rooms again, and has received the messages that were sent
	// to them meanwhile. A page that was disconnected during its replay is not in the room,
	// so it continues from its offset like any other.
	if client.Recovered() && client.Rooms().Has(c.room.Load().(socket.Room)) {
		return
	}
	// The page's own queue makes the events of this page wait until it has caught up, and
	// no events of other pages.
	client.Enqueue(func() {
		if err := c.catchUp(client); err != nil {
			log.Printf("a page could not catch up: %v", err)
			// The page notices the broken connection, reconnects, and asks again.
			client.Conn().Close(true)
		}
	})
}

// errUnavailable means that the same message may be stored at the next attempt.
var errUnavailable = errors.New("nothing can be stored at the moment")

// storeAndEmit stores a message, unless it is stored already, and emits every message of
// the log that was not emitted yet. It returns the message's id.
func (c *chat) storeAndEmit(text, key string) (int64, error) {
	c.order.Lock()
	defer c.order.Unlock()
	var retry bool
	err := c.db.QueryRow("SELECT EXISTS (SELECT 1 FROM messages WHERE client_offset = ?)", key).Scan(&retry)
	// A retry needs no write. Otherwise retries would make a slow disk slower, until no
	// acknowledgement arrives in time.
	if err == nil && !retry {
		_, err = c.db.Exec("INSERT INTO messages (content, client_offset) VALUES (?, ?)", text, key)
	}
	// Publish after an error too: an INSERT that reports an error may be committed, and a
	// retry may be of a message that was stored and never emitted.
	if failed := c.publish(); err == nil {
		err = failed
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	return c.idOf(text, key)
}

// idOf returns the id of the stored message with the key.
func (c *chat) idOf(text, key string) (id int64, err error) {
	var content string
	if err := c.db.QueryRow("SELECT id, content FROM messages WHERE client_offset = ?", key).Scan(&id, &content); err != nil {
		return 0, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	if content != text {
		return 0, errors.New("another message has this key, and this one was not stored")
	}
	return id, nil
}

// startLog takes the log as it is now: a client that connects from now on is sent all
// messages up to the newest.
func (c *chat) startLog() error {
	var key, content string
	err := c.db.QueryRow("SELECT "+columns+" FROM messages ORDER BY id DESC LIMIT 1").Scan(&c.published, &key, &content)
	if errors.Is(err, sql.ErrNoRows) {
		c.published = 0
	} else if err != nil {
		return err
	}
	c.publishedMark = fingerprint(key, content)
	c.room.Store(socket.Room(rand.Text()))
	return nil
}

// restartLog is startLog for a log that was emptied or replaced while the server runs. Every
// page has to reconnect and send the offset that it has.
func (c *chat) restartLog() error {
	log.Print("the log in chat.db was replaced: every page reconnects")
	if err := c.startLog(); err != nil {
		return err
	}
	c.server.Sockets().Sockets().Range(func(_ socket.SocketId, client *socket.Socket) bool {
		go client.Conn().Close(true) // publish may run in an event of this client
		return true
	})
	return nil
}

// publish emits the messages that were not emitted yet, in the order of the log. The same
// query reads the last emitted message, which must still be in the log.
func (c *chat) publish() error {
	rows, err := c.db.Query("SELECT "+columns+" FROM messages WHERE id >= ? ORDER BY id", c.published)
	if err != nil {
		return err
	}
	defer rows.Close()
	same := c.published == 0 // no message was emitted, so none can be missing
	for rows.Next() {
		var id int64
		var key, content string
		if err := rows.Scan(&id, &key, &content); err != nil {
			return err
		}
		mark := fingerprint(key, content)
		if !same {
			if id != c.published || mark != c.publishedMark {
				break
			}
			same = true
			continue
		}
		c.published, c.publishedMark = id, mark
		c.server.To(c.room.Load().(socket.Room)).Emit("chat message", content, id, mark)
	}
	if err := rows.Err(); err != nil || same {
		return err
	}
	return c.restartLog()
}

// catchUp sends a page the messages after its offset, and lets it join the room. Most of
// the log is read without the lock, a part at a time. The lock is held for the messages
// that were stored during the last part and for the join, so that no message falls between
// the replay and the room, and none is in both.
func (c *chat) catchUp(client *socket.Socket) error {
	room := c.room.Load().(socket.Room)
	offset, known, err := c.offsetOf(client)
	if err != nil {
		return err
	}
	// A page that was recovered into the room of another log has just received messages of
	// that log.
	if !known || client.Recovered() && client.Rooms().Len() > 1 {
		offset = 0
		_ = client.Emit("refused", "The server's log was replaced: the whole log follows.")
		_ = client.Emit("reset")
	}
	for more := true; more; {
		backpressure.Wait(client, c.replayPage) // not faster than the page reads
		if offset, more, err = c.replay(client, offset); err != nil {
			return err
		}
	}
	c.order.Lock()
	defer c.order.Unlock()
	// Publish first: otherwise this page would receive those messages twice, from the
	// replay and from the broadcast.
	if err := c.publish(); err != nil {
		return err
	}
	if room != c.room.Load() {
		return errors.New("the log was replaced during the replay")
	}
	for more := true; more; {
		if offset, more, err = c.replay(client, offset); err != nil {
			return err
		}
	}
	client.Join(room) // not if it is disconnected
	return nil
}

// replayBytes limits the size of a part of a replay, in addition to replayPage.
const replayBytes = 256 << 10

// replay emits the next few messages after offset. It returns the new offset, and whether
// there may be more.
func (c *chat) replay(client *socket.Socket, offset int64) (last int64, more bool, err error) {
	rows, err := c.db.Query("SELECT "+columns+" FROM messages WHERE id > ? ORDER BY id LIMIT ?", offset, c.replayPage)
	if err != nil {
		return offset, false, err
	}
	defer rows.Close()
	count, bytes := 0, 0
	// Once the connection is broken, the page may have reconnected as another socket with
	// the same id, which would receive the rest of this replay.
	for bytes < replayBytes && rows.Next() && client.Connected() {
		var key, content string
		if err := rows.Scan(&offset, &key, &content); err != nil {
			return offset, false, err
		}
		_ = client.Emit("chat message", content, offset, fingerprint(key, content))
		count, bytes = count+1, bytes+len(content)
	}
	return offset, count == c.replayPage || bytes >= replayBytes, rows.Err()
}

// offsetOf returns the id of the last message that the page has shown, 0 for a new page.
// The offset is known if this log has the same message with that id; a page that sends no
// fingerprint is compared by the id alone. Otherwise the page has shown another log, for
// example because chat.db was deleted, and its offset is 0.
func (c *chat) offsetOf(client *socket.Socket) (offset int64, known bool, err error) {
	auth := client.Handshake().Auth
	named, ok := auth["serverOffset"]
	if !ok || named == 0.0 {
		return 0, true, nil
	}
	number, _ := named.(float64) // 0, which no message has, if it is no number
	if number != math.Trunc(number) {
		return 0, false, nil
	}
	known, err = c.has(int64(number), auth["fingerprint"])
	if !known {
		return 0, false, err
	}
	return int64(number), true, nil
}

// has reports whether the log has a message with that id and fingerprint. With the fingerprint
// nil, only the id is compared.
func (c *chat) has(id int64, mark any) (bool, error) {
	var key, content string
	err := c.db.QueryRow("SELECT "+columns+" FROM messages WHERE id = ?", id).Scan(&id, &key, &content)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil && (mark == nil || mark == fingerprint(key, content)), err
}

// fingerprint distinguishes a message from a message with the same id in another log. The
// key is random, and cannot be computed from the fingerprint.
func fingerprint(key, content string) string {
	sum := sha256.Sum256([]byte(key + "\n" + content))
	return hex.EncodeToString(sum[:8])
}

// Close disconnects every page, waits for the message that is being stored, and closes the
// database.
func (c *chat) Close() error {
	c.server.Close(nil)
	c.order.Lock()
	defer c.order.Unlock()
	return c.db.Close()
}
