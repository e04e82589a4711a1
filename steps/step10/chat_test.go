package step10

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/steps/internal/chattest"
	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
)

type running struct {
	*chattest.Server
	chat *chat
}

func start(t *testing.T, settings serve.Settings) running {
	t.Helper()
	s := chattest.Start(t, New, settings)
	return running{s, s.Closer.(*chat)}
}

// authOf returns the auth of a page that has shown the message last.
func authOf(event rawclient.Event) map[string]any {
	return map[string]any{"serverOffset": event.Args[1], "fingerprint": event.Args[2]}
}

func TestPageWithAnotherFingerprintGetsTheWholeLog(t *testing.T) {
	s := start(t, serve.Settings{})
	ann := rawclient.Connect(t, s.URL, nil)
	chattest.Send(t, ann, "one", "two")
	one, two := ann.Next(), ann.Next()
	// The fingerprint depends on the key too.
	sameText := fingerprint("another key", "one")
	for name, auth := range map[string]any{
		"another fingerprint":                map[string]any{"serverOffset": 1, "fingerprint": sameText},
		"the fingerprint of another message": map[string]any{"serverOffset": 1, "fingerprint": two.Args[2]},
		"a fingerprint that is no text":      map[string]any{"serverOffset": 1, "fingerprint": map[string]any{"a": 1}},
		"an id that the log does not have":   map[string]any{"serverOffset": 7, "fingerprint": one.Args[2]},
	} {
		page := rawclient.Connect(t, s.URL, auth)
		chattest.BeginsAgain(t, page, name)
		chattest.Receive(t, page, 1, "one", "two")
		page.Close()
	}
	// A new page, a page of this log, and a page that sends no fingerprint.
	chattest.Receive(t, rawclient.Connect(t, s.URL, map[string]any{"other": 1}), 1, "one", "two")
	chattest.Receive(t, rawclient.Connect(t, s.URL, chattest.Offset(0)), 1, "one", "two")
	chattest.Receive(t, rawclient.Connect(t, s.URL, authOf(one)), 2, "two")
	chattest.Receive(t, rawclient.Connect(t, s.URL, chattest.Offset(1)), 2, "two")
	up := rawclient.Connect(t, s.URL, authOf(two))
	chattest.Send(t, ann, "three")
	chattest.Receive(t, up, 3, "three")
}

// The database is deleted or replaced by an older copy while the server is stopped, and then
// grows past the page's offset. The id alone would not show that it is another log.
func TestPageOfAReplacedDatabaseGetsTheWholeLog(t *testing.T) {
	live, copied := t.TempDir(), t.TempDir()
	s := start(t, serve.Settings{DataDir: live})
	ann := rawclient.Connect(t, s.URL, nil)
	chattest.Send(t, ann, "one")
	one := ann.Next()
	s.Stop()
	if err := os.CopyFS(copied, os.DirFS(live)); err != nil {
		t.Fatal(err)
	}
	s = start(t, serve.Settings{DataDir: live})
	ann = rawclient.Connect(t, s.URL, authOf(one))
	chattest.Send(t, ann, "two", "three")
	_, three := ann.Next(), ann.Next()
	s.Stop()

	for name, c := range map[string]struct {
		folder string
		want   []string
	}{
		"an older copy": {copied, []string{"one", "other two", "other three", "other four"}},
		"a new one":     {t.TempDir(), []string{"new one", "new two", "new three", "new four"}},
		"the same":      {live, nil},
	} {
		s = start(t, serve.Settings{DataDir: c.folder})
		writer := rawclient.Connect(t, s.URL, nil)
		chattest.Send(t, writer, c.want[len(s.Stored(t))%max(1, len(c.want)):]...)
		back := rawclient.Connect(t, s.URL, authOf(three))
		if c.want != nil {
			chattest.BeginsAgain(t, back, name+": a page of the other log")
			chattest.Receive(t, back, 1, c.want...)
		}
		chattest.Send(t, writer, "the end")
		if got := back.Next(); got.Name != "chat message" || got.Args[0] != "the end" {
			t.Errorf("%s: then came %+v, want only the end", name, got)
		}
		s.Stop()
	}
}

