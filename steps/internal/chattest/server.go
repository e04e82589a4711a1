package chattest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
)

// ServerDelivery tests that the server stores every message, and that each page receives the
// log from its offset on.
func ServerDelivery(t *testing.T, step New) {
	for _, c := range []struct { // the fastest first
		name string
		test func(*testing.T, New)
	}{
		{"a new client gets the backlog", backlog},
		{"an unknown offset gets the whole log", UnknownOffset},
		{"what is no text is refused and not stored", NoText},
		{"a broken connection recovers", recovers},
		{"nothing is left out between two parts of a replay", parts},
		{"a row that cannot be read is neither sent nor skipped", unreadable},
		{"replay and live are one stream under writers", oneStream},
		{"a cut in the middle of the replay loses nothing", cutInReplay},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, step) })
	}
}

func backlog(t *testing.T, step New) {
	s := Start(t, step, serve.Settings{ReplayPage: 2})
	ann := rawclient.Connect(t, s.URL, Offset(0))
	texts := []string{"one", "<script>two</script>", "세 번째 👋", "", "five'); DROP TABLE messages; --"}
	Send(t, ann, texts...)
	Receive(t, ann, 1, texts...)
	for _, auth := range []any{nil, Offset(0)} {
		Receive(t, rawclient.Connect(t, s.URL, auth), 1, texts...)
	}
	bob := rawclient.Connect(t, s.URL, Offset(3))
	Receive(t, bob, 4, texts[3:]...)

	s.Stop()
	s = Start(t, step, serve.Settings{DataDir: s.Folder})
	bob = rawclient.Connect(t, s.URL, Offset(5))
	cem := rawclient.Connect(t, s.URL, Offset(4))
	Receive(t, cem, 5, texts[4])
	Send(t, cem, "after the restart")
	Receive(t, bob, 6, "after the restart")
	if got := s.Stored(t); fmt.Sprint(got) != fmt.Sprint(append(texts, "after the restart")) {
		t.Errorf("stored are %q", got)
	}
}

// UnknownOffset tests that a page whose offset is not in the log receives the whole log.
func UnknownOffset(t *testing.T, step New) {
	s := Start(t, step, serve.Settings{})
	ann := rawclient.Connect(t, s.URL, nil)
	Send(t, ann, "one", "two")
	for _, named := range []any{3, 1 << 53, 1e300, -1, 0.5, 1.5, "1", nil, true, []any{1}, map[string]any{"a": 1}} {
		page := rawclient.Connect(t, s.URL, Offset(named))
		BeginsAgain(t, page, fmt.Sprintf("serverOffset %v", named))
		Receive(t, page, 1, "one", "two")
		page.Close()
	}
	// Auth without an offset comes from a new page. (NaN becomes null in JSON.)
	Receive(t, rawclient.Connect(t, s.URL, map[string]any{"other": 1}), 1, "one", "two")
	for _, auth := range []any{"text", []any{Offset(1)}} {
		if _, err := rawclient.Dial(t, s.URL, auth); err == nil {
			t.Errorf("auth %v is no object, and the library let it in", auth)
		}
	}
	Send(t, ann, "three")
}

// BeginsAgain expects that the server tells the page to discard its messages, and why it
// sends the whole log.
func BeginsAgain(t *testing.T, page *rawclient.Client, who string) {
	t.Helper()
	if got := page.Next(); got.Name != "refused" || got.Args[0] == "" {
		t.Errorf("%s is told %+v first, want refused with a reason", who, got)
	}
	if got := page.Next(); got.Name != "reset" {
		t.Errorf("%s is told %+v, want reset", who, got)
	}
}

