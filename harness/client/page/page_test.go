package page_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"redial/harness/client"
	"redial/harness/client/page"
	"redial/harness/history"
)

// pageTransports are what the tests against the Go server are run over.
var pageTransports = [][]string{{"websocket"}}

func TestPagesChat(t *testing.T) {
	for _, transports := range pageTransports {
		t.Run(strings.Join(transports, "+"), func(t *testing.T) {
			server := serveTCP(t, newSite(t, chatPage("", ", () => {}")))
			anna := newWatched(t, client.Options{Name: "anna", URL: server.URL, Transports: transports}).open(t)
			ben := newWatched(t, client.Options{Name: "ben", URL: server.URL, Transports: transports}).open(t)
			anna.await(t, "connected", 1)
			ben.await(t, "connected", 1)
			anna.say(t, "hello <b>ben</b> \u20ac")
			ben.await(t, "shown hello <b>ben</b> \u20ac", 1)
			ben.say(t, "hello anna")
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
				t.Errorf("anna saw %q", story)
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
			_ = s.io.On("connection", func(args ...any) { echoBinary(args[0]) })
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
	p.say(t, "one")
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

func TestPageIsCutOffAndComesBack(t *testing.T) {
	server := serveTCP(t, newSite(t, chatPage("", "")))
	p := newWatched(t, client.Options{URL: server.URL}).open(t)
	p.await(t, "connected", 1)
	p.say(t, "before")
	p.await(t, "shown before", 1)
	server.Listener.(*cutter).cut()
	p.await(t, "disconnected (transport close)", 1)
	p.await(t, "connected", 2)
	p.say(t, "after")
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
		t.Error("it says that it is connected")
	}
	if err := p.Connect(); err != nil {
		t.Fatal(err)
	}
	p.await(t, "connected", 2)
}

func TestPageAcknowledgements(t *testing.T) {
	for name, page := range map[string]string{
		"callback":              chatPage("", ", (answer) => {}"),
		"ackTimeout":            chatPage(", ackTimeout: 5000", ", (error, answer) => {}"),
		"retries":               chatPage(", ackTimeout: 5000, retries: 3", ", (error, answer) => {}"),
		"retries, no callback":  chatPage(", ackTimeout: 5000, retries: 3", ""),
		"emitWithAck":           strings.Replace(chatPage("", ""), "socket.emit(", "socket.emitWithAck(", 1),
		"timeout().emitWithAck": strings.Replace(chatPage("", ""), "socket.emit(", "socket.timeout(5000).emitWithAck(", 1),
	} {
		t.Run(name, func(t *testing.T) {
			server := serveTCP(t, newSite(t, page))
			p := newWatched(t, client.Options{URL: server.URL}).open(t)
			p.await(t, "connected", 1)
			p.say(t, "good")
			p.say(t, "bad")
			p.await(t, "acknowledged good", 1)
			p.await(t, "refused bad (not allowed)", 1)
			if pending := p.Status().Pending; pending != 0 {
				t.Errorf("%d are pending", pending)
			}
		})
	}
}

// A message that is tried again is acknowledged once, and a time-out is no answer.
func TestPageRetriesAreNoAnswers(t *testing.T) {
	s := newSite(t, chatPage(", ackTimeout: 100, retries: 5", ""))
	s.ignore["slow"] = 2
	server := serveTCP(t, s)
	p := newWatched(t, client.Options{URL: server.URL}).open(t)
	p.await(t, "connected", 1)
	p.say(t, "slow")
	if pending := p.Status().Pending; pending != 1 {
		t.Errorf("%d are pending", pending)
	}
	p.await(t, "acknowledged slow", 1)
	p.say(t, "end")
	p.await(t, "acknowledged end", 1)
	if story := p.story(); count(story, "acknowledged slow") != 1 || count(story, "sent slow") != 1 {
		t.Errorf("it saw %q", story)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attempts["slow"] != 3 {
		t.Errorf("the server saw %d tries", s.attempts["slow"])
	}
}

// The negative control: an acknowledgement that never comes is not invented.
func TestPageTimeoutIsNoAcknowledgement(t *testing.T) {
	s := newSite(t, chatPage(", ackTimeout: 30", `, (error) => console.error("gave up", error.message)`))
	s.ignore["lost"] = 100
	server := serveTCP(t, s)
	p := newWatched(t, client.Options{URL: server.URL}).open(t)
	p.await(t, "connected", 1)
	p.say(t, "lost")
	p.await(t, "note (console.error: gave up operation has timed out)", 1)
	if story := p.story(); count(story, "acknowledged lost") != 0 || p.Status().Pending != 1 {
		t.Errorf("%+v, and it saw %q", p.Status(), story)
	}
}

func TestPageNotes(t *testing.T) {
	for _, c := range []struct{ name, script, note string }{
		{"exception", `throw new RangeError("oops")`, "uncaught: RangeError: oops at inline script 1:1:7"},
		{"exception later", `setTimeout(() => nothing.at.all, 1)`, "uncaught: ReferenceError: nothing is not defined at inline script 1:1:18"},
		{"syntax", `let = =`, "uncaught: SyntaxError: inline script 1: Line 1:7 Unexpected token ="},
		{"unknown function", `document.getElementById("form").attachInternals()`, "uncaught: TypeError: Object has no member 'attachInternals' at inline script 1:1:48"},
		{"unknown property", `document.getElementById("form").offsetHeight`, "uncaught: TypeError: element.offsetHeight is not implemented by the harness's page at inline script 1:1:33"},
		{"rejection", `Promise.reject(new Error("oops"))`, "uncaught (in promise): Error: oops at inline script 1:1:16"},
		{"innerHTML", `document.body.firstElementChild.innerHTML = "<b>x</b>"`, "page used innerHTML"},
		{"console.error", `console.error("a", {b: 1})`, `console.error: a {"b":1}`},
		{"another server", `io("http://127.0.0.2:1")`, "refused a WebSocket to 127.0.0.2:1: a page reaches nothing but its own server, "},
		{"a bare submit", `document.getElementById("form").requestSubmit()`, "the form was submitted and nothing called preventDefault: a browser would leave the page"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serveTCP(t, newSite(t, pageHTML(c.script)))
			p := newWatched(t, client.Options{URL: server.URL}).open(t)
			deadline := time.Now().Add(5 * time.Second)
			heard := func() bool {
				return slices.ContainsFunc(p.history.Events(0), func(e history.Event) bool {
					return e.Kind == history.Note && strings.HasPrefix(e.Detail, c.note)
				})
			}
			for !heard() {
				if time.Now().After(deadline) {
					t.Fatalf("no note %q; it saw\n%s", c.note, strings.Join(p.story(), "\n"))
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

func TestPageListIsRewritten(t *testing.T) {
	script := `
		const list = document.getElementById("messages");
		const show = (text) => { const item = document.createElement("li"); list.append(item); item.textContent = text; };
		show("a"); show("b");
		setTimeout(() => { show("c"); %s }, 5);
		setTimeout(() => { show("last"); }, 10);`
	for _, c := range []struct{ name, change, story string }{
		{"appended", ``, "shown a, shown b, shown c, shown last"},
		{"first removed", `list.firstChild.remove()`, "shown a, shown b, note (the list was rewritten), shown b, shown c, shown last"},
		{"one changed", `list.children[1].textContent = "B"`, "shown a, shown b, note (the list was rewritten), shown B, shown c, shown last"},
		{"emptied", `list.innerHTML = ""`, "shown a, shown b, note (the list was rewritten), shown last"},
		{"rewritten with the same", `list.replaceChildren(...list.children)`, "shown a, shown b, shown c, shown last"},
		{"put in front", `list.prepend(list.lastChild)`, "shown a, shown b, note (the list was rewritten), shown c, shown a, shown b, shown last"},
		{"replaced", `const other = list.cloneNode(true); list.replaceWith(other); other.lastChild.remove()`, "shown a, shown b"},
		{"elsewhere", `document.body.append(document.createElement("p")); show("d")`, "shown a, shown b, shown c, shown d, shown last"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newWatched(t, client.Options{URL: "http://127.0.0.1:1", HTML: []byte(strings.ReplaceAll(pageHTML(fmt.Sprintf(script, c.change)+`setTimeout(() => console.error("end"), 20)`),
				`<script src="/socket.io/socket.io.js"></script>`, ""))}).open(t)
			p.await(t, "note (console.error: end)", 1)
			story := slices.DeleteFunc(p.story(), func(w string) bool { return w == "opened" || strings.Contains(w, "end)") })
			if got := strings.Join(story, ", "); got != c.story {
				t.Errorf("it saw  %s\nexpected %s", got, c.story)
			}
		})
	}
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
				t.Error("it says that it is open")
			}
			if err := p.Send("x"); err == nil || err.Error() != `cannot say "x": the page is not open` {
				t.Errorf("say: %v", err)
			}
			server.CloseClientConnections()
			pageGoroutines(t, before)
		})
	}
}

func TestPageFallsBackToTheBundle(t *testing.T) {
	s := newSite(t, "")
	mux := http.NewServeMux()
	mux.HandleFunc("/socket.io/socket.io.js", http.NotFound)
	mux.Handle("/socket.io/", s.handler)
	s.handler = mux
	server := serveTCP(t, s)
	p := newWatched(t, client.Options{URL: server.URL, HTML: []byte(chatPage("", "")), Bundle: func() ([]byte, error) { return clientBundle(t), nil }}).open(t)
	p.await(t, "connected", 1)
}

func TestPageRefusesOtherScripts(t *testing.T) {
	page := strings.Replace(pageHTML(""), "/socket.io/socket.io.js", "https://example.com/socket.io.js", 1)
	server := serveTCP(t, newSite(t, page))
	p := newWatched(t, client.Options{URL: server.URL}).open(t)
	p.await(t, "note (refused the script https://example.com/socket.io.js: only scripts from the server itself are run)", 1)
}

func TestPageWithoutAnEnd(t *testing.T) {
	before := runtime.NumGoroutine()
	p := newWatched(t, client.Options{URL: "http://127.0.0.1:1", HTML: []byte(`<ul id=messages></ul><form id=form><input id=input></form><script>for (;;);</script>`)})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := p.Open(ctx); err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Errorf("the error is %v", err)
	}
	later := newWatched(t, client.Options{URL: "http://127.0.0.1:1", HTML: []byte(`<ul id=messages></ul><form id=form><input id=input></form>
		<script>document.getElementById("form").onsubmit = () => { for (;;); }; addEventListener("pagehide", () => { for (;;); })</script>`)}).open(t)
	said := make(chan error)
	go func() { said <- later.Send("x") }()
	later.await(t, "sent x", 1)
	if err := later.Close(); err != nil {
		t.Error(err)
	}
	<-said
	cancel()
	pageGoroutines(t, before)
}

// Close ends an Open that hangs.
func TestPageIsClosedWhileItOpens(t *testing.T) {
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

func TestPageLeavesNothingBehind(t *testing.T) {
	for _, transports := range pageTransports {
		t.Run(strings.Join(transports, "+"), func(t *testing.T) {
			server := serveTCP(t, newSite(t, chatPage("", "")))
			for range 5 {
				p := newWatched(t, client.Options{URL: server.URL, Transports: transports}).open(t)
				p.await(t, "connected", 1)
				p.say(t, "x")
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
			// The server has goroutines of its own for its clients, so what is looked
			// for is the page's.
			deadline := time.Now().Add(5 * time.Second)
			for leftovers() != "" {
				if time.Now().After(deadline) {
					t.Fatalf("something of the pages is left:\n%s", leftovers())
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

func TestPageIsSuspended(t *testing.T) {
	server := serveTCP(t, newSite(t, chatPage("", "")))
	anna := newWatched(t, client.Options{Name: "anna", URL: server.URL}).open(t)
	ben := newWatched(t, client.Options{Name: "ben", URL: server.URL}).open(t)
	anna.await(t, "connected", 1)
	ben.await(t, "connected", 1)
	if err := ben.Suspend(); err != nil {
		t.Fatal(err)
	}
	anna.say(t, "one")
	anna.say(t, "two")
	anna.await(t, "shown two", 1)
	if err := ben.Send("x"); err == nil || err.Error() != `cannot say "x": the page is suspended` {
		t.Errorf("say: %v", err)
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

// A handler that throws is the last to have the message, and throws once.
func TestPageThrows(t *testing.T) {
	server := serveTCP(t, newSite(t, chatPage("", "")))
	anna := newWatched(t, client.Options{Name: "anna", URL: server.URL}).open(t)
	anna.await(t, "connected", 1)
	if err := anna.Throw(); err != nil {
		t.Fatal(err)
	}
	anna.say(t, "one")
	anna.say(t, "two")
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

// memory is a network of pipes: what is dialled is accepted.
type memory struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case conn := <-m.accepted:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}
func (m *memory) Close() error   { close(m.closed); return nil }
func (m *memory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3000} }
func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case m.accepted <- far:
		return late{near}, nil
	case <-m.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestPageUnderAFakeClock(t *testing.T) {
	page := chatPage("", ", () => {}")
	clientBundle(t)
	for _, transports := range pageTransports {
		t.Run(strings.Join(transports, "+"), func(t *testing.T) {
			begin := time.Now()
			inBubble(t, func(t *testing.T) { fakeClockStory(t, page, transports) })
			if real := time.Since(begin); real > time.Minute {
				t.Errorf("an hour of fake time took %s", real)
			}
		})
	}
}

// inBubble is synctest.Test, and bears with what the Go server leaves behind: a
// goroutine for each connection that its client closed. The stories look
// themselves for what is left of a page.
func inBubble(t *testing.T, story func(t *testing.T)) {
	defer func() {
		if problem := recover(); problem != nil {
			if !strings.Contains(fmt.Sprint(problem), "blocked goroutines remain") {
				panic(problem)
			}
			t.Log("left behind by the server: ", problem)
		}
	}()
	synctest.Test(t, story)
}

// leftovers returns the stacks if a goroutine of a page is among them.
func leftovers() string {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, own := range []string{"harness/client/page/web.", "harness/client/page.(", "net/http.(*persistConn)"} {
		if strings.Contains(string(stacks), own) {
			return string(stacks)
		}
	}
	return ""
}

func fakeClockStory(t *testing.T, html string, transports []string) {
	s := newSite(t, html)
	network := &memory{accepted: make(chan net.Conn), closed: make(chan struct{})}
	listener := &cutter{Listener: network}
	server := &http.Server{Handler: s.handler}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })

	begin := time.Now()
	open := func(name string) *watched {
		recorder := history.NewRecorder()
		p := &watched{history: recorder, Page: page.New(client.Options{
			Name: name, URL: "http://127.0.0.1:3000", Dial: network.dial, Transports: transports, Record: recorder.Add}, nil)}
		t.Cleanup(func() { _ = p.Close() })
		return p.open(t)
	}
	anna, ben := open("anna"), open("ben")
	anna.await(t, "connected", 1)
	ben.await(t, "connected", 1)
	anna.say(t, "hello")
	ben.await(t, "shown hello", 1)
	anna.await(t, "acknowledged hello", 1)

	time.Sleep(time.Hour) // 144 pings
	if !anna.Status().Connected || count(anna.story(), "connected") != 1 {
		t.Errorf("an hour later: %q", anna.story())
	}
	listener.cut()
	if slices.Contains(transports, "websocket") {
		ben.await(t, "connected", 2)
		anna.await(t, "connected", 2)
	}
	// Whether a cut poll ends the session is up to chance in the server: the browser
	// makes the poll again before the page hears of it, and the server may not have
	// noticed. After a minute all that comes of it has come.
	time.Sleep(time.Minute)
	if !ben.Status().Connected || !anna.Status().Connected {
		t.Fatalf("a minute after the cut: %q, %q", ben.story(), anna.story())
	}
	ben.say(t, "still here")
	anna.await(t, "shown still here", 1)

	// A laptop that sleeps longer than the ping time-out finds that out on waking.
	connects := count(ben.story(), "connected")
	if err := ben.Suspend(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Minute)
	if err := ben.Resume(); err != nil {
		t.Fatal(err)
	}
	ben.await(t, "connected", connects+1)
	if passed := time.Since(begin); passed < time.Hour || passed > 70*time.Minute {
		t.Errorf("the story took %s of fake time", passed)
	}
	for _, p := range []*watched{anna, ben} {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	s.io.Close(nil)
	_ = server.Close()
	listener.cut()
	<-served
	time.Sleep(10 * time.Minute) // the server's timers drain
	synctest.Wait()
	if stacks := leftovers(); stacks != "" {
		t.Errorf("something of the pages is left:\n%s", stacks)
	}
}

func BenchmarkPageOpens(b *testing.B) {
	html := []byte(strings.Replace(chatPage(", autoConnect: false", ""), `<script src="/socket.io/socket.io.js"></script>`, "<script>"+string(clientBundle(b))+"</script>", 1))
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

// heldBy is how much memory an open page holds.
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
