package wire

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/client"
	"redial/harness/contract"
	"redial/harness/history"

	"redial/steps/cures/handshake"
)

// These tests run over TCP against the Go server.

// chat is a correct server with a log in memory: it stores and emits, and replays and joins, under
// one lock.
type chat struct {
	io   *socket.Server
	http *httptest.Server

	mu   sync.Mutex
	rows []string
	// beforeReplay is called before the rows are replayed, without the lock.
	beforeReplay func()
}

func newChat(t testing.TB) *chat {
	t.Helper()
	c := &chat{io: socket.NewServer(nil, nil)}
	c.io.On("connection", func(args ...any) { c.serve(args[0].(*socket.Socket)) })
	c.http = httptest.NewServer(handshake.Handler(c.io))
	t.Cleanup(func() {
		c.io.Close(nil)
		c.http.CloseClientConnections()
		c.http.Close()
	})
	return c
}

func (c *chat) serve(s *socket.Socket) {
	s.On(contract.ChatEvent, func(args ...any) {
		text, _ := args[0].(string)
		acknowledge, _ := args[len(args)-1].(socket.Ack)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.storeAndEmit(text)
		if acknowledge != nil {
			acknowledge(nil, nil)
		}
	})
	if c.beforeReplay != nil {
		c.beforeReplay()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	offset, _ := s.Handshake().Auth[contract.AuthOffset].(float64)
	for i := int(offset); i < len(c.rows); i++ {
		s.Emit(contract.ChatEvent, c.rows[i], i+1)
	}
	s.Join("chat")
}

// storeAndEmit is called with the lock held.
func (c *chat) storeAndEmit(text string) {
	c.rows = append(c.rows, text)
	c.io.To("chat").Emit(contract.ChatEvent, text, len(c.rows))
}

func (c *chat) options(name string, r *history.Recorder) client.Options {
	return client.Options{Name: name, URL: c.http.URL, Record: r.Add, ReconnectDelay: 20 * time.Millisecond}
}

// eventually waits until the history meets the condition.
func eventually(t testing.TB, r *history.Recorder, what string, holds func([]history.Event) bool) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		changed := r.Changed()
		if holds(r.Events(0)) {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("not within the bound: %s; history:\n%s", what, strings.Join(lines(r), "\n"))
		}
	}
}

func shown(events []history.Event, client string) (texts []string) {
	for _, e := range events {
		if e.Kind == history.Shown && e.Client == client {
			texts = append(texts, e.Message)
		}
	}
	return texts
}

func count(events []history.Event, kind history.Kind) (n int) {
	for _, e := range events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func eventuallyShows(t testing.TB, r *history.Recorder, client string, want ...string) {
	t.Helper()
	eventually(t, r, fmt.Sprintf("%s shows %v", client, want), func(events []history.Event) bool {
		return slices.Equal(shown(events, client), want)
	})
}

func TestWireChatsWithTheGoServer(t *testing.T) { chatsOver(t, "websocket") }

func chatsOver(t *testing.T, transport string) {
	c, r := newChat(t), history.NewRecorder()
	c.rows = []string{"welcome"} // when it is shown, the server accepts events; see sendDelay
	options := c.options("ann", r)
	options.Transports = []string{transport}
	ann, bob := New(options), New(c.options("bob", r))
	defer ann.Close()
	defer bob.Close()
	open(t, ann)
	open(t, bob)
	eventuallyShows(t, r, "ann", "welcome")
	eventuallyShows(t, r, "bob", "welcome")
	sent := []string{"welcome", "<b>hello</b> & grüß dich \u2028", "안녕"}
	sendAll(t, ann, sent[1:]...)
	eventuallyShows(t, r, "bob", sent...)
	eventuallyShows(t, r, "ann", sent...)
	eventually(t, r, "both are acknowledged", func(e []history.Event) bool { return count(e, history.Acknowledged) == 2 })
	if err := ann.Disconnect(); err != nil {
		t.Fatal(err)
	}
	sendAll(t, bob, "while ann is offline")
	sent = append(sent, "while ann is offline")
	eventuallyShows(t, r, "bob", sent...)
	ann.Connect()
	eventuallyShows(t, r, "ann", sent...)
}

func TestWireReconnectsToTheGoServer(t *testing.T) {
	c, r := newChat(t), history.NewRecorder()
	options := c.options("ann", r)
	conns := make(chan net.Conn, 10)
	options.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			conns <- conn
		}
		return conn, err
	}
	w := New(options)
	defer w.Close()
	open(t, w)
	var want []string
	for i := range 4 {
		eventually(t, r, "ann is connected again", func(e []history.Event) bool { return count(e, history.Connected) == i+1 })
		want = append(want, strconv.Itoa(i))
		c.mu.Lock()
		c.storeAndEmit(strconv.Itoa(i))
		c.mu.Unlock()
		eventuallyShows(t, r, "ann", want...)
		conn := (<-conns).(*net.TCPConn)
		conn.SetLinger(0) // a reset
		conn.Close()
		eventually(t, r, "ann has noticed", func(e []history.Event) bool { return count(e, history.Disconnected) == i+1 })
	}
}