// NoText tests that a message that is not a string, or is too long, is refused and not
// stored.
func NoText(t *testing.T, step New) {
	s := Start(t, step, serve.Settings{})
	ann := rawclient.Connect(t, s.URL, nil)
	for _, args := range [][]any{
		{}, {nil}, {7}, {true}, {[]any{"a"}}, {map[string]any{"text": "a"}},
		{strings.Repeat("x", serve.MaxMessage+1)}, {strings.Repeat("한", serve.MaxMessage/3+1)},
	} {
		answer, err := ann.Ask("chat message", args...)
		if err != nil {
			t.Fatal(err)
		}
		if reason, _ := answer["error"].(string); reason == "" || answer["offset"] != nil {
			t.Errorf("%.60v is acknowledged with %v, want an error only", args, answer)
		}
		if err := ann.Emit("chat message", args...); err != nil {
			t.Fatal(err)
		}
		if got := ann.Next(); got.Name != "refused" || got.Args[0] == "" {
			t.Errorf("%.60v is answered by %.200v, want refused with a reason", args, got)
		}
	}
	// Binary data must be refused, too.
	if err := errors.Join(ann.Write(`451-["chat message",{"_placeholder":true,"num":0}]`), ann.WriteBinary([]byte("a"))); err != nil {
		t.Fatal(err)
	}
	if got := ann.Next(); got.Name != "refused" {
		t.Errorf("bytes are answered by %+v, want refused", got)
	}
	longest := strings.Repeat("x", serve.MaxMessage)
	Send(t, ann, longest)
	Receive(t, ann, 1, longest)
	bob := rawclient.Connect(t, s.URL, nil)
	Receive(t, bob, 1, longest)
	_ = ann.Emit("chat message", strings.Repeat("x", 2_000_000))
	ann.Ended()
	Send(t, bob, "still here")
	if got := s.Stored(t); len(got) != 2 || got[1] != "still here" {
		t.Errorf("%d messages are stored, want the two that were not refused", len(got))
	}
}

