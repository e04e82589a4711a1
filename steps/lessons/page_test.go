package lessons

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"redial/harness/client"
	"redial/harness/client/page"
	"redial/harness/history"
	"redial/steps/internal/rawclient"
)

// A site is a step on loopback, and the pages in front of it: the step's own page and
// the official client, in the harness's JavaScript VM.
type site struct {
	t      *testing.T
	url    string
	folder string
	lesson Lesson
	server *httptest.Server
	closer io.Closer

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
	s := &site{t: t, lesson: lesson, changed: make(chan struct{})}
	s.server = httptest.NewUnstartedServer(nil)
	s.begin()
	s.server.Start()
	s.url = s.server.URL
	t.Cleanup(func() {
		if story := s.story(); strings.Contains(story, "uncaught") {
			t.Errorf("a page's script threw: %s", story)
		}
		s.end()
		s.server.Close()
	})
	return s
}

// begin makes the step's server, with an empty folder.
func (s *site) begin() {
	s.t.Helper()
	s.folder = s.t.TempDir()
	handler, closer, err := Handler(s.lesson, Settings{DataDir: s.folder})
	s.must(err)
	s.server.Config.Handler, s.closer = handler, closer
}

func (s *site) end() {
	s.t.Helper()
	s.server.CloseClientConnections()
	s.must(s.closer.Close())
}

