// Package step10 adds durable delivery: a sent message outlives its page, and a page notices
// when the server has another log than before.
//
// The first half is in index.html, an outbox in the browser's storage. The server needs
// nothing new for it: the idempotency key makes a retry harmless, from any tab. The second
// half is in this file: fingerprint, has and beginAgain. An offset is a message's position.
// In a log that was deleted, or restored from an old copy, another message has that position.
// The fingerprint detects this, for a page that reconnects and for a server that kept
// running.
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

// columns are read of each message. One of step 9's may have no key.
const columns = "id, COALESCE(client_offset, ''), content"

type chat struct {
	server     *socket.Server
	replayPage int

	// order is held while a message is stored and emitted, and while a page joins.
	order serve.Lock
	db    *sql.DB
	// published is the highest id that was emitted, and print that message's fingerprint.
	published int64
	print     string
	// room is where new messages go, a socket.Room. A page that is still being sent old
	// ones is not in it yet. Another log has another room.
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
	if err := c.begin(); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	// A page that reads nothing while others send is disconnected before the data that
	// waits for it fills the memory. When it reconnects, it catches up like any other page.
	backpressure.Limit{}.Apply(c.server)
	_ = c.server.On("connection", func(args ...any) { c.connected(args[0].(*socket.Socket)) })

	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(Page)
	})
	routes.Handle("/socket.io/", handshake.Handler(c.server))
	return routes, c, nil
}

func (c *chat) connected(client *socket.Socket) {
	_ = client.On("chat message", func(args ...any) {
		var id int64
		text, key, err := messageOf(args)
		if err == nil {
			id, err = c.say(text, key)
		}
		if errors.Is(err, errUnavailable) {
			// No acknowledgement, so the page keeps the message and sends it again.
			// An error would be the answer to it for good.
			log.Print(err)
			_ = client.Emit("unavailable", err.Error())
			return
		}
		serve.Answer(client, args, map[string]any{"offset": id}, err)
	})
	// A recovered page is in its rooms again, and has received what was sent there
	// meanwhile. A page that was disconnected during its replay is not in the room, so it
	// continues from its offset like any other.
	if client.Recovered() && client.Rooms().Has(c.room.Load().(socket.Room)) {
		return
	}
	// On the page's own queue: the events of this page wait until it has caught up, and
	// those of other pages do not.
	client.Enqueue(func() {
		if err := c.catchUp(client); err != nil {
			log.Printf("a page could not catch up: %v", err)
			// The page notices the broken connection, reconnects, and asks again.
			client.Conn().Close(true)
		}
	})
}

// maxKey bounds a key, in bytes.
const maxKey = 256

// messageOf is a message's text and its key: what the sender has named it, so that
// it can be told from another one with the same text. A sender that names none does
// not send it again, or does not mind to see it twice: it gets a key that nobody has.
func messageOf(args []any) (text, key string, err error) {
	text, err = serve.Text(args)
	if err != nil || len(args) < 2 {
		return text, rand.Text(), err
	}
	switch key := args[1].(type) {
	case socket.Ack:
		return text, rand.Text(), nil
	case string:
		if 0 < len(key) && len(key) <= maxKey {
			return text, key, nil
		}
	}
	return "", "", fmt.Errorf("a message's key is a string of 1 to %d bytes, and this was none", maxKey)
}

// errUnavailable is not the message's fault: it may be stored the next time.
var errUnavailable = errors.New("nothing can be stored at the moment")

