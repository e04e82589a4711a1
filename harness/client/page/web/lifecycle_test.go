package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dop251/goja"
	"github.com/gorilla/websocket"
)

const emptyPage = "<!doctype html><title>t</title><body></body>"

func newWindow(t testing.TB, options Options) *Window {
	t.Helper()
	w, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close(nil) })
	if err := w.Load(t.Context(), []byte(emptyPage), nil); err != nil {
		t.Fatal(err)
	}
	return w
}

// run runs a script without waiting for its timers and events.
func run(t testing.TB, w *Window, script string) {
	t.Helper()
	if err := w.Do(t.Context(), func(*goja.Runtime) { _ = w.Run("test", []byte(script)) }); err != nil {
		t.Fatal(err)
	}
}

func TestCloseSendsQueuedMessagesAndGoingAway(t *testing.T) {
	received := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		conn, err := (&websocket.Upgrader{}).Upgrade(rw, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		for {
			_, data, err := conn.ReadMessage()
			if err != nil {
				received <- err.Error()
				return
			}
			received <- string(data)
		}
	}))
	defer server.Close()
	before := runtime.NumGoroutine()
	var notes reports
	w := newWindow(t, Options{URL: server.URL, Report: notes.add})
	evaluate(t, w, `
		globalThis.socket = new WebSocket(location.origin.replace("http", "ws"));
		addEventListener("pagehide", () => socket.send("on pagehide"));
		socket.onclose = () => console.error("an event after the page was closed");
		await new Promise((resolve) => { socket.onopen = resolve; });
		socket.send("first");`)
	w.Close(nil)
	for _, want := range []string{"first", "on pagehide", "websocket: close 1001 (going away)"} {
		if got := <-received; got != want {
			t.Errorf("the server received %q, expected %q", got, want)
		}
	}
	if notes.String() != "" {
		t.Error(&notes)
	}
	server.CloseClientConnections()
	awaitGoroutines(t, before)
}

// A connection on which nothing but pings or pongs comes is ended, and one with a message between
// them is not.
func TestControlFramesWithoutEndEndTheConnection(t *testing.T) {
	for kind, name := range map[int]string{websocket.PingMessage: "pings", websocket.PongMessage: "pongs"} {
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			conn, err := (&websocket.Upgrader{}).Upgrade(rw, r, nil)
			if err != nil {
				return
			}
			defer conn.Close()
			left := make(chan struct{})
			go func() { // reads the answers
				defer close(left)
				for err := error(nil); err == nil; {
					_, _, err = conn.NextReader()
				}
			}()
			defer func() { <-left }() // to end first would take back what the page has not read
			for n := 0; n <= 3*mostControls; n++ {
				if n == mostControls {
					_ = conn.WriteMessage(websocket.TextMessage, []byte("a message"))
				}
				if conn.WriteMessage(kind, nil) != nil {
					return
				}
			}
			_ = conn.WriteMessage(websocket.TextMessage, []byte("too late"))
		}))
		w := newWindow(t, Options{URL: server.URL})
		got := evaluate(t, w, `
			const socket = new WebSocket(location.origin.replace("http", "ws")), came = [];
			socket.onmessage = ({ data }) => { came.push(data); if (data === "too late") socket.close(); };
			await new Promise((resolve) => { socket.onclose = resolve; });
			return came.join();`)
		if got != "a message" {
			t.Errorf("%s: the page received %q", name, got)
		}
		server.Close()
	}
}

// unread dials a server that accepts the WebSocket handshake and then reads nothing.
func unread(t *testing.T) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		listener := &oneConn{conn: far}
		server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				<-r.Context().Done()
				return
			}
			_, _ = (&websocket.Upgrader{}).Upgrade(rw, r, nil)
		})}
		go func() { _ = server.Serve(listener) }()
		return near, nil
	}
}

type oneConn struct{ conn net.Conn }

