// Package chattest contains the shared parts of the steps' own tests: a step on loopback,
// the messages that its clients send and expect, and the tests of a promise that several
// steps make.
//
// Read [Start] and [Send] first, then [ServerDelivery], which is the promise of steps 7, 8
// and 10, and [ClientDelivery], that of steps 8 and 10. A step's own tests are about what
// only that step does.
//
// chattest must not import a step: a test passes the step's New.
package chattest

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
)

// New makes the server of a step.
type New func(serve.Settings) (http.Handler, io.Closer, error)

// A Server is a step on loopback.
type Server struct {
	URL    string
	Folder string    // the folder of its database
	Closer io.Closer // the one that New returned
	Stop   func()
}

// Start serves a step until Stop is called or the test ends. If DataDir is empty, the step
// gets a new folder.
func Start(t *testing.T, step New, settings serve.Settings) *Server {
	t.Helper()
	if settings.DataDir == "" {
		settings.DataDir = t.TempDir()
	}
	handler, closer, err := step(settings)
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
	return &Server{server.URL, settings.DataDir, closer, stop}
}

// Stored returns the messages in the database file.
func (s *Server) Stored(t *testing.T) []string {
	t.Helper()
	return Stored(t, s.Folder)
}

// Stored returns the messages in a folder's database.
func Stored(t *testing.T, folder string) (texts []string) {
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
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return texts
}

// Lock locks the database in a folder, as another program could.
func Lock(t *testing.T, folder string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(folder, "chat.db")+"?_txlock=exclusive&_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	transaction, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if err := errors.Join(transaction.Rollback(), db.Close()); err != nil {
			t.Error(err)
		}
	})
}

// Slow skips a test of more than a second under -short, which the mutants meet first.
func Slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("slow")
	}
}

// Quiet discards the server's log until the test ends.
func Quiet(t *testing.T) {
	log.SetOutput(io.Discard)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
}

// Offset returns the auth payload of a page that has shown the messages up to n.
func Offset(n any) map[string]any { return map[string]any{"serverOffset": n} }

// Send sends texts, each with its own idempotency key, and waits for each acknowledgement.
func Send(t *testing.T, client *rawclient.Client, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := send(client, text, "key of "+rand.Text()); err != nil {
			t.Fatal(err)
		}
	}
}

func send(client *rawclient.Client, text, key string) error {
	answer, err := client.Ask("chat message", text, key)
	if err != nil || answer["error"] != nil {
		return fmt.Errorf("%.80q is answered by %v, %v", text, answer, err)
	}
	return nil
}

// Receive expects these texts in this order, with consecutive ids from first on.
func Receive(t *testing.T, client *rawclient.Client, first int, texts ...string) {
	t.Helper()
	for i, text := range texts {
		got := client.Next()
		if got.Name != "chat message" || len(got.Args) < 2 || got.Args[0] != text || got.Args[1] != float64(first+i) {
			t.Fatalf("received %.200v, want %.80q with id %d", got, text, first+i)
		}
	}
}

// ReceiveAfter expects these texts in this order, with increasing ids greater than after. (A
// retry leaves a gap, because SQLite increments the id before it detects the conflict.)
func ReceiveAfter(client *rawclient.Client, after float64, texts ...string) error {
	for _, text := range texts {
		got, err := client.Await()
		if err != nil {
			return err
		}
		if got.Name != "chat message" || len(got.Args) < 2 || got.Args[0] != text || got.Args[1].(float64) <= after {
			return fmt.Errorf("received %.200v after id %v, want %.80q", got, after, text)
		}
		after = got.Args[1].(float64)
	}
	return nil
}

// follow expects the ids from after+1 to last, each once and in order. If repeats is set, it
// also allows duplicates, which a page drops because their ids are not newer.
func follow(client *rawclient.Client, after, last int, repeats bool) error {
	for after < last {
		got, err := client.Await()
		if err != nil {
			return fmt.Errorf("after %d: %w", after, err)
		}
		if got.Name != "chat message" || len(got.Args) < 2 {
			return fmt.Errorf("after %d came %+v", after, got)
		}
		id, _ := got.Args[1].(float64)
		if repeats && int(id) <= after {
			continue
		}
		if after++; id != float64(after) {
			return fmt.Errorf("received %+v, want id %d", got, after)
		}
	}
	return nil
}
