package step9

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
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
		ctx := context.Background()
		postgres, err := backends.StartPostgres(ctx)
		if errors.Is(err, backends.ErrMissing) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = postgres.Close() })
		redis, err := backends.StartRedis(ctx)
		if errors.Is(err, backends.ErrMissing) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = redis.Close() })
		test(t, serve.Settings{DatabaseURL: postgres.URL, RedisURL: redis.URL})
	})
}

// ask says a text under a key and returns the id with which it is acknowledged.
func ask(t *testing.T, client *rawclient.Client, text, key string) float64 {
	t.Helper()
	answer, err := client.Ask("chat message", text, key)
	if err != nil || answer["error"] != nil {
		t.Fatalf("%.80q is answered by %v, %v", text, answer, err)
	}
	return answer["offset"].(float64)
}

// hear expects these texts, in this order, with ids that grow from after on, and
// returns the last id.
func hear(t *testing.T, client *rawclient.Client, after float64, texts ...string) float64 {
	t.Helper()
	for _, text := range texts {
		got := client.Next()
		if got.Name != "chat message" || len(got.Args) < 2 || got.Args[0] != text || got.Args[1].(float64) <= after {
			t.Fatalf("heard %.200v after id %v, want %.80q", got, after, text)
		}
		after = got.Args[1].(float64)
	}
	return after
}

// stored is the shared log.
func stored(t *testing.T, n node) []messagelog.Row {
	t.Helper()
	rows, more, err := n.chat.messages.After(context.Background(), 0, 1_000_000)
	if err != nil || more {
		t.Fatal(err, more)
	}
	return rows
}

func TestEveryServerShowsWhatAnyOneWasTold(t *testing.T) {
	eachBackend(t, func(t *testing.T, settings serve.Settings) {
		a, b := start(t, settings), start(t, settings)
		ann, bob := rawclient.Connect(t, a.URL, chattest.Offset(0)), rawclient.Connect(t, b.URL, chattest.Offset(0))
		texts := []string{"one", "<script>two</script>", "세 번째 👋\x00", "", "five'); DROP TABLE messages; --"}
		chattest.Send(t, ann, texts...)
		last := hear(t, bob, 0, texts...)
		hear(t, ann, 0, texts...)
		chattest.Send(t, bob, "six")
		hear(t, ann, last, "six")
		hear(t, bob, last, "six")
		// Who comes later gets it all, wherever they come.
		for _, n := range []node{a, b} {
			hear(t, rawclient.Connect(t, n.URL, nil), 0, append(texts, "six")...)
			hear(t, rawclient.Connect(t, n.URL, chattest.Offset(last)), last, "six")
		}
		// A node that goes takes nothing with it.
		b.Stop()
		bob = rawclient.Connect(t, a.URL, chattest.Offset(last))
		hear(t, bob, last, "six")
		chattest.Send(t, bob, "seven")
		hear(t, ann, last, "seven")
		late := start(t, settings)
		hear(t, rawclient.Connect(t, late.URL, chattest.Offset(last)), last, "six", "seven")
	})
}

func TestARepeatOnAnotherServerIsTheSameMessage(t *testing.T) {
	eachBackend(t, func(t *testing.T, settings serve.Settings) {
		a, b := start(t, settings), start(t, settings)
		ann, bob := rawclient.Connect(t, a.URL, chattest.Offset(0)), rawclient.Connect(t, b.URL, chattest.Offset(0))
		first, again := ask(t, ann, "one", "key"), ask(t, bob, "one", "key")
		if first != again {
			t.Errorf("the message is %v, and its repeat %v", first, again)
		}
		if answer, err := bob.Ask("chat message", "another", "key"); err != nil || answer["error"] == nil {
			t.Errorf("another message under the key is answered by %v, %v", answer, err)
		}
		chattest.Send(t, ann, "two")
		for _, client := range []*rawclient.Client{ann, bob} {
			hear(t, client, 0, "one", "two")
		}
	})
}

func TestWhatIsNoMessageIsRefused(t *testing.T) {
	n := start(t, serve.Settings{DataDir: t.TempDir()})
	ann := rawclient.Connect(t, n.URL, nil)
	for _, args := range [][]any{
		{}, {nil}, {7}, {[]any{"a"}}, {strings.Repeat("x", serve.MaxMessage+1)},
		{"text", ""}, {"text", 1}, {"text", nil}, {"text", strings.Repeat("k", serve.MaxKey+1)},
	} {
		answer, err := ann.Ask("chat message", args...)
		if reason, _ := answer["error"].(string); err != nil || reason == "" {
			t.Errorf("%.60v is answered by %v, %v, want an error", args, answer, err)
		}
	}
	ask(t, ann, strings.Repeat("한", serve.MaxMessage/3), strings.Repeat("k", serve.MaxKey))
	if rows := stored(t, n); len(rows) != 1 {
		t.Errorf("%d messages are stored, want 1", len(rows))
	}
}

