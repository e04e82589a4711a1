package step8

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"redial/steps/internal/chattest"
	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
)

// While SQLite is unavailable, a message is not acknowledged and the sender gets the reason.
// After that, a retry is stored and emitted once.
func TestDatabaseUnavailable(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		disable      func(t *testing.T, s running) (enable func())
	}{
		{"busy", "locked", func(t *testing.T, s running) func() { return chattest.Lock(t, s.Folder) }},
		{"full", "full", func(t *testing.T, s running) func() {
			pages := pragma(t, s, "page_count")
			pragma(t, s, fmt.Sprint("max_page_count = ", pages))
			return func() { pragma(t, s, "max_page_count = 1000000") }
		}},
		{"read-only", "readonly", func(t *testing.T, s running) func() {
			pragma(t, s, "query_only = 1")
			return func() { pragma(t, s, "query_only = 0") }
		}},
		{"no table", "no such table", func(t *testing.T, s running) func() {
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
			chattest.Quiet(t)
			s := start(t, serve.Settings{})
			// A pragma is valid for one connection.
			s.chat.db.SetMaxOpenConns(1)
			ann, bob := rawclient.Connect(t, s.URL, chattest.Offset(0)), rawclient.Connect(t, s.URL, chattest.Offset(0))
			long := strings.Repeat("x", 40_000) // does not fit into the rest of a database page
			chattest.Send(t, ann, "before")
			chattest.Receive(t, ann, 1, "before")
			chattest.Receive(t, bob, 1, "before")

			enable := c.disable(t, s)
			for attempt := range 3 {
				if err := ann.Write(fmt.Sprintf(`42%d["chat message",%q,"key"]`, 100+attempt, long)); err != nil {
					t.Fatal(err)
				}
				got := ann.Next() // Ask below fails if an acknowledgement was sent
				reason, _ := got.Args[0].(string)
				if got.Name != "unavailable" || !strings.Contains(reason, c.reason) || strings.Contains(reason, "\n") {
					t.Fatalf("after attempt %d came %.200v, want unavailable, one line with %q", attempt, got, c.reason)
				}
			}
			// A message without a key may have been stored too.
			if err := ann.Emit("chat message", long); err != nil {
				t.Fatal(err)
			}
			if got := ann.Next(); got.Name != "unavailable" {
				t.Fatalf("without a key came %.200v, want unavailable", got)
			}
			enable()

			if answer, err := ann.Ask("chat message", long, "key"); err != nil || answer["offset"] == nil {
				t.Fatalf("the acknowledgement of the retry is %v, %v", answer, err)
			}
			chattest.Send(t, bob, "after")
			for _, page := range []*rawclient.Client{ann, bob, rawclient.Connect(t, s.URL, chattest.Offset(1))} {
				for _, want := range []string{long, "after"} {
					if got := page.Next(); got.Name != "chat message" || got.Args[0] != want {
						t.Fatalf("received %.200v, want %.20q", got, want)
					}
				}
			}
			if got := s.Stored(t); len(got) != 3 {
				t.Errorf("%d messages are stored, want three", len(got))
			}
		})
	}
}

// pragma runs a pragma on the server's only connection.
func pragma(t *testing.T, s running, text string) (value int) {
	t.Helper()
	err := s.chat.db.QueryRow("PRAGMA " + text).Scan(&value)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
	return value
}

// While messages wait for a locked database, other pages can connect and read.
func TestLockedDatabaseDelaysNoOtherPage(t *testing.T) {
	chattest.Quiet(t)
	s := start(t, serve.Settings{})
	ann := rawclient.Connect(t, s.URL, nil)
	chattest.Send(t, ann, "before")
	unlock := chattest.Lock(t, s.Folder)
	began := time.Now()
	const writers = 10
	for n := range writers {
		if err := ann.Emit("chat message", "while it is locked", fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
	chattest.Receive(t, rawclient.Connect(t, s.URL, nil), 1, "before")
	// The page may wait behind all ten, each with the busy timeout of 100 ms. With the
	// usual one of 5 s they would take 50 s.
	if took := time.Since(began); took > writers*3*time.Second {
		t.Errorf("a page that connects meanwhile waited %v", took)
	}
	unlock()
}

// An INSERT that reports an error may be committed. Its message is emitted, and a retry is
// acknowledged without a write and without another emit.
func TestInsertThatIsCommittedAndReportsAnError(t *testing.T) {
	chattest.Quiet(t)
	s := start(t, serve.Settings{Driver: chattest.FaultyDriver})
	ann, bob := rawclient.Connect(t, s.URL, nil), rawclient.Connect(t, s.URL, nil)
	chattest.OnExec(t, func(string) error { return chattest.ErrDisk })
	if err := ann.Emit("chat message", "one", "key"); err != nil {
		t.Fatal(err)
	}
	chattest.Receive(t, ann, 1, "one")
	if got := ann.Next(); got.Name != "unavailable" {
		t.Fatalf("after the first attempt came %v, want unavailable", got)
	}
	chattest.Receive(t, bob, 1, "one")
	if answer, err := ann.Ask("chat message", "one", "key"); err != nil || answer["offset"] != float64(1) {
		t.Errorf("the acknowledgement of the retry is %v, %v, want offset 1", answer, err)
	}
	chattest.OnExec(t, func(string) error { return nil })
	chattest.Send(t, bob, "two")
	if err := errors.Join(chattest.ReceiveAfter(ann, 1, "two"), chattest.ReceiveAfter(bob, 1, "two")); err != nil {
		t.Error(err)
	}
}

// A message that was stored and not emitted is emitted when the next page joins, which receives
// it once.
func TestStoredMessageIsEmittedWhenAPageJoins(t *testing.T) {
	s := start(t, serve.Settings{})
	ann := rawclient.Connect(t, s.URL, nil)
	chattest.Send(t, ann, "one")
	chattest.Receive(t, ann, 1, "one")
	if _, err := s.chat.db.Exec("INSERT INTO messages (content, client_offset) VALUES ('two', 'key')"); err != nil {
		t.Fatal(err)
	}
	bob := rawclient.Connect(t, s.URL, chattest.Offset(1))
	chattest.Receive(t, bob, 2, "two")
	chattest.Receive(t, ann, 2, "two")
	if answer, err := ann.Ask("chat message", "two", "key"); err != nil || answer["offset"] != float64(2) {
		t.Errorf("the acknowledgement of the retry is %v, %v, want offset 2", answer, err)
	}
	chattest.Send(t, ann, "three")
	if err := errors.Join(chattest.ReceiveAfter(ann, 2, "three"), chattest.ReceiveAfter(bob, 2, "three")); err != nil {
		t.Error(err)
	}
}