// A device has one browser, and one way to the server for all of its tabs.
type device struct {
	profile *page.Profile
	html    []byte

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func newDevice() *device { return &device{profile: page.NewProfile()} }

func (b *device) dial(ctx context.Context, network, address string) (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cut {
		return nil, errors.New("the network is away")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		b.conns = append(b.conns, conn)
	}
	return conn, err
}

// network cuts the browser off, or lets it back.
func (b *device) network(cut bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut = cut
	for _, conn := range b.conns {
		_ = conn.Close()
	}
	b.conns = nil
}

// open opens a page in a browser of its own.
func (s *site) open(name string) *page.Page { return s.openTab(name, newDevice()) }

// openTab opens a page as one more tab of a browser.
func (s *site) openTab(name string, b *device) *page.Page {
	s.t.Helper()
	opened := page.New(client.Options{Name: name, URL: s.url, Dial: b.dial, HTML: b.html, Record: s.record}, b.profile)
	s.t.Cleanup(func() { _ = opened.Close() })
	s.must(opened.Open(context.Background()))
	s.isConnected(name, opened, true)
	return opened
}

func (s *site) isConnected(name string, p *page.Page, want bool) {
	s.t.Helper()
	s.until(fmt.Sprintf("%s is connected: %v", name, want), func() bool { return p.Status().Connected == want })
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

// acknowledged waits until the message was acknowledged, to whichever tab has sent it.
func (s *site) acknowledged(text string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%q is acknowledged", text), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.ContainsFunc(s.events, func(e history.Event) bool {
			return e.Kind == history.Acknowledged && e.Message == text
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

func (s *site) hasStored(texts ...string) {
	s.t.Helper()
	if got := s.stored(); !slices.Equal(got, texts) {
		s.t.Errorf("stored are %q, want %q", got, texts)
	}
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

// The page of step 8 keeps what it said while the database is unavailable, and everybody
// sees it once, in the order in which it was written.
func TestStep8KeepsWhatCannotBeStored(t *testing.T) {
	s := serveStep(t, "8")
	alice := s.open("alice")
	s.open("bob")
	s.must(alice.Send("before"))
	s.shows("bob", "before")
	s.acknowledged("before")

	unlock := lockDatabase(t, s.folder)
	defer unlock()
	s.must(alice.Send("one"))
	s.must(alice.Send("two"))
	// The first try is over, and was answered by nothing, when the page tries again;
	// it has to go on for longer than that.
	time.Sleep(4 * time.Second)
	if pending := alice.Status().Pending; pending != 2 {
		t.Errorf("%d messages are pending while the database is locked, want 2", pending)
	}
	unlock()
	s.acknowledged("one")
	s.acknowledged("two")
	s.must(alice.Send("after"))
	s.acknowledged("after")
	s.shows("alice", "before", "one", "two", "after")
	s.shows("bob", "before", "one", "two", "after")
	s.hasStored("before", "one", "two", "after")
}

// A page of step 10 is refreshed with messages that are not delivered yet.
func TestStep10RefreshWithPendingMessages(t *testing.T) {
	s := serveStep(t, "10")
	alice := s.open("alice")
	s.open("bob")
	unlock := lockDatabase(t, s.folder)
	defer unlock()
	s.must(alice.Send("one"))
	s.must(alice.Send("two"))
	s.must(alice.Refresh(context.Background(), nil))
	s.must(alice.Send("three"))
	s.must(alice.Refresh(context.Background(), nil))
	unlock()
	s.shows("bob", "one", "two", "three")
	s.shows("alice", "one", "two", "three")
	for _, text := range []string{"one", "two", "three"} {
		s.acknowledged(text)
	}
	s.hasStored("one", "two", "three")
}

// A tab is closed with messages that are not delivered yet: another tab delivers them,
// and where there is none, the next one that is opened.
func TestStep10ClosedTab(t *testing.T) {
	s := serveStep(t, "10")
	device := newDevice()
	alice, tab := s.openTab("alice", device), s.openTab("her other tab", device)
	s.open("bob")
	unlock := lockDatabase(t, s.folder)
	defer unlock()
	s.must(alice.Send("one"))
	s.must(tab.Send("two"))
	s.must(alice.Send("three"))
	s.must(alice.Close())
	unlock()
	s.shows("bob", "one", "two", "three")
	s.shows("her other tab", "one", "two", "three")
	s.acknowledged("three")

	unlock = lockDatabase(t, s.folder)
	defer unlock()
	s.must(tab.Send("four"))
	s.must(tab.Close())
	unlock()
	s.must(alice.Open(context.Background()))
	s.shows("bob", "one", "two", "three", "four")
	s.acknowledged("four")
	s.hasStored("one", "two", "three", "four")
}

// Two tabs write offline, with the lock that tabs have in common and without it.
func TestStep10TwoTabsWriteOffline(t *testing.T) {
	for name, locks := range map[string]bool{"with locks": true, "without locks": false} {
		t.Run(name, func(t *testing.T) {
			s := serveStep(t, "10")
			device := newDevice()
			if !locks {
				device.html = bytes.Replace(s.lesson.Page, []byte("navigator.locks ?"), []byte("false ?"), 1)
				if bytes.Equal(device.html, s.lesson.Page) {
					t.Fatal("the page does not ask for navigator.locks")
				}
			}
			tabs := map[string]*page.Page{"alice": s.openTab("alice", device), "her other tab": s.openTab("her other tab", device)}
			s.open("bob")
			device.network(offline)
			var said []string
			for name, tab := range tabs {
				s.isConnected(name, tab, false)
			}
			for n := range 10 {
				for name, tab := range tabs {
					text := fmt.Sprintf("%s %d", name, n)
					said = append(said, text)
					s.must(tab.Send(text))
				}
			}
			device.network(online)
			s.until("bob shows everything", func() bool { return len(s.texts("bob", history.Shown)) >= len(said) })
			for name, tab := range tabs {
				s.isConnected(name, tab, true)
				s.must(tab.Send(name + " 10"))
				said = append(said, name+" 10")
				s.acknowledged(name + " 10")
			}
			got := s.stored()
			s.shows("bob", got...)
			if len(got) != len(said) {
				t.Errorf("%d messages are stored, want %d: %q", len(got), len(said), got)
			}
			for name := range tabs {
				own := slices.DeleteFunc(slices.Clone(got), func(text string) bool { return !strings.HasPrefix(text, name+" ") })
				for n, text := range own {
					if text != fmt.Sprintf("%s %d", name, n) {
						t.Errorf("%s has said in this order: %q", name, own)
						break
					}
				}
			}
		})
	}
}

// The outbox is bounded: what it has no place for is not taken.
func TestStep10OutboxIsBounded(t *testing.T) {
	s := serveStep(t, "10")
	device := newDevice()
	alice := s.openTab("alice", device)
	device.network(offline)
	s.isConnected("alice", alice, false)
	var taken []string
	for n := range 203 {
		text := fmt.Sprint("message ", n)
		s.must(alice.Send(text))
		if n < 200 {
			taken = append(taken, text)
		}
	}
	device.network(online)
	s.shows("alice", taken...)
	s.must(alice.Send("there is room again"))
	s.acknowledged("there is room again")
	s.hasStored(append(taken, "there is room again")...)
}

// The database is deleted while a page keeps its offset, and the new one has grown past
// that offset when the page comes back. Step 8 shows what goes wrong without a word.
func TestStep10NoticesAnotherLog(t *testing.T) {
	for number, want := range map[string][]string{
		"8":  {"old 1", "old 2", "new 3"},
		"10": {"old 1", "old 2", "new 1", "new 2", "new 3"},
	} {
		t.Run(number, func(t *testing.T) {
			s := serveStep(t, number)
			device := newDevice()
			alice, bob := s.openTab("alice", device), s.open("bob")
			for _, text := range []string{"old 1", "old 2"} {
				s.must(bob.Send(text))
				s.acknowledged(text)
			}
			s.shows("alice", "old 1", "old 2")
			device.network(offline)
			s.isConnected("alice", alice, false)
			s.must(bob.Close())

			s.end()
			s.begin()
			carol := s.open("carol")
			for _, text := range []string{"new 1", "new 2", "new 3"} {
				s.must(carol.Send(text))
				s.acknowledged(text)
			}
			device.network(online)
			s.shows("alice", want...)
		})
	}
}

// What is stored already is acknowledged though nothing can be written: a repeat costs a
// slow or locked disk nothing.
func TestARepeatNeedsNoWrite(t *testing.T) {
	for _, number := range []string{"8", "9", "10"} {
		t.Run(number, func(t *testing.T) {
			s := serveStep(t, number)
			ann := rawclient.Connect(t, s.url, nil)
			for try := range 2 {
				answer, err := ann.Ask("chat message", "once", "key")
				if err != nil || answer["offset"] != float64(1) {
					t.Fatalf("try %d is answered by %v, %v, want offset 1", try+1, answer, err)
				}
				if try == 0 {
					defer lockDatabase(t, s.folder)()
				}
			}
		})
	}
}

// A history of long messages is replayed in parts that are not too much for the
// connection; nobody is cut off for what it is sent.
func TestAHistoryOfLongMessages(t *testing.T) {
	if underRace {
		t.Skip("takes fifteen times as long: make test plays it without the race detector")
	}
	const messages = 60
	for _, number := range []string{"7", "8", "9", "10"} {
		t.Run(number, func(t *testing.T) {
			s := serveStep(t, number)
			ann := rawclient.Connect(t, s.url, nil)
			for n := range messages {
				// Six bytes each on the wire.
				if answer, err := ann.Ask("chat message", strings.Repeat("<", 60_000), fmt.Sprint("key ", n)); err != nil || answer["error"] != nil {
					t.Fatal(answer, err)
				}
			}
			s.open("bob")
			s.until("bob shows them all", func() bool { return len(s.texts("bob", history.Shown)) == messages })
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, e := range s.events {
				if e.Kind == history.Disconnected {
					t.Errorf("%s was disconnected: %s", e.Client, e.Detail)
				}
			}
		})
	}
}
