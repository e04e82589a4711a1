package lessons

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"strings"
	"sync"
	"testing"

	"redial/harness/lab/race"
	"redial/steps/internal/chattest"
	"redial/steps/internal/rawclient"
)

// From step 6 on, a page that reads nothing while others send is disconnected, and receives
// every message once after it has reconnected. In step 5, the negative control, the messages
// wait in memory.
func TestAPageThatTakesNothingIsCutOff(t *testing.T) {
	if race.Enabled {
		t.Skip("takes fifteen times as long: make test plays it without the race detector")
	}
	// The limit and the buffers of the network hold less than these messages.
	const messages, size = 400, 60_000
	for _, number := range []string{"5", "6", "7", "7a", "8", "9", "10"} {
		t.Run(number, func(t *testing.T) {
			logged := new(lines)
			log.SetOutput(logged)
			t.Cleanup(func() { log.SetOutput(os.Stderr) })
			url := serveStep(t, number).url
			ann, tap := rawclient.Connect(t, url, nil), rawclient.NewTap()
			bob, err := rawclient.DialOver(t, url, nil, tap.Dial)
			if err != nil {
				t.Fatal(err)
			}
			received := new(receiver)
			chattest.Send(t, ann, numbered(1, 0))
			for received.last < 1 {
				received.next(t, bob.Next())
			}
			tap.Shut()
			sent := 1
			for sent < messages && !logged.contain("reads too slowly") {
				sent++
				chattest.Send(t, ann, numbered(sent, size))
			}
			if closed := sent < messages; closed != (number != "5") {
				t.Fatalf("after %d messages the page is disconnected: %v", sent, closed)
			}
			tap.Open()
			if number == "5" {
				return
			}
			sent++
			chattest.Send(t, ann, numbered(sent, 0))
			for event := range bob.Events {
				received.next(t, event)
			}
			t.Logf("disconnected after %d messages, of which it had received %d", sent-1, received.last)
			back := rawclient.Connect(t, url, map[string]any{
				"pid": bob.Pid, "offset": received.recovery, "serverOffset": received.last,
			})
			for received.last < sent {
				received.next(t, back.Next())
			}
		})
	}
}

// numbered is a text with a number and that many more bytes.
func numbered(number, size int) string {
	return fmt.Sprintf("%d %s", number, strings.Repeat("x", size))
}

// A receiver has received every message up to last.
type receiver struct {
	last     int
	recovery string // the last recovery offset
}

// next expects the next message, all of them (in step 7a), or another event.
func (r *receiver) next(t *testing.T, event rawclient.Event) {
	t.Helper()
	var texts []any
	switch event.Name {
	case "state":
		r.last, texts = 0, event.Args[0].([]any)
	case "chat message":
		texts = event.Args[:1]
		r.recovery, _ = event.Args[len(event.Args)-1].(string)
	}
	for _, text := range texts {
		if text, _ := text.(string); !strings.HasPrefix(text, fmt.Sprintf("%d ", r.last+1)) {
			t.Fatalf("after message %d came %.20q", r.last, text)
		}
		r.last++
	}
}

// lines collects the log of all goroutines.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *lines) contain(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), part)
}
