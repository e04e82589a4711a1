package defect

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/client"
	"redial/harness/client/page"
	"redial/harness/client/wire"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
)

const bound = 15 * time.Second

// start serves the server in dir.
func start(t *testing.T, build New, dir string) *httptest.Server {
	t.Helper()
	handler, closer, err := build(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		if err := closer.Close(); err != nil {
			t.Error(err)
		}
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

// A participant is a client whose connections can be cut.
type participant struct {
	client.Client
	events *history.Recorder

	mu    sync.Mutex
	conns []net.Conn
	down  bool
}

func join(t *testing.T, server *httptest.Server, name string, html []byte) *participant {
	t.Helper()
	p := &participant{events: history.NewRecorder()}
	options := client.Options{
		Name: name, URL: server.URL, Record: p.events.Add, Dial: p.dial,
		HTML: html, ReconnectDelay: 20 * time.Millisecond,
	}
	if html == nil {
		w := wire.New(options)
		w.Raw = true
		p.Client = w
	} else {
		options.Bundle = func() ([]byte, error) { return bundle(t), nil }
		p.Client = page.New(options, nil)
	}
	t.Cleanup(func() { _ = p.Close() })
	if err := p.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

func bundle(t *testing.T) []byte {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("..", "..", "steps", "node_modules", "socket.io-client", "dist", "socket.io.js"))
	if err != nil {
		t.Fatal("there is no client library; run make client")
	}
	return script
}

func (p *participant) dial(ctx context.Context, network, address string) (net.Conn, error) {
	p.mu.Lock()
	down := p.down
	p.mu.Unlock()
	if down {
		return nil, fmt.Errorf("no way to %s", address)
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		p.mu.Lock()
		p.conns = append(p.conns, conn)
		p.mu.Unlock()
	}
	return conn, err
}

// goDown cuts the connection and lets none be made until goUp.
func (p *participant) goDown(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	p.down = true
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.await(t, "the end of the connection", func() bool { return !p.Status().Connected })
}

func (p *participant) goUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

func (p *participant) await(t *testing.T, what string, met func() bool) {
	t.Helper()
	timeout := time.After(bound)
	for {
		changed := p.events.Changed()
		if met() {
			return
		}
		select {
		case <-changed:
		case <-time.After(20 * time.Millisecond): // a status can change without an event
		case <-timeout:
			t.Fatalf("timed out waiting for %s; shown %q, events %v", what, p.shown(), p.count(history.Note))
		}
	}
}

func (p *participant) texts(kind history.Kind) []string {
	var texts []string
	for _, e := range p.events.Events(0) {
		if e.Kind == kind {
			texts = append(texts, e.Message)
		}
	}
	return texts
}

func (p *participant) shown() []string             { return p.texts(history.Shown) }
func (p *participant) count(kind history.Kind) int { return len(p.texts(kind)) }

// awaitShown waits for the text and returns all that was shown up to it.
func (p *participant) awaitShown(t *testing.T, text string) []string {
	t.Helper()
	p.await(t, fmt.Sprintf("%q to be shown", text), func() bool { return slices.Contains(p.shown(), text) })
	return p.shown()
}

// awaitConnected waits until the client may speak. The server closes a connection
// that sends an event within microseconds of the connect packet's answer (it writes
// the answer before it notes the socket), which is not what is tested here.
func (p *participant) awaitConnected(t *testing.T) {
	t.Helper()
	p.await(t, "the connection", func() bool { return p.Status().Connected })
	time.Sleep(50 * time.Millisecond)
}

func (p *participant) say(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := p.Say(text); err != nil {
			t.Fatal(err)
		}
	}
}

// readLog is the log as a fresh reader is given it.
func readLog(t *testing.T, server *httptest.Server) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	rows, err := wire.ReadLog(ctx, client.Options{Name: plan.Reader, URL: server.URL}, "end of the log")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, r := range rows {
		texts = append(texts, r.Message)
	}
	return texts
}

func numbered(prefix string, n int) []string {
	var texts []string
	for i := range n {
		texts = append(texts, fmt.Sprint(prefix, i+1))
	}
	return texts
}

