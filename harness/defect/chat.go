package defect

import (
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"

	"redial/steps/cures/handshake"
)

// room receives the broadcasts. A page joins it when its replay has ended.
const room = "chat"

// maxText and maxKey limit what the server accepts, in bytes.
const (
	maxText = 64 << 10
	maxKey  = 256
)

// Right is the chat without an injection: it keeps every rule.
func Right(dir string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	return injected(injection{})(dir, options)
}

// RightReordering is Right with JSON stored as a value, as a column of type jsonb does: the keys
// of an object come in another order, and white space is lost. That changes no message.
func RightReordering(dir string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	return injected(injection{message: altered(asValue)})(dir, options)
}

// A chat holds one lock while it stores and broadcasts a message, and while it replays the log
// to a page and lets it join. That lock is what makes it correct; each injection breaks one
// part of it.
type chat struct {
	server    *socket.Server
	injection injection
	closed    chan struct{}

	order sync.Mutex
	log   *messages
	// known maps keys to offsets if keysInMemory is injected.
	known map[string]int64
	// published is the id of the last message that a server of a cluster has emitted.
	published int64
}

func (c *chat) connected(client *socket.Socket) {
	said, before := 0, "" // no lock needed: a socket's events come one after the other
	offset := offsetOf(client)
	heard := func(args ...any) {
		time.Sleep(c.injection.takes)
		take(args, func(text, key string) (int64, error) {
			said++
			f := usual(text)
			if c.injection.message != nil {
				c.injection.message(said, &f)
			}
			if f.sameKey {
				key = before
			}
			before = key
			return c.storeAndEmit(client, f, key)
		})
	}
	if after := c.injection.listensAfter; after > 0 {
		go func() { time.Sleep(after); _ = client.On(contract.ChatEvent, heard) }()
	} else {
		_ = client.On(contract.ChatEvent, heard)
	}
	if c.injection.listensTwice && offset > 0 {
		_ = client.On(contract.ChatEvent, heard)
	}
	if offset > 0 && c.injection.admittedAfter > 0 {
		return // replayFirst has replayed
	}
	if err := c.catchUp(client, offset); err != nil {
		giveUp(client, err)
	}
}

// replayFirst is a middleware that replays to a page before it admits the page. Until then the
// page is in the room but gets no broadcast.
func (c *chat) replayFirst(client *socket.Socket, next func(*socket.ExtendedError)) {
	if offset := offsetOf(client); offset > 0 {
		if err := c.catchUp(client, offset); err != nil {
			giveUp(client, err)
		}
		time.Sleep(c.injection.admittedAfter)
	}
	next(nil)
}

// storeAndEmit stores and broadcasts a message according to its fate.
func (c *chat) storeAndEmit(client *socket.Socket, f fate, key string) (int64, error) {
	if f.ignored {
		return 0, errNoAnswer
	}
	if f.storedAfter == 0 {
		if c.injection.key != nil && key != "" {
			key = c.injection.key(client, key)
		}
		id, err := c.store(client, f, key)
		if f.dies {
			client.Conn().Close(true)
		}
		return id, err
	}
	go func() { // the caller acknowledges the message meanwhile
		for again := true; again; again = f.untilStored && c.isOpen() {
			time.Sleep(f.storedAfter)
			if _, err := c.store(client, f, key); err == nil {
				return
			}
		}
	}()
	return 0, nil
}

func (c *chat) isOpen() bool {
	select {
	case <-c.closed:
		return false
	default:
		return true
	}
}

// store stores and broadcasts a message unless its key is already in the log.
func (c *chat) store(client *socket.Socket, f fate, key string) (int64, error) {
	c.order.Lock()
	defer c.order.Unlock()
	var err error
	id, known := c.known[key]
	if !c.injection.keysInMemory {
		id, known, err = c.log.find(key)
	}
	if err != nil {
		return 0, errNoAnswer
	}
	if known {
		if c.injection.repeatsAreNews {
			c.emit(client, f, id)
		}
		return id, nil
	}
	column := key
	if c.injection.keysInMemory {
		column = ""
	}
	for i := range max(f.rows, 1) {
		if id, err = c.log.insert(f.stored, column, i < f.rows); err != nil {
			return 0, errNoAnswer
		}
		if f.dies {
			return 0, errNoAnswer
		}
		c.emit(client, f, id)
		column = ""
	}
	if c.injection.keysInMemory && key != "" {
		if c.injection.newestKey {
			clear(c.known)
		}
		c.known[key] = id
	}
	return id, nil
}