func (l *oneConn) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, net.ErrClosed
	}
	conn := l.conn
	l.conn = nil
	return conn, nil
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// Neither a server that does not read nor a request without an answer delays Close by more than
// unloadTime. The bubble would report a goroutine that is left.
func TestCloseOnASilentLinkIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := New(Options{URL: "http://127.0.0.1:1", Dial: unread(t)})
		if err != nil {
			t.Fatal(err)
		}
		run(t, w, `
			const socket = new WebSocket("ws://127.0.0.1:1/");
			socket.onopen = () => { for (let i = 0; i < 10; i++) socket.send("x".repeat(100000)); };
			const xhr = new XMLHttpRequest(); xhr.open("GET", "/never"); xhr.send();
			setInterval(() => {}, 1000);`)
		time.Sleep(time.Second)
		begin := time.Now()
		w.Close(nil)
		if took := time.Since(begin); took != unloadTime {
			t.Errorf("closing took %s, expected %s", took, unloadTime)
		}
		if err := w.Do(t.Context(), func(*goja.Runtime) {}); !errors.Is(err, ErrClosed) {
			t.Errorf("a task after the end: %v", err)
		}
	})
}

func TestSocketCloseWithoutAnAnswerTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindow(t, Options{URL: "http://127.0.0.1:1", Dial: unread(t)})
		begin := time.Now()
		got := evaluate(t, w, `
			const socket = new WebSocket("ws://127.0.0.1:1/");
			await new Promise((resolve) => { socket.onopen = resolve; });
			socket.close();
			const event = await new Promise((resolve) => { socket.onclose = resolve; });
			return event.code + " " + event.wasClean`)
		if got != "1006 false" || time.Since(begin) != closeHandshakeTime {
			t.Errorf("%s after %s", got, time.Since(begin))
		}
	})
}

func TestTimersOfASuspendedWindowRunAfterResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var noted reports
		w := newWindow(t, Options{URL: "http://127.0.0.1:1", Report: noted.add})
		run(t, w, `
			const begin = Date.now();
			const say = (what) => console.error(what, Date.now() - begin);
			setTimeout(say, 3000, "late"); setTimeout(say, 2000, "early"); setTimeout(say, 60000, "after");
			const id = setInterval(say, 7000, "interval");
			setTimeout(() => clearInterval(id), 50000);`)
		time.Sleep(time.Second)
		w.Suspend()
		time.Sleep(29 * time.Second)
		if noted.String() != "" {
			t.Errorf("a suspended window reports %s", &noted)
		}
		w.Resume()
		time.Sleep(time.Hour)
		want := "console.error: early 30000\nconsole.error: late 30000\nconsole.error: interval 30000\n" +
			"console.error: interval 37000\nconsole.error: interval 44000\nconsole.error: after 60000"
		if noted.String() != want {
			t.Errorf("it reports\n%s\nexpected\n%s", &noted, want)
		}
		w.Suspend()
		w.Close(nil)
	})
}

func TestTaskNeverRunsAfterItsContextHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLoop(nil)
		l.Suspend()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ran := false
		if err := l.Do(ctx, func() { ran = true }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", err)
		}
		l.Resume()
		synctest.Wait()
		l.Close(nil)
		if ran || l.Post(func() {}) {
			t.Error("it ran, or a closed loop accepts tasks")
		}
	})
}

func TestWindowsWithOneStorageGetEachOthersEvents(t *testing.T) {
	storage := NewStorage()
	var noted reports
	one := newWindow(t, Options{URL: "http://127.0.0.1:1", Local: storage, Report: noted.add})
	two := newWindow(t, Options{URL: "http://127.0.0.1:1", Local: storage, Report: noted.add})
	run(t, two, `addEventListener("storage", (e) => console.error(e.key, e.oldValue, e.newValue, e.storageArea === localStorage));`)
	run(t, one, `
		addEventListener("storage", () => console.error("its own change"));
		localStorage.setItem("a", "1"); localStorage.setItem("a", "1"); localStorage.a = 2; localStorage.removeItem("a");
		localStorage.setItem("b", ""); localStorage.clear(); localStorage.clear(); localStorage.setItem("c", "3");
		sessionStorage.setItem("mine", "x");`)
	want := "console.error: a null 1 true\nconsole.error: a 1 2 true\nconsole.error: a 2 null true\n" +
		"console.error: b null  true\nconsole.error: null null null true\nconsole.error: c null 3 true"
	if got := evaluate(t, two, `return new Promise((resolve) => setTimeout(() => resolve(localStorage.c + sessionStorage.length), 5))`); got != "30" {
		t.Errorf("the other window finds %q", got)
	}
	if noted.String() != want {
		t.Errorf("noted\n%s\nexpected\n%s", &noted, want)
	}
}