// play lets ann say a to l on one connection, ben away for d to f, and returns what
// ben was sent and what the log has. It is the story in which every injection shows.
func play(t *testing.T, build New) (ann, ben *participant, log []string) {
	server := start(t, build, t.TempDir())
	ann, ben = join(t, server, "ann", nil), join(t, server, "ben", nil)
	ann.awaitConnected(t)
	ben.awaitConnected(t)
	ann.say(t, "a", "b", "c")
	ben.awaitShown(t, "c")
	ben.goDown(t)
	ann.say(t, "d", "e", "f")
	ann.awaitShown(t, "f")
	ben.goUp()
	ben.awaitConnected(t)
	ben.await(t, "the replay", func() bool {
		return slices.ContainsFunc(ben.shown(), func(s string) bool { return strings.HasPrefix(s, "f") })
	})
	ann.say(t, "g", "h", "i", "j", "k", "l")
	ann.awaitShown(t, "k")
	ben.awaitShown(t, "k")
	return ann, ben, readLog(t, server)
}

func TestEachServerIsBentAsItSays(t *testing.T) {
	const all = "a b c d e f g h i j k"
	for _, c := range []struct {
		name, ann, ben, log string
	}{
		{"", all, all, all},
		{"drops", "a b c d e f g h i k", "a b c d e f g h i k", all},
		{"repeats", all, "a b c d d e e f f g h i j k", all},
		{"swaps", all, "a b c e d f g h i j k", all},
		{"swaps, right page", all, "a b c e d f g h i j k", all},
		{"forgets", "a b c e f g i j k", "a b c e f g i j k", "a b c e f g i j k"},
		{"skips", all, "a b c e f g h i j k", all},
		// d is in no replay: only who was there has it.
		{"does not store", all, "a b c e f g h i j k", "a b c e f g i j k"},
		{"alters", "a b c d. e f g h. i j k", "a b c d e f g h. i j k", all},
		{"stores twice", "a b c d d e f g h h i j k", "a b c d d e f g h h i j k", "a b c d d e f g h h i j k"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			build := New(Right)
			if c.name != "" {
				build = named(t, c.name).New
			}
			ann, ben, log := play(t, build)
			until := func(texts []string) string {
				return strings.Join(texts[:slices.Index(texts, "k")+1], " ")
			}
			if got := until(ann.shown()); got != c.ann {
				t.Errorf("ann was sent %s, want %s", got, c.ann)
			}
			if got := until(ben.shown()); got != c.ben {
				t.Errorf("ben was sent %s, want %s", got, c.ben)
			}
			if got := until(log); got != c.log {
				t.Errorf("the log has %s, want %s", got, c.log)
			}
			ann.await(t, "every acknowledgement", func() bool { return ann.count(history.Acknowledged) == 12 })
		})
	}
}

func named(t *testing.T, name string) Server {
	t.Helper()
	for _, s := range Servers {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no server %q", name)
	return Server{}
}

func TestEachServerWorksOtherwise(t *testing.T) {
	for _, s := range Servers {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			handler, closer, err := s.New(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			first := httptest.NewServer(handler)
			ann, ben := join(t, first, "ann", nil), join(t, first, "ben", nil)
			ann.awaitConnected(t)
			ben.awaitConnected(t)
			for _, text := range []string{"one", "two <b>", "three"} {
				ann.say(t, text)
				ann.awaitShown(t, text)
				ben.awaitShown(t, text)
			}
			ann.await(t, "the acknowledgements", func() bool { return ann.count(history.Acknowledged) == 3 })
			response, err := http.Get(first.URL)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(response.Body)
			response.Body.Close()
			if response.StatusCode != http.StatusOK || bytes.Count(body, []byte("\n")) != 1 {
				t.Errorf("GET / answers %s with %q", response.Status, body)
			}
			if response, err := http.Get(first.URL + contract.ClientPath); err != nil || response.StatusCode != http.StatusNotFound {
				t.Errorf("GET %s: %v, %v", contract.ClientPath, response, err)
			}
			ann.Close()
			ben.Close()
			if err := closer.Close(); err != nil {
				t.Fatal(err)
			}
			first.Close()

			// A restart on the same data.
			second := start(t, s.New, dir)
			if log := readLog(t, second); !slices.Equal(log, []string{"one", "two <b>", "three", "end of the log"}) {
				t.Errorf("after a restart the log is %q", log)
			}
		})
	}
}

