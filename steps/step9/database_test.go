package step9

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"redial/steps/internal/chattest"
	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
)

// fail lets every query fail that contains part, until the test ends.
func fail(t *testing.T, part string) {
	chattest.OnQuery(t, func(query string) error {
		if strings.Contains(query, part) {
			return chattest.ErrDisk
		}
		return nil
	})
}

const newestQuery, afterQuery = "MAX(id)", "id > ?" // of messagelog.Log

// The page reconnects, and asks again.
func TestPageIsDisconnectedIfItsReplayFails(t *testing.T) {
	chattest.Quiet(t)
	s := start(t, serve.Settings{Driver: chattest.FaultyDriver})
	fail(t, newestQuery)
	chattest.Disconnects(t, s.Server, chattest.Offset(0))
	s.chat.order.Lock()
	fail(t, afterQuery)
	chattest.Disconnects(t, s.Server, nil) // without the lock
	fail(t, "nothing")
	// The page has shown this row, which the server has not emitted and cannot read.
	chattest.Execute(t, s.Folder, "INSERT INTO messages (content) VALUES (NULL)")
	bob := rawclient.Connect(t, s.URL, chattest.Offset(1))
	s.chat.order.Unlock()
	chattest.Ends(t, bob)
}

func TestFailedReadOfTheLogIsRepeated(t *testing.T) {
	chattest.Quiet(t)
	s := start(t, serve.Settings{Driver: chattest.FaultyDriver})
	ann := rawclient.Connect(t, s.URL, nil)
	chattest.Send(t, ann, "one")
	chattest.Receive(t, ann, 1, "one")
	// A message is announced twice, by the server itself and as it looks for those of others.
	var reads atomic.Int32
	chattest.OnQuery(t, func(query string) error {
		if strings.Contains(query, afterQuery) && reads.Add(1) <= 3 {
			return chattest.ErrDisk
		}
		return nil
	})
	chattest.Send(t, ann, "two")
	chattest.Receive(t, ann, 2, "two")
}

// A message that is stored between publish and the rest of the replay is emitted later, to this
// page too.
func TestReplayEndsAtTheLastEmittedMessage(t *testing.T) {
	s := start(t, serve.Settings{Driver: chattest.FaultyDriver})
	ann := rawclient.Connect(t, s.URL, nil)
	chattest.Send(t, ann, "one")
	chattest.Receive(t, ann, 1, "one")
	var reads atomic.Int32
	s.chat.order.Lock()
	chattest.OnQuery(t, func(query string) error {
		if strings.Contains(query, afterQuery) && reads.Add(1) == 3 { // the second part of the replay
			chattest.Execute(t, s.Folder, "INSERT INTO messages (content) VALUES ('two')")
		}
		return nil
	})
	bob := rawclient.Connect(t, s.URL, nil)
	chattest.Receive(t, bob, 1, "one")
	s.chat.order.Unlock()
	chattest.Receive(t, bob, 2, "two")
	chattest.Send(t, ann, "three")
	chattest.Receive(t, bob, 3, "three")
}

// The signals for these messages are fewer than the parts in which they are read.
func TestOneSignalIsForTheWholeLog(t *testing.T) {
	s := start(t, serve.Settings{ReplayPage: 1})
	ann := rawclient.Connect(t, s.URL, nil)
	chattest.Send(t, ann, "one")
	chattest.Receive(t, ann, 1, "one")
	s.chat.order.Lock()
	const messages = 20
	for n := range messages {
		if _, err := s.chat.messages.Append(context.Background(), fmt.Sprint(n), "more"); err != nil {
			t.Error(err)
		}
	}
	s.chat.order.Unlock()
	for n := range messages {
		chattest.Receive(t, ann, 2+n, "more")
	}
}

func TestMessageThatCannotBeStoredIsNotAcknowledged(t *testing.T) {
	chattest.Quiet(t)
	s := start(t, serve.Settings{Driver: chattest.FaultyDriver})
	ann := rawclient.Connect(t, s.URL, nil)
	fail(t, "client_offset = ?")
	chattest.IsUnavailable(t, ann, `420["chat message","one","key"]`)
	fail(t, "nothing")
	chattest.Send(t, ann, "one")
	chattest.Receive(t, ann, 1, "one")
}

func TestStartReportsAFailedQuery(t *testing.T) { chattest.FailedStart(t, New) }

func TestEmittingAndJoiningWaitForTheLock(t *testing.T) {
	chattest.WaitForTheLock(t, New, func(s *chattest.Server) chattest.Inside {
		c := s.Closer.(*chat)
		return chattest.Inside{Server: c.server, Order: c.order, Store: func(text string) error {
			if _, err := c.messages.Append(context.Background(), text, text); err != nil {
				return err
			}
			return c.publish()
		}}
	})
}
