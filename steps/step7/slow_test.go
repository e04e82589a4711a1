package step7

import (
	"bytes"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/steps/internal/chattest"
	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
	"redial/steps/internal/writebuffer"
)

// withHistory is a server with so many stored messages.
func withHistory(t *testing.T, messages int) running {
	t.Helper()
	s := start(t, serve.Settings{})
	db, err := sql.Open("sqlite3", filepath.Join(s.Folder, "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec(`WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
		INSERT INTO messages (content) SELECT 'said long ago: ' || n FROM numbers`, messages)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// dial connects over a tap, and returns the server's socket too.
func (s running) dial(t *testing.T, auth map[string]any, tap *rawclient.Tap) (*rawclient.Client, *socket.Socket) {
	t.Helper()
	sockets := make(chan *socket.Socket, 1)
	_ = s.chat.server.Once("connection", func(args ...any) { sockets <- args[0].(*socket.Socket) })
	client, err := rawclient.DialOver(t, s.URL, auth, tap.Dial)
	if err != nil {
		t.Fatal(err)
	}
	return client, <-sockets
}

// heap is what is in use, in MB.
func heap() float64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc) / 1e6
}

// A page is sent 100,000 messages as fast as it reads them. It stops in the middle for
// a while; a page that stops must not have the rest of them wait in memory.
func TestALongReplayWaitsForItsReader(t *testing.T) {
	const old = 100_000
	s := withHistory(t, old)
	ann := rawclient.Connect(t, s.URL, chattest.Offset(old))
	chattest.Send(t, ann, "before")
	before := place(t, ann.Next())

	tap, page := rawclient.NewTap(), s.chat.replayPage
	bob, client := s.dial(t, chattest.Offset(0), tap)
	for n := 1; n <= page; n++ {
		chattest.Receive(t, bob, n, fmt.Sprintf("said long ago: %d", n))
	}
	tap.Shut()
	used, most, unchanged, last := heap(), 0, 0, -1
	for deadline := time.Now().Add(chattest.Patience); unchanged < 20; time.Sleep(5 * time.Millisecond) {
		waiting := writebuffer.Len(client)
		if unchanged++; waiting == 0 || waiting != last {
			unchanged, last = 0, waiting
		}
		if most = max(most, waiting); time.Now().After(deadline) {
			t.Fatal("the replay to a page that has stopped does not stop")
		}
	}
	t.Logf("%d packets waited at the most, %.1f MB", most, heap()-used)
	if most == 0 || most > 2*page {
		t.Errorf("%d packets waited at the most, want some, and no more than two parts of %d", most, page)
	}
	if !client.Connected() {
		t.Error("a page is cut off for being slow at its own replay")
	}
	chattest.Send(t, ann, "meanwhile") // nobody else waits for the page
	tap.Open()
	for n := page + 1; n <= old; n++ {
		chattest.Receive(t, bob, n, fmt.Sprintf("said long ago: %d", n))
	}
	chattest.Receive(t, bob, old+1, "before", "meanwhile")
	chattest.Send(t, ann, "after")
	chattest.Receive(t, bob, old+3, "after")

	// What recovery stores has numbers without a gap. The replay has none of them.
	chattest.Receive(t, ann, old+2, "meanwhile")
	if after := place(t, ann.Next()); after != before+2 {
		t.Errorf("recovery has stored %d events in between, want one: the replay is stored again", after-before-1)
	}
}

// place is the number that recovery has given to the event.
func place(t *testing.T, event rawclient.Event) uint64 {
	t.Helper()
	offset, _ := event.Args[len(event.Args)-1].(string)
	_, number, _ := strings.Cut(offset, ".")
	n, err := strconv.ParseUint(number, 36, 64)
	if err != nil {
		t.Fatalf("%+v has no place in the log of recovery", event)
	}
	return n
}

// A page that is up to date takes nothing while others talk. It is cut off before what
// waits for it has become much; and when it reads again and comes back, either way, it
// has everything exactly once.
func TestAPageThatTakesNothingIsCutOffAndCatchesUp(t *testing.T) {
	for name, way := range map[string]func(*rawclient.Client, int, string) map[string]any{
		"with its session": func(c *rawclient.Client, last int, recovery string) map[string]any {
			return map[string]any{"pid": c.Pid, "offset": recovery, "serverOffset": last}
		},
		"from the database": func(_ *rawclient.Client, last int, _ string) map[string]any { return chattest.Offset(last) },
	} {
		t.Run(name, func(t *testing.T) {
			var logged bytes.Buffer
			log.SetOutput(&logged)
			t.Cleanup(func() { log.SetOutput(os.Stderr) })
			s := start(t, serve.Settings{})
			ann, tap := rawclient.Connect(t, s.URL, nil), rawclient.NewTap()
			bob, client := s.dial(t, nil, tap)
			chattest.Send(t, ann, "both are here")
			chattest.Receive(t, bob, 1, "both are here")
			tap.Shut()
			said, most := 1, 0
			text := strings.Repeat("x", 16_000)
			for used := heap(); client.Connected(); said++ {
				if most = max(most, writebuffer.Len(client)); most > 4_000 {
					t.Fatalf("%d packets wait, %.0f MB, and the page is not cut off", most, heap()-used)
				}
				chattest.Send(t, ann, text)
			}
			t.Logf("cut off after %d messages of %d bytes; %d packets waited at the most", said, len(text), most)
			if got := logged.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "takes less than it is sent") {
				t.Errorf("logged is %q, want one line that says why", got)
			}
			chattest.Send(t, ann, "while it was away")
			said++

			tap.Open()
			last, recovery := 1, ""
			for event := range bob.Events {
				hearNext(t, event, &last, &recovery)
			}
			back, err := rawclient.Dial(t, s.URL, way(bob, last, recovery))
			if err != nil {
				t.Fatal(err)
			}
			if restored := back.Sid == bob.Sid; restored != (name == "with its session") {
				t.Errorf("the session is restored: %v", restored)
			}
			for last < said {
				hearNext(t, back.Next(), &last, &recovery)
			}
			chattest.Send(t, ann, "the end")
			chattest.Receive(t, back, said+1, "the end")
		})
	}
}

// hearNext expects the message after last, and moves on.
func hearNext(t *testing.T, event rawclient.Event, last *int, recovery *string) {
	t.Helper()
	if event.Name != "chat message" || event.Args[1] != float64(*last+1) {
		t.Fatalf("after message %d came %.100v", *last, event)
	}
	*last++
	*recovery, _ = event.Args[len(event.Args)-1].(string)
}
