package lessons

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"redial/harness/client/page"
	"redial/harness/history"
	"redial/harness/lab/race"
	"redial/steps/internal/chattest"
	"redial/steps/internal/rawclient"
)

// While the database is unavailable, the page of step 8 resends its messages. They are stored
// once and in order.
func TestStep8ResendsWhileTheDatabaseIsLocked(t *testing.T) {
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
	// The page resends the message 3 s after an attempt that was not acknowledged.
	time.Sleep(4 * time.Second)
	if texts := s.texts("alice", history.Acknowledged); len(texts) != 1 {
		t.Errorf("%q are acknowledged, and the database is locked since the first", texts)
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

func TestStep10DeliversPendingMessagesAfterARefresh(t *testing.T) {
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

// Another tab delivers the messages of a closed tab. Without one, the next tab that is opened
// delivers them.
func TestStep10DeliversMessagesOfAClosedTab(t *testing.T) {
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

func TestStep10DeliversMessagesOfTwoOfflineTabs(t *testing.T) {
	for name, locks := range map[string]bool{"with locks": true, "without locks": false} {
		t.Run(name, func(t *testing.T) {
			s := serveStep(t, "10")
			device := newDevice()
			if !locks {
				device.html = s.changePage("navigator.locks ?", "false ?")
			}
			tabs := map[string]*page.Page{"alice": s.openTab("alice", device), "her other tab": s.openTab("her other tab", device)}
			s.open("bob")
			device.network(offline)
			var sent []string
			for name, tab := range tabs {
				s.isConnected(name, tab, false)
			}
			for n := range 10 {
				for name, tab := range tabs {
					text := fmt.Sprintf("%s %d", name, n)
					sent = append(sent, text)
					s.must(tab.Send(text))
				}
			}
			device.network(online)
			s.until("bob shows all messages", func() bool { return len(s.texts("bob", history.Shown)) >= len(sent) })
			for name, tab := range tabs {
				s.isConnected(name, tab, true)
				s.must(tab.Send(name + " 10"))
				sent = append(sent, name+" 10")
				s.acknowledged(name + " 10")
			}
			got := chattest.Stored(t, s.folder)
			s.shows("bob", got...)
			if len(got) != len(sent) {
				t.Errorf("%d messages are stored, want %d: %q", len(got), len(sent), got)
			}
			for name := range tabs {
				own := slices.DeleteFunc(slices.Clone(got), func(text string) bool { return !strings.HasPrefix(text, name+" ") })
				for n, text := range own {
					if text != fmt.Sprintf("%s %d", name, n) {
						t.Errorf("the messages of %s are stored in this order: %q", name, own)
						break
					}
				}
			}
		})
	}
}

func TestStep10FullOutboxRefusesMessages(t *testing.T) {
	s := serveStep(t, "10")
	device := newDevice()
	device.html = s.changePage("const maxWaiting = 200;", "const maxWaiting = 20;")
	alice := s.openTab("alice", device)
	device.network(offline)
	s.isConnected("alice", alice, false)
	var accepted []string
	for n := range 23 {
		text := fmt.Sprint("message ", n)
		s.must(alice.Send(text))
		if n < 20 {
			accepted = append(accepted, text)
		}
	}
	device.network(online)
	s.shows("alice", accepted...)
	s.must(alice.Send("there is room again"))
	s.acknowledged("there is room again")
	s.hasStored(append(accepted, "there is room again")...)
}

// The database is deleted while a page is offline, and the new one has grown past the page's
// offset when the page reconnects. In step 8 the page misses messages, and no error is reported.
func TestStep10DetectsANewLog(t *testing.T) {
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
			s.newServer()
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

// A retry of a stored message is acknowledged although the database is locked for writing.
func TestRetryNeedsNoWrite(t *testing.T) {
	for _, number := range []string{"8", "9", "10"} {
		t.Run(number, func(t *testing.T) {
			s := serveStep(t, number)
			ann := rawclient.Connect(t, s.url, nil)
			for attempt := range 2 {
				answer, err := ann.Ask("chat message", "once", "key")
				if err != nil || answer["offset"] != float64(1) {
					t.Fatalf("the acknowledgement of attempt %d is %v, %v, want offset 1", attempt+1, answer, err)
				}
				if attempt == 0 {
					defer chattest.Lock(t, s.folder)()
				}
			}
		})
	}
}

// The parts of a replay of long messages are small enough that the server does not disconnect
// the page.
func TestAHistoryOfLongMessages(t *testing.T) {
	if race.Enabled {
		t.Skip("takes fifteen times as long: make test plays it without the race detector")
	}
	const messages = 60
	for _, number := range []string{"7", "8", "9", "10"} {
		t.Run(number, func(t *testing.T) {
			s := serveStep(t, number)
			ann := rawclient.Connect(t, s.url, nil)
			for range messages {
				chattest.Send(t, ann, strings.Repeat("<", 60_000)) // JSON encodes each in six bytes
			}
			s.open("bob")
			s.until("bob shows all messages", func() bool { return len(s.texts("bob", history.Shown)) == messages })
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