func TestWhoComesBackIsNotServed(t *testing.T) {
	for _, name := range []string{"refuses", "never answers"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, named(t, name).New, t.TempDir())
			ann := join(t, server, "ann", nil)
			ann.awaitConnected(t)
			ann.say(t, "a")
			ann.awaitShown(t, "a")
			before := ann.dials()
			ann.goDown(t)
			ann.goUp()
			ann.await(t, "another try", func() bool { return ann.dials() > before })
			time.Sleep(200 * time.Millisecond) // for something not to happen
			if ann.Status().Connected {
				t.Error("the page is connected again")
			}
			readLog(t, server)
		})
	}
}

func (p *participant) dials() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

func TestPublishedDuplicates(t *testing.T) {
	server := start(t, named(t, "published").New, t.TempDir())
	ann, ben := join(t, server, "ann", nil), join(t, server, "ben", nil)
	ann.awaitConnected(t)
	ben.awaitConnected(t)
	texts := numbered("n", 400)
	for i, text := range texts {
		ann.say(t, text)
		if i%100 == 50 {
			ben.goDown(t)
			ben.goUp()
		}
		time.Sleep(2 * time.Millisecond) // the pace of the traffic
	}
	ann.await(t, "every acknowledgement", func() bool { return ann.count(history.Acknowledged) == len(texts) })
	seen, twice := map[string]bool{}, 0
	for _, text := range ben.shown() {
		if seen[text] {
			twice++
		}
		seen[text] = true
	}
	t.Logf("%d messages shown twice in 4 reconnections", twice)
	if twice == 0 {
		t.Error("no message came twice: the gap between INSERT and emit was never hit")
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		args []any
		ok   bool
	}{
		{[]any{"text"}, true},
		{[]any{"text", "key"}, true},
		{[]any{}, false},
		{[]any{1.0}, false},
		{[]any{"text", 1.0}, false},
		{[]any{map[string]any{"a": 1.0}}, false},
		{[]any{strings.Repeat("x", maxText+1)}, false},
	} {
		var answer map[string]any
		stored := 0
		reply := func(args []any, _ error) { answer = args[0].(map[string]any) }
		say := func(string, string) (int64, error) { stored++; return 7, nil }
		take(append(c.args, reply), say)
		_, refused := answer[contract.RefusalField].(string)
		if refused == c.ok || (stored == 1) != c.ok || c.ok && answer["offset"] != int64(7) {
			t.Errorf("%.40v: answer %v, stored %d", c.args, answer, stored)
		}
		take(c.args, say) // without an acknowledgement
	}
}