// For polling, the bubbles of the other tests check the same.
func TestCloseLeavesNoGoroutines(t *testing.T) {
	c, r := newChat(t), history.NewRecorder()
	var clients []*Client
	for i := range 20 {
		clients = append(clients, New(c.options(strconv.Itoa(i), r)))
		open(t, clients[i])
	}
	eventually(t, r, "all are connected", func(e []history.Event) bool { return count(e, history.Connected) == len(clients) })
	awaitGoroutines(t, 2*len(clients))
	for _, w := range clients {
		w.Close()
	}
	awaitGoroutines(t, 0)
}

// awaitGoroutines waits until the clients have so many goroutines: one that has nothing more to do
// may take a moment to end.
func awaitGoroutines(t *testing.T, want int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ownGoroutines() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the clients have %d goroutines, want %d", ownGoroutines(), want)
		}
	}
}

// ownGoroutines counts the goroutines of clients. Those of the Go server do not count, because it
// leaks some.
func ownGoroutines() (n int) {
	buffer := make([]byte, 16<<20)
	for _, stack := range strings.Split(string(buffer[:runtime.Stack(buffer, true)]), "\n\n") {
		if strings.Contains(stack, "harness/client/wire.(*") {
			n++
		}
	}
	return n
}

func within(t *testing.T, bound time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	t.Cleanup(cancel)
	return ctx
}

func messages(rows []Row) (texts []string) {
	for _, row := range rows {
		texts = append(texts, fmt.Sprintf("%s#%d", row.Message, row.Offset))
	}
	return texts
}

func TestReadLogOfTheGoServer(t *testing.T) {
	c := newChat(t)
	c.rows = []string{"one", "two", "two", "three"}
	rows, err := ReadLog(within(t, 20*time.Second), client.Options{URL: c.http.URL}, "the end", false)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := messages(rows), []string{"one#1", "two#2", "two#3", "three#4", "the end#5"}; !slices.Equal(got, want) {
		t.Errorf("rows %v; want %v", got, want)
	}
	// In a second read, the sentinel of the first one is a row.
	rows, err = ReadLog(within(t, 20*time.Second), client.Options{URL: c.http.URL}, "another end", true)
	if err != nil || len(rows) != 6 || rows[4].Message != "the end" {
		t.Errorf("rows %v, error %v; want six", messages(rows), err)
	}
}

// The server emits the sentinel before its replay, so the first client receives it too early.
func TestReadLogOfAServerThatMixesReplayAndLive(t *testing.T) {
	c := newChat(t)
	c.rows = []string{"one", "two"}
	first := true
	c.beforeReplay = func() {
		if first {
			first = false
			c.mu.Lock()
			defer c.mu.Unlock()
			c.rows = append(c.rows, "the end")
			c.io.Emit(contract.ChatEvent, "the end", 3)
		}
	}
	rows, err := ReadLog(within(t, 20*time.Second), client.Options{URL: c.http.URL}, "the end", false)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := messages(rows), []string{"one#1", "two#2", "the end#3"}; !slices.Equal(got, want) {
		t.Errorf("rows %v; want %v", got, want)
	}
}

// BenchmarkWireBroadcast has 1,000 clients receive broadcasts of one message.
func BenchmarkWireBroadcast(b *testing.B) {
	const clients = 1000
	c := newChat(b)
	var received, connected sync.WaitGroup
	connected.Add(clients)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range clients {
		options := client.Options{Name: strconv.Itoa(i), URL: c.http.URL, Record: func(e history.Event) {
			switch e.Kind {
			case history.Connected:
				connected.Done()
			case history.Shown:
				received.Done()
			}
		}}
		w := New(options)
		defer w.Close()
		if err := w.Open(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	connected.Wait()
	runtime.GC()
	runtime.ReadMemStats(&after) // both ends of each connection
	b.ResetTimer()
	for range b.N {
		received.Add(clients)
		c.mu.Lock()
		c.storeAndEmit("hello everyone")
		c.mu.Unlock()
		received.Wait()
	}
	b.ReportMetric(float64(b.N)*clients/b.Elapsed().Seconds(), "messages/s")
	b.StopTimer() // closing the clients is not measured
	b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/clients/1024, "KB/connection")
}
