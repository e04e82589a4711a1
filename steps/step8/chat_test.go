package step8

import (
	"errors"
	"strings"
	"testing"

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

func TestStoringAndJoiningWaitForTheLock(t *testing.T) {
	chattest.WaitForTheLock(t, New, func(s *chattest.Server) chattest.Inside {
		c := s.Closer.(*chat)
		return chattest.Inside{Server: c.server, Order: c.order, Store: func(text string) error {
			_, err := c.db.Exec("INSERT INTO messages (content, client_offset) VALUES (?, ?)", text, text)
			return errors.Join(err, c.publish())
		}}
	})
}

func TestPageIsDisconnectedIfItsReplayFails(t *testing.T) { chattest.FailedQueries(t, New, 4) }

func TestStartReportsAFailedQuery(t *testing.T) { chattest.FailedStart(t, New) }

func TestCloseLeavesNoGoroutine(t *testing.T) {
	chattest.CloseEndsEverything(t, New, func(s *chattest.Server) error {
		_, err := s.Closer.(*chat).storeAndEmit("too late", "key")
		return err
	})
}

func TestUnusableFolderIsAnErrorOfOneLine(t *testing.T) { chattest.UnusableFolders(t, New) }

func TestServerDelivery(t *testing.T) { chattest.ServerDelivery(t, New) }

func TestClientDelivery(t *testing.T) { chattest.ClientDelivery(t, New) }