// This is the core of the promise: whenever a page connects, it receives the log from its
// offset on, without a gap, a duplicate or a change of order.
func oneStream(t *testing.T, step New) {
	Slow(t)
	const writers, each, readers = 4, 150, 20
	s := Start(t, step, serve.Settings{ReplayPage: 7})
	var work sync.WaitGroup
	for w := range writers {
		writer := rawclient.Connect(t, s.URL, Offset(0))
		work.Go(func() {
			for i := range each {
				// Half of the messages are sent without an acknowledgement, so that a writer's
				// messages arrive in bursts.
				text, err := fmt.Sprintf("%d-%d", w, i), error(nil)
				if i%2 == 0 {
					err = send(writer, text, text)
				} else {
					err = writer.Emit("chat message", text)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
			if err := follow(writer, 0, writers*each, false); err != nil {
				t.Errorf("writer %d: %v", w, err)
			}
		})
	}
	for r := range readers {
		work.Go(func() {
			// Readers connect throughout the run, and reconnect from the middle of the log.
			time.Sleep(time.Duration(r) * 5 * time.Millisecond)
			for _, part := range [][2]int{{0, 40}, {40, writers * each}} {
				reader, err := rawclient.Dial(t, s.URL, Offset(part[0]))
				if err == nil {
					err = follow(reader, part[0], part[1], false)
					reader.Close()
				}
				if err != nil {
					t.Errorf("reader %d, from %d on: %v", r, part[0], err)
					return
				}
			}
		})
	}
	work.Wait()
}

func recovers(t *testing.T, step New) {
	s := Start(t, step, serve.Settings{})
	ann, bob := rawclient.Connect(t, s.URL, Offset(0)), rawclient.Connect(t, s.URL, Offset(0))
	Send(t, bob, "one") // waits until bob has joined the room
	got := bob.Next()
	if len(got.Args) < 3 {
		t.Fatalf("bob receives %+v, want text, id and the offset of recovery", got)
	}
	bob.Close()
	Send(t, ann, "two", "three")
	// serverOffset is 0 here, so that a replay would be visible.
	back := rawclient.Connect(t, s.URL, map[string]any{"pid": bob.Pid, "offset": got.Args[len(got.Args)-1], "serverOffset": 0})
	if back.Sid != bob.Sid {
		t.Fatalf("bob is %s after the break, and was %s", back.Sid, bob.Sid)
	}
	Receive(t, back, 2, "two", "three")
	Send(t, ann, "four")
	Receive(t, back, 4, "four")
}

// A page that is cut off during its replay must receive the rest from the log, whatever
// recovery offset it sends when it reconnects.
func cutInReplay(t *testing.T, step New) {
	Slow(t)
	s := Start(t, step, serve.Settings{ReplayPage: 1})
	ann := rawclient.Connect(t, s.URL, Offset(0))
	Send(t, ann, "one")
	live := ann.Next()
	const old = 300
	for i := 1; i < old; i++ {
		Send(t, ann, fmt.Sprint(i))
	}
	for range 20 {
		bob := rawclient.Connect(t, s.URL, Offset(0))
		first := bob.Next()
		bob.Close()
		if first.Args[1] != float64(1) {
			t.Fatalf("bob receives %+v first", first)
		}
		// This is the recovery offset of a message that bob never received, as when a page keeps
		// the offset of an earlier session. It contains nothing about the replay, even after the
		// server has finished it, so the server must not recover the session.
		back := rawclient.Connect(t, s.URL, map[string]any{"pid": bob.Pid, "offset": live.Args[len(live.Args)-1], "serverOffset": 1})
		if back.Sid == bob.Sid {
			t.Error("a session was restored of whose events bob has had none")
		}
		if err := follow(back, 1, old, true); err != nil {
			t.Fatal(err)
		}
		back.Close()
	}
}

// PanicIsNotTheEnd tests that a panic in a handler ends neither the server nor a connection.
func PanicIsNotTheEnd(t *testing.T, s *Server, server *socket.Server) {
	Quiet(t)
	_ = server.On("connection", func(args ...any) {
		_ = args[0].(*socket.Socket).On("panic", func(...any) { panic("as arranged") })
	})
	ann := rawclient.Connect(t, s.URL, nil)
	if err := ann.Emit("panic"); err != nil {
		t.Fatal(err)
	}
	Send(t, ann, "still here")
	Receive(t, ann, 1, "still here")
}

// CloseEndsEverything tests that Close leaves no connection and no goroutine, and that
// afterwards store, which stores a message as the step does, fails.
func CloseEndsEverything(t *testing.T, step New, store func(*Server) error) {
	Slow(t)
	// The library starts some goroutines once and keeps them: they must run before the count.
	warm := Start(t, step, serve.Settings{})
	rawclient.Connect(t, warm.URL, nil).Close()
	warm.Stop()
	for range 50 { // ending goroutines need some time
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	before, _ := goroutines()

	s := Start(t, step, serve.Settings{})
	var clients []*rawclient.Client
	for range 10 {
		client := rawclient.Connect(t, s.URL, nil)
		Send(t, client, "hello")
		clients = append(clients, client)
	}
	s.Stop()
	for _, client := range clients {
		client.Ended()
		client.Close()
	}
	if store(s) == nil {
		t.Error("a message is taken after Close")
	}
	if got := s.Stored(t); len(got) != 10 {
		t.Errorf("stored are %q, want ten", got)
	}
	after, stacks := goroutines()
	for deadline := time.Now().Add(rawclient.Timeout); after > before && time.Now().Before(deadline); after, stacks = goroutines() {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	if after > before {
		t.Errorf("%d goroutines after Close, %d before:\n%s", after, before, stacks)
	}
}

// goroutines counts them, and returns their stacks. A timer of the library's that is stopped at
// once keeps its goroutine, which does not count: see steps/cures/handshake,
// TestATimerStoppedAtOnceStays.
func goroutines() (count int, stacks string) {
	all := make([]byte, 4<<20)
	stacks = string(all[:runtime.Stack(all, true)])
	return strings.Count(stacks, "\n\ngoroutine ") + 1 - strings.Count(stacks, "utils.SetTimeout.func1("), stacks
}

// UnusableFolders tests that New reports an unusable folder in one line.
func UnusableFolders(t *testing.T, step New) {
	folder := t.TempDir()
	file := filepath.Join(folder, "chat.db")
	if err := os.WriteFile(file, []byte("this is no database, and long enough to see it"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ folder, names string }{{file, "DATA_DIR"}, {filepath.Join(file, "below"), "DATA_DIR"}, {folder, ""}} {
		_, _, err := step(serve.Settings{DataDir: c.folder})
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s: %v, want one line that names %s", c.folder, err, c.names)
		}
	}
}
