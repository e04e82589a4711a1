package step7

import (
	"testing"

	"redial/steps/internal/chattest"
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

func TestPanicOfAHandlerIsRecovered(t *testing.T) {
	s := start(t, serve.Settings{})
	chattest.PanicIsNotTheEnd(t, s.Server, s.chat.server)
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	chattest.CloseEndsEverything(t, New, func(s *chattest.Server) error {
		_, err := s.Closer.(*chat).storeAndEmit("too late")
		return err
	})
}

func TestUnusableFolderIsAnErrorOfOneLine(t *testing.T) { chattest.UnusableFolders(t, New) }