// say stores a message, unless it is stored already, and emits what the log has and
// nobody was sent yet, as one step. It returns the message's id.
func (c *chat) say(text, key string) (int64, error) {
	c.order.Lock()
	defer c.order.Unlock()
	var repeat bool
	err := c.db.QueryRow("SELECT EXISTS (SELECT 1 FROM messages WHERE client_offset = ?)", key).Scan(&repeat)
	// A repeat costs no write: else a slow disk would be slower by each of them, and the
	// answers later, until there is none in time.
	if err == nil && !repeat {
		_, err = c.db.Exec("INSERT INTO messages (content, client_offset) VALUES (?, ?)", text, key)
	}
	// Whatever came of it: an INSERT can report an error and be committed, and a
	// repeat may be of a message that was stored and never emitted.
	if failed := c.publish(); err == nil {
		err = failed
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	return c.stored(text, key)
}

// stored is the id of the message that has the key.
func (c *chat) stored(text, key string) (id int64, err error) {
	var content string
	if err := c.db.QueryRow("SELECT id, content FROM messages WHERE client_offset = ?", key).Scan(&id, &content); err != nil {
		return 0, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	if content != text {
		return 0, errors.New("another message has this key, and this one was not stored")
	}
	return id, nil
}

// begin takes the log as it is now: whoever connects is sent all that is in it.
func (c *chat) begin() error {
	var key, content string
	err := c.db.QueryRow("SELECT "+columns+" FROM messages ORDER BY id DESC LIMIT 1").Scan(&c.published, &key, &content)
	if errors.Is(err, sql.ErrNoRows) {
		c.published, err = 0, nil
	}
	c.print = fingerprint(key, content)
	c.room.Store(socket.Room(rand.Text()))
	return err
}

// beginAgain is begin, for a log that was emptied or put back under the running server:
// every page has to come again, and say what it has.
func (c *chat) beginAgain() error {
	log.Print("chat.db has another log than before: every page begins again")
	if err := c.begin(); err != nil {
		return err
	}
	c.server.Sockets().Sockets().Range(func(_ socket.SocketId, client *socket.Socket) bool {
		go client.Conn().Close(true) // this may be called from within its event
		return true
	})
	return nil
}

// publish emits what is stored and was not emitted yet, in the order of the log; in one
// query with what was emitted last, which must be there still.
func (c *chat) publish() error {
	rows, err := c.db.Query("SELECT "+columns+" FROM messages WHERE id >= ? ORDER BY id", c.published)
	if err != nil {
		return err
	}
	defer rows.Close()
	same := c.published == 0 // where nothing was emitted, nothing can be missing
	for rows.Next() {
		var id int64
		var key, content string
		if err := rows.Scan(&id, &key, &content); err != nil {
			return err
		}
		print := fingerprint(key, content)
		if !same {
			if id != c.published || print != c.print {
				break
			}
			same = true
			continue
		}
		c.published, c.print = id, print
		c.server.To(c.room.Load().(socket.Room)).Emit("chat message", content, id, print)
	}
	if err := rows.Err(); err != nil || same {
		return err
	}
	return c.beginAgain()
}

// catchUp sends a page all that is stored after its offset, and lets it into the
// room. Most of it is read without the lock, a part at a time; the lock is for what
// was stored during the last part, and for the joining, so that no message falls
// between the two and none is in both.
func (c *chat) catchUp(client *socket.Socket) error {
	room := c.room.Load().(socket.Room)
	offset, known, err := c.offsetOf(client)
	if err != nil {
		return err
	}
	// A page that was restored to a room, and not to this one, has just been sent what it
	// missed of the log before.
	if !known || client.Recovered() && client.Rooms().Len() > 1 {
		offset = 0
		_ = client.Emit("refused", "The server has another log than before: here is all of it.")
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
		return errors.New("the log is another one than when it began")
	}
	for more := true; more; {
		if offset, more, err = c.replay(client, offset); err != nil {
			return err
		}
	}
	if client.Connected() {
		client.Join(room)
	}
	return nil
}

// replayBytes bounds a part of a replay, beside the number of its messages.
const replayBytes = 256 << 10

// replay emits the next few messages after offset, and returns the new offset, and
// whether there may be more.
func (c *chat) replay(client *socket.Socket, offset int64) (last int64, more bool, err error) {
	rows, err := c.db.Query("SELECT "+columns+" FROM messages WHERE id > ? ORDER BY id LIMIT ?", offset, c.replayPage)
	if err != nil {
		return offset, false, err
	}
	defer rows.Close()
	count, bytes := 0, 0
	// A connection may break at any time. To go on would be worse than useless: the
	// page may be back already, as a socket with the same id.
	for bytes < replayBytes && rows.Next() && client.Connected() {
		var key, content string
		if err := rows.Scan(&offset, &key, &content); err != nil {
			return offset, false, err
		}
		_ = client.Emit("chat message", content, offset, fingerprint(key, content))
		count, bytes = count+1, bytes+len(content)
	}
	return offset, (count == c.replayPage || bytes >= replayBytes) && client.Connected(), rows.Err()
}

// offsetOf is the last message that the page has shown, by its own account; 0 for a new page.
// It is known if this log has that message there: by its fingerprint or, where the
// page names none, by its id alone. A page whose offset is not known knows another
// log, from before chat.db was deleted or replaced; its offset here is 0.
func (c *chat) offsetOf(client *socket.Socket) (offset int64, known bool, err error) {
	auth := client.Handshake().Auth
	named, ok := auth["serverOffset"]
	if !ok || named == 0.0 {
		return 0, true, nil
	}
	number, isNumber := named.(float64)
	if !isNumber || number != math.Trunc(number) || math.Abs(number) > 1<<53 {
		return 0, false, nil
	}
	known, err = c.has(int64(number), auth["fingerprint"])
	if err != nil || !known {
		return 0, false, err
	}
	return int64(number), true, nil
}

// has tells whether the log has a message there with that fingerprint, or any, where the
// fingerprint is nil; at 0 every log has the same.
func (c *chat) has(id int64, print any) (bool, error) {
	if id == 0 {
		return true, nil
	}
	var key, content string
	err := c.db.QueryRow("SELECT "+columns+" FROM messages WHERE id = ?", id).Scan(&id, &key, &content)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil && (print == nil || print == fingerprint(key, content)), err
}

// fingerprint tells a message from any other one that might have its id in another
// log. The key is random, and cannot be found from it.
func fingerprint(key, content string) string {
	sum := sha256.Sum256([]byte(key + "\n" + content))
	return hex.EncodeToString(sum[:8])
}

// Close disconnects every page, and closes the database when the message that is being
// stored is stored.
func (c *chat) Close() error {
	c.server.Close(nil)
	c.order.Lock()
	defer c.order.Unlock()
	return c.db.Close()
}
