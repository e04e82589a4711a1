package page_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/client"
	"redial/harness/client/page"
	"redial/harness/history"
)

// pageTransports are the transports of the tests with the Go server.
var pageTransports = [][]string{{"websocket"}}

func TestPagesChat(t *testing.T) {
	for _, transports := range pageTransports {
		t.Run(strings.Join(transports, "+"), func(t *testing.T) {
			server := serveTCP(t, newSite(t, chatPage("", ", () => {}")))
			anna := newWatched(t, client.Options{Name: "anna", URL: server.URL, Transports: transports}).open(t)
			ben := newWatched(t, client.Options{Name: "ben", URL: server.URL, Transports: transports}).open(t)
			anna.await(t, "connected", 1)
			ben.await(t, "connected", 1)
			anna.send(t, "hello <b>ben</b> \u20ac")
			ben.await(t, "shown hello <b>ben</b> \u20ac", 1)
			ben.send(t, "hello anna")
			anna.await(t, "shown hello anna", 1)
			ben.await(t, "shown hello anna", 1)
			anna.await(t, "acknowledged hello <b>ben</b> \u20ac", 1)
			if got := anna.Status(); got != (client.Status{View: 1, Open: true, Connected: true, Shown: 2}) {
				t.Errorf("status %+v", got)
			}
			for _, p := range []*watched{anna, ben} {
				for _, word := range p.story() {
					if strings.HasPrefix(word, "note") {
						t.Error(word)
					}
				}
			}
			if story := anna.story(); story[0] != "opened" || count(story, "sent hello <b>ben</b> \u20ac") != 1 {
				t.Errorf("the history of anna has %q", story)
			}
		})
	}
}

func TestPageBinary(t *testing.T) {
	for _, transports := range pageTransports {
		t.Run(strings.Join(transports, "+"), func(t *testing.T) {
			s := newSite(t, pageHTML(`
				const socket = io();
				socket.on("echo", (data) => console.error(data instanceof ArrayBuffer, Array.from(new Uint8Array(data)).join("-")));
				socket.on("connect", () => socket.emit("echo", new Uint8Array([0, 1, 255])));`))
			_ = s.io.On("connection", func(args ...any) {
				conn := args[0].(*socket.Socket)
				_ = conn.On("echo", func(args ...any) { _ = conn.Emit("echo", args...) })
			})
			server := serveTCP(t, s)
			p := newWatched(t, client.Options{URL: server.URL, Transports: transports}).open(t)
			p.await(t, "note (console.error: true 0-1-255)", 1)
		})
	}
}

