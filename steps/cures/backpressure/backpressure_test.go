package backpressure

import (
	"bytes"
	"context"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/steps/cures/handshake"
	"redial/steps/internal/rawclient"
	"redial/steps/internal/writebuffer"
)

// patience bounds every wait.
const patience = time.Minute

// A network is where a server listens and a client dials.
type network struct {
	listener net.Listener
	dial     func() (net.Conn, error)
}

// tcp is loopback, with the system's buffers.
func tcp(t *testing.T) network {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return network{listener, func() (net.Conn, error) { return net.Dial("tcp", listener.Addr().String()) }}
}

// memory is a pipe without a buffer, so the server can write only what the client reads.
func memory(*testing.T) network {
	l := rawclient.NewPipes()
	return network{l, func() (net.Conn, error) { return l.Dial(context.Background(), "", "") }}
}

// A server is a Socket.IO server, with the client sockets in the order in which they
// connected.
type server struct {
	network
	io      *socket.Server
	sockets chan *socket.Socket
}

// start serves; limit nil is the library as it is.
func start(t *testing.T, on network, limit *Limit) *server {
	t.Helper()
	s := &server{network: on, io: socket.NewServer(nil, socket.DefaultServerOptions()), sockets: make(chan *socket.Socket, 10)}
	_ = s.io.On("connection", func(args ...any) { s.sockets <- args[0].(*socket.Socket) })
	if limit != nil {
		limit.Apply(s.io)
	}
	web := &http.Server{Handler: handshake.Handler(s.io), ReadHeaderTimeout: patience}
	served := make(chan struct{})
	go func() { defer close(served); _ = web.Serve(on.listener) }()
	t.Cleanup(func() {
		s.io.Close(nil)
		_ = web.Close()
		<-served
	})
	return s
}

// connect is a client that has read the answer to its connect packet and nothing
// more, and the server's socket for it.
func (s *server) connect(t *testing.T) (*websocket.Conn, *socket.Socket) {
	t.Helper()
	dialer := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) { return s.dial() }}
	conn, _, err := dialer.Dial("ws://server/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if got := next(t, conn); got[0] != '0' {
		t.Fatalf("the open packet is %q", got)
	}
	if err := conn.WriteMessage(websocket.TextMessage, []byte("40")); err != nil {
		t.Fatal(err)
	}
	if got := next(t, conn); !strings.HasPrefix(got, "40") {
		t.Fatalf("the connect packet is answered by %q", got)
	}
	return conn, s.connected(t)
}

func (s *server) connected(t *testing.T) *socket.Socket {
	t.Helper()
	select {
	case client := <-s.sockets:
		return client
	case <-time.After(patience):
		t.Fatal("no connection handler is called")
		return nil
	}
}

func next(t *testing.T, conn *websocket.Conn) string {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	_, data, err := conn.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// captured is what is logged until the test's end.
func captured(t *testing.T) *bytes.Buffer {
	var buffer bytes.Buffer
	log.SetOutput(&buffer)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	return &buffer
}

// One client reads nothing while the server broadcasts. Its connection is closed, and the
// number of packets that wait never exceeds the limit.
func TestClientThatStopsReadingIsDisconnectedAtTheLimit(t *testing.T) {
	for name, on := range networks {
		t.Run(name, func(t *testing.T) {
			logged := captured(t)
			limit := Limit{Packets: mayWait}
			s := start(t, on(t), &limit)
			_, client := s.connect(t)
			reason := make(chan any, 1)
			_ = client.On("disconnect", func(args ...any) { reason <- args[0] })
			if most := s.broadcast(client); most > mayWait+1 {
				t.Errorf("%d packets waited, want %d at most", most, mayWait+1)
			}
			select {
			case why := <-reason:
				if why != "forced close" {
					t.Errorf("the reason is %v, which is not that of a broken connection", why)
				}
			case <-time.After(patience):
				t.Error("the connection is still open")
			}
			if got := logged.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "1000 packets") {
				t.Errorf("logged is %q, want one line with the number of packets", got)
			}
		})
	}
}

// TestWithoutALimitAllOfItWaits is the negative control of the test above.
func TestWithoutALimitAllOfItWaits(t *testing.T) {
	for name, on := range networks {
		t.Run(name, func(t *testing.T) {
			s := start(t, on(t), nil)
			_, client := s.connect(t)
			if most := s.broadcast(client); most < 10*mayWait {
				t.Errorf("only %d packets waited, so the test with a limit shows nothing", most)
			}
		})
	}
}

var networks = map[string]func(*testing.T) network{"tcp": tcp, "memory": memory}

const mayWait = 1_000 // packets

// broadcast sends messages to all clients until this one is disconnected, or until ten times as
// many packets wait for it as may. It returns the largest number of packets that waited. (The
// buffers of TCP hold tens of thousands first.)
func (s *server) broadcast(client *socket.Socket) (most int) {
	for n := 0; n < 100_000 && most < 10*mayWait && client.Connected(); n++ {
		s.io.Emit("chat message", "sent while one client reads nothing", n)
		most = max(most, writebuffer.Len(client))
	}
	return most
}

func TestBytesThatWaitAreLimited(t *testing.T) {
	captured(t)
	limit := Limit{Bytes: 100_000}
	s := start(t, memory(t), &limit)
	_, client := s.connect(t)
	text := strings.Repeat("x", 1_000)
	most := 0
	for range 1_000 {
		s.io.Emit("chat message", text)
		most = max(most, writebuffer.Len(client))
	}
	if most < 90 || most > 100 {
		t.Errorf("%d packets of about 1,000 bytes waited at most, want nearly 100", most)
	}
	awaitEnd(t, client)
}

