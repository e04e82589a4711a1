package lessons

import (
	"context"
	"database/sql"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"redial/harness/client"
	"redial/harness/history"
)

// A site is a step on loopback, and the pages in front of it: the step's own page and
// the official client, in the harness's JavaScript VM.
type site struct {
	t      *testing.T
	url    string
	folder string

	mu     sync.Mutex
	events []history.Event
	// changed is closed when there is a new event.
	changed chan struct{}
}

func serveStep(t *testing.T, number string) *site {
	t.Helper()
	if _, err := Bundle(); err != nil {
		t.Skip(err)
	}
	lesson, err := Find(number)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, folder: t.TempDir(), changed: make(chan struct{})}
	handler, closer, err := Handler(lesson, Settings{DataDir: s.folder})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	s.url = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections()
		if err := closer.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return s
}

// open opens a page in a browser of its own.
func (s *site) open(name string) *client.Page { return s.openTab(name, client.NewProfile()) }

// openTab opens a page as one more tab of a browser.
func (s *site) openTab(name string, browser *client.Profile) *client.Page {
	s.t.Helper()
	page := client.NewPage(client.Options{Name: name, URL: s.url, Profile: browser, Record: s.record})
	s.t.Cleanup(func() { _ = page.Close() })
	s.must(page.Open(context.Background()))
	s.until(name+" is connected", func() bool { return page.Status().Connected })
	return page
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) record(e history.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	close(s.changed)
	s.changed = make(chan struct{})
}

// until waits for a condition, which is looked at after each event.
func (s *site) until(what string, holds func() bool) {
	s.t.Helper()
	timeout := time.After(patience)
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			s.t.Fatalf("not within %v: %s; what happened: %s", patience, what, s.story())
		}
	}
}

func (s *site) story() (text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		text += fmt.Sprintf("\n%s/%d %s %q %s", e.Client, e.View, e.Kind, e.Message, e.Detail)
	}
	return text
}

// texts are the messages of the events of a kind, of the client's latest view.
func (s *site) texts(name string, kind history.Kind) (texts []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	view := 0
	for _, e := range s.events {
		if e.Client == name && e.View > view {
			view, texts = e.View, nil
		}
		if e.Client == name && e.Kind == kind {
			texts = append(texts, e.Message)
		}
	}
	return texts
}

// acknowledged waits until the message was acknowledged to the client, in any view.
func (s *site) acknowledged(name, text string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%q is acknowledged to %s", text, name), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.ContainsFunc(s.events, func(e history.Event) bool {
			return e.Client == name && e.Kind == history.Acknowledged && e.Message == text
		})
	})
}

// shows waits until the client's page shows these messages and no others.
func (s *site) shows(name string, texts ...string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%s shows %q", name, texts), func() bool { return slices.Equal(s.texts(name, history.Shown), texts) })
}

// stored is the log.
func (s *site) stored() (texts []string) {
	s.t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(s.folder, "chat.db"))
	s.must(err)
	defer db.Close()
	rows, err := db.Query("SELECT content FROM messages ORDER BY id")
	s.must(err)
	defer rows.Close()
	for rows.Next() {
		var text string
		s.must(rows.Scan(&text))
		texts = append(texts, text)
	}
	s.must(rows.Err())
	return texts
}

// lockDatabase takes the database in the folder away, as another program would.
func lockDatabase(t *testing.T, folder string) (unlock func()) {
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
		if err := transaction.Rollback(); err != nil {
			t.Error(err)
		}
		_ = db.Close()
	})
}

// The page of step 8 keeps what it said while the database is away, and everybody
// sees it once, in the order in which it was written.
func TestStep8KeepsWhatCannotBeStored(t *testing.T) {
	s := serveStep(t, "8")
	alice := s.open("alice")
	s.open("bob")
	s.must(alice.Say("before"))
	s.shows("bob", "before")
	s.acknowledged("alice", "before")

	unlock := lockDatabase(t, s.folder)
	defer unlock()
	s.must(alice.Say("one"))
	s.must(alice.Say("two"))
	// The first try is over, and was answered by nothing, when the page tries again;
	// it has to go on for longer than that.
	time.Sleep(4 * time.Second)
	if pending := alice.Status().Pending; pending != 2 {
		t.Errorf("%d messages are pending while the database is locked, want 2", pending)
	}
	unlock()
	s.acknowledged("alice", "one")
	s.acknowledged("alice", "two")
	s.must(alice.Say("after"))
	s.acknowledged("alice", "after")
	s.shows("alice", "before", "one", "two", "after")
	s.shows("bob", "before", "one", "two", "after")
	if got := s.stored(); !slices.Equal(got, []string{"before", "one", "two", "after"}) {
		t.Errorf("stored are %q", got)
	}
}