func TestMessages(t *testing.T) {
	log, err := openMessages(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	first, err := log.insert("text", "key", true)
	if err != nil {
		t.Fatal(err)
	}
	if id, known, err := log.find("key"); id != first || !known || err != nil {
		t.Errorf("found %d, %t, %v; want %d", id, known, err, first)
	}
	if _, err := log.insert("text", "key", true); err == nil {
		t.Error("the key was stored twice")
	}
	burnt, _ := log.insert("gone", "", false)
	next, _ := log.insert("text", "", true)
	rows, _ := log.after(0)
	if burnt <= first || next <= burnt || len(rows) != 2 {
		t.Errorf("ids %d, %d, %d and the rows %v", first, burnt, next, rows)
	}
}

// The broken pages, each with what it shows on its server.
func TestEachPageIsBrokenAsItSays(t *testing.T) {
	t.Run("drops nothing", func(t *testing.T) {
		ben := missing(t, "drops nothing", 2, false)
		if got := strings.Join(ben.awaitShown(t, "last"), " "); got != "before n1 n1 n2 n2 last" {
			t.Errorf("shown %s", got)
		}
	})
	t.Run("forgets its offset", func(t *testing.T) {
		ben := missing(t, "forgets its offset", 2, false)
		if got := strings.Join(ben.awaitShown(t, "last"), " "); got != "before before n1 n2 last" {
			t.Errorf("shown %s", got)
		}
	})
	t.Run("keeps its offset", func(t *testing.T) {
		ben := missing(t, "keeps its offset", 2, true)
		if got := strings.Join(ben.awaitShown(t, "last"), " "); got != "before n1 n2 last" {
			t.Errorf("shown %s", got) // the second view without "before"
		}
	})
	t.Run("moves ahead", func(t *testing.T) {
		p := pageNamed(t, "moves ahead")
		server := start(t, p.New, t.TempDir())
		ann, ben := join(t, server, "ann", nil), join(t, server, "ben", p.HTML)
		ann.awaitConnected(t)
		ben.awaitConnected(t)
		texts := numbered("n", 60)
		for i, text := range texts {
			ann.say(t, text)
			ann.awaitShown(t, text)
			if i == 40 {
				ben.goDown(t)
				ben.goUp()
			}
			time.Sleep(20 * time.Millisecond) // the pace of the traffic
		}
		ben.awaitConnected(t)
		ann.say(t, "last")
		if shown := ben.awaitShown(t, "last"); len(shown) > len(texts) {
			t.Errorf("%d messages shown, of %d: none was lost", len(shown), len(texts)+1)
		}
	})
}

func pageNamed(t *testing.T, name string) BrokenPage {
	t.Helper()
	for _, p := range Pages {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("there is no page %q", name)
	return BrokenPage{}
}

// missing lets a page miss n messages between "before" and "last".
func missing(t *testing.T, name string, n int, refresh bool) *participant {
	t.Helper()
	p := pageNamed(t, name)
	server := start(t, p.New, t.TempDir())
	ann, ben := join(t, server, "ann", nil), join(t, server, "ben", p.HTML)
	ann.awaitConnected(t)
	ben.awaitConnected(t)
	ann.say(t, "before")
	ben.awaitShown(t, "before")
	ben.goDown(t)
	ann.say(t, numbered("n", n)...)
	ann.awaitShown(t, fmt.Sprint("n", n))
	ben.goUp()
	if refresh {
		if err := ben.Refresh(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	ben.awaitConnected(t)
	ben.awaitShown(t, fmt.Sprint("n", n))
	ann.say(t, "last")
	return ben
}

// The pages that servers are judged with are right, or as permissive as they say.
func TestPagesForServers(t *testing.T) {
	for name, html := range map[string][]byte{"published": Page, "without acknowledgements": PageWithoutAcknowledgements} {
		t.Run(name, func(t *testing.T) {
			server := start(t, Right, t.TempDir())
			ann, ben := join(t, server, "ann", html), join(t, server, "ben", html)
			ann.awaitConnected(t)
			ben.awaitConnected(t)
			ann.say(t, "<b>one</b>")
			ben.awaitShown(t, "<b>one</b>")
			ben.goDown(t)
			ann.say(t, "two")
			ann.awaitShown(t, "two")
			ben.goUp()
			ben.awaitShown(t, "two")
			ann.say(t, "three")
			if got := ben.awaitShown(t, "three"); !slices.Equal(got, []string{"<b>one</b>", "two", "three"}) {
				t.Errorf("shown %q", got)
			}
			want := 0
			if name == "published" {
				want = 3
				ann.await(t, "the acknowledgements", func() bool { return ann.count(history.Acknowledged) == want })
			}
			if got := ann.count(history.Acknowledged); got != want {
				t.Errorf("%d acknowledgements, want %d", got, want)
			}
		})
	}
}

func TestListsAreComplete(t *testing.T) {
	rules := map[contract.RuleID]bool{}
	seen := map[string]bool{}
	for _, s := range Servers {
		rules[s.Rule] = true
		if s.Name == "" || s.Story == "" || s.New == nil || seen[s.Name] {
			t.Errorf("the server %q is incomplete or there twice", s.Name)
		}
		seen[s.Name] = true
	}
	for _, p := range Pages {
		if p.Name == "" || p.Story == "" || p.New == nil || len(p.HTML) == 0 {
			t.Errorf("the page %q is incomplete", p.Name)
		}
		rules[p.Rule] = true
	}
	for _, r := range contract.Rules {
		if !rules[r.ID] {
			t.Errorf("no server breaks the rule %s", r.ID)
		}
		delete(rules, r.ID)
	}
	if len(rules) > 0 {
		t.Errorf("rules that there are not: %v", rules)
	}
}

func TestAKeyIsStoredOnce(t *testing.T) {
	log, err := openMessages(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	c := &chat{server: socket.NewServer(nil, nil), log: log}
	for _, attempt := range []struct {
		text, key string
		want      int64
	}{{"one", "k1", 1}, {"one", "k1", 1}, {"one", "k2", 2}, {"one", "", 3}} {
		if id, err := c.say(1, attempt.text, attempt.key); err != nil || id != attempt.want {
			t.Errorf("%+v: id %d, %v", attempt, id, err)
		}
	}
	if rows, _ := log.after(0); len(rows) != 3 {
		t.Errorf("%d rows, want 3", len(rows))
	}
}