func awaitEnd(t *testing.T, client *socket.Socket) {
	t.Helper()
	for deadline := time.Now().Add(patience); client.Connected(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the connection is still open")
		}
	}
}

// A packet that alone exceeds the limit is sent when nothing else waits. Otherwise a client
// that needs it would be disconnected each time that it reconnects.
func TestSinglePacketOverTheLimitIsSent(t *testing.T) {
	limit := Limit{Bytes: 1_000}
	s := start(t, memory(t), &limit)
	conn, client := s.connect(t)
	_ = client.Emit("state", strings.Repeat("x", 100_000))
	if got := next(t, conn); len(got) < 100_000 {
		t.Errorf("%d bytes came", len(got))
	}
}

func TestClientThatStopsPollingIsDisconnectedAtTheLimit(t *testing.T) {
	captured(t)
	limit := Limit{Packets: 100}
	s := start(t, tcp(t), &limit)
	session := poll(t, s)
	s.post(t, session, "40")
	client := s.connected(t)
	most := 0
	for n := range 1_000 {
		s.io.Emit("chat message", n)
		most = max(most, writebuffer.Len(client))
	}
	if most > limit.Packets+1 {
		t.Errorf("%d packets waited, want %d at most", most, limit.Packets+1)
	}
	awaitEnd(t, client)
}

// A sender that calls Wait keeps at most two pages waiting, and no message is lost.
func TestWaitKeepsPaceWithTheReader(t *testing.T) {
	for name, on := range networks {
		t.Run(name, func(t *testing.T) {
			const page, pages = 50, 200
			limit := Limit{Packets: 2*page + 1}
			s := start(t, on(t), &limit)
			conn, client := s.connect(t)
			most := make(chan int, 1)
			go func() {
				highest := 0
				for n := range page * pages {
					if n%page == 0 {
						Wait(client, page)
					}
					_ = client.Emit("chat message", n)
					highest = max(highest, writebuffer.Len(client))
				}
				most <- highest
			}()
			for n := range page * pages {
				if got, want := next(t, conn), `42["chat message",`; !strings.HasPrefix(got, want) {
					t.Fatalf("message %d is %q", n, got)
				}
			}
			if got := <-most; got > 2*page {
				t.Errorf("%d packets waited, want two pages at most", got)
			}
		})
	}
}

func TestWaitReturnsWhenTheConnectionEnds(t *testing.T) {
	s := start(t, memory(t), &Limit{})
	conn, client := s.connect(t)
	for range 100 {
		_ = client.Emit("chat message", "x")
	}
	waited := make(chan struct{})
	go func() { defer close(waited); Wait(client, 0) }()
	select {
	case <-waited:
		t.Fatal("Wait returned, and the client has read nothing")
	case <-time.After(50 * time.Millisecond):
	}
	_ = conn.Close()
	select {
	case <-waited:
	case <-time.After(patience):
		t.Fatal("Wait did not return after the connection ended")
	}
	Wait(client, 0) // returns at once from now on
	// A write that fails empties the queue, and only then does the connection report its end.
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, counted := queues.Load(client.Conn()); !counted {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("an ended connection is still counted")
		}
	}
}

func TestWaitReturnsAtOnceWithoutALimit(t *testing.T) {
	s := start(t, memory(t), nil)
	_, client := s.connect(t)
	for range 100 {
		_ = client.Emit("chat message", "x")
	}
	Wait(client, 0)
}

// After an upgrade from polling to WebSocket, and after every packet has been read, the
// queue counts no packet.
func TestNothingIsCountedAfterAnUpgrade(t *testing.T) {
	s := start(t, tcp(t), &Limit{})
	session := poll(t, s)
	s.post(t, session, "40")
	client := s.connected(t)
	dialer := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) { return s.dial() }}
	conn, _, err := dialer.Dial("ws://server/socket.io/?EIO=4&transport=websocket&sid="+session, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	upgraded := make(chan struct{})
	_ = client.Conn().Once("upgrade", func(...any) { close(upgraded) })
	_ = conn.WriteMessage(websocket.TextMessage, []byte("2probe"))
	if got := next(t, conn); got != "3probe" {
		t.Fatalf("the probe is answered by %q", got)
	}
	_ = client.Emit("chat message", "before") // waits for a poll, or for the upgrade
	_ = conn.WriteMessage(websocket.TextMessage, []byte("5"))
	select {
	case <-upgraded:
	case <-time.After(patience):
		t.Fatal("no upgrade")
	}
	_ = client.Emit("chat message", "after")
	for got := ""; !strings.Contains(got, "after"); {
		got = next(t, conn)
	}
	Wait(client, 0)
	found, _ := queues.Load(client.Conn())
	q := found.(*queue)
	q.mu.Lock()
	defer q.mu.Unlock()
	if got := q.waiting(); got != (amount{}) {
		t.Errorf("%+v wait, and all has come", got)
	}
}

// poll opens a session over polling, and returns its id.
func poll(t *testing.T, s *server) string {
	t.Helper()
	opened := make(chan string, 1)
	_ = s.io.Engine().Once("connection", func(args ...any) { opened <- args[0].(engine.Socket).Id() })
	response, err := http.Get("http://" + s.listener.Addr().String() + "/socket.io/?EIO=4&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return <-opened
}

func (s *server) post(t *testing.T, session, packets string) {
	t.Helper()
	url := "http://" + s.listener.Addr().String() + "/socket.io/?EIO=4&transport=polling&sid=" + session
	response, err := http.Post(url, "text/plain", strings.NewReader(packets))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}
