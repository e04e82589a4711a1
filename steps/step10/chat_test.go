package step10

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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

// A page that is cut off while it catches up is not in the room. When it comes back
// with a session, it has to be sent the rest from the log all the same.
// dropRepeated is the page's rule: what is not newer is dropped, and what is newer
// has to be the next.
// A bad key is for ever bad: it is refused, like what is no text.
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
// pragma runs one on the server's only connection.
// lock takes the database away, as another program would.
// While one waits for a locked database, the others do not wait for long: they can
// read, connect and be told.
// trouble is SQLite with a connection that breaks: it reports an error for what it
// has done.
// An INSERT that reports an error may be committed all the same. It is emitted then,
// and the repeat is acknowledged and emits nothing.
// A message that was stored and that nobody was sent, because the server could not
// read it again, is sent with whatever comes next: a page that joins, too, and that
// page gets it once.
// A handler that panics is a mistake in one conversation, not the end of them all.
// mark is what a page names of the last message that it has shown.
func mark(event rawclient.Event) map[string]any {
	return map[string]any{"serverOffset": event.Args[1], "fingerprint": event.Args[2]}
}

func TestAPageThatKnowsAnotherMessageAtItsOffsetBeginsAgain(t *testing.T) {
	s := start(t, serve.Settings{DataDir: t.TempDir()})
	ann := rawclient.Connect(t, s.url, nil)
	say(t, ann, "one", "two")
	one, two := ann.Next(), ann.Next()
	// The same text as another message is another message.
	twin := fingerprint("another key", "one")
	for name, auth := range map[string]any{
		"an id that is not there":            offset(3),
		"a huge id":                          offset(1e300),
		"no id at all":                       offset(-1),
		"half a message":                     offset(0.5),
		"text":                               offset("1"),
		"null":                               offset(nil),
		"a list":                             offset([]any{1}),
		"another fingerprint":                map[string]any{"serverOffset": 1, "fingerprint": twin},
		"the fingerprint of another message": map[string]any{"serverOffset": 1, "fingerprint": two.Args[2]},
		"a fingerprint that is none":         map[string]any{"serverOffset": 1, "fingerprint": map[string]any{"a": 1}},
		"an id and a fingerprint of another time": map[string]any{"serverOffset": 7, "fingerprint": one.Args[2]},
	} {
		page := rawclient.Connect(t, s.url, auth)
		if got := page.Next(); got.Name != "refused" || got.Args[0] == "" {
			t.Errorf("%s is told %+v first, want refused with a reason", name, got)
		}
		if got := page.Next(); got.Name != "reset" {
			t.Errorf("%s is told %+v, want reset", name, got)
		}
		hear(t, page, 1, "one", "two")
		page.Close()
	}
	// A new page, a page that has what this log has, and one that knows no fingerprints.
	hear(t, rawclient.Connect(t, s.url, map[string]any{"other": 1}), 1, "one", "two")
	hear(t, rawclient.Connect(t, s.url, offset(0)), 1, "one", "two")
	hear(t, rawclient.Connect(t, s.url, mark(one)), 2, "two")
	hear(t, rawclient.Connect(t, s.url, offset(1)), 2, "two")
	up := rawclient.Connect(t, s.url, mark(two))
	say(t, ann, "three")
	hear(t, up, 3, "three")
}

// The database is replaced while the server is down: by nothing, or by an older copy
// that has grown past the page's offset since. By its id alone neither page would be
// sent what it misses.
func TestAReplacedDatabaseIsNoticed(t *testing.T) {
	live, copied := t.TempDir(), t.TempDir()
	s := start(t, serve.Settings{DataDir: live})
	ann := rawclient.Connect(t, s.url, nil)
	say(t, ann, "one")
	one := ann.Next()
	s.stop()
	if err := os.CopyFS(copied, os.DirFS(live)); err != nil {
		t.Fatal(err)
	}
	s = start(t, serve.Settings{DataDir: live})
	ann = rawclient.Connect(t, s.url, mark(one))
	say(t, ann, "two", "three")
	_, three := ann.Next(), ann.Next()
	s.stop()

	for name, c := range map[string]struct {
		folder string
		want   []string
	}{
		"an older copy": {copied, []string{"one", "other two", "other three", "other four"}},
		"a new one":     {t.TempDir(), []string{"new one", "new two", "new three", "new four"}},
		"the same":      {live, nil},
	} {
		s = start(t, serve.Settings{DataDir: c.folder})
		writer := rawclient.Connect(t, s.url, nil)
		say(t, writer, c.want[len(stored(t, c.folder))%max(1, len(c.want)):]...)
		back := rawclient.Connect(t, s.url, mark(three))
		if c.want != nil {
			if got := []string{back.Next().Name, back.Next().Name}; got[0] != "refused" || got[1] != "reset" {
				t.Errorf("%s: a page that has seen the other log is told %q, want refused and reset", name, got)
			}
			hear(t, back, 1, c.want...)
		}
		say(t, writer, "the end")
		if got := back.Next(); got.Name != "chat message" || got.Args[0] != "the end" {
			t.Errorf("%s: then comes %+v, want only the end", name, got)
		}
		s.stop()
	}
}

// restore brings a page back that has shown up to last, in its old session.
func (s running) restore(t *testing.T, page *rawclient.Client, last rawclient.Event) *rawclient.Client {
	t.Helper()
	auth := mark(last)
	auth["pid"], auth["offset"] = page.Pid, last.Args[3]
	back := rawclient.Connect(t, s.url, auth)
	if back.Sid != page.Sid {
		t.Error("the session is not restored, so this shows nothing")
	}
	return back
}

