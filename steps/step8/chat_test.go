package step8

import (
	"fmt"
	"strings"
	"testing"
	"time"

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

func TestServerDelivery(t *testing.T) { chattest.ServerDelivery(t, New) }

func TestClientDelivery(t *testing.T) { chattest.ClientDelivery(t, New) }

func TestInvalidKeyIsRefused(t *testing.T) {
	s := start(t, serve.Settings{})
	ann := rawclient.Connect(t, s.URL, nil)
	for _, key := range []any{"", nil, 7, true, []any{"a"}, map[string]any{"a": 1}, strings.Repeat("x", serve.MaxKey+1), strings.Repeat("한", serve.MaxKey/3+1)} {
		answer, err := ann.Ask("chat message", "text", key)
		if err != nil {
			t.Fatal(err)
		}
		if reason, _ := answer["error"].(string); !strings.Contains(reason, "256") || answer["offset"] != nil {
			t.Errorf("the acknowledgement with the key %.60v is %v, want an error with the maximum length", key, answer)
		}
	}
	for _, key := range []string{"k", strings.Repeat("x", serve.MaxKey), "'); DROP TABLE messages; --", "a\x00b", "a\x00c"} {
		if answer, err := ann.Ask("chat message", "text", key); err != nil || answer["error"] != nil {
			t.Errorf("the acknowledgement with the key %.60q is %v, %v", key, answer, err)
		}
	}
	if got := s.Stored(t); len(got) != 5 {
		t.Errorf("stored are %q, want the five with valid keys", got)
	}
}

// Without the lock, a page could join between the INSERT of a message and its emit.
func TestStoringAndJoiningWaitForTheLock(t *testing.T) {
	s := start(t, serve.Settings{})
	ann := rawclient.Connect(t, s.URL, nil)
	chattest.Send(t, ann, "before")
	chattest.Receive(t, ann, 1, "before")

	s.chat.order.Lock()
	bob := rawclient.Connect(t, s.URL, nil)
	chattest.Receive(t, bob, 1, "before") // now bob waits for the lock
	answers := make(chan string, 2)
	go func() {
		_, err := bob.Ask("chat message", 7) // bob's events wait until he has joined
		answers <- fmt.Sprint("bob has joined ", err)
	}()
	go func() {
		_, err := ann.Ask("chat message", "after", "key")
		answers <- fmt.Sprint("ann's message is stored ", err)
	}()
	waiting := 2
	select {
	case what := <-answers:
		waiting--
		t.Error(what, " while the lock is held")
	case <-time.After(200 * time.Millisecond): // nothing may happen
	}
	// The holder of the lock stores and emits a message before bob joins.
	if _, err := s.chat.db.Exec("INSERT INTO messages (content, client_offset) VALUES ('meanwhile', 'another')"); err != nil {
		t.Error(err)
	}
	if err := s.chat.publish(); err != nil {
		t.Error(err)
	}
	s.chat.order.Unlock()
	for range waiting {
		<-answers
	}
	for _, page := range []*rawclient.Client{ann, bob} {
		chattest.Receive(t, page, 2, "meanwhile", "after")
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	chattest.CloseEndsEverything(t, New, func(s *chattest.Server) error {
		_, err := s.Closer.(*chat).storeAndEmit("too late", "key")
		return err
	})
}

func TestUnusableFolderIsAnErrorOfOneLine(t *testing.T) { chattest.UnusableFolders(t, New) }
