package step8

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
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
	"sync/atomic"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
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
		answer, err := client.Ask("chat message", text, "key of "+rand.Text())
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

// hearAfter expects these texts, in this order, with ids that grow from after on. (A
// repeat leaves a gap: SQLite counts before it sees the conflict.)
func hearAfter(client *rawclient.Client, after float64, texts ...string) error {
	timeout := time.After(patience)
	for _, text := range texts {
		select {
		case got := <-client.Events:
			if got.Name != "chat message" || len(got.Args) < 2 || got.Args[0] != text || got.Args[1].(float64) <= after {
				return fmt.Errorf("heard %.200v after id %v, want %.80q", got, after, text)
			}
			after = got.Args[1].(float64)
		case <-timeout:
			return fmt.Errorf("%.80q did not come within %v", text, patience)
		}
	}
	return nil
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
	answer, err := client.Ask("chat message", text, rand.Text())
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

// A bad key is for ever bad: it is refused, like what is no text.
func TestAKeyIsAShortString(t *testing.T) {
	folder := t.TempDir()
	s := start(t, serve.Settings{DataDir: folder})
	ann := rawclient.Connect(t, s.url, nil)
	for _, key := range []any{"", nil, 7, true, []any{"a"}, map[string]any{"a": 1}, strings.Repeat("x", maxKey+1), strings.Repeat("한", maxKey/3+1)} {
		answer, err := ann.Ask("chat message", "text", key)
		if err != nil {
			t.Fatal(err)
		}
		if reason, _ := answer["error"].(string); !strings.Contains(reason, "256") || answer["offset"] != nil {
			t.Errorf("the key %.60v is acknowledged with %v, want an error that says how long it may be", key, answer)
		}
	}
	for _, key := range []string{"k", strings.Repeat("x", maxKey), "'); DROP TABLE messages; --", "a\x00b", "a\x00c"} {
		if answer, err := ann.Ask("chat message", "text", key); err != nil || answer["error"] != nil {
			t.Errorf("the key %.60q is acknowledged with %v, %v", key, answer, err)
		}
	}
	if got := stored(t, folder); len(got) != 5 {
		t.Errorf("stored are %q, want the five with good keys", got)
	}
}

func TestARepeatIsAcknowledgedAndNotStoredAgain(t *testing.T) {
	folder := t.TempDir()
	s := start(t, serve.Settings{DataDir: folder})
	ann, bob := rawclient.Connect(t, s.url, nil), rawclient.Connect(t, s.url, nil)
	for i, sender := range []*rawclient.Client{ann, ann, bob} {
		answer, err := sender.Ask("chat message", "once", "key")
		if err != nil || answer["offset"] != float64(1) || answer["error"] != nil {
			t.Errorf("try %d is answered by %v, %v, want offset 1", i+1, answer, err)
		}
	}
	// The same key with another text is a mistake of the sender's, and an
	// acknowledgement would lose the text without a word.
	answer, err := ann.Ask("chat message", "something else", "key")
	if err != nil || answer["error"] == nil {
		t.Errorf("another text with the key is answered by %v, %v, want an error", answer, err)
	}
	// Two messages without a key are two messages.
	for range 2 {
		if answer, err := ann.Ask("chat message", "no key"); err != nil || answer["error"] != nil {
			t.Errorf("without a key the answer is %v, %v", answer, err)
		}
	}
	s.stop()
	s = start(t, serve.Settings{DataDir: folder})
	cem := rawclient.Connect(t, s.url, nil)
	if answer, err := cem.Ask("chat message", "once", "key"); err != nil || answer["offset"] != float64(1) {
		t.Errorf("after a restart the repeat is answered by %v, %v, want offset 1", answer, err)
	}
	say(t, cem, "the end")
	if err := hearAfter(cem, 0, "once", "no key", "no key", "the end"); err != nil {
		t.Error(err)
	}
}

// Repeats race with the first try, with other messages and with pages that join.
func TestRepeatsOnSeveralConnectionsAtOnce(t *testing.T) {
	const senders, each = 6, 60
	folder := t.TempDir()
	s := start(t, serve.Settings{DataDir: folder, ReplayPage: 7})
	reader := rawclient.Connect(t, s.url, offset(0))
	var texts []string
	for i := range each {
		texts = append(texts, fmt.Sprint("message ", i)) // everybody says the same, with the same key
	}
	var work sync.WaitGroup
	for n := range senders {
		sender := rawclient.Connect(t, s.url, offset(0))
		work.Go(func() {
			for _, text := range texts {
				answer, err := sender.Ask("chat message", text, text)
				if err != nil || answer["error"] != nil {
					t.Errorf("sender %d: %q is answered by %v, %v", n, text, answer, err)
					return
				}
			}
			if err := hearAfter(sender, 0, texts...); err != nil {
				t.Errorf("sender %d: %v", n, err)
			}
			late, err := rawclient.Dial(t, s.url, offset(0))
			if err == nil {
				err = hearAfter(late, 0, texts...)
			}
			if err != nil {
				t.Errorf("sender %d as a late reader: %v", n, err)
			}
		})
	}
	work.Wait()
	if err := hearAfter(reader, 0, texts...); err != nil {
		t.Error(err)
	}
	if got := stored(t, folder); len(got) != each {
		t.Errorf("%d messages are stored, want %d", len(got), each)
	}
}

// Each way in which a real SQLite can be away: the message is not acknowledged, the
// sender is told, and when it ends the repeat is stored and shown once.
func TestADatabaseThatIsAway(t *testing.T) {
	for _, c := range []struct {
		name, says string
		away       func(t *testing.T, s running, folder string) (back func())
	}{
		{"busy", "locked", func(t *testing.T, _ running, folder string) func() { return lock(t, folder) }},
		{"full", "full", func(t *testing.T, s running, _ string) func() {
			pages := pragma(t, s, "page_count")
			pragma(t, s, fmt.Sprint("max_page_count = ", pages))
			return func() { pragma(t, s, "max_page_count = 1000000") }
		}},
		{"read-only", "readonly", func(t *testing.T, s running, _ string) func() {
			pragma(t, s, "query_only = 1")
			return func() { pragma(t, s, "query_only = 0") }
		}},
		{"gone", "no such table", func(t *testing.T, s running, _ string) func() {
			rename := func(from, to string) {
				if _, err := s.chat.db.Exec("ALTER TABLE " + from + " RENAME TO " + to); err != nil {
					t.Fatal(err)
				}
			}
			rename("messages", "hidden")
			return func() { rename("hidden", "messages") }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			log.SetOutput(io.Discard)
			defer log.SetOutput(os.Stderr)
			folder := t.TempDir()
			s := start(t, serve.Settings{DataDir: folder})
			// One connection, so that what is set on it holds for every statement.
			s.chat.db.SetMaxOpenConns(1)
			ann, bob := rawclient.Connect(t, s.url, offset(0)), rawclient.Connect(t, s.url, offset(0))
			long := strings.Repeat("x", 40_000) // does not fit into what is left of a page
			say(t, ann, "before")
			hear(t, ann, 1, "before")
			hear(t, bob, 1, "before")

			back := c.away(t, s, folder)
			for try := range 3 {
				if err := ann.Write(fmt.Sprintf(`42%d["chat message",%q,"key"]`, 100+try, long)); err != nil {
					t.Fatal(err)
				}
				got := ann.Next() // an acknowledgement would be an answer to a later Ask, and fail it
				reason, _ := got.Args[0].(string)
				if got.Name != "unavailable" || !strings.Contains(reason, c.says) || strings.Contains(reason, "\n") {
					t.Fatalf("try %d is answered by %.200v, want unavailable, one line with %q", try, got, c.says)
				}
			}
			// Without a key it is the same: it may have been stored after all.
			if err := ann.Emit("chat message", long); err != nil {
				t.Fatal(err)
			}
			if got := ann.Next(); got.Name != "unavailable" {
				t.Fatalf("without a key the answer is %.200v, want unavailable", got)
			}
			back()

			if answer, err := ann.Ask("chat message", long, "key"); err != nil || answer["offset"] == nil {
				t.Fatalf("when it is back, the repeat is answered by %v, %v", answer, err)
			}
			say(t, bob, "after")
			for _, page := range []*rawclient.Client{ann, bob, rawclient.Connect(t, s.url, offset(1))} {
				for _, want := range []string{long, "after"} {
					if got := page.Next(); got.Name != "chat message" || got.Args[0] != want {
						t.Fatalf("heard %.200v, want %.20q", got, want)
					}
				}
			}
			if got := stored(t, folder); len(got) != 3 {
				t.Errorf("%d messages are stored, want three", len(got))
			}
		})
	}
}

// pragma runs one on the server's only connection.
func pragma(t *testing.T, s running, text string) (value int) {
	t.Helper()
	err := s.chat.db.QueryRow("PRAGMA " + text).Scan(&value)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
	return value
}

// lock takes the database away, as another program would.
func lock(t *testing.T, folder string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(folder, "chat.db")+"?_txlock=exclusive&_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	transaction, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(transaction.Rollback(), db.Close()); err != nil {
			t.Error(err)
		}
	}
}

