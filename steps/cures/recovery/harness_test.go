package recovery

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/steps/cures/handshake"
	"redial/steps/internal/rawclient"
)

const patienceInTests = time.Minute

// A server is a Socket.IO server, on loopback or in memory.
type server struct {
	io      *socket.Server
	adapter *adapter
	url     string
	dialer  websocket.Dialer
	// listening holds the Engine.IO ids of the connections whose packets the server
	// listens to.
	listening sync.Map
}

// start serves with the adapter; configure may change the options.
func start(t testing.TB, builder socket.AdapterConstructor, configure func(*socket.ServerOptions)) *server {
	t.Helper()
	return startOn(t, nil, builder, configure)
}

// startOn serves on pipes, or on loopback where they are nil.
func startOn(t testing.TB, pipes *rawclient.Pipes, builder socket.AdapterConstructor, configure func(*socket.ServerOptions)) *server {
	t.Helper()
	options := socket.DefaultServerOptions()
	(&Builder{}).Apply(options)
	options.SetAdapter(builder)
	if configure != nil {
		configure(options)
	}
	s := &server{io: socket.NewServer(nil, options)}
	s.adapter, _ = s.io.Sockets().Adapter().(*adapter)
	web := httptest.NewUnstartedServer(handshake.Handler(s.io))
	if pipes != nil {
		_ = web.Listener.Close()
		web.Listener = pipes
		s.dialer.NetDialContext = pipes.Dial
	}
	web.Start()
	_ = s.io.Engine().On("connection", func(args ...any) {
		s.listening.Store(args[0].(engine.Socket).Id(), true)
	})
	s.url = "ws" + strings.TrimPrefix(web.URL, "http") + "/socket.io/?EIO=4&transport=websocket"
	t.Cleanup(func() {
		s.io.Close(nil)
		web.CloseClientConnections()
		web.Close()
	})
	return s
}

type starter func(socket.AdapterConstructor, func(*socket.ServerOptions)) *server

// onFakeClock runs a test on a clock that stands still while anything runs, so that how
// old an event is does not depend on how busy the machine is.
func onFakeClock(t *testing.T, test func(t *testing.T, start starter)) {
	t.Helper()
	rawclient.OnFakeClock(t, func(t *testing.T) {
		test(t, func(builder socket.AdapterConstructor, configure func(*socket.ServerOptions)) *server {
			return startOn(t, rawclient.NewPipes(), builder, configure)
		})
	})
}

// awaitEnd waits until the server has noticed that the client is gone. It does not
// use the "disconnect" event: a socket can end before the connection handler has
// attached anything to it.
func (s *server) awaitEnd(t testing.TB, c *client) {
	t.Helper()
	awaitCondition(t, "the server to notice the end of a connection", func() bool { return s.hasEnded(c) })
}

func (s *server) hasEnded(c *client) bool {
	_, there := s.io.Sockets().Sockets().Load(socket.SocketId(c.sid))
	return !there
}

// socketOf is the server's socket of a connected client.
func (s *server) socketOf(t testing.TB, c *client) *socket.Socket {
	t.Helper()
	connected, ok := s.io.Sockets().Sockets().Load(socket.SocketId(c.sid))
	if !ok {
		t.Fatalf("the server has no socket %s", c.sid)
	}
	return connected
}

// awaitCondition waits for what nothing announces.
func awaitCondition(t testing.TB, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patienceInTests); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// A client speaks packets. What it has received is in events, in order.
type client struct {
	conn *websocket.Conn

	mu       sync.Mutex
	changed  chan struct{}
	sid, pid string
	offset   string
	events   [][]any
	packet   string // of the last event
	binaries [][]byte
	closed   bool
	done     chan struct{}
}

// dial connects, as the session of before when that is given, and waits for the
// answer to its connect packet.
func (s *server) dial(t testing.TB, before *client) *client {
	t.Helper()
	c := s.dialOnly(t, before)
	c.await(t, "the connect packet", func() bool { return c.sid != "" })
	return c
}

// dialOnly does not wait for the answer.
func (s *server) dialOnly(t testing.TB, before *client) *client {
	t.Helper()
	conn, _, err := s.dialer.Dial(s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{conn: conn, changed: make(chan struct{}), done: make(chan struct{})}
	t.Cleanup(c.cut)
	_, open, err := conn.ReadMessage() // 0{"sid":…}
	var opened struct{ Sid string }
	if err != nil || json.Unmarshal(open[1:], &opened) != nil {
		t.Fatalf("open packet %q: %v", open, err)
	}
	// The server attaches its listener only after it has sent the open packet, and
	// never answers a connect packet that was quicker.
	awaitCondition(t, "the server to listen", func() bool {
		_, ok := s.listening.Load(opened.Sid)
		return ok
	})
	connect := "40"
	if before != nil {
		auth, _ := json.Marshal(map[string]string{"pid": before.pid, "offset": before.offset})
		connect += string(auth)
		c.offset = before.offset
	}
	if err := conn.WriteMessage(websocket.TextMessage, []byte(connect)); err != nil {
		t.Fatal(err)
	}
	go c.read()
	return c
}

func (c *client) read() {
	defer close(c.done)
	for {
		kind, content, err := c.conn.ReadMessage()
		if err == nil && string(content) == "2" {
			// Delay the answer: on a fake clock it would arrive at the instant of the ping,
			// and then the server closes the connection once in some hundred runs.
			time.Sleep(time.Millisecond)
			_ = c.conn.WriteMessage(websocket.TextMessage, []byte("3"))
			continue
		}
		c.mu.Lock()
		if err != nil {
			c.closed = true
		} else {
			c.receive(kind, content)
		}
		close(c.changed)
		c.changed = make(chan struct{})
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (c *client) receive(kind int, content []byte) {
	text := string(content)
	switch {
	case kind == websocket.BinaryMessage:
		c.binaries = append(c.binaries, content)
	case strings.HasPrefix(text, "40"):
		var ids struct{ Sid, Pid string }
		_ = json.Unmarshal(content[2:], &ids)
		c.sid, c.pid = ids.Sid, ids.Pid
	case strings.HasPrefix(text, "42"), strings.HasPrefix(text, "45"):
		var args []any
		_ = json.Unmarshal(content[strings.IndexByte(text, '['):], &args)
		c.events, c.packet = append(c.events, args), text
		withAck := text[2] != '['
		if offset, ok := args[len(args)-1].(string); ok && (!withAck || text[1] == '5') {
			c.offset = offset
		}
	}
}

// cut ends the connection without a word, and returns when nothing more will be
// received.
func (c *client) cut() {
	_ = c.conn.NetConn().Close()
	<-c.done
}

// await waits for a condition on the client, as long as the client receives more than pings.
func (c *client) await(t testing.TB, what string, met func() bool) {
	t.Helper()
	for {
		c.mu.Lock()
		ok, changed := met(), c.changed
		c.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-time.After(patienceInTests):
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// awaitEvent waits for the event "n" with this number.
func (c *client) awaitEvent(t testing.TB, number int) {
	t.Helper()
	c.await(t, fmt.Sprintf("event %d", number), func() bool {
		return len(c.events) > 0 && c.events[len(c.events)-1][1] == float64(number)
	})
}

// numbers are the first arguments of the events so far.
func (c *client) numbers() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return numbersOf(c.events)
}

func numbersOf(events [][]any) (numbers []int) {
	for _, args := range events {
		numbers = append(numbers, int(args[1].(float64)))
	}
	return numbers
}

func (c *client) connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sid != ""
}

func (c *client) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}
