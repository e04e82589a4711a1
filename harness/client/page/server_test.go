package page_test

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/client"
	"redial/harness/client/page"
	"redial/harness/contract"
	"redial/harness/history"

	"redial/steps/cures/handshake"
)

// pageHTML is a page with a form, an input, a list and the script.
func pageHTML(script string) string {
	return `<!doctype html><html><head><meta charset="utf-8"><title>chat</title></head><body>
<ul id="messages"></ul>
<form id="form" action=""><input id="input" autocomplete="off"><button>Send</button></form>
<script src="/socket.io/socket.io.js"></script>
<script>` + script + `</script></body></html>`
}

// chatScript is a page's script; %s are io's options and emit's further arguments.
const chatScript = `
const socket = io({ reconnectionDelay: 20, reconnectionDelayMax: 100 %s });
const form = document.getElementById("form");
const input = document.getElementById("input");
const messages = document.getElementById("messages");
form.addEventListener("submit", (e) => {
  e.preventDefault();
  if (input.value) {
    socket.emit("chat message", input.value %s);
    input.value = "";
  }
});
socket.on("chat message", (text) => {
  const item = document.createElement("li");
  item.textContent = text;
  messages.appendChild(item);
  window.scrollTo(0, document.body.scrollHeight);
});
`

func chatPage(options, arguments string) string {
	return pageHTML(fmt.Sprintf(chatScript, options, arguments))
}

// A site is a chat server with a page.
type site struct {
	handler http.Handler
	io      *socket.Server
	mu      sync.Mutex
	// attempts counts the events by text; ignore leaves that many unanswered.
	attempts map[string]int
	ignore   map[string]int
}

func newSite(t testing.TB, page string) *site {
	s := &site{io: socket.NewServer(nil, nil), attempts: map[string]int{}, ignore: map[string]int{}}
	_ = s.io.On("connection", func(args ...any) { s.serve(args[0].(*socket.Socket)) })
	sockets := handshake.Handler(s.io)
	bundle := distribution(t, "socket.io.js")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) })
	mux.HandleFunc("GET "+contract.ClientPath, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bundle) })
	mux.Handle("/socket.io/", sockets)
	s.handler = mux
	return s
}

func (s *site) serve(conn *socket.Socket) {
	_ = conn.On(contract.ChatEvent, func(args ...any) {
		text, _ := args[0].(string)
		answer, _ := args[len(args)-1].(socket.Ack)
		s.mu.Lock()
		s.attempts[text]++
		ignored := s.attempts[text] <= s.ignore[text]
		s.mu.Unlock()
		if ignored {
			return
		}
		switch {
		case strings.HasPrefix(text, "bad"):
			if answer != nil {
				answer([]any{map[string]any{contract.RefusalField: "not allowed"}}, nil)
			}
			return
		case answer != nil:
			answer(nil, nil)
		}
		_ = s.io.Emit(contract.ChatEvent, text)
	})
}

// serveTCP serves the site over TCP until the test ends.
func serveTCP(t testing.TB, s *site) *httptest.Server {
	server := httptest.NewUnstartedServer(s.handler)
	// The test server does not close upgraded connections, so the cutter does.
	server.Listener = &cutter{Listener: server.Listener}
	server.Start()
	t.Cleanup(func() {
		s.io.Close(nil)
		server.Listener.(*cutter).cut()
		server.Close()
	})
	return server
}

// A cutter is a listener that can close all connections that it has accepted.
type cutter struct {
	net.Listener
	mu   sync.Mutex
	open []net.Conn
}

func (c *cutter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.mu.Lock()
		c.open = append(c.open, conn)
		c.mu.Unlock()
	}
	return conn, err
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.open {
		_ = conn.Close()
	}
	c.open = nil
}

// late delays every write, because the Go server has races with a fast client. A CONNECT packet right
// after the OPEN packet is sometimes never answered (its listener is attached after OPEN is sent),
// and an immediate pong leads to a ping timeout (resetPingTimeout in servers/engine/socket.go is
// called after the ping is sent).
type late struct{ net.Conn }

func (c late) Write(data []byte) (int, error) {
	time.Sleep(5 * time.Millisecond)
	return c.Conn.Write(data)
}

func dialLate(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return late{conn}, nil
}

// A watched is a client with its history.
type watched struct {
	*page.Page
	history *history.Recorder
}

func newWatched(t testing.TB, options client.Options) *watched {
	recorder := history.NewRecorder()
	options.Record = recorder.Add
	options.Dial = dialLate
	options.Name = cmp.Or(options.Name, "anna")
	p := &watched{Page: page.New(options, nil), history: recorder}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func (p *watched) open(t testing.TB) *watched {
	t.Helper()
	if err := p.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *watched) send(t testing.TB, text string) {
	t.Helper()
	if err := p.Send(text); err != nil {
		t.Fatal(err)
	}
}

// story is the history: the kind of each event with its message or detail.
func (p *watched) story() []string {
	var words []string
	for _, e := range p.history.Events(0) {
		word := string(e.Kind)
		if e.Message != "" {
			word += " " + e.Message
		}
		if e.Detail != "" {
			word += " (" + e.Detail + ")"
		}
		words = append(words, word)
	}
	return words
}

// await waits until the history has n events like this in the words of story.
func (p *watched) await(t testing.TB, word string, n int) {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		changed := p.history.Changed()
		if count(p.story(), word) >= n {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("not within 10 s: %q, %d times; the history of %s is\n%s", word, n, p.history.Events(0)[0].Client, strings.Join(p.story(), "\n"))
		}
	}
}

func count(words []string, word string) (n int) {
	for _, w := range words {
		if w == word {
			n++
		}
	}
	return n
}

// pageGoroutines waits until there are no more goroutines than before.
func pageGoroutines(t testing.TB, before int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, and %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(time.Millisecond)
	}
}
