package defect

import (
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"sync"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"

	"redial/steps/cures/handshake"
)

// room is where broadcasts go: to the pages that have caught up.
const room = "chat"

// maxText and maxKey bound what is accepted, in bytes.
const (
	maxText = 64 << 10
	maxKey  = 256
)

// Right is the chat without an injection: every rule holds.
func Right(dir string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	return injected(injection{})(dir, options)
}

// A chat stores and broadcasts in one step, and lets a page catch up and join in
// one step. The bends apart, that is all there is to it.
type chat struct {
	server    *socket.Server
	injection injection

	order sync.Mutex
	log   *messages
}

func (c *chat) connected(client *socket.Socket) {
	said := 0 // a socket's events come one after the other
	_ = client.On(contract.ChatEvent, func(args ...any) {
		take(args, func(text, key string) (int64, error) {
			said++
			return c.say(said, text, key)
		})
	})
	if err := c.catchUp(client, offsetOf(client)); err != nil {
		giveUp(client, err)
	}
}

// say stores and broadcasts the n-th message of a connection.
func (c *chat) say(n int, text, key string) (int64, error) {
	f := usual(text)
	if c.injection.message != nil {
		c.injection.message(n, &f)
	}
	c.order.Lock()
	defer c.order.Unlock()
	if id, known, err := c.log.find(key); known || err != nil {
		return id, err
	}
	var last int64
	for i := range max(f.rows, 1) {
		id, err := c.log.insert(text, key, i < f.rows)
		if err != nil {
			return 0, err
		}
		if f.broadcast {
			c.server.To(room).Emit(contract.ChatEvent, f.text, id)
		}
		last, key = id, ""
	}
	return last, nil
}

// catchUp sends a page what it has missed and lets it into the room.
func (c *chat) catchUp(client *socket.Socket, offset int64) error {
	c.order.Lock()
	defer c.order.Unlock()
	rows, err := c.log.after(offset)
	if err != nil {
		return err
	}
	if offset > 0 && c.injection.replay != nil {
		rows = c.injection.replay(rows)
	}
	for _, r := range rows {
		_ = client.Emit(contract.ChatEvent, r.text, r.id)
	}
	client.Join(room)
	return nil
}

// serve builds the handler of a server; attach gives it its behaviour.
func serve(dir string, options *socket.ServerOptions, attach func(*socket.Server, *messages)) (http.Handler, io.Closer, error) {
	log, err := openMessages(dir)
	if err != nil {
		return nil, nil, err
	}
	own := copied(options)
	// Recovery would hide most of the defects: a page that is recovered is sent
	// what it missed by the library.
	own.SetConnectionStateRecovery(nil)
	server := socket.NewServer(nil, own)
	attach(server, log)
	return routes(handshake.Handler(server), "a chat server that is broken on purpose"), closer(func() error {
		server.Close(nil)
		return log.close()
	}), nil
}

type closer func() error

func (c closer) Close() error { return c() }

// errNoAnswer leaves a message without an acknowledgement, so that a page with retries
// sends it again.
var errNoAnswer = errors.New("no answer")

// take reads the arguments of a chat message, (text [, key] [, acknowledgement]),
// lets say have them, and answers.
func take(args []any, say func(text, key string) (int64, error)) {
	reply := socket.Ack(func([]any, error) {})
	if len(args) > 0 {
		if last, ok := args[len(args)-1].(socket.Ack); ok {
			reply, args = last, args[:len(args)-1]
		}
	}
	text, key, err := parse(args)
	var id int64
	if err == nil {
		id, err = say(text, key)
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

// offsetOf is the offset that a page connects with; 0 where it names none.
func offsetOf(client *socket.Socket) int64 {
	offset, ok := client.Handshake().Auth[contract.AuthOffset].(float64)
	if !ok || offset < 0 || offset != math.Trunc(offset) || offset > 1<<53 {
		return 0
	}
	return int64(offset)
}

// giveUp ends a connection that cannot be served: the page comes again.
func giveUp(client *socket.Socket, err error) {
	log.Printf("a page could not catch up: %v", err)
	client.Conn().Close(true)
}