func TestPageRefresh(t *testing.T) {
	server := serveTCP(t, newSite(t, chatPage("", "")+`<script>
		for (const storage of [localStorage, sessionStorage]) storage.setItem("loads", Number(storage.getItem("loads")) + 1);
		addEventListener("pagehide", () => localStorage.setItem("hidden", "yes"));
		console.error("loads", localStorage.loads, sessionStorage.loads, localStorage.hidden);</script>`))
	p := newWatched(t, client.Options{URL: server.URL}).open(t)
	p.await(t, "connected", 1)
	p.send(t, "one")
	p.await(t, "shown one", 1)
	if err := p.Refresh(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	p.await(t, "connected", 2)
	if got := p.Status(); got != (client.Status{View: 2, Open: true, Connected: true}) {
		t.Errorf("status after the refresh: %+v", got)
	}
	p.await(t, "note (console.error: loads 2 2 yes)", 1)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p.open(t)
	p.await(t, "note (console.error: loads 3 1 yes)", 1)
	p.await(t, "connected", 3)
	views := map[history.Kind][]int{}
	for _, e := range p.history.Events(0) {
		if e.Kind == history.Opened || e.Kind == history.Closed || e.Kind == history.Connected || e.Kind == history.Disconnected {
			views[e.Kind] = append(views[e.Kind], e.View)
		}
	}
	if want := map[history.Kind][]int{history.Opened: {1, 2, 3}, history.Closed: {1, 2}, history.Connected: {1, 2, 3}}; fmt.Sprint(views) != fmt.Sprint(want) {
		t.Errorf("views %v, expected %v", views, want)
	}
}

func TestPageReconnectsAfterACut(t *testing.T) {
	server := serveTCP(t, newSite(t, chatPage("", "")))
	p := newWatched(t, client.Options{URL: server.URL}).open(t)
	p.await(t, "connected", 1)
	p.send(t, "before")
	p.await(t, "shown before", 1)
	server.Listener.(*cutter).cut()
	p.await(t, "disconnected (transport close)", 1)
	p.await(t, "connected", 2)
	p.send(t, "after")
	p.await(t, "shown after", 1)
}

func TestPageDisconnectsAndConnects(t *testing.T) {
	server := serveTCP(t, newSite(t, chatPage("", "")))
	p := newWatched(t, client.Options{URL: server.URL}).open(t)
	p.await(t, "connected", 1)
	if err := p.Disconnect(); err != nil {
		t.Fatal(err)
	}
	p.await(t, "disconnected (io client disconnect)", 1)
	if p.Status().Connected {
		t.Error("its status is connected after Disconnect")
	}
	if err := p.Connect(); err != nil {
		t.Fatal(err)
	}
	p.await(t, "connected", 2)
}

func TestPageThatCannotBeOpened(t *testing.T) {
	answer := func(status int, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				http.NotFound(w, r)
				return
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		})
	}
	for _, c := range []struct {
		name    string
		handler http.Handler
		want    string
	}{
		{"no list", answer(200, `<form id="form"><input id="input"></form>`), "cannot open the page: it has no element with the id messages"},
		{"nothing", answer(200, `<p>It works!</p>`), "cannot open the page: it has no element with the id form, nor with input, nor with messages"},
		{"not found", answer(404, "no"), "cannot load the page: GET / answers 404"},
		{"5 MB", answer(200, strings.Repeat("x", 5<<20)), "cannot load the page: GET / answers more than 1024 kB"},
		{"no library", answer(200, pageHTML("")), "cannot open the page: GET /socket.io/socket.io.js answers 404, and there is no client library to fall back to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(c.handler)
			defer server.Close()
			before := runtime.NumGoroutine()
			p := newWatched(t, client.Options{URL: server.URL})
			if err := p.Open(t.Context()); err == nil || err.Error() != c.want {
				t.Errorf("the error is  %v\nexpected      %s", err, c.want)
			}
			if p.Status().Open {
				t.Error("its status is open")
			}
			if err := p.Send("x"); err == nil || err.Error() != `cannot send "x": the page is not open` {
				t.Errorf("Send: %v", err)
			}
			server.CloseClientConnections()
			pageGoroutines(t, before)
		})
	}
}

// The kit's own page needs a client library that retries, which those before 4.6 do not.
func TestPageFallsBackToTheBundle(t *testing.T) {
	for name, library := range map[string]http.HandlerFunc{
		"no library": http.NotFound,
		"an old one": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "/*!\n * Socket.IO v4.5.4\n */") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "")
			mux := http.NewServeMux()
			mux.HandleFunc("/socket.io/socket.io.js", library)
			mux.Handle("/socket.io/", s.handler)
			s.handler = mux
			server := serveTCP(t, s)
			p := newWatched(t, client.Options{URL: server.URL, HTML: []byte(chatPage(", retries: 1", "")), Bundle: func() ([]byte, error) { return distribution(t, "socket.io.js"), nil }}).open(t)
			p.await(t, "connected", 1)
		})
	}
}

func TestPageRefusesOtherScripts(t *testing.T) {
	page := strings.Replace(pageHTML(""), "/socket.io/socket.io.js", "https://example.com/socket.io.js", 1)
	server := serveTCP(t, newSite(t, page))
	p := newWatched(t, client.Options{URL: server.URL}).open(t)
	p.await(t, "note (refused the script https://example.com/socket.io.js: only scripts from the server itself are run)", 1)
}

func TestEndlessScriptsAreInterrupted(t *testing.T) {
	before := runtime.NumGoroutine()
	p := newWatched(t, client.Options{URL: "http://127.0.0.1:1", HTML: []byte(`<ul id=messages></ul><form id=form><input id=input></form><script>for (;;);</script>`)})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := p.Open(ctx); err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Errorf("the error is %v", err)
	}
	later := newWatched(t, client.Options{URL: "http://127.0.0.1:1", HTML: []byte(`<ul id=messages></ul><form id=form><input id=input></form>
		<script>document.getElementById("form").onsubmit = () => { for (;;); }; addEventListener("pagehide", () => { for (;;); })</script>`)}).open(t)
	sent := make(chan error)
	go func() { sent <- later.Send("x") }()
	later.await(t, "sent x", 1)
	if err := later.Close(); err != nil {
		t.Error(err)
	}
	<-sent
	cancel()
	pageGoroutines(t, before)
}

