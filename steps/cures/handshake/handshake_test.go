package handshake

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/socket/v3"
)

// TestAFastPageIsHeard sends the connect packet as soon as the WebSocket handshake ends, and
// an event as soon as the connect packet is answered. With the bare library some of these
// connections hang, and without connectFirst some are closed.
func TestAFastPageIsHeard(t *testing.T) {
	server := socket.NewServer(nil, socket.DefaultServerOptions())
	_ = server.On("connection", func(args ...any) {
		client := args[0].(*socket.Socket)
		_ = client.On("chat message", func(args ...any) { args[len(args)-1].(socket.Ack)(nil, nil) })
	})
	web := httptest.NewServer(Handler(server))
	defer web.Close()
	defer server.Close(nil)

	const pages = 1000
	for range pages {
		if err := emitFast(web.URL); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAttachedLate delays the library between sending the open packet and attaching its
// listener, and sends the connect packet during the delay. The bare library, which loses
// that packet, is the negative control.
func TestAttachedLate(t *testing.T) {
	const moment = 100 * time.Millisecond
	for _, c := range []struct {
		name   string
		around func(http.Handler) http.Handler
		answer string
	}{
		{"library", func(library http.Handler) http.Handler { return library }, ""},
		{"ours", patient, "40"},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := socket.DefaultServerOptions()
			options.SetPath("/socket.io")
			options.SetConnectTimeout(5 * moment) // then the library gives up
			transport := engine.NewServer(options)
			_ = transport.On("connection", func(...any) { time.Sleep(moment) })
			server := socket.NewServer(nil, options)
			server.Bind(transport)
			web := httptest.NewServer(c.around(transport))
			defer web.Close()
			defer server.Close(nil)

			if answer := connectFast(t, web.URL); answer != c.answer {
				t.Errorf("the connect packet is answered with %q, want %q", answer, c.answer)
			}
		})
	}
}

// connectFast returns the type of the packet that answers a connect packet, or "" if the
// connection is closed instead.
func connectFast(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if err := conn.Write(ctx, websocket.MessageText, []byte("40")); err != nil {
		t.Fatal(err)
	}
	for {
		_, packet, err := conn.Read(ctx)
		switch {
		case ctx.Err() != nil:
			t.Fatal("neither answered nor closed")
		case err != nil:
			return ""
		case strings.HasPrefix(string(packet), "4"):
			return string(packet[:2])
		}
	}
}

func emitFast(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	if err := conn.Write(ctx, websocket.MessageText, []byte("40")); err != nil {
		return err
	}
	for {
		_, packet, err := conn.Read(ctx)
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(string(packet), "40"):
			if err := conn.Write(ctx, websocket.MessageText, []byte(`420["chat message","x"]`)); err != nil {
				return err
			}
		case strings.HasPrefix(string(packet), "430"):
			return nil
		}
	}
}

// TestAClosedPageLeavesNothing connects and closes pages, and counts the goroutines and the
// memory that remain. Without leaveNothing each page leaves a goroutine and two queues.
func TestAClosedPageLeavesNothing(t *testing.T) {
	const pages = 200
	goroutines, bytes := left(t, pages, Handler, 10*time.Second)
	t.Logf("left by %d pages: %d goroutines, %d bytes a page", pages, goroutines, bytes/pages)
	if goroutines > pages/10 {
		t.Errorf("%d pages left %d goroutines", pages, goroutines)
	}
	if bytes > 4<<10*pages {
		t.Errorf("%d pages left %d bytes each", pages, bytes/pages)
	}
	// patient stays in place, because the bare library may lose the connect packet, and the
	// page would then wait without end.
	untidy := func(server *socket.Server) http.Handler { return patient(server.ServeHandler(nil)) }
	goroutines, bytes = left(t, pages, untidy, time.Second)
	t.Logf("without leaveNothing: %d goroutines, %d bytes a page", goroutines, bytes/pages)
	if goroutines < pages || bytes < 16<<10*pages {
		t.Errorf("without leaveNothing %d pages left %d goroutines and %d bytes each: if the library frees them now, remove leaveNothing", pages, goroutines, bytes/pages)
	}
}