func TestAnOffsetThatTheLogNeverGaveOutGetsTheWholeLog(t *testing.T) {
	n := start(t, serve.Settings{DataDir: t.TempDir()})
	chattest.Send(t, rawclient.Connect(t, n.URL, nil), "one", "two")
	for _, named := range []any{3, 1 << 53, -1, 0.5, "1", nil, true} {
		page := rawclient.Connect(t, n.URL, chattest.Offset(named))
		chattest.BeginsAgain(t, page, fmt.Sprintf("serverOffset %v", named))
		hear(t, page, 0, "one", "two")
	}
}

// The heart of the step: wherever and whenever a page joins, what it gets is the log
// from its offset on, without a gap, a repetition or a swap.
func TestReplayAndLiveAreOneStreamOnEveryServer(t *testing.T) {
	const writers, each, readers = 4, 100, 16
	eachBackend(t, func(t *testing.T, settings serve.Settings) {
		settings.ReplayPage = 7
		nodes := []node{start(t, settings), start(t, settings)}
		var work sync.WaitGroup
		heard := make([][]float64, readers)
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
				// To and fro between the servers, going on from where it was.
				for hop := 0; len(heard[r]) < writers*each; hop++ {
					reader, err := rawclient.Dial(t, nodes[(r+hop)%2].URL, chattest.Offset(last))
					if err != nil {
						t.Error(err)
						return
					}
					for range 80 {
						if len(heard[r]) == writers*each {
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
							heard[r] = append(heard[r], id)
						case <-time.After(chattest.Patience):
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
		for r := range heard {
			if fmt.Sprint(heard[r]) != fmt.Sprint(ids) {
				t.Errorf("reader %d heard %d of %d messages", r, len(heard[r]), len(ids))
			}
		}
	})
}

func TestASessionRecoversOnItsOwnServerOnly(t *testing.T) {
	settings := serve.Settings{DataDir: t.TempDir()}
	a, b := start(t, settings), start(t, settings)
	ann := rawclient.Connect(t, a.URL, chattest.Offset(0))
	bob := rawclient.Connect(t, a.URL, chattest.Offset(0))
	chattest.Send(t, ann, "one")
	got := bob.Next()
	bob.Close()
	chattest.Send(t, ann, "two")
	session := map[string]any{"pid": bob.Pid, "offset": got.Args[2], "serverOffset": got.Args[1]}
	elsewhere := rawclient.Connect(t, b.URL, session)
	if elsewhere.Sid == bob.Sid {
		t.Error("another server has restored the session")
	}
	hear(t, elsewhere, 1, "two")
	session["serverOffset"] = 0 // so that a replay would be seen
	back := rawclient.Connect(t, a.URL, session)
	if back.Sid != bob.Sid {
		t.Error("its own server has not restored the session")
	}
	hear(t, back, 1, "two")
}

// A store that is away acknowledges nothing and says so; what was kept is stored once
// when it is back, and everybody is shown it.
func TestAStoreThatIsAway(t *testing.T) {
	postgres, err := backends.StartPostgres(context.Background())
	if errors.Is(err, backends.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer postgres.Close()
	settings := serve.Settings{DatabaseURL: postgres.URL}
	a, b := start(t, settings), start(t, settings)
	ann, bob := rawclient.Connect(t, a.URL, chattest.Offset(0)), rawclient.Connect(t, b.URL, chattest.Offset(0))
	chattest.Send(t, ann, "before")
	last := hear(t, bob, 0, "before")
	hear(t, ann, 0, "before")
	if err := postgres.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := ann.Write(`420["chat message","kept","its key"]`); err != nil {
		t.Fatal(err)
	}
	if got := ann.Next(); got.Name != "unavailable" || got.Args[0] == "" {
		t.Errorf("with the store away, %v comes, want unavailable with a reason", got)
	}
	if err := postgres.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	ann = rawclient.Connect(t, b.URL, chattest.Offset(last))
	ask(t, ann, "kept", "its key")
	hear(t, ann, last, "kept")
	hear(t, bob, last, "kept")
	if rows := stored(t, a); len(rows) != 2 {
		t.Errorf("%v are stored, want two", rows)
	}
}

func TestAPageIsToldTheNodes(t *testing.T) {
	nodes := []string{"http://localhost:3000", "http://localhost:3001"}
	n := start(t, serve.Settings{DataDir: t.TempDir(), Nodes: nodes})
	if got := rawclient.Connect(t, n.URL, nil).Next(); got.Name != "nodes" || fmt.Sprint(got.Args[0]) != fmt.Sprint(nodes) {
		t.Errorf("a page is told %v", got)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	chattest.CloseEndsEverything(t, New, func(s *chattest.Server) error {
		_, err := s.Closer.(*chat).store("too late", "key")
		if err != nil && !errors.Is(err, errUnavailable) {
			t.Errorf("after Close a message gets %v", err)
		}
		return err
	})
}

func TestUnusableFolderIsSaidInOneLine(t *testing.T) { chattest.UnusableFolders(t, New) }
