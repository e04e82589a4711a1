// Package step8 adds client delivery: a page resends each message until the server has
// acknowledged it, and the server stores it once, however often it arrives.
//
// Read storeAndEmit and publish, in this order. The page generates an idempotency key for
// each message, so a retry has no effect. Only stored messages are emitted: storeAndEmit stores a
// message, and publish then emits every message of the log that was not emitted yet. So an
// acknowledgement means that the message is stored and emitted, even if this is a retry and
// the first attempt failed half-way.
package step8

import (
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
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

// room receives the live messages. A page joins it when its replay is complete.
const room = "chat"

type chat struct {
	server     *socket.Server
	replayPage int

	// order is held while a message is stored and emitted, and while a page joins the room.
	order serve.Lock
	db    *sql.DB
	// published is the id of the last message that was emitted.
	published int64
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
	// A client that connects from now on is sent all messages up to the newest id.
	var published int64
	if err := db.QueryRow("SELECT COALESCE(MAX(id), 0) FROM messages").Scan(&published); err != nil {
		_ = db.Close()
		return nil, nil, sqlite.Unwritable(settings.DataDir, err)
	}
	// Recovery as before, except that events to a single page are not stored, since they
	// can be read from the database again.
	(&recovery.Builder{
		Takeover:         true,
		SkipDirect:       true,
		MaxDisconnection: settings.MaxDisconnection,
	}).Apply(settings.Options)
	c := &chat{server: socket.NewServer(nil, settings.Options), replayPage: settings.ReplayPage, order: serve.NewLock(), db: db, published: published}
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
	if client.Recovered() && client.Rooms().Has(room) {
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

// publish emits the messages that were not emitted yet, in the order of the log.
func (c *chat) publish() error {
	rows, err := c.db.Query("SELECT id, content FROM messages WHERE id > ? ORDER BY id", c.published)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var content string
		if err := rows.Scan(&id, &content); err != nil {
			return err
		}
		c.server.To(room).Emit("chat message", content, id)
		c.published = id
	}
	return rows.Err()
}

// catchUp sends a page the messages after its offset, and lets it join the room. Most of
// the log is read without the lock, a part at a time. The lock is held for the messages
// that were stored during the last part and for the join, so that no message falls between
// the replay and the room, and none is in both.
func (c *chat) catchUp(client *socket.Socket) error {
	offset, known, err := c.offsetOf(client)
	if err != nil {
		return err
	}
	if !known {
		_ = client.Emit("refused", "serverOffset is not the id of a message in this log: the whole log follows")
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
	rows, err := c.db.Query("SELECT id, content FROM messages WHERE id > ? ORDER BY id LIMIT ?", offset, c.replayPage)
	if err != nil {
		return offset, false, err
	}
	defer rows.Close()
	count, bytes := 0, 0
	// Once the connection is broken, the page may have reconnected as another socket with
	// the same id, which would receive the rest of this replay.
	for bytes < replayBytes && rows.Next() && client.Connected() {
		var content string
		if err := rows.Scan(&offset, &content); err != nil {
			return offset, false, err
		}
		_ = client.Emit("chat message", content, offset)
		count, bytes = count+1, bytes+len(content)
	}
	return offset, count == c.replayPage || bytes >= replayBytes, rows.Err()
}

// offsetOf returns the id of the last message that the page has shown, 0 for a new page.
// The offset is not known if it is beyond the newest id, for example because chat.db was
// deleted; then it is 0. Step 10 also detects a new log that has grown past the
// page's offset.
func (c *chat) offsetOf(client *socket.Socket) (offset int64, known bool, err error) {
	named, ok := client.Handshake().Auth["serverOffset"]
	if !ok {
		return 0, true, nil
	}
	var newest int64
	err = c.db.QueryRow("SELECT COALESCE(MAX(id), 0) FROM messages").Scan(&newest)
	number, isNumber := named.(float64)
	if err != nil || !isNumber || number < 0 || number > float64(newest) || number != math.Trunc(number) {
		return 0, false, err
	}
	return int64(number), true, nil
}

// Close disconnects every page, waits for the message that is being stored, and closes the
// database.
func (c *chat) Close() error {
	c.server.Close(nil)
	c.order.Lock()
	defer c.order.Unlock()
	return c.db.Close()
}
