package step9

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"redial/steps/internal/chattest"
	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
	"redial/steps/stores/backends"
	"redial/steps/stores/messagelog"
)

type node struct {
	*chattest.Server
	chat *chat
}

func start(t *testing.T, settings serve.Settings) node {
	t.Helper()
	s := chattest.Start(t, New, settings)
	return node{s, s.Closer.(*chat)}
}

// eachBackend runs the test on a file, and on a PostgreSQL with a Redis.
func eachBackend(t *testing.T, test func(t *testing.T, settings serve.Settings)) {
	t.Run("sqlite", func(t *testing.T) { test(t, serve.Settings{DataDir: t.TempDir()}) })
	t.Run("postgres", func(t *testing.T) {
		postgres, redis := startBackend(t, backends.StartPostgres), startBackend(t, backends.StartRedis)
		test(t, serve.Settings{DatabaseURL: postgres.URL, RedisURL: redis.URL})
	})
}

// startBackend skips the test if the backend is not installed.
func startBackend(t *testing.T, start func(context.Context) (*backends.Server, error)) *backends.Server {
	t.Helper()
	chattest.Slow(t)
	server, err := start(context.Background())
	if errors.Is(err, backends.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// ask sends a text with a key, and returns the id in the acknowledgement.
func ask(t *testing.T, client *rawclient.Client, text, key string) float64 {
	t.Helper()
	answer, err := client.Ask("chat message", text, key)
	if err != nil || answer["error"] != nil {
		t.Fatalf("the acknowledgement of %.80q is %v, %v", text, answer, err)
	}
	return answer["offset"].(float64)
}

// receive expects these texts, in this order, with growing ids above after, and returns the
// last id.
func receive(t *testing.T, client *rawclient.Client, after float64, texts ...string) float64 {
	t.Helper()
	for _, text := range texts {
		got := client.Next()
		if got.Name != "chat message" || len(got.Args) < 2 || got.Args[0] != text || got.Args[1].(float64) <= after {
			t.Fatalf("received %.200v after id %v, want %.80q", got, after, text)
		}
		after = got.Args[1].(float64)
	}
	return after
}

// stored returns the shared log.
func stored(t *testing.T, n node) []messagelog.Row {
	t.Helper()
	rows, more, err := n.chat.messages.After(context.Background(), 0, 1_000_000)
	if err != nil || more {
		t.Fatal(err, more)
	}
	return rows
}

func TestUnknownOffsetGetsTheWholeLog(t *testing.T) { chattest.UnknownOffset(t, New) }

func TestMessageThatIsNoTextIsRefused(t *testing.T) { chattest.NoText(t, New) }

func TestEveryServerEmitsTheMessagesOfAll(t *testing.T) {
	eachBackend(t, func(t *testing.T, settings serve.Settings) {
		a, b := start(t, settings), start(t, settings)
		ann, bob := rawclient.Connect(t, a.URL, chattest.Offset(0)), rawclient.Connect(t, b.URL, chattest.Offset(0))
		texts := []string{"one", "<script>two</script>", "세 번째 👋\x00", "", "five'); DROP TABLE messages; --"}
		chattest.Send(t, ann, texts...)
		last := receive(t, bob, 0, texts...)
		receive(t, ann, 0, texts...)
		chattest.Send(t, bob, "six")
		receive(t, ann, last, "six")
		receive(t, bob, last, "six")
		// A client that connects later receives the log on each server.
		for _, n := range []node{a, b} {
			receive(t, rawclient.Connect(t, n.URL, nil), 0, append(texts, "six")...)
			receive(t, rawclient.Connect(t, n.URL, chattest.Offset(last)), last, "six")
		}
		// A server that stops takes no message with it.
		b.Stop()
		bob = rawclient.Connect(t, a.URL, chattest.Offset(last))
		receive(t, bob, last, "six")
		chattest.Send(t, bob, "seven")
		receive(t, ann, last, "seven")
		late := start(t, settings)
		receive(t, rawclient.Connect(t, late.URL, chattest.Offset(last)), last, "six", "seven")
	})
}

func TestRetryOnAnotherServerIsNotStoredAgain(t *testing.T) {
	eachBackend(t, func(t *testing.T, settings serve.Settings) {
		a, b := start(t, settings), start(t, settings)
		ann, bob := rawclient.Connect(t, a.URL, chattest.Offset(0)), rawclient.Connect(t, b.URL, chattest.Offset(0))
		first, retry := ask(t, ann, "one", "key"), ask(t, bob, "one", "key")
		if first != retry {
			t.Errorf("the id of the message is %v, and of its retry %v", first, retry)
		}
		if answer, err := bob.Ask("chat message", "another", "key"); err != nil || answer["error"] == nil {
			t.Errorf("the acknowledgement of another text with the key is %v, %v", answer, err)
		}
		chattest.Send(t, ann, "two")
		for _, client := range []*rawclient.Client{ann, bob} {
			receive(t, client, 0, "one", "two")
		}
	})
}

// A page receives the log from its offset on, complete, once and in order, whenever and on
// whichever server it joins.
func TestReplayAndLiveAreOneStreamOnEveryServer(t *testing.T) {
	chattest.Slow(t)
	const writers, each, readers = 4, 100, 16
	eachBackend(t, func(t *testing.T, settings serve.Settings) {
		settings.ReplayPage = 7
		nodes := []node{start(t, settings), start(t, settings)}
		var work sync.WaitGroup
		received := make([][]float64, readers)
		for w := range writers {
			writer := rawclient.Connect(t, nodes[w%2].URL, chattest.Offset(0))
			work.Go(func() {
				for i := range each {
					if answer, err := writer.Ask("chat message", fmt.Sprintf("%d-%d", w, i), rand.Text()); err != nil || answer["error"] != nil {
						t.Errorf("%v, %v", answer, err)
						return
					}
				}
			})
		}
		for r := range readers {
			work.Go(func() {
				time.Sleep(time.Duration(r) * 5 * time.Millisecond)
				var last float64
				// The reader changes the server after 80 messages.
				for hop := 0; len(received[r]) < writers*each; hop++ {
					reader, err := rawclient.Dial(t, nodes[(r+hop)%2].URL, chattest.Offset(last))
					if err != nil {
						t.Error(err)
						return
					}
					for range 80 {
						if len(received[r]) == writers*each {
							break
						}
						select {
						case event := <-reader.Events:
							id, _ := event.Args[1].(float64)
							if event.Name != "chat message" || id <= last {
								t.Errorf("reader %d, hop %d: after %v came %v", r, hop, last, event)
								return
							}
							last = id
							received[r] = append(received[r], id)
						case <-time.After(rawclient.Timeout):
							t.Errorf("reader %d, hop %d: nothing after %v", r, hop, last)
							return
						}
					}
					reader.Close()
				}
			})
		}
		work.Wait()
		var ids []float64
		for _, row := range stored(t, nodes[0]) {
			ids = append(ids, float64(row.ID))
		}
		for r := range received {
			if fmt.Sprint(received[r]) != fmt.Sprint(ids) {
				t.Errorf("reader %d received %d of %d messages", r, len(received[r]), len(ids))
			}
		}
	})
}

func TestSessionIsRecoveredOnItsOwnServerOnly(t *testing.T) {
	settings := serve.Settings{DataDir: t.TempDir()}
	a, b := start(t, settings), start(t, settings)
	ann := rawclient.Connect(t, a.URL, chattest.Offset(0))
	bob := rawclient.Connect(t, a.URL, chattest.Offset(0))
	chattest.Send(t, bob, "one") // waits until bob has joined the room
	got := bob.Next()
	bob.Close()
	chattest.Send(t, ann, "two")
	session := map[string]any{"pid": bob.Pid, "offset": got.Args[2], "serverOffset": got.Args[1]}
	elsewhere := rawclient.Connect(t, b.URL, session)
	if elsewhere.Sid == bob.Sid {
		t.Error("another server has recovered the session")
	}
	receive(t, elsewhere, 1, "two")
	session["serverOffset"] = 0 // a replay would repeat message one
	back := rawclient.Connect(t, a.URL, session)
	if back.Sid != bob.Sid {
		t.Error("its own server has not recovered the session")
	}
	receive(t, back, 1, "two")
}

// While PostgreSQL is unavailable, a message is not acknowledged and the sender gets the reason.
// After that, a retry is stored once, and every server emits it.
func TestPostgresUnavailable(t *testing.T) {
	postgres := startBackend(t, backends.StartPostgres)
	settings := serve.Settings{DatabaseURL: postgres.URL}
	a, b := start(t, settings), start(t, settings)
	ann, bob := rawclient.Connect(t, a.URL, chattest.Offset(0)), rawclient.Connect(t, b.URL, chattest.Offset(0))
	chattest.Send(t, ann, "before")
	last := receive(t, bob, 0, "before")
	receive(t, ann, 0, "before")
	if err := postgres.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := ann.Write(`420["chat message","kept","its key"]`); err != nil {
		t.Fatal(err)
	}
	if got := ann.Next(); got.Name != "unavailable" || got.Args[0] == "" {
		t.Errorf("%v comes, want unavailable with a reason", got)
	}
	if err := postgres.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	ann = rawclient.Connect(t, b.URL, chattest.Offset(last))
	ask(t, ann, "kept", "its key")
	receive(t, ann, last, "kept")
	receive(t, bob, last, "kept")
	if rows := stored(t, a); len(rows) != 2 {
		t.Errorf("%v are stored, want two", rows)
	}
}

func TestPageReceivesTheAddressesOfAllServers(t *testing.T) {
	nodes := []string{"http://localhost:3000", "http://localhost:3001"}
	n := start(t, serve.Settings{DataDir: t.TempDir(), Nodes: nodes})
	if got := rawclient.Connect(t, n.URL, nil).Next(); got.Name != "nodes" || fmt.Sprint(got.Args[0]) != fmt.Sprint(nodes) {
		t.Errorf("a page receives %v first, want the addresses", got)
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	chattest.CloseEndsEverything(t, New, func(s *chattest.Server) error {
		_, err := s.Closer.(*chat).store("too late", "key")
		if err != nil && !errors.Is(err, errUnavailable) {
			t.Errorf("after Close the error is %v", err)
		}
		return err
	})
}

func TestUnusableFolderIsAnErrorOfOneLine(t *testing.T) { chattest.UnusableFolders(t, New) }
