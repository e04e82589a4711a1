package step7

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
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

// patience bounds every wait.
const patience = 20 * time.Second

type running struct {
	url  string
	chat *chat
	stop func()
}

func start(t *testing.T, settings serve.Settings) running {
	t.Helper()
	handler, closer, err := New(settings)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	stop := sync.OnceFunc(func() {
		server.CloseClientConnections()
		if err := closer.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	t.Cleanup(stop)
	return running{server.URL, closer.(*chat), stop}
}

// stored is the log as it is on disk.
func stored(t *testing.T, folder string) (texts []string) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(folder, "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT content FROM messages ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	return texts
}

func offset(n any) map[string]any { return map[string]any{"serverOffset": n} }

// say sends texts, each acknowledged with the next id.
func say(t *testing.T, client *rawclient.Client, texts ...string) {
	t.Helper()
	for _, text := range texts {
		answer, err := client.Ask("chat message", text)
		if err != nil || answer["error"] != nil {
			t.Fatalf("%.80q is answered by %v, %v", text, answer, err)
		}
	}
}

// hear expects these texts, in this order, with the ids from first on.
func hear(t *testing.T, client *rawclient.Client, first int, texts ...string) {
	t.Helper()
	for i, text := range texts {
		got := client.Next()
		if got.Name != "chat message" || len(got.Args) < 2 || got.Args[0] != text || got.Args[1] != float64(first+i) {
			t.Fatalf("heard %.200v, want %.80q with id %d", got, text, first+i)
		}
	}
}

func TestWhoComesLaterGetsWhatWasMissed(t *testing.T) {
	folder := t.TempDir()
	s := start(t, serve.Settings{DataDir: folder, ReplayPage: 2})
	ann := rawclient.Connect(t, s.url, offset(0))
	texts := []string{"one", "<script>two</script>", "세 번째 👋", "", "five'); DROP TABLE messages; --"}
	say(t, ann, texts...)
	hear(t, ann, 1, texts...)
	for _, auth := range []any{nil, offset(0)} {
		hear(t, rawclient.Connect(t, s.url, auth), 1, texts...)
	}
	bob := rawclient.Connect(t, s.url, offset(3))
	hear(t, bob, 4, texts[3:]...)

	s.stop()
	s = start(t, serve.Settings{DataDir: folder})
	bob = rawclient.Connect(t, s.url, offset(5))
	cem := rawclient.Connect(t, s.url, offset(4))
	hear(t, cem, 5, texts[4])
	say(t, cem, "after the restart")
	hear(t, bob, 6, "after the restart")
	if got := stored(t, folder); fmt.Sprint(got) != fmt.Sprint(append(texts, "after the restart")) {
		t.Errorf("stored are %q", got)
	}
}

func TestAnOffsetThatTheLogNeverGaveOutGetsTheWholeLog(t *testing.T) {
	s := start(t, serve.Settings{DataDir: t.TempDir()})
	ann := rawclient.Connect(t, s.url, nil)
	say(t, ann, "one", "two")
	for _, named := range []any{3, 1 << 53, 1e300, -1, 0.5, "1", nil, true, []any{1}, map[string]any{"a": 1}} {
		page := rawclient.Connect(t, s.url, offset(named))
		if got := page.Next(); got.Name != "refused" || got.Args[0] == "" {
			t.Errorf("serverOffset %v is told %+v first, want refused with a reason", named, got)
		}
		if got := page.Next(); got.Name != "reset" {
			t.Errorf("serverOffset %v is told %+v, want reset", named, got)
		}
		hear(t, page, 1, "one", "two")
		page.Close()
	}
	// Auth that says nothing of an offset is a new page's. (NaN is null in JSON.)
	hear(t, rawclient.Connect(t, s.url, map[string]any{"other": 1}), 1, "one", "two")
	for _, auth := range []any{"text", []any{offset(1)}} {
		if _, err := rawclient.Dial(t, s.url, auth); err == nil {
			t.Errorf("auth %v is no object, and the library let it in", auth)
		}
	}
	say(t, ann, "three")
}

func TestWhatIsNoTextIsRefusedAndNotStored(t *testing.T) {
	folder := t.TempDir()
	s := start(t, serve.Settings{DataDir: folder})
	ann := rawclient.Connect(t, s.url, nil)
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
	// Bytes are no text either.
	if err := errors.Join(ann.Write(`451-["chat message",{"_placeholder":true,"num":0}]`), ann.WriteBinary([]byte("a"))); err != nil {
		t.Fatal(err)
	}
	if got := ann.Next(); got.Name != "refused" {
		t.Errorf("bytes are answered by %+v, want refused", got)
	}
	longest := strings.Repeat("x", serve.MaxMessage)
	say(t, ann, longest)
	hear(t, ann, 1, longest)
	bob := rawclient.Connect(t, s.url, nil)
	hear(t, bob, 1, longest)
	_ = ann.Emit("chat message", strings.Repeat("x", 2_000_000))
	ann.Ended()
	say(t, bob, "still here")
	if got := stored(t, folder); len(got) != 2 || got[1] != "still here" {
		t.Errorf("%d messages are stored, want the two that were not refused", len(got))
	}
}

// The heart of the step: whenever a page joins, what it gets is the log from its
// offset on, without a gap, a repetition or a swap.
func TestReplayAndLiveAreOneStreamUnderWriters(t *testing.T) {
	const writers, each, readers = 4, 150, 20
	s := start(t, serve.Settings{DataDir: t.TempDir(), ReplayPage: 7})
	var work sync.WaitGroup
	for w := range writers {
		writer := rawclient.Connect(t, s.url, offset(0))
		work.Go(func() {
			for i := range each {
				// Without an acknowledgement half of the time, so that a writer's own
				// messages come in bursts.
				if err := sendOne(writer, i%2 == 0, fmt.Sprintf("%d-%d", w, i)); err != nil {
					t.Error(err)
					return
				}
			}
			if err := follow(writer, 0, writers*each); err != nil {
				t.Errorf("writer %d: %v", w, err)
			}
		})
	}
	for r := range readers {
		work.Go(func() {
			// Readers come all through the run, and come back from the middle.
			time.Sleep(time.Duration(r) * 5 * time.Millisecond)
			reader, err := rawclient.Dial(t, s.url, offset(0))
			if err != nil {
				t.Error(err)
				return
			}
			if err := follow(reader, 0, 40); err != nil {
				t.Errorf("reader %d: %v", r, err)
			}
			reader.Close()
			if reader, err = rawclient.Dial(t, s.url, offset(40)); err != nil {
				t.Error(err)
				return
			}
			if err := follow(reader, 40, writers*each); err != nil {
				t.Errorf("reader %d, back again: %v", r, err)
			}
		})
	}
	work.Wait()
}

func sendOne(client *rawclient.Client, acknowledged bool, text string) error {
	if !acknowledged {
		return client.Emit("chat message", text)
	}
	answer, err := client.Ask("chat message", text)
	if err == nil && answer["error"] != nil {
		err = fmt.Errorf("refused: %v", answer["error"])
	}
	return err
}

// follow expects the ids from after+1 to last, each once and in order.
func follow(client *rawclient.Client, after, last int) error {
	timeout := time.After(patience)
	for want := after + 1; want <= last; want++ {
		select {
		case event, open := <-client.Events:
			if !open {
				return fmt.Errorf("the connection ended before %d", want)
			}
			if event.Name != "chat message" || len(event.Args) < 2 || event.Args[1] != float64(want) {
				return fmt.Errorf("got %+v, want id %d", event, want)
			}
		case <-timeout:
			return fmt.Errorf("%d did not come within %v", want, patience)
		}
	}
	return nil
}

func TestABrokenConnectionRecovers(t *testing.T) {
	s := start(t, serve.Settings{DataDir: t.TempDir()})
	ann := rawclient.Connect(t, s.url, offset(0))
	bob := rawclient.Connect(t, s.url, offset(0))
	say(t, ann, "one")
	got := bob.Next()
	if len(got.Args) != 3 {
		t.Fatalf("bob hears %+v, want text, id and the offset of recovery", got)
	}
	bob.Close()
	say(t, ann, "two", "three")
	// serverOffset says 0 here, so that a replay would be seen.
	back := rawclient.Connect(t, s.url, map[string]any{"pid": bob.Pid, "offset": got.Args[2], "serverOffset": 0})
	if back.Sid != bob.Sid {
		t.Fatalf("bob is %s after the break, and was %s", back.Sid, bob.Sid)
	}
	hear(t, back, 2, "two", "three")
	say(t, ann, "four")
	hear(t, back, 4, "four")
}

// A page that is cut off while it catches up has to be sent the rest from the log,
// whatever offset of recovery it names when it comes back.
func TestACutInTheMiddleOfTheReplayLosesNothing(t *testing.T) {
	s := start(t, serve.Settings{DataDir: t.TempDir(), ReplayPage: 1})
	ann := rawclient.Connect(t, s.url, offset(0))
	say(t, ann, "one")
	live := ann.Next()
	const old = 300
	for i := 1; i < old; i++ {
		say(t, ann, fmt.Sprint(i))
	}
	for range 20 {
		bob := rawclient.Connect(t, s.url, offset(0))
		first := bob.Next()
		bob.Close()
		if first.Args[1] != float64(1) {
			t.Fatalf("bob hears %+v first", first)
		}
		// The recovery offset of something that bob was never sent, as it is when a page
		// keeps the one of a session before. It says nothing of the replay, not even when
		// that is over on the server: so it must restore nothing.
		back := rawclient.Connect(t, s.url, map[string]any{"pid": bob.Pid, "offset": live.Args[2], "serverOffset": 1})
		if back.Sid == bob.Sid {
			t.Error("a session was restored of whose events bob has had none")
		}
		if err := dropRepeated(back, 1, old); err != nil {
			t.Fatal(err)
		}
		back.Close()
	}
}

// dropRepeated is the page's rule: what is not newer is dropped, and what is newer
// has to be the next.
func dropRepeated(client *rawclient.Client, shown, last int) error {
	timeout := time.After(patience)
	for shown < last {
		select {
		case event, open := <-client.Events:
			if !open {
				return fmt.Errorf("the connection ended after %d", shown)
			}
			id, _ := event.Args[1].(float64)
			if int(id) <= shown {
				continue
			}
			if int(id) != shown+1 {
				return fmt.Errorf("after %d came %v", shown, event)
			}
			shown++
		case <-timeout:
			return fmt.Errorf("nothing after %d within %v", shown, patience)
		}
	}
	return nil
}

// A handler that panics is a mistake in one conversation, not the end of them all.
func TestAPanicIsNotTheEnd(t *testing.T) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	s := start(t, serve.Settings{DataDir: t.TempDir()})
	_ = s.chat.server.On("connection", func(args ...any) {
		_ = args[0].(*socket.Socket).On("panic", func(...any) { panic("as arranged") })
	})
	ann := rawclient.Connect(t, s.url, nil)
	if err := ann.Emit("panic"); err != nil {
		t.Fatal(err)
	}
	say(t, ann, "still here")
	hear(t, ann, 1, "still here")
}

func TestCloseEndsEverything(t *testing.T) {
	// What the library starts once and keeps is not ours: start it first.
	warm := start(t, serve.Settings{DataDir: t.TempDir()})
	rawclient.Connect(t, warm.url, nil).Close()
	warm.stop()
	before := settled()

	folder := t.TempDir()
	s := start(t, serve.Settings{DataDir: folder})
	var clients []*rawclient.Client
	for range 10 {
		client := rawclient.Connect(t, s.url, nil)
		say(t, client, "hello")
		clients = append(clients, client)
	}
	s.stop()
	for _, client := range clients {
		client.Ended()
		client.Close()
	}
	if _, err := s.chat.say("too late"); err == nil {
		t.Error("a message is taken after Close")
	}
	if got := stored(t, folder); len(got) != 10 {
		t.Errorf("stored are %q, want ten", got)
	}
	var after int
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		runtime.GC()
		if after = runtime.NumGoroutine(); after <= before {
			return
		}
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines after Close, %d before:\n%s", after, before, stacks[:runtime.Stack(stacks, true)])
}

// settled waits until goroutines that are about to end have ended.
func settled() int {
	for range 50 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	return runtime.NumGoroutine()
}

func TestAFolderThatCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("in the way"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{file, filepath.Join(file, "below")} {
		_, _, err := New(serve.Settings{DataDir: folder})
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "DATA_DIR") {
			t.Errorf("%s: %v, want one line that names DATA_DIR", folder, err)
		}
	}
}

func TestADatabaseThatIsNone(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "chat.db"), []byte("this is no database, and long enough to see it"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err := New(serve.Settings{DataDir: folder})
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v, want one line", err)
	}
}
