// Package step9 adds several servers: each serves its own pages, any of them may crash, and
// every page shows the same messages in the same order.
//
// Read say, publish and catchUp, in this order. Unlike in step 8, say does not emit: it
// appends the message to a log that all servers share (package messagelog). Every server,
// this one too, reads the log from its own position and emits the new messages. So it makes
// no difference which server stored a message, or whether that server still runs.
package step9

import (
	"context"
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
	"redial/steps/stores/messagelog"
)

// Page is the page that the server serves.
//
//go:embed index.html
var Page []byte

// room receives the live messages. A page joins it when its replay is complete.
const room = "chat"

type chat struct {
	server     *socket.Server
	nodes      []string
	replayPage int
	messages   messagelog.Log
	stop       context.CancelFunc
	followed   chan struct{} // closed when follow has ended

	// order is held while messages are emitted, and while a page joins.
	order serve.Lock
	// published is the highest id that this server has emitted.
	published int64
}

// New makes one of the servers. They share what settings.DatabaseURL names, or else
// the file chat.db in settings.DataDir.
func New(settings serve.Settings) (http.Handler, io.Closer, error) {
	settings = settings.WithDefaults()
	ctx, stop := context.WithCancel(context.Background())
	messages, err := messagelog.Open(ctx, messagelog.Options{
		Folder: settings.DataDir, Driver: settings.Driver,
		DatabaseURL: settings.DatabaseURL, RedisURL: settings.RedisURL,
	})
	if err != nil {
		stop()
		return nil, nil, err
	}
	// A client that connects from now on is sent all messages up to the newest.
	newest, err := messages.Newest(ctx)
	if err != nil {
		stop()
		return nil, nil, errors.Join(err, messages.Close())
	}
	// A session is known to one server only. A page that comes to another one is new
	// there, and says in its offset what it has.
	(&recovery.Builder{
		Takeover:         true,
		SkipDirect:       true,
		MaxDisconnection: settings.MaxDisconnection,
	}).Apply(settings.Options)
	c := &chat{
		server: socket.NewServer(nil, settings.Options), nodes: settings.Nodes, replayPage: settings.ReplayPage,
		messages: messages, stop: stop, followed: make(chan struct{}), order: serve.NewLock(), published: newest,
	}
	// A page that reads nothing while others send is disconnected before the data that
	// waits for it fills the memory. When it reconnects, it catches up like any other page.
	backpressure.Limit{}.Apply(c.server)
	_ = c.server.On("connection", func(args ...any) { c.connected(args[0].(*socket.Socket)) })
	go c.follow(ctx)

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
		text, err := serve.Text(args)
		key, keyErr := keyOf(args)
		if err = errors.Join(err, keyErr); err == nil {
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
	if len(c.nodes) > 0 {
		_ = client.Emit("nodes", c.nodes)
	}
	// A recovered page is in its rooms again, and has received what was sent there
	// meanwhile. A page that was disconnected during its replay is not in the room, so it
	// continues from its offset like any other.
	if client.Recovered() && client.Rooms().Has(room) {
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

// keyOf is what the sender has named the message, so that it can be told from
// another one with the same text. A sender that names none, "", will not send it
// again, or does not mind to see it twice.
func keyOf(args []any) (key string, err error) {
	if len(args) < 2 {
		return "", nil
	}
	switch key := args[1].(type) {
	case socket.Ack:
		return "", nil
	case string:
		if 0 < len(key) && len(key) <= maxKey {
			return key, nil
		}
	}
	return "", fmt.Errorf("a message's key is a string of 1 to %d bytes, and this was none", maxKey)
}

// errUnavailable is not the message's fault: it may be stored the next time.
var errUnavailable = errors.New("nothing can be stored at the moment")

// say stores a message, unless it is stored already, and returns its id. That is
// enough for an acknowledgement: every server comes by the message on its way through
// the log, also when this one dies now.
func (c *chat) say(text, key string) (int64, error) {
	id, err := c.messages.Append(context.Background(), key, text)
	if err != nil && !errors.Is(err, messagelog.ErrKeyTaken) {
		err = fmt.Errorf("%w: %w", errUnavailable, err)
	}
	return id, err
}

// follow emits what is new in the log, until ctx ends. A read that is under way then is
// waited for, and not broken off: the log bounds it.
func (c *chat) follow(ctx context.Context) {
	defer close(c.followed)
	const again = 200 * time.Millisecond
	retry := time.NewTimer(0)
	failed := false
	for {
		select {
		case <-c.messages.Changed():
		case <-retry.C:
		case <-ctx.Done():
			retry.Stop()
			return
		}
		c.order.Lock()
		err := c.publish()
		c.order.Unlock()
		if err != nil {
			retry.Reset(again)
		}
		if err != nil && !failed {
			log.Printf("the messages cannot be read at the moment, and are shown when they can: %v", err)
		}
		failed = err != nil
	}
}

// publish emits what is in the log and was not emitted yet, in the order of the log.
// The caller holds the order.
func (c *chat) publish() error {
	for {
		rows, more, err := c.messages.After(context.Background(), c.published, c.replayPage)
		if err != nil {
			return err
		}
		for _, row := range rows {
			c.server.To(room).Emit("chat message", row.Text, row.ID)
			c.published = row.ID
		}
		if !more {
			return nil
		}
	}
}

// catchUp sends a page all that is stored after its offset, and lets it into the
// room. Most of it is read without the lock, a part at a time; the lock is for what
// was stored during the last part, and for the joining, so that no message falls
// between the two and none is in both.
func (c *chat) catchUp(client *socket.Socket) error {
	ctx := context.Background()
	offset, known, err := c.offsetOf(ctx, client)
	if err != nil {
		return err
	}
	if !known {
		_ = client.Emit("refused", "serverOffset names no message of this log: here is all of it")
		_ = client.Emit("reset")
	}
	for more := true; more; {
		backpressure.Wait(client, c.replayPage) // not faster than the page reads
		if offset, more, err = c.replay(ctx, client, offset, math.MaxInt64); err != nil {
			return err
		}
	}
	c.order.Lock()
	defer c.order.Unlock()
	// The room is where the page is now, or further on.
	if err := c.publish(); err != nil {
		return err
	}
	for more := true; more; {
		if offset, more, err = c.replay(ctx, client, offset, c.published); err != nil {
			return err
		}
	}
	if client.Connected() {
		client.Join(room)
	}
	return nil
}

// replay emits to one page the next few messages that the log has after offset, none
// beyond the id last. It returns the new offset, and whether there may be more.
func (c *chat) replay(ctx context.Context, client *socket.Socket, offset, last int64) (int64, bool, error) {
	rows, more, err := c.messages.After(ctx, offset, c.replayPage)
	if err != nil {
		return offset, false, err
	}
	for _, row := range rows {
		// A connection may break at any time. To go on would be worse than useless:
		// the page may be back already, as a socket with the same id.
		if row.ID > last || !client.Connected() {
			return offset, false, nil
		}
		_ = client.Emit("chat message", row.Text, row.ID)
		offset = row.ID
	}
	return offset, more, nil
}

// offsetOf is the last message that the page has shown, by its own account; 0 for a new page.
// A page that names anything but a message of this log comes from another one,
// perhaps from before chat.db was deleted: it is not known, and its offset is 0. (A
// new log that has grown past the page's offset cannot be told from the old one.)
func (c *chat) offsetOf(ctx context.Context, client *socket.Socket) (offset int64, known bool, err error) {
	named, ok := client.Handshake().Auth["serverOffset"]
	if !ok {
		return 0, true, nil
	}
	newest, err := c.messages.Newest(ctx)
	number, isNumber := named.(float64)
	if err != nil || !isNumber || number < 0 || number > float64(newest) || number != math.Trunc(number) {
		return 0, false, err
	}
	return int64(number), true, nil
}

// Close disconnects every page of this server, and closes its end of the log when the
// messages that are being stored are stored.
func (c *chat) Close() error {
	c.server.Close(nil)
	c.stop()
	<-c.followed
	// A page may be catching up.
	c.order.Lock()
	defer c.order.Unlock()
	return c.messages.Close()
}