func (c *chat) emit(client *socket.Socket, f fate, id int64) {
	if how := c.injection.follows; how != nil {
		if how.toldAfter > 0 {
			go c.tell(id)
		} // the server emits it from the log
		return
	}
	everyone := c.server.To(room)
	if f.notToSender {
		everyone = client.To(room)
	}
	if c.injection.offsetOf != nil {
		id = c.injection.offsetOf(id)
	}
	for range f.broadcasts {
		_ = everyone.Emit(contract.ChatEvent, f.text, id)
	}
}

// catchUp replays the messages after the offset to a page and lets it join the room. It holds
// the lock throughout, so that no message falls between the two.
func (c *chat) catchUp(client *socket.Socket, offset int64) error {
	how := c.injection
	c.order.Lock()
	defer c.order.Unlock()
	if how.follows != nil && !how.follows.behind {
		if err := c.publish(); err != nil {
			return err
		}
	}
	query := how.query
	if query == "" || offset == 0 && !how.queryAlways {
		query = rightQuery
	}
	rows, err := c.log.selected(query, offset)
	if err != nil {
		return err
	}
	if offset > 0 && how.replay != nil {
		rows = how.replay(rows)
	}
	for _, r := range rows {
		_ = client.Emit(contract.ChatEvent, r.text, r.id)
	}
	switch {
	case offset > 0 && how.joinsAfter > 0:
		// This page joins after the lock is released, so it misses every broadcast in between.
		go func() { time.Sleep(how.joinsAfter); client.Join(room) }()
	case offset == 0 || !how.leavesOut:
		client.Join(room)
	}
	return nil
}

// serve builds the handler of a server; attach adds the chat's behaviour.
func serve(dir string, options *socket.ServerOptions, attach func(*socket.Server, *messages) error) (http.Handler, io.Closer, error) {
	log, err := openMessages(dir)
	if err != nil {
		return nil, nil, err
	}
	own := copied(options)
	// Recovery stays off because it would hide most of the defects: the library itself would
	// send a recovered page the missed messages.
	own.SetConnectionStateRecovery(nil)
	server := socket.NewServer(nil, own)
	if err := attach(server, log); err != nil {
		server.Close(nil)
		return nil, nil, errors.Join(err, log.close())
	}
	return routes(handshake.Handler(server), "a chat server that is broken on purpose"), closer(func() error {
		server.Close(nil)
		return log.close()
	}), nil
}

type closer func() error

func (c closer) Close() error { return c() }

// errNoAnswer leaves a message without an acknowledgement, so that a page with retries sends
// it again.
var errNoAnswer = errors.New("no answer")

// take parses the arguments of a chat message, (text [, key] [, acknowledgement]), passes them
// to storeAndEmit and acknowledges the message.
func take(args []any, storeAndEmit func(text, key string) (int64, error)) {
	reply := socket.Ack(func([]any, error) {})
	if len(args) > 0 {
		if last, ok := args[len(args)-1].(socket.Ack); ok {
			reply, args = last, args[:len(args)-1]
		}
	}
	text, key, err := parse(args)
	var id int64
	if err == nil {
		id, err = storeAndEmit(text, key)
	}
	if errors.Is(err, errNoAnswer) {
		return
	}
	if err != nil {
		reply([]any{map[string]any{contract.RefusalField: err.Error()}}, nil)
		return
	}
	reply([]any{map[string]any{"offset": id}}, nil)
}

func parse(args []any) (text, key string, err error) {
	if len(args) == 0 {
		return "", "", errors.New("a message needs a text")
	}
	text, ok := args[0].(string)
	if !ok {
		return "", "", errors.New("a message is text, and this was not a string")
	}
	if len(args) > 1 {
		if key, ok = args[1].(string); !ok {
			return "", "", errors.New("a message's key has to be a string")
		}
	}
	if len(text) > maxText || len(key) > maxKey {
		return "", "", fmt.Errorf("a text may have %d bytes, its key %d", maxText, maxKey)
	}
	return text, key, nil
}

// offsetOf returns the offset that a page connects with, or 0 if it sends none.
func offsetOf(client *socket.Socket) int64 {
	offset, ok := client.Handshake().Auth[contract.AuthOffset].(float64)
	if !ok || offset < 0 || offset != math.Trunc(offset) || offset > 1<<53 {
		return 0
	}
	return int64(offset)
}

// giveUp closes the connection without a disconnect packet, so that the page reconnects.
func giveUp(client *socket.Socket, err error) {
	log.Printf("a page could not catch up: %v", err)
	client.Conn().Close(true)
}