// While one waits for a locked database, the others do not wait for long: they can
// read, connect and be told.
func TestALockedDatabaseStallsNobody(t *testing.T) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	folder := t.TempDir()
	s := start(t, serve.Settings{DataDir: folder})
	ann := rawclient.Connect(t, s.url, nil)
	say(t, ann, "before")
	unlock := lock(t, folder)
	began := time.Now()
	const writers = 10
	for n := range writers {
		if err := ann.Emit("chat message", "while it is locked", fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
	hear(t, rawclient.Connect(t, s.url, nil), 1, "before")
	// All ten may have been before it, each for the 100 ms of the busy timeout.
	if took := time.Since(began); took > writers*100*time.Millisecond+5*time.Second {
		t.Errorf("a page that connects meanwhile waits %v", took)
	}
	unlock()
}

// trouble is SQLite with a connection that breaks: it reports an error for what it
// has done.
const trouble = "sqlite3 that reports errors"

var reportErrors atomic.Bool

func init() { sql.Register(trouble, troubleDriver{&sqlite3.SQLiteDriver{}}) }

type troubleDriver struct{ driver.Driver }

func (d troubleDriver) Open(name string) (driver.Conn, error) {
	conn, err := d.Driver.Open(name)
	if err != nil {
		return nil, err
	}
	return troubleConn{conn.(*sqlite3.SQLiteConn)}, nil
}

type troubleConn struct{ *sqlite3.SQLiteConn }

func (c troubleConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, err := c.SQLiteConn.ExecContext(ctx, query, args)
	if err == nil && reportErrors.Load() {
		return nil, sqlite3.Error{Code: sqlite3.ErrIoErr}
	}
	return result, err
}

// An INSERT that reports an error may be committed all the same. It is emitted then,
// and the repeat is acknowledged, though nothing can be written, and emits nothing.
func TestCommittedAndReportedAsAnError(t *testing.T) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	defer reportErrors.Store(false)
	folder := t.TempDir()
	s := start(t, serve.Settings{DataDir: folder, Driver: trouble})
	ann, bob := rawclient.Connect(t, s.url, nil), rawclient.Connect(t, s.url, nil)
	reportErrors.Store(true)
	if err := ann.Emit("chat message", "one", "key"); err != nil {
		t.Fatal(err)
	}
	hear(t, ann, 1, "one")
	if got := ann.Next(); got.Name != "unavailable" {
		t.Fatalf("the first try is answered by %v, want unavailable", got)
	}
	hear(t, bob, 1, "one")
	if answer, err := ann.Ask("chat message", "one", "key"); err != nil || answer["offset"] != float64(1) {
		t.Errorf("the repeat is answered by %v, %v, want offset 1", answer, err)
	}
	reportErrors.Store(false)
	say(t, bob, "two")
	if err := errors.Join(hearAfter(ann, 1, "two"), hearAfter(bob, 1, "two")); err != nil {
		t.Error(err)
	}
}