func TestScriptsRunInTheOrderOfABrowsersParser(t *testing.T) {
	var noted reports
	w, err := New(Options{URL: "http://127.0.0.1:1", Report: noted.add})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close(nil)
	page := `<!doctype html><head><script src="deferred.js" defer></script><script type="application/json">{"not": "run"}</script>
		<script>addEventListener("DOMContentLoaded", () => console.error("ready")); addEventListener("load", () => console.error("load", document.readyState));
		console.error("head", document.getElementById("late"), document.readyState)</script></head>
		<body onload="x()"><script src="first.js"></script><script src="explains.js" data-for="people"></script><script data-for="people">console.error("explains")</script><p id="late" class="a b">text <b>bold</b></p><script>console.error("body", document.getElementById("late").textContent)</script>
		<script type="module">import "x"</script></body>`
	err = w.Load(t.Context(), []byte(page), func(_ context.Context, src string) (*Script, error) {
		return &Script{Name: src, Source: fmt.Appendf(nil, `console.error(%q, document.getElementById("late"))`, src)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{"console.error: head null loading",
		"the page has the inline handler onload, which the harness's page does not run",
		"console.error: first.js null", "console.error: body text bold",
		"the page has a module script, which the harness's page does not run",
		"console.error: deferred.js {}", "console.error: ready", "console.error: load complete"}, "\n")
	if noted.String() != want {
		t.Errorf("noted\n%s\nexpected\n%s", &noted, want)
	}
}

func TestCompiledProgramsAreCachedUpToABound(t *testing.T) {
	first, err := Compile("a", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := Compile("a", []byte("1")); again != first {
		t.Error("the same script was compiled twice")
	}
	if other, _ := Compile("b", []byte("1")); other == first {
		t.Error("two names share a program: errors would name the wrong one")
	}
	for i := range 3 * programsKept {
		if _, err := Compile("a", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	programs.Lock()
	defer programs.Unlock()
	if n := len(programs.byHash); n > programsKept {
		t.Errorf("%d programs are kept", n)
	}
}

func TestWindowRefusesOtherServers(t *testing.T) {
	var noted reports
	dialled := make(chan string, 10)
	w := newWindow(t, Options{URL: "http://127.0.0.1:1", Report: noted.add, Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		dialled <- address
		return nil, errors.New("no")
	}})
	got := evaluate(t, w, `
		const socket = new WebSocket("ws://127.0.0.1:2/"), xhr = new XMLHttpRequest();
		xhr.open("GET", "http://localhost:1/"); xhr.send();
		await Promise.all([new Promise((resolve) => { socket.onclose = resolve; }), new Promise((resolve) => { xhr.onerror = resolve; })]);
		return "both failed"`)
	if got != "both failed" || len(dialled) > 0 || !strings.Contains(noted.String(), "refused a WebSocket to 127.0.0.1:2") || !strings.Contains(noted.String(), "refused a request to localhost:1") {
		t.Errorf("%s; dialled %d; noted %s", got, len(dialled), &noted)
	}
	for _, url := range []string{"", "127.0.0.1:3000", "ftp://x/", "http://"} {
		if w, err := New(Options{URL: url}); err == nil {
			w.Close(nil)
			t.Errorf("a window at %q", url)
		}
	}
}

func BenchmarkWindow(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		w, err := New(Options{URL: "http://127.0.0.1:1"})
		if err != nil {
			b.Fatal(err)
		}
		w.Close(nil)
	}
}

// Windows share the values of a class and run concurrently; the race detector checks this.
func TestConcurrentWindowsReadSharedValues(t *testing.T) {
	// The race was at the first use of a long string, so this test needs a new one.
	text := "a text of more than sixteen bytes: " + t.Name()
	long := constant(text)
	var windows []*Window
	for range 4 {
		windows = append(windows, newWindow(t, Options{URL: "http://127.0.0.1:3000"}))
	}
	var all sync.WaitGroup
	for _, w := range windows {
		all.Go(func() {
			err := w.Do(t.Context(), func(vm *goja.Runtime) {
				if got := long.get(nil).ToObject(vm).Get("length").ToInteger(); int(got) != len(text) {
					t.Errorf("the value has %d characters, not %d", got, len(text))
				}
				if v, err := vm.RunString("navigator.userAgent.toLowerCase()"); err != nil || v.String() != strings.ToLower(UserAgent) {
					t.Errorf("%v, %v", v, err)
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
