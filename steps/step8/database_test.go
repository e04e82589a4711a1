package step8

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"redial/steps/internal/chattest"
	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
)

// Each way in which a real SQLite can be away: the message is not acknowledged, the
// sender is told, and when it ends the repeat is stored and shown once.
func TestADatabaseThatIsAway(t *testing.T) {
	for _, c := range []struct {
		name, says string
		away       func(t *testing.T, s running) (back func())
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
		{"gone", "no such table", func(t *testing.T, s running) func() {
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
			// One connection, so that what is set on it holds for every statement.
			s.chat.db.SetMaxOpenConns(1)
			ann, bob := rawclient.Connect(t, s.URL, chattest.Offset(0)), rawclient.Connect(t, s.URL, chattest.Offset(0))
			long := strings.Repeat("x", 40_000) // does not fit into what is left of a page
			chattest.Send(t, ann, "before")
			chattest.Receive(t, ann, 1, "before")
			chattest.Receive(t, bob, 1, "before")

			back := c.away(t, s)
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

// pragma runs one on the server's only connection.
func pragma(t *testing.T, s running, text string) (value int) {
	t.Helper()
	err := s.chat.db.QueryRow("PRAGMA " + text).Scan(&value)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
	return value
}

// While one waits for a locked database, the others do not wait for long: they can
// read, connect and be told.
func TestALockedDatabaseStallsNobody(t *testing.T) {
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
	chattest.Quiet(t)
	defer reportErrors.Store(false)
	s := start(t, serve.Settings{Driver: trouble})
	ann, bob := rawclient.Connect(t, s.URL, nil), rawclient.Connect(t, s.URL, nil)
	reportErrors.Store(true)
	if err := ann.Emit("chat message", "one", "key"); err != nil {
		t.Fatal(err)
	}
	chattest.Receive(t, ann, 1, "one")
	if got := ann.Next(); got.Name != "unavailable" {
		t.Fatalf("the first try is answered by %v, want unavailable", got)
	}
	chattest.Receive(t, bob, 1, "one")
	if answer, err := ann.Ask("chat message", "one", "key"); err != nil || answer["offset"] != float64(1) {
		t.Errorf("the repeat is answered by %v, %v, want offset 1", answer, err)
	}
	reportErrors.Store(false)
	chattest.Send(t, bob, "two")
	if err := errors.Join(chattest.ReceiveAfter(ann, 1, "two"), chattest.ReceiveAfter(bob, 1, "two")); err != nil {
		t.Error(err)
	}
}

// A message that was stored and that nobody was sent, because the server could not
// read it again, is sent with whatever comes next: a page that joins, too, and that
// page gets it once.
func TestWhatWasStoredAndNotEmittedIsEmittedLater(t *testing.T) {
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
		t.Errorf("the repeat is answered by %v, %v, want offset 2", answer, err)
	}
	chattest.Send(t, ann, "three")
	if err := errors.Join(chattest.ReceiveAfter(ann, 2, "three"), chattest.ReceiveAfter(bob, 2, "three")); err != nil {
		t.Error(err)
	}
}