// A message that was stored and that nobody was sent, because the server could not
// read it again, is sent with whatever comes next: a page that joins, too, and that
// page gets it once.
func TestWhatWasStoredAndNotEmittedIsEmittedLater(t *testing.T) {
	folder := t.TempDir()
	s := start(t, serve.Settings{DataDir: folder})
	ann := rawclient.Connect(t, s.url, nil)
	say(t, ann, "one")
	hear(t, ann, 1, "one")
	if _, err := s.chat.db.Exec("INSERT INTO messages (content, client_offset) VALUES ('two', 'key')"); err != nil {
		t.Fatal(err)
	}
	bob := rawclient.Connect(t, s.url, offset(1))
	hear(t, bob, 2, "two")
	hear(t, ann, 2, "two")
	if answer, err := ann.Ask("chat message", "two", "key"); err != nil || answer["offset"] != float64(2) {
		t.Errorf("the repeat is answered by %v, %v, want offset 2", answer, err)
	}
	say(t, ann, "three")
	if err := errors.Join(hearAfter(ann, 2, "three"), hearAfter(bob, 2, "three")); err != nil {
		t.Error(err)
	}
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
	if _, err := s.chat.say("too late", "key"); err == nil {
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

// Storing, emitting and joining are one step each, in one order: what is in the middle of
// it is waited for. Without the lock a page joins between a message's row and its emit.
func TestStoringAndJoiningWaitForTheirTurn(t *testing.T) {
	s := start(t, serve.Settings{DataDir: t.TempDir()})
	ann := rawclient.Connect(t, s.url, nil)
	say(t, ann, "before")
	hear(t, ann, 1, "before")

	s.chat.order.Lock()
	bob := rawclient.Connect(t, s.url, nil)
	hear(t, bob, 1, "before") // and now it waits to join
	answers := make(chan string, 2)
	go func() {
		_, err := bob.Ask("chat message", 7) // refused, without the lock, as soon as bob has joined
		answers <- fmt.Sprint("bob has joined ", err)
	}()
	go func() {
		_, err := ann.Ask("chat message", "after", "key")
		answers <- fmt.Sprint("ann's message is stored ", err)
	}()
	waiting := 2
	select {
	case what := <-answers:
		waiting--
		t.Error(what, " while another message is in the middle of being stored and emitted")
	case <-time.After(200 * time.Millisecond): // nothing may happen, however long it is waited for
	}
	// The one that is in the middle of it: behind what bob was sent, before bob joins.
	if _, err := s.chat.db.Exec("INSERT INTO messages (content, client_offset) VALUES ('meanwhile', 'another')"); err != nil {
		t.Error(err)
	}
	if err := s.chat.publish(); err != nil {
		t.Error(err)
	}
	s.chat.order.Unlock()
	for range waiting {
		<-answers
	}
	for _, page := range []*rawclient.Client{ann, bob} {
		hear(t, page, 2, "meanwhile", "after")
	}
}
