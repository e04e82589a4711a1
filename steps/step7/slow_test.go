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

// storedText is the text of the message with that id in startWithMessages. It is long, so that
// the buffers of the network cannot hold the log.
func storedText(id int) string { return fmt.Sprint(id, strings.Repeat(" stored", 150)) }

// startWithMessages starts a server with that many stored messages.
func startWithMessages(t *testing.T, messages int) running {
	t.Helper()
	s := start(t, serve.Settings{})
	db, err := sql.Open("sqlite3", filepath.Join(s.Folder, "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec(`WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
		INSERT INTO messages (content) SELECT n || ? FROM numbers`, messages, strings.TrimPrefix(storedText(0), "0"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// dial connects over a tap, and also returns the server's socket.
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

// heap returns the size of the live heap in MB.
func heap() float64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc) / 1e6
}

// While the page does not read, the rest of its replay must not wait in memory.
func TestLongReplayWaitsForItsReader(t *testing.T) {
	chattest.Slow(t)
	const old = 20_000
	s := startWithMessages(t, old)
	ann := rawclient.Connect(t, s.URL, chattest.Offset(old))
	chattest.Send(t, ann, "before")
	before := eventNumber(t, ann.Next())

	tap, page := rawclient.NewTap(), s.chat.replayPage
	bob, client := s.dial(t, chattest.Offset(0), tap)
	for n := 1; n <= page; n++ {
		chattest.Receive(t, bob, n, storedText(n))
	}
	tap.Shut()
	used, most, unchanged, last := heap(), 0, 0, -1
	for deadline := time.Now().Add(rawclient.Timeout); unchanged < 20; time.Sleep(5 * time.Millisecond) {
		waiting := writebuffer.Len(client)
		if unchanged++; waiting == 0 || waiting != last {
			unchanged, last = 0, waiting
		}
		if most = max(most, waiting); time.Now().After(deadline) {
			t.Fatal("the replay continues although the page reads nothing")
		}
	}
	t.Logf("at most %d packets waited, %.1f MB", most, heap()-used)
	if most == 0 || most > 2*page {
		t.Errorf("at most %d packets waited, want some, and no more than two parts of %d", most, page)
	}
	if !client.Connected() {
		t.Error("the page was disconnected during its own replay")
	}
	chattest.Send(t, ann, "meanwhile") // other pages do not wait
	tap.Open()
	for n := page + 1; n <= old; n++ {
		chattest.Receive(t, bob, n, storedText(n))
	}
	chattest.Receive(t, bob, old+1, "before", "meanwhile")
	chattest.Send(t, ann, "after")
	chattest.Receive(t, bob, old+3, "after")

	// Recovery numbers the events that it stores, without a gap.
	chattest.Receive(t, ann, old+2, "meanwhile")
	if after := eventNumber(t, ann.Next()); after != before+2 {
		t.Errorf("recovery stored %d events in between, want one: it stores the replay", after-before-1)
	}
}

// eventNumber returns the number of the event in the log of recovery.
func eventNumber(t *testing.T, event rawclient.Event) uint64 {
	t.Helper()
	offset, _ := event.Args[len(event.Args)-1].(string)
	_, number, _ := strings.Cut(offset, ".")
	n, err := strconv.ParseUint(number, 36, 64)
	if err != nil {
		t.Fatalf("%+v has no recovery offset", event)
	}
	return n
}

// A page that reads nothing is disconnected before much data waits for it. With no session, it
// catches up from the database; package lessons tests the same with the session.
func TestPageThatReadsNothingIsDisconnectedAndCatchesUp(t *testing.T) {
	chattest.Slow(t)
	var logged bytes.Buffer
	log.SetOutput(&logged)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	s := start(t, serve.Settings{})
	ann, tap := rawclient.Connect(t, s.URL, nil), rawclient.NewTap()
	bob, client := s.dial(t, nil, tap)
	chattest.Send(t, ann, "both are connected")
	chattest.Receive(t, bob, 1, "both are connected")
	tap.Shut()
	sent, most := 1, 0
	text := strings.Repeat("x", 16_000)
	for used := heap(); client.Connected(); sent++ {
		if most = max(most, writebuffer.Len(client)); most > 4_000 {
			t.Fatalf("%d packets wait, %.0f MB, and the page is connected", most, heap()-used)
		}
		chattest.Send(t, ann, text)
	}
	t.Logf("disconnected after %d messages of %d bytes; at most %d packets waited", sent, len(text), most)
	if got := logged.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "reads too slowly") {
		t.Errorf("the log is %q, want one line with the reason", got)
	}
	chattest.Send(t, ann, "while bob is disconnected")
	sent++

	tap.Open()
	last := 1
	next := func(event rawclient.Event) {
		if event.Name != "chat message" || event.Args[1] != float64(last+1) {
			t.Fatalf("after message %d came %.100v", last, event)
		}
		last++
	}
	for event := range bob.Events {
		next(event)
	}
	for back := rawclient.Connect(t, s.URL, chattest.Offset(last)); last < sent; {
		next(back.Next())
	}
}