// reconnect recovers the session of a page that has shown the messages up to last.
func (s running) reconnect(t *testing.T, page *rawclient.Client, last rawclient.Event) *rawclient.Client {
	t.Helper()
	auth := authOf(last)
	auth["pid"], auth["offset"] = page.Pid, last.Args[3]
	back := rawclient.Connect(t, s.URL, auth)
	if back.Sid != page.Sid {
		t.Error("the session is not recovered, so this test cannot fail")
	}
	return back
}

// The first message after the log was replaced closes every connection. Each page then gets the
// whole log, even if its session is recovered.
func TestLogReplacedWhileTheServerRuns(t *testing.T) {
	for name, change := range map[string]string{
		"deleted": "DELETE FROM messages; DELETE FROM sqlite_sequence",
		"an older copy": `DELETE FROM messages WHERE id > 1; UPDATE sqlite_sequence SET seq = 1;
			INSERT INTO messages (content, client_offset) VALUES ('another two', 'a'), ('another three', 'b'), ('another four', 'c')`,
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, serve.Settings{})
			ann, bob := rawclient.Connect(t, s.URL, nil), rawclient.Connect(t, s.URL, nil)
			chattest.Send(t, ann, "one", "two")
			chattest.Send(t, bob, "three") // waits until bob has joined the room
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
			back := s.reconnect(t, bob, last)
			chattest.BeginsAgain(t, back, "bob")
			chattest.Receive(t, back, 1, s.Stored(t)...)
			chattest.Send(t, back, "the end")
			if got := back.Next(); got.Args[0] != "the end" {
				t.Errorf("then came %+v", got)
			}
		})
	}
}

// The first page that connects after the log was emptied closes every connection, and no later one does.
func TestLogEmptiedWhileTheServerRuns(t *testing.T) {
	s := start(t, serve.Settings{})
	ann := rawclient.Connect(t, s.URL, nil)
	chattest.Send(t, ann, "one", "two")
	if _, err := s.chat.db.Exec("DELETE FROM messages; DELETE FROM sqlite_sequence"); err != nil {
		t.Fatal(err)
	}
	if first, err := rawclient.Dial(t, s.URL, nil); err == nil { // otherwise it is closed already
		first.Ended()
	}
	ann.Ended()
	back := rawclient.Connect(t, s.URL, nil)
	chattest.Send(t, back, "new")
	chattest.Receive(t, back, 1, "new")
}

// A recovered page receives the messages that it missed of the old log, although both logs have
// the message at its offset. It then gets the whole new log.
func TestRecoveredPageDropsMessagesOfAReplacedLog(t *testing.T) {
	s := start(t, serve.Settings{})
	ann, bob := rawclient.Connect(t, s.URL, nil), rawclient.Connect(t, s.URL, nil)
	chattest.Send(t, bob, "one") // waits until bob has joined the room
	one := bob.Next()
	bob.Close()
	awaitSockets(t, s, 1)
	chattest.Send(t, ann, "old two", "old three")
	if _, err := s.chat.db.Exec("DELETE FROM messages WHERE id > 1; UPDATE sqlite_sequence SET seq = 1"); err != nil {
		t.Fatal(err)
	}
	if err := ann.Emit("chat message", "new two", "key"); err != nil {
		t.Fatal(err)
	}
	ann.Ended()
	back := s.reconnect(t, bob, one)
	shown := []string{"one"}
	for len(shown) == 0 || shown[len(shown)-1] != "new two" {
		switch got := back.Next(); got.Name {
		case "reset":
			shown = nil
		case "chat message":
			shown = append(shown, got.Args[0].(string))
		}
	}
	if want := s.Stored(t); !slices.Equal(shown, want) {
		t.Errorf("bob's page shows %q, the log has %q", shown, want)
	}
}

// awaitSockets waits until want pages are connected.
func awaitSockets(t *testing.T, s running, want int) {
	t.Helper()
	count := func() (n int) {
		s.chat.server.Sockets().Sockets().Range(func(socket.SocketId, *socket.Socket) bool { n++; return true })
		return n
	}
	for deadline := time.Now().Add(rawclient.Timeout); count() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the server has %d pages, want %d", count(), want)
		}
	}
}

