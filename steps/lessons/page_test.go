package lessons

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"redial/harness/client/page"
	"redial/harness/history"
	"redial/steps/internal/chattest"
	"redial/steps/internal/rawclient"
)

// The page of step 8 keeps what it said while the database is unavailable, and everybody
// sees it once, in the order in which it was written.
func TestStep8KeepsWhatCannotBeStored(t *testing.T) {
	s := serveStep(t, "8")
	alice := s.open("alice")
	s.open("bob")
	s.must(alice.Send("before"))
	s.shows("bob", "before")
	s.acknowledged("before")

	unlock := chattest.Lock(t, s.folder)
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
	unlock := chattest.Lock(t, s.folder)
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
	unlock := chattest.Lock(t, s.folder)
	defer unlock()
	s.must(alice.Send("one"))
	s.must(tab.Send("two"))
	s.must(alice.Send("three"))
	s.must(alice.Close())
	unlock()
	s.shows("bob", "one", "two", "three")
	s.shows("her other tab", "one", "two", "three")
	s.acknowledged("three")

	unlock = chattest.Lock(t, s.folder)
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
					defer chattest.Lock(t, s.folder)()
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
