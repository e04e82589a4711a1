package chattest

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
)

// FailedQueries tests that a page is disconnected, and receives nothing, when one of the
// queries of its replay fails: then it reconnects and asks again. The log has these texts, and
// the page's offset is their number, so that the replay is empty.
func FailedQueries(t *testing.T, step New, queries int, texts ...string) {
	Quiet(t)
	s := Start(t, step, serve.Settings{Driver: FaultyDriver})
	ann := rawclient.Connect(t, s.URL, nil)
	Send(t, ann, texts...)
	hasJoined(t, ann)
	Receive(t, ann, 1, texts...)
	for n := 1; n <= queries; n++ {
		for _, atRow := range []bool{false, true} {
			failQuery(t, n, atRow)
			Disconnects(t, s, Offset(len(texts)))
		}
	}
	Send(t, ann, "after")
	Receive(t, ann, len(texts)+1, "after")
}

// hasJoined returns when the page's replay is complete: its events wait until then.
func hasJoined(t *testing.T, page *rawclient.Client) {
	t.Helper()
	if _, err := page.Ask("chat message", 7); err != nil {
		t.Fatal(err)
	}
}

// Disconnects expects that the server disconnects a page with this auth, and sends it no event
// before. The page may not even have received the answer to its connect packet.
func Disconnects(t *testing.T, s *Server, auth any) {
	t.Helper()
	if page, err := rawclient.Dial(t, s.URL, auth); err == nil {
		Ends(t, page)
	}
}

// Ends expects that the server closes the connection, and sends no event before.
func Ends(t *testing.T, page *rawclient.Client) {
	t.Helper()
	select {
	case event, open := <-page.Events:
		if open {
			t.Errorf("received %.200v, want the end of the connection", event)
		}
	case <-time.After(rawclient.Timeout):
		t.Errorf("the connection is open after %v", rawclient.Timeout)
	}
}

// FailedStart tests that New reports a failed query, and leaves no open database.
func FailedStart(t *testing.T, step New) {
	folder := t.TempDir()
	for _, fault := range []error{ErrDisk, failAtRow{ErrDisk}} {
		OnQuery(t, func(string) error { return fault })
		if _, _, err := step(serve.Settings{DataDir: folder, Driver: FaultyDriver}); err == nil {
			t.Error("New reports no error")
		}
		isClosed(t, folder)
	}
}

// isClosed tests that no connection to the database is open. The last one that is closed
// deletes the write-ahead log.
func isClosed(t *testing.T, folder string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(folder, "chat.db-wal")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a connection to the database is open after Close (%v)", err)
	}
}

// The parts of this replay end exactly at the limit of 256 KB. Nothing may be left out where one
// part ends and the next begins.
func parts(t *testing.T, step New) {
	s := Start(t, step, serve.Settings{})
	ann, text := rawclient.Connect(t, s.URL, Offset(0)), strings.Repeat("x", 32<<10)
	const messages = 2*8 + 1
	for range messages {
		Send(t, ann, text)
	}
	bob := rawclient.Connect(t, s.URL, Offset(0))
	for n := range messages {
		Receive(t, bob, n+1, text)
	}
	s.Stop()
	isClosed(t, s.Folder)
}

// A row that cannot be read is neither sent nor skipped. It is older than the server, which
// otherwise would read it once more as a new message.
func unreadable(t *testing.T, step New) {
	Quiet(t)
	s := Start(t, step, serve.Settings{})
	Send(t, rawclient.Connect(t, s.URL, nil), "one")
	s.Stop()
	Execute(t, s.Folder, "INSERT INTO messages (content) VALUES (NULL), ('three')")
	s = Start(t, step, serve.Settings{DataDir: s.Folder})
	Disconnects(t, s, Offset(1))
	Execute(t, s.Folder, "DELETE FROM messages WHERE content IS NULL")
	Receive(t, rawclient.Connect(t, s.URL, Offset(1)), 3, "three")
	s.Stop()
	isClosed(t, s.Folder)
}

// Execute changes the database as another program could.
func Execute(t *testing.T, folder, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(folder, "chat.db")+"?_busy_timeout=5000")
	if err == nil {
		_, err = db.Exec(statement)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// While one of the queries for a message fails, the message is not acknowledged. It is stored
// and emitted once.
func failedQueriesOfAMessage(t *testing.T, step New) {
	Quiet(t)
	s := Start(t, step, serve.Settings{Driver: FaultyDriver})
	ann := rawclient.Connect(t, s.URL, nil)
	hasJoined(t, ann)
	emitted := 0
	for n := 1; n <= 3; n++ {
		for _, atRow := range []bool{false, true} {
			failQuery(t, n, atRow)
			if err := ann.Write(`42100["chat message","one","key"]`); err != nil {
				t.Fatal(err)
			}
			got := ann.Next()
			for ; got.Name == "chat message"; got = ann.Next() {
				emitted++
			}
			if got.Name != "unavailable" {
				t.Fatalf("received %.200v where query %d fails, want unavailable", got, n)
			}
		}
	}
	if err := send(ann, "one", "key"); err != nil {
		t.Error(err)
	}
	if stored := len(s.Stored(t)); emitted != 1 || stored != 1 {
		t.Errorf("the message was emitted %d times and stored %d times, want once", emitted, stored)
	}
	// A row that cannot be read is before the message in the log.
	Execute(t, s.Folder, "INSERT INTO messages (content) VALUES (NULL)")
	IsUnavailable(t, ann, `42101["chat message","two","key 2"]`)
	Execute(t, s.Folder, "DELETE FROM messages WHERE content IS NULL")
	if err := send(ann, "two", "key 2"); err != nil {
		t.Error(err)
	}
	s.Stop()
	isClosed(t, s.Folder)
}

// IsUnavailable sends a message, and expects "unavailable" and no other event.
func IsUnavailable(t *testing.T, client *rawclient.Client, packet string) {
	t.Helper()
	if err := client.Write(packet); err != nil {
		t.Fatal(err)
	}
	if got := client.Next(); got.Name != "unavailable" {
		t.Fatalf("received %.200v, want unavailable", got)
	}
}
