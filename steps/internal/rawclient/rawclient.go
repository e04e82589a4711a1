// Package rawclient is a Socket.IO client for the steps' own tests. It reports the packets as
// they arrive, in their order, and does nothing else: it does not reconnect, buffer or drop.
//
// Read [Connect] first. The package uses github.com/coder/websocket, in which every read and
// write ends with its context.
package rawclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Timeout is the limit of every wait in a test.
const Timeout = time.Minute

// An Event is an event as it arrived.
type Event struct {
	Name string
	// Args are the arguments as JSON values; an attachment is a placeholder in them.
	Args []any
	// Binary are the attachments.
	Binary [][]byte
}

// A Client is one connection.
type Client struct {
	t      testing.TB
	conn   *websocket.Conn
	ctx    context.Context
	cancel context.CancelFunc
	// Sid and Pid are from the server's response to the connect packet.
	Sid, Pid string
	// Events is closed when the connection has ended.
	Events chan Event

	connected chan string
	ended     chan struct{}
	acks      chan string
	nextAck   int
}

// Connect opens a WebSocket to the server at url ("http://…") and connects with auth, which
// may be nil. An error fails the test.
func Connect(t testing.TB, url string, auth any) *Client {
	t.Helper()
	c, err := Dial(t, url, auth)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Dial is Connect for other goroutines: it returns the error instead of failing the test.
func Dial(t testing.TB, url string, auth any) (*Client, error) {
	return DialOver(t, url, auth, new(net.Dialer).DialContext)
}

// DialOver is Dial on a connection that the function dial opens.
func DialOver(t testing.TB, url string, auth any, dial func(ctx context.Context, network, address string) (net.Conn, error)) (*Client, error) {
	ctx, cancel := context.WithCancel(context.Background())
	dialing, stop := context.WithTimeout(ctx, Timeout)
	defer stop()
	conn, _, err := websocket.Dial(dialing, url+"/socket.io/?EIO=4&transport=websocket", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: &http.Transport{DialContext: dial}},
	})
	if err != nil {
		cancel()
		return nil, err
	}
	conn.SetReadLimit(64 << 20)
	c := &Client{
		t: t, conn: conn, ctx: ctx, cancel: cancel,
		Events:    make(chan Event, 100_000),
		connected: make(chan string, 1),
		ended:     make(chan struct{}),
		acks:      make(chan string, 100_000),
	}
	t.Cleanup(c.Close)
	if _, _, err := conn.Read(dialing); err != nil {
		return nil, fmt.Errorf("no open packet: %w", err)
	}
	go c.read()
	// The library registers its listener after it has sent the open packet, and never answers
	// a connect packet that arrives before that.
	time.Sleep(5 * time.Millisecond)
	packet := "40"
	if auth != nil {
		encoded, err := json.Marshal(auth)
		if err != nil {
			return nil, err
		}
		packet += string(encoded)
	}
	if err := c.Write(packet); err != nil {
		return nil, err
	}
	select {
	case answer := <-c.connected:
		var ids struct{ Sid, Pid string }
		if err := json.Unmarshal([]byte(answer), &ids); err != nil {
			return nil, err
		}
		c.Sid, c.Pid = ids.Sid, ids.Pid
		// Likewise the library registers the socket shortly after its response; an event that
		// arrives before that makes the library close the connection.
		time.Sleep(5 * time.Millisecond)
		return c, nil
	case <-c.ended:
		return nil, errors.New("the server closed the connection in place of answering the connect packet")
	case <-time.After(Timeout):
		return nil, fmt.Errorf("the connect packet was not answered within %v", Timeout)
	}
}

// Close closes the connection without a close frame.
func (c *Client) Close() {
	c.cancel()
	_ = c.conn.CloseNow()
}

// Write sends a packet without changing it.
func (c *Client) Write(packet string) error {
	return c.conn.Write(c.ctx, websocket.MessageText, []byte(packet))
}

func (c *Client) WriteBinary(attachment []byte) error {
	return c.conn.Write(c.ctx, websocket.MessageBinary, attachment)
}

// Emit emits an event with these arguments.
func (c *Client) Emit(name string, args ...any) error { return c.emit("", name, args) }

// emit emits an event with the id of an acknowledgement, if that is not empty.
func (c *Client) emit(id, name string, args []any) error {
	packet, err := json.Marshal(append([]any{name}, args...))
	if err != nil {
		return err
	}
	return c.Write("42" + id + string(packet))
}

// Ask emits an event, waits for its acknowledgement, and returns the first argument of that.
// Only one goroutine at a time may call it.
func (c *Client) Ask(name string, args ...any) (map[string]any, error) {
	id := strconv.Itoa(c.nextAck)
	c.nextAck++
	if err := c.emit(id, name, args); err != nil {
		return nil, err
	}
	select {
	case ack := <-c.acks:
		body, ok := strings.CutPrefix(ack, id+"[")
		if !ok {
			return nil, fmt.Errorf("acknowledgement %s is not for %s", ack, id)
		}
		var answers []map[string]any
		err := json.Unmarshal([]byte("["+body), &answers)
		if err != nil || len(answers) != 1 {
			return nil, fmt.Errorf("acknowledgement %s is not one object: %v", ack, err)
		}
		return answers[0], nil
	case <-time.After(Timeout):
		return nil, fmt.Errorf("no acknowledgement within %v", Timeout)
	case <-c.ended:
		return nil, errors.New("the connection ended before the acknowledgement")
	}
}

// Next returns the next event, and fails the test if none arrives.
func (c *Client) Next() Event {
	c.t.Helper()
	event, err := c.Await()
	if err != nil {
		c.t.Fatal(err)
	}
	return event
}

// Await is Next for other goroutines: it returns the error instead of failing the test.
func (c *Client) Await() (Event, error) {
	select {
	case event, open := <-c.Events:
		if !open {
			return Event{}, errors.New("the connection has ended, and an event was expected")
		}
		return event, nil
	case <-time.After(Timeout):
		return Event{}, fmt.Errorf("no event within %v", Timeout)
	}
}

// Ended waits for the server to close the connection.
func (c *Client) Ended() {
	c.t.Helper()
	timeout := time.After(Timeout)
	for {
		select {
		case _, open := <-c.Events:
			if !open {
				return
			}
		case <-timeout:
			c.t.Fatalf("the connection is still open after %v", Timeout)
		}
	}
}

// read dispatches packets until the connection ends.
func (c *Client) read() {
	defer close(c.Events)
	defer close(c.ended)
	var event Event
	missing := 0
	for {
		kind, data, err := c.conn.Read(c.ctx)
		if err != nil {
			return
		}
		packet := string(data)
		switch {
		case kind == websocket.MessageBinary:
			event.Binary = append(event.Binary, data)
			if missing--; missing == 0 {
				c.Events <- event
			}
		case packet == "2":
			if c.Write("3") != nil {
				return
			}
		case strings.HasPrefix(packet, "40"):
			c.connected <- packet[2:]
		case strings.HasPrefix(packet, "42"):
			c.Events <- parse(packet[2:])
		case strings.HasPrefix(packet, "43"):
			c.acks <- packet[2:]
		case strings.HasPrefix(packet, "45"):
			count, rest, _ := strings.Cut(packet[2:], "-")
			missing, _ = strconv.Atoi(count)
			event = parse(rest)
		}
	}
}

func parse(packet string) Event {
	var args []any
	if err := json.Unmarshal([]byte(packet), &args); err != nil || len(args) == 0 {
		return Event{Name: "not an event: " + packet}
	}
	name, _ := args[0].(string)
	return Event{Name: name, Args: args[1:]}
}
