package web

import (
	"context"
	"net/http/cookiejar"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dop251/goja"
)

// awaitGoroutines waits until there are no more goroutines than before.
func awaitGoroutines(t testing.TB, before int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			t.Fatalf("%d goroutines are left, %d were there before:\n%s", runtime.NumGoroutine(), before, stacks)
		}
		time.Sleep(time.Millisecond)
	}
}

// reports collects the reports of a window.
type reports struct {
	mu   sync.Mutex
	list []string
}

func (r *reports) add(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, text)
}

func (r *reports) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.list, "\n")
}

// evaluate runs the body of an async function in the window and returns its result.
func evaluate(t testing.TB, w *Window, body string) string {
	t.Helper()
	result := make(chan string, 1)
	err := w.Do(t.Context(), func(vm *goja.Runtime) {
		_ = vm.Set("finished", func(text string) { result <- text })
		_ = w.Run("test", []byte("(async () => {"+body+"\n})().then(finished, (error) => finished('threw ' + (error && error.stack || error)))"))
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case text := <-result:
		return text
	case <-time.After(time.Minute):
		t.Fatal("the script did not end within a minute")
		return ""
	}
}

func TestConformance(t *testing.T) {
	server := conformanceServer(t)
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			jar, _ := cookiejar.New(nil)
			var noted reports
			w, err := New(Options{URL: server.URL, Cookies: jar, Report: noted.add})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Load(context.Background(), []byte("<!doctype html><title>conformance</title><body></body>"), nil); err != nil {
				t.Fatal(err)
			}
			if got := evaluate(t, w, helpers+c.script+"\nreturn lines.join(' ')"); got != c.expected {
				t.Errorf("logged   %q\nexpected %q\nreports: %s", got, c.expected, &noted)
			}
			w.Close(nil)
			server.CloseClientConnections()
			awaitGoroutines(t, before)
		})
	}
}

func TestClosedWindowsReleaseTheirLocks(t *testing.T) {
	server := conformanceServer(t)
	locks := NewLocks()
	open := func() *Window {
		w, err := New(Options{URL: server.URL, Locks: locks})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Close(nil) })
		return w
	}
	holds, waits, next := open(), open(), open()
	evaluate(t, holds, `await new Promise((held) => {
		addEventListener("unload", () => navigator.locks.request("a", () => new Promise(() => {})));
		navigator.locks.request("a", () => { held(); return new Promise(() => {}); });
	}); return ""`)
	evaluate(t, waits, `navigator.locks.request("a", () => new Promise(() => {})); return ""`)
	got := make(chan string, 1)
	go func() { got <- evaluate(t, next, `return await navigator.locks.request("a", () => "mine")`) }()
	waits.Close(nil)
	holds.Close(nil)
	select {
	case text := <-got:
		if text != "mine" {
			t.Errorf("the lock's callback returned %q", text)
		}
	case <-time.After(time.Minute):
		t.Fatal("the lock of closed windows is not granted again")
	}
}
