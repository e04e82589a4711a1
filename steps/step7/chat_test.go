package step7

import (
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

func TestPanicOfAHandlerIsRecovered(t *testing.T) {
	s := start(t, serve.Settings{})
	chattest.PanicIsNotTheEnd(t, s.Server, s.chat.server)
}

func TestStoringAndJoiningWaitForTheLock(t *testing.T) {
	chattest.WaitForTheLock(t, New, func(s *chattest.Server) chattest.Inside {
		c := s.Closer.(*chat)
		return chattest.Inside{Server: c.server, Order: c.order, Store: func(text string) error {
			result, err := c.db.Exec("INSERT INTO messages (content) VALUES (?)", text)
			if err != nil {
				return err
			}
			id, err := result.LastInsertId()
			c.server.To(room).Emit("chat message", text, id)
			return err
		}}
	})
}

func TestMessageThatIsNotStoredIsAnsweredByAnError(t *testing.T) {
	chattest.Quiet(t)
	s := start(t, serve.Settings{Driver: chattest.FaultyDriver})
	ann := rawclient.Connect(t, s.URL, nil)
	chattest.OnExec(t, func(string) error { return chattest.ErrDisk })
	if answer, err := ann.Ask("chat message", "one"); err != nil || answer["error"] != "the message could not be stored" {
		t.Errorf("the acknowledgement is %v, %v, want an error", answer, err)
	}
}

func TestPageIsDisconnectedIfItsReplayFails(t *testing.T) { chattest.FailedQueries(t, New, 3) }

func TestCloseLeavesNoGoroutine(t *testing.T) {
	chattest.CloseEndsEverything(t, New, func(s *chattest.Server) error {
		_, err := s.Closer.(*chat).storeAndEmit("too late")
		return err
	})
}

func TestUnusableFolderIsAnErrorOfOneLine(t *testing.T) { chattest.UnusableFolders(t, New) }

func TestServerDelivery(t *testing.T) { chattest.ServerDelivery(t, New) }