// Step 7 stores messages without a key.
func TestMessagesWithoutAKey(t *testing.T) {
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
	ann := rawclient.Connect(t, s.URL, nil)
	chattest.Receive(t, ann, 1, "one", "two")
	chattest.Send(t, ann, "three")
	chattest.Receive(t, ann, 3, "three")
	if _, err := s.chat.db.Exec("INSERT INTO messages (content) VALUES ('four')"); err != nil {
		t.Fatal(err)
	}
	chattest.Send(t, ann, "five")
	chattest.Receive(t, ann, 4, "four", "five")
	if _, err := s.chat.db.Exec("DELETE FROM messages; DELETE FROM sqlite_sequence; INSERT INTO messages (content) VALUES ('another')"); err != nil {
		t.Fatal(err)
	}
	if err := ann.Emit("chat message", "six", "key"); err != nil {
		t.Fatal(err)
	}
	ann.Ended()
	chattest.Receive(t, rawclient.Connect(t, s.URL, nil), 1, "another", "six")
}

func TestStoringAndJoiningWaitForTheLock(t *testing.T) {
	chattest.WaitForTheLock(t, New, func(s *chattest.Server) chattest.Inside {
		c := s.Closer.(*chat)
		return chattest.Inside{Server: c.server, Order: c.order, Store: func(text string) error {
			_, err := c.db.Exec("INSERT INTO messages (content, client_offset) VALUES (?, ?)", text, text)
			return errors.Join(err, c.publish())
		}}
	})
}

func TestPageIsDisconnectedIfItsReplayFails(t *testing.T) { chattest.FailedQueries(t, New, 4, "one") }

func TestStartReportsAFailedQuery(t *testing.T) { chattest.FailedStart(t, New) }

// A page that is in its replay when the log is replaced would receive a part of each log.
func TestLogReplacedDuringAReplayDisconnectsThePage(t *testing.T) {
	chattest.Quiet(t)
	s := start(t, serve.Settings{})
	ann := rawclient.Connect(t, s.URL, nil)
	chattest.Send(t, ann, "one")
	s.chat.order.Lock()
	bob := rawclient.Connect(t, s.URL, nil)
	chattest.Receive(t, bob, 1, "one") // now bob waits for the lock
	if err := s.chat.startLog(); err != nil {
		t.Error(err)
	}
	s.chat.order.Unlock()
	bob.Ended()
}

// Messages without a key and with the same text have the same fingerprint.
func TestSameTextWithAnotherIDIsAnotherLog(t *testing.T) {
	chattest.Quiet(t)
	s := start(t, serve.Settings{})
	execute := func(statement string) {
		if _, err := s.chat.db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	const insert = "INSERT INTO messages (content) VALUES ('same')"
	execute(insert)
	ann := rawclient.Connect(t, s.URL, nil)
	chattest.Receive(t, ann, 1, "same")
	if _, err := ann.Ask("chat message", 7); err != nil { // when it is answered, the server has emitted the message
		t.Fatal(err)
	}
	execute("DELETE FROM messages; " + insert)
	if err := ann.Emit("chat message", "next", "key"); err != nil {
		t.Fatal(err)
	}
	ann.Ended()
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	chattest.CloseEndsEverything(t, New, func(s *chattest.Server) error {
		_, err := s.Closer.(*chat).storeAndEmit("too late", "key")
		return err
	})
}

func TestUnusableFolderIsAnErrorOfOneLine(t *testing.T) { chattest.UnusableFolders(t, New) }

func TestServerStartsOnALockedDatabase(t *testing.T) {
	s := start(t, serve.Settings{})
	chattest.Send(t, rawclient.Connect(t, s.URL, nil), "one")
	s.Stop()
	defer chattest.Lock(t, s.Folder)()
	s = start(t, serve.Settings{DataDir: s.Folder})
	chattest.Receive(t, rawclient.Connect(t, s.URL, nil), 1, "one")
}

func TestServerDelivery(t *testing.T) { chattest.ServerDelivery(t, New) }

func TestClientDelivery(t *testing.T) { chattest.ClientDelivery(t, New) }
