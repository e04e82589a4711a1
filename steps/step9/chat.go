// Package step9 adds several servers: each serves its own pages, any of them may crash, and
// every page shows the same messages in the same order.
//
// Read store, publish and catchUp, in this order. Unlike step 8, store does not emit: it
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

	// order is held while messages are emitted, and while a page joins the room.
	order serve.Lock
	// published is the id of the last message that this server has emitted.
	published int64
}

// New makes one of the servers. They share the database of settings.DatabaseURL or, if that
// is empty, the file chat.db in settings.DataDir.
func New(settings serve.Settings) (http.Handler, io.Closer, error) {
	settings = settings.WithDefaults()
	messages, err := messagelog.Open(context.Background(), messagelog.Options{
		Folder: settings.DataDir, Driver: settings.Driver,
		DatabaseURL: settings.DatabaseURL, RedisURL: settings.RedisURL,
	})
	if err != nil {
		return nil, nil, err
	}
	// A client that connects from now on is sent all messages up to the newest id.
	newest, err := messages.Newest(context.Background())
	if err != nil {
		return nil, nil, errors.Join(err, messages.Close())
	}
	// A session can be recovered only on its own server. On another server the page is new,
	// and catches up from its offset.
	(&recovery.Builder{
		Takeover:         true,
		SkipDirect:       true,
		MaxDisconnection: settings.MaxDisconnection,
	}).Apply(settings.Options)
	ctx, stop := context.WithCancel(context.Background())
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
	routes.Handle("GET /{$}", serve.Page(Page))
	routes.Handle("/socket.io/", handshake.Handler(c.server))
	return routes, c, nil
}

func (c *chat) connected(client *socket.Socket) {
	_ = client.On("chat message", func(args ...any) {
		var id int64
		text, key, err := serve.TextAndKey(args)
		if err == nil {
			id, err = c.store(text, key)
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
	if len(c.nodes) > 0 {
		_ = client.Emit("nodes", c.nodes)
	}
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

// store stores a message, unless it is stored already, and returns its id. It emits
// nothing: every server reads the message from the log, even if this one crashes now.
func (c *chat) store(text, key string) (int64, error) {
	id, err := c.messages.Append(context.Background(), key, text)
	if err != nil && !errors.Is(err, messagelog.ErrKeyTaken) {
		err = fmt.Errorf("%w: %w", errUnavailable, err)
	}
	return id, err
}

// follow emits the new messages of the log until ctx ends. A read that is in
// progress then is not cancelled, because the log limits how long it takes.
func (c *chat) follow(ctx context.Context) {
	defer close(c.followed)
	const pause = 200 * time.Millisecond
	retry := time.NewTimer(0)
	failed := false
	for {
		select {
		case <-c.messages.Changed():
		case <-retry.C:
		case <-ctx.Done():
			return
		}
		c.order.Lock()
		err := c.publish()
		c.order.Unlock()
		if err != nil {
			retry.Reset(pause)
		}
		if err != nil && !failed {
			log.Printf("the log cannot be read at the moment, and is read again every %v: %v", pause, err)
		}
		failed = err != nil
	}
}

// publish emits the messages that were not emitted yet, in the order of the log. The caller
// holds the lock.
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
		if offset, more, err = c.replay(client, offset, math.MaxInt64); err != nil {
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
		if offset, more, err = c.replay(client, offset, c.published); err != nil {
			return err
		}
	}
	client.Join(room) // not if it is disconnected
	return nil
}

// replay emits the next few messages after offset, up to the id last. It returns the new
// offset, and whether there may be more.
func (c *chat) replay(client *socket.Socket, offset, last int64) (int64, bool, error) {
	rows, more, err := c.messages.After(context.Background(), offset, c.replayPage)
	if err != nil {
		return offset, false, err
	}
	for _, row := range rows {
		// Once the connection is broken, the page may have reconnected as another
		// socket with the same id, which would receive the rest of this replay.
		if row.ID > last || !client.Connected() {
			return offset, false, nil
		}
		_ = client.Emit("chat message", row.Text, row.ID)
		offset = row.ID
	}
	return offset, more, nil
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
	newest, err := c.messages.Newest(context.Background())
	number, isNumber := named.(float64)
	if err != nil || !isNumber || number < 0 || number > float64(newest) || number != math.Trunc(number) {
		return 0, false, err
	}
	return int64(number), true, nil
}

// Close disconnects every page of this server, waits for the messages that are being
// stored, and closes the log.
func (c *chat) Close() error {
	c.server.Close(nil)
	c.stop()
	<-c.followed
	// Wait for a page that is catching up.
	c.order.Lock()
	defer c.order.Unlock()
	return c.messages.Close()
}
