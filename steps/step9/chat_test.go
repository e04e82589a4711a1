package step9

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
	"redial/steps/stores/backends"
	"redial/steps/stores/messagelog"
)

// patience bounds every wait.
const patience = 20 * time.Second

type node struct {
	url  string
	chat *chat
	stop func()
}

func start(t *testing.T, settings serve.Settings) node {
	t.Helper()
	handler, closer, err := New(settings)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	stop := sync.OnceFunc(func() {
		server.CloseClientConnections()
		if err := closer.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	t.Cleanup(stop)
	return node{server.URL, closer.(*chat), stop}
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

func offset(n any) map[string]any { return map[string]any{"serverOffset": n} }

// ask says a text under a key and returns the id with which it is acknowledged.
func ask(t *testing.T, client *rawclient.Client, text, key string) float64 {
	t.Helper()
	answer, err := client.Ask("chat message", text, key)
	if err != nil || answer["error"] != nil {
		t.Fatalf("%.80q is answered by %v, %v", text, answer, err)
	}
	return answer["offset"].(float64)
}

func say(t *testing.T, client *rawclient.Client, texts ...string) {
	t.Helper()
	for _, text := range texts {
		ask(t, client, text, rand.Text())
	}
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
		ann, bob := rawclient.Connect(t, a.url, offset(0)), rawclient.Connect(t, b.url, offset(0))
		texts := []string{"one", "<script>two</script>", "세 번째 👋\x00", "", "five'); DROP TABLE messages; --"}
		say(t, ann, texts...)
		last := hear(t, bob, 0, texts...)
		hear(t, ann, 0, texts...)
		say(t, bob, "six")
		hear(t, ann, last, "six")
		hear(t, bob, last, "six")
		// Who comes later gets it all, wherever they come.
		for _, n := range []node{a, b} {
			hear(t, rawclient.Connect(t, n.url, nil), 0, append(texts, "six")...)
			hear(t, rawclient.Connect(t, n.url, offset(last)), last, "six")
		}
		// A node that goes takes nothing with it.
		b.stop()
		bob = rawclient.Connect(t, a.url, offset(last))
		hear(t, bob, last, "six")
		say(t, bob, "seven")
		hear(t, ann, last, "seven")
		late := start(t, settings)
		hear(t, rawclient.Connect(t, late.url, offset(last)), last, "six", "seven")
	})
}

func TestARepeatOnAnotherServerIsTheSameMessage(t *testing.T) {
	eachBackend(t, func(t *testing.T, settings serve.Settings) {
		a, b := start(t, settings), start(t, settings)
		ann, bob := rawclient.Connect(t, a.url, offset(0)), rawclient.Connect(t, b.url, offset(0))
		first, again := ask(t, ann, "one", "key"), ask(t, bob, "one", "key")
		if first != again {
			t.Errorf("the message is %v, and its repeat %v", first, again)
		}
		if answer, err := bob.Ask("chat message", "another", "key"); err != nil || answer["error"] == nil {
			t.Errorf("another message under the key is answered by %v, %v", answer, err)
		}
		say(t, ann, "two")
		for _, client := range []*rawclient.Client{ann, bob} {
			hear(t, client, 0, "one", "two")
		}
	})
}

func TestWhatIsNoMessageIsRefused(t *testing.T) {
	n := start(t, serve.Settings{DataDir: t.TempDir()})
	ann := rawclient.Connect(t, n.url, nil)
	for _, args := range [][]any{
		{}, {nil}, {7}, {[]any{"a"}}, {strings.Repeat("x", serve.MaxMessage+1)},
		{"text", ""}, {"text", 1}, {"text", nil}, {"text", strings.Repeat("k", maxKey+1)},
	} {
		answer, err := ann.Ask("chat message", args...)
		if reason, _ := answer["error"].(string); err != nil || reason == "" {
			t.Errorf("%.60v is answered by %v, %v, want an error", args, answer, err)
		}
	}
	ask(t, ann, strings.Repeat("한", serve.MaxMessage/3), strings.Repeat("k", maxKey))
	if rows := stored(t, n); len(rows) != 1 {
		t.Errorf("%d messages are stored, want 1", len(rows))
	}
}

func TestAnOffsetThatTheLogNeverGaveOutGetsTheWholeLog(t *testing.T) {
	n := start(t, serve.Settings{DataDir: t.TempDir()})
	say(t, rawclient.Connect(t, n.url, nil), "one", "two")
	for _, named := range []any{3, 1 << 53, -1, 0.5, "1", nil, true} {
		page := rawclient.Connect(t, n.url, offset(named))
		if got := page.Next(); got.Name != "refused" {
			t.Errorf("serverOffset %v is told %+v first, want refused", named, got)
		}
		if got := page.Next(); got.Name != "reset" {
			t.Errorf("serverOffset %v is told %+v, want reset", named, got)
		}
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
			writer := rawclient.Connect(t, nodes[w%2].url, offset(0))
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
					reader, err := rawclient.Dial(t, nodes[(r+hop)%2].url, offset(last))
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
						case <-time.After(patience):
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
	ann := rawclient.Connect(t, a.url, offset(0))
	bob := rawclient.Connect(t, a.url, offset(0))
	say(t, ann, "one")
	got := bob.Next()
	bob.Close()
	say(t, ann, "two")
	session := map[string]any{"pid": bob.Pid, "offset": got.Args[2], "serverOffset": got.Args[1]}
	elsewhere := rawclient.Connect(t, b.url, session)
	if elsewhere.Sid == bob.Sid {
		t.Error("another server has restored the session")
	}
	hear(t, elsewhere, 1, "two")
	session["serverOffset"] = 0 // so that a replay would be seen
	back := rawclient.Connect(t, a.url, session)
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
	ann, bob := rawclient.Connect(t, a.url, offset(0)), rawclient.Connect(t, b.url, offset(0))
	say(t, ann, "before")
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
	ann = rawclient.Connect(t, b.url, offset(last))
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
	if got := rawclient.Connect(t, n.url, nil).Next(); got.Name != "nodes" || fmt.Sprint(got.Args[0]) != fmt.Sprint(nodes) {
		t.Errorf("a page is told %v", got)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	// What the library starts once and keeps is not ours: start it first.
	warm := start(t, serve.Settings{DataDir: t.TempDir()})
	rawclient.Connect(t, warm.url, nil).Close()
	warm.stop()
	for range 50 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	before := runtime.NumGoroutine()

	n := start(t, serve.Settings{DataDir: t.TempDir()})
	var clients []*rawclient.Client
	for range 10 {
		client := rawclient.Connect(t, n.url, nil)
		say(t, client, "hello")
		clients = append(clients, client)
	}
	n.stop()
	for _, client := range clients {
		client.Ended()
		client.Close()
	}
	if _, err := n.chat.say("too late", ""); !errors.Is(err, errUnavailable) {
		t.Errorf("after Close a message gets %v", err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		runtime.GC()
		after := runtime.NumGoroutine()
		if after <= before {
			return
		}
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines after Close, %d before:\n%s", after, before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func TestAFolderThatCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("in the way"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{file, filepath.Join(file, "below")} {
		_, _, err := New(serve.Settings{DataDir: folder})
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "DATA_DIR") {
			t.Errorf("%s: %v, want one line that names DATA_DIR", folder, err)
		}
	}
}

func TestADatabaseThatIsNone(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "chat.db"), []byte("this is no database, and long enough to see it"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err := New(serve.Settings{DataDir: folder})
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v, want one line", err)
	}
}