// The log is emptied, or an older copy of it put back, under the running server: the first
// message after that ends every connection, and whoever comes back begins again, also
// where its session is restored.
func TestALogThatIsReplacedUnderTheServer(t *testing.T) {
	for name, change := range map[string]string{
		"emptied": "DELETE FROM messages; DELETE FROM sqlite_sequence",
		"an older copy": `DELETE FROM messages WHERE id > 1; UPDATE sqlite_sequence SET seq = 1;
			INSERT INTO messages (content, client_offset) VALUES ('another two', 'a'), ('another three', 'b'), ('another four', 'c')`,
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, serve.Settings{DataDir: t.TempDir()})
			ann, bob := rawclient.Connect(t, s.url, nil), rawclient.Connect(t, s.url, nil)
			say(t, ann, "one", "two", "three")
			bob.Next()
			bob.Next()
			last := bob.Next()
			if _, err := s.chat.db.Exec(change); err != nil {
				t.Fatal(err)
			}
			if err := ann.Emit("chat message", "new", "key"); err != nil {
				t.Fatal(err)
			}
			ann.Ended()
			bob.Ended()
			back := s.restore(t, bob, last)
			if first, second := back.Next(), back.Next(); first.Name != "refused" || second.Name != "reset" {
				t.Errorf("bob is told %+v and %+v, want refused and reset", first, second)
			}
			texts, err := s.chat.db.Query("SELECT content FROM messages ORDER BY id")
			if err != nil {
				t.Fatal(err)
			}
			defer texts.Close()
			for n := 1; texts.Next(); n++ {
				var text string
				if err := texts.Scan(&text); err != nil {
					t.Fatal(err)
				}
				hear(t, back, n, text)
			}
			say(t, back, "life goes on")
			if got := back.Next(); got.Args[0] != "life goes on" {
				t.Errorf("then comes %+v", got)
			}
		})
	}
}

// A page that was away when the log was replaced, at a place that both logs have, is
// restored, and so sent what it missed of the old one. It begins again, too.
func TestWhatAPageMissedOfAReplacedLogDoesNotStay(t *testing.T) {
	folder := t.TempDir()
	s := start(t, serve.Settings{DataDir: folder})
	ann, bob := rawclient.Connect(t, s.url, nil), rawclient.Connect(t, s.url, nil)
	say(t, ann, "one")
	one := bob.Next()
	bob.Close()
	awaitSockets(t, s, 1)
	say(t, ann, "old two", "old three")
	if _, err := s.chat.db.Exec("DELETE FROM messages WHERE id > 1; UPDATE sqlite_sequence SET seq = 1"); err != nil {
		t.Fatal(err)
	}
	if err := ann.Emit("chat message", "new two", "key"); err != nil {
		t.Fatal(err)
	}
	ann.Ended()
	back := s.restore(t, bob, one)
	shown := []string{"one"}
	for len(shown) == 0 || shown[len(shown)-1] != "new two" {
		switch got := back.Next(); got.Name {
		case "reset":
			shown = nil
		case "chat message":
			shown = append(shown, got.Args[0].(string))
		}
	}
	if want := stored(t, folder); !slices.Equal(shown, want) {
		t.Errorf("bob's page shows %q, the log has %q", shown, want)
	}
}

// awaitSockets waits until the server has so many.
func awaitSockets(t *testing.T, s running, want int) {
	t.Helper()
	count := func() (n int) {
		s.chat.server.Sockets().Sockets().Range(func(socket.SocketId, *socket.Socket) bool { n++; return true })
		return n
	}
	for deadline := time.Now().Add(patience); count() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the server has %d pages, want %d", count(), want)
		}
	}
}

// Step 9 stores a message without a key where its sender names none; also into a log that
// is in use, or that is put back under the running server.
func TestAFolderOfStep9(t *testing.T) {
	folder := t.TempDir()
	db, err := sql.Open("sqlite3", filepath.Join(folder, "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(`CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, client_offset TEXT UNIQUE, content TEXT);
		INSERT INTO messages (content) VALUES ('one'), ('two')`)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	s := start(t, serve.Settings{DataDir: folder})
	ann := rawclient.Connect(t, s.url, nil)
	hear(t, ann, 1, "one", "two")
	say(t, ann, "three")
	hear(t, ann, 3, "three")
	if _, err := s.chat.db.Exec("INSERT INTO messages (content) VALUES ('four')"); err != nil {
		t.Fatal(err)
	}
	say(t, ann, "five")
	hear(t, ann, 4, "four", "five")
	if _, err := s.chat.db.Exec("DELETE FROM messages; DELETE FROM sqlite_sequence; INSERT INTO messages (content) VALUES ('another')"); err != nil {
		t.Fatal(err)
	}
	if err := ann.Emit("chat message", "six", "key"); err != nil {
		t.Fatal(err)
	}
	ann.Ended()
	hear(t, rawclient.Connect(t, s.url, nil), 1, "another", "six")
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

// The server starts on a log that another program has locked: it is the page that waits.
func TestTheServerStartsOnALockedDatabase(t *testing.T) {
	folder := t.TempDir()
	s := start(t, serve.Settings{DataDir: folder})
	say(t, rawclient.Connect(t, s.url, nil), "one")
	s.stop()
	db, err := sql.Open("sqlite3", filepath.Join(folder, "chat.db")+"?_txlock=exclusive")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	transaction, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer transaction.Rollback()
	s = start(t, serve.Settings{DataDir: folder})
	hear(t, rawclient.Connect(t, s.url, nil), 1, "one")
}