func TestCloseCancelsAnOpenThatHangs(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	before := runtime.NumGoroutine()
	p := newWatched(t, client.Options{URL: "http://" + listener.Addr().String()})
	opened := make(chan error)
	go func() { opened <- p.Open(context.Background()) }()
	silent, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-opened; err == nil || err.Error() != "cannot load the page: the tab was closed meanwhile" {
		t.Errorf("the error is %v", err)
	}
	pageGoroutines(t, before)
}

func TestRefreshAndCloseLeaveNoGoroutines(t *testing.T) {
	for _, transports := range pageTransports {
		t.Run(strings.Join(transports, "+"), func(t *testing.T) {
			server := serveTCP(t, newSite(t, chatPage("", "")))
			for range 5 {
				p := newWatched(t, client.Options{URL: server.URL, Transports: transports}).open(t)
				p.await(t, "connected", 1)
				p.send(t, "x")
				if err := p.Refresh(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				if err := p.Close(); err != nil {
					t.Fatal(err)
				}
				if err := p.Close(); err != nil {
					t.Fatal(err)
				}
			}
			// The server has goroutines too, so only those of the page count.
			deadline := time.Now().Add(time.Minute)
			for leftovers() != "" {
				if time.Now().After(deadline) {
					t.Fatalf("goroutines of the pages are left:\n%s", leftovers())
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

func TestSuspendedPageShowsMessagesAfterResume(t *testing.T) {
	server := serveTCP(t, newSite(t, chatPage("", "")))
	anna := newWatched(t, client.Options{Name: "anna", URL: server.URL}).open(t)
	ben := newWatched(t, client.Options{Name: "ben", URL: server.URL}).open(t)
	anna.await(t, "connected", 1)
	ben.await(t, "connected", 1)
	if err := ben.Suspend(); err != nil {
		t.Fatal(err)
	}
	anna.send(t, "one")
	anna.send(t, "two")
	anna.await(t, "shown two", 1)
	if err := ben.Send("x"); err == nil || err.Error() != `cannot send "x": the page is suspended` {
		t.Errorf("Send: %v", err)
	}
	if shown := ben.Status().Shown; shown != 0 {
		t.Errorf("a suspended page shows %d", shown)
	}
	if err := ben.Resume(); err != nil {
		t.Fatal(err)
	}
	ben.await(t, "shown two", 1)
	if err := ben.Suspend(); err != nil {
		t.Fatal(err)
	}
	if err := ben.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestThrowingHandlerRunsLastAndThrowsOnce(t *testing.T) {
	server := serveTCP(t, newSite(t, chatPage("", "")))
	anna := newWatched(t, client.Options{Name: "anna", URL: server.URL}).open(t)
	anna.await(t, "connected", 1)
	if err := anna.Throw(); err != nil {
		t.Fatal(err)
	}
	anna.send(t, "one")
	anna.send(t, "two")
	anna.await(t, "shown two", 1)
	if shown := anna.Status().Shown; shown != 2 {
		t.Errorf("%d messages are shown, want both", shown)
	}
	notes := 0
	for _, e := range anna.history.Events(0) {
		if e.Kind == history.Note && strings.Contains(e.Detail, "throws, on purpose") {
			notes++
		}
	}
	if notes != 1 {
		t.Errorf("%d notes of the exception, want 1", notes)
	}
}

func BenchmarkPageOpens(b *testing.B) {
	html := []byte(strings.Replace(chatPage(", autoConnect: false", ""), `<script src="/socket.io/socket.io.js"></script>`, "<script>"+string(distribution(b, "socket.io.js"))+"</script>", 1))
	open := func() *page.Page {
		p := page.New(client.Options{URL: "http://127.0.0.1:1", HTML: html}, nil)
		if err := p.Open(b.Context()); err != nil {
			b.Fatal(err)
		}
		return p
	}
	b.ReportAllocs()
	for b.Loop() {
		_ = open().Close()
	}
	b.ReportMetric(float64(heldBy(50, open))/1024, "kB-held/page")
}

// heldBy is the memory of an open page.
func heldBy(n int, open func() *page.Page) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	pages := make([]*page.Page, n)
	for i := range pages {
		pages[i] = open()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	for _, p := range pages {
		_ = p.Close()
	}
	return (after.HeapAlloc - before.HeapAlloc) / uint64(n)
}
