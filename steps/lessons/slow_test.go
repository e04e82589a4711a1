package lessons

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"strings"
	"sync"
	"testing"

	"redial/steps/internal/rawclient"
)

// A page that takes nothing while others talk is cut off, at every step from recovery
// on; when it is back it has everything exactly once. Step 5, which has no way to give
// it the rest, is the negative control: there the messages wait in memory.
func TestAPageThatTakesNothingIsCutOff(t *testing.T) {
	if underRace {
		t.Skip("takes fifteen times as long: make test plays it without the race detector")
	}
	// What is said is more than a limit and the network's buffers hold.
	const messages, size = 1_500, 16_000
	for _, number := range []string{"5", "6", "7", "8", "9", "10"} {
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
			heard := new(hearing)
			say(t, ann, 1, 0)
			for heard.last < 1 {
				heard.next(t, bob.Next())
			}
			tap.Shut()
			said := 1
			for said < messages && !logged.contain("takes less than it is sent") {
				said++
				say(t, ann, said, size)
			}
			if cutOff := said < messages; cutOff != (number != "5") {
				t.Fatalf("after %d messages the page is cut off: %v", said, cutOff)
			}
			tap.Open()
			if number == "5" {
				return
			}
			said++
			say(t, ann, said, 0)
			for event := range bob.Events {
				heard.next(t, event)
			}
			t.Logf("cut off after %d messages, of which it had %d", said-1, heard.last)
			back := rawclient.Connect(t, url, map[string]any{
				"pid": bob.Pid, "offset": heard.recovery, "serverOffset": heard.last,
			})
			for heard.last < said {
				heard.next(t, back.Next())
			}
		})
	}
}

// say says the message with this number, and so many bytes behind it.
func say(t *testing.T, client *rawclient.Client, number, size int) {
	t.Helper()
	answer, err := client.Ask("chat message", fmt.Sprintf("%d %s", number, strings.Repeat("x", size)))
	if err != nil || answer["error"] != nil {
		t.Fatalf("message %d is answered by %v, %v", number, answer, err)
	}
}

// hearing is what a page has heard: every message up to last.
type hearing struct {
	last     int
	recovery string // the last offset of recovery
}

// next expects the next message, where the event is one.
func (h *hearing) next(t *testing.T, event rawclient.Event) {
	t.Helper()
	if event.Name != "chat message" {
		return
	}
	if text, _ := event.Args[0].(string); !strings.HasPrefix(text, fmt.Sprintf("%d ", h.last+1)) {
		t.Fatalf("after message %d came %.20q", h.last, text)
	}
	h.last++
	h.recovery, _ = event.Args[len(event.Args)-1].(string)
}

// lines are what is logged, by any goroutine.
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