func left(t *testing.T, pages int, handler func(*socket.Server) http.Handler, within time.Duration) (goroutines, bytes int) {
	t.Helper()
	server := socket.NewServer(nil, socket.DefaultServerOptions())
	web := httptest.NewServer(handler(server))
	defer web.Close()
	defer server.Close(nil)
	come := func(pages int) {
		for range pages {
			if err := visit(web.URL); err != nil {
				t.Fatal(err)
			}
		}
	}
	come(5) // what is made once, such as pools
	time.Sleep(100 * time.Millisecond)
	before, heap := runtime.NumGoroutine(), inUse()
	come(pages)
	// Goroutines that are about to end do so within this time.
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if goroutines = runtime.NumGoroutine() - before; goroutines <= 0 {
			break
		}
	}
	return goroutines, int(inUse()) - int(heap)
}

// inUse is the memory that is reachable, in bytes.
func inUse() uint64 {
	runtime.GC()
	runtime.GC() // again, for memory that a finalizer or a pool held during the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// visit connects, waits for the answer, and leaves.
func visit(url string) error {
	conn, err := enter(url)
	if err != nil {
		return err
	}
	return conn.Close(websocket.StatusGoingAway, "")
}

// enter returns a connection on which the connect packet has been answered.
func enter(url string) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		return nil, err
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte("40")); err != nil {
		return nil, errors.Join(err, conn.CloseNow())
	}
	for range 2 { // the open packet, and the answer
		if _, _, err := conn.Read(ctx); err != nil {
			return nil, errors.Join(err, conn.CloseNow())
		}
	}
	return conn, nil
}

// TestOpenConnectionHoldsNoRoomForTasks compares the memory of open connections, the client's
// side included, with and without shrink. The two queues of a connection have room for 8 kB
// each in the library.
func TestOpenConnectionHoldsNoRoomForTasks(t *testing.T) {
	ours := held(t, Handler)
	bare := held(t, func(server *socket.Server) http.Handler { return patient(server.ServeHandler(nil)) })
	t.Logf("an open connection holds %d bytes, and %d with the library's queues", ours, bare)
	if ours > bare-12<<10 {
		t.Errorf("an open connection holds %d bytes, want at least 12 kB less than the library's %d", ours, bare)
	}
}

// held is the memory that an open connection holds, in bytes.
func held(t *testing.T, handler func(*socket.Server) http.Handler) int {
	t.Helper()
	server := socket.NewServer(nil, socket.DefaultServerOptions())
	web := httptest.NewServer(handler(server))
	defer web.Close()
	defer server.Close(nil)
	if err := visit(web.URL); err != nil { // what is made once, such as pools
		t.Fatal(err)
	}
	const connections = 200
	before := inUse()
	for range connections {
		conn, err := enter(web.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseNow()
	}
	return (int(inUse()) - int(before)) / connections
}

// TestAPollIsAskedOnce polls with a client that uses its connections again, as a browser
// does. With the bare library it can.
func TestAPollIsAskedOnce(t *testing.T) {
	server := socket.NewServer(nil, socket.DefaultServerOptions())
	defer server.Close(nil)
	for name, test := range map[string]struct {
		handler http.Handler
		closes  bool
	}{
		"behind Handler":   {Handler(server), true},
		"the bare library": {server.ServeHandler(nil), false},
	} {
		t.Run(name, func(t *testing.T) {
			web := httptest.NewServer(test.handler)
			defer web.Close()
			response, err := http.Get(web.URL + "/socket.io/?EIO=4&transport=polling")
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != http.StatusOK || response.Close != test.closes {
				t.Errorf("%s, and the connection ends with it: %t, want %t", response.Status, response.Close, test.closes)
			}
		})
	}
}
