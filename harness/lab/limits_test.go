package lab

import (
	"fmt"
	"strings"
	"testing"

	"redial/harness/history"
)

// Each limit ends a run at its number and not before. Disconnections that the plan causes do
// not count.
func TestLimits(t *testing.T) {
	event := func(kind history.Kind, text string) history.Event {
		return history.Event{Kind: kind, Client: "bob", Message: text}
	}
	once := func(kind history.Kind) func(int) []history.Event {
		return func(n int) []history.Event { return []history.Event{event(kind, fmt.Sprint(n))} }
	}
	for name, c := range map[string]struct {
		at    int // the repetition that exceeds a limit; 0 for none
		want  string
		again func(n int) []history.Event
	}{
		"messages that no client sent": {mostOthers, "without end", once(history.Shown)},
		"messages that were sent": {mostShown, "without end", func(n int) []history.Event {
			return []history.Event{{Kind: history.Sent, Client: "alice", Message: fmt.Sprint(n)}, event(history.Shown, fmt.Sprint(n))}
		}},
		"messages on page after page": {mostEvents / 2, "without end", func(n int) []history.Event {
			return []history.Event{event(history.Shown, fmt.Sprint(n)), event(history.Closed, "")}
		}},
		"an old log": {0, "", once(history.Found)},
		"large messages": {4, "MB of messages", func(int) []history.Event {
			return []history.Event{event(history.Shown, strings.Repeat("x", mostText/4))}
		}},
		"lost connections": {mostLosses, "bob lost its connection", once(history.Disconnected)},
		"losses after each message": {mostLossesInAll, "bob lost its connection", func(n int) []history.Event {
			return []history.Event{event(history.Shown, fmt.Sprint(n)), event(history.Disconnected, "")}
		}},
		"disconnections that the plan asked for": {0, "", func(int) []history.Event {
			return []history.Event{{Kind: history.Disconnected, Client: "bob", Detail: "io client disconnect"}}
		}},
		"losses and faults": {0, "", func(int) []history.Event {
			return []history.Event{event(history.FaultFired, ""), event(history.Disconnected, "")}
		}},
		"no connection": {1, "no client got a connection", once(history.TimedOut)},
		"a connection, and another wait that times out": {0, "", func(int) []history.Event {
			return []history.Event{event(history.Connected, ""), event(history.TimedOut, "")}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLimits()
			for n := 1; n <= mostEvents/4 || n <= c.at; n++ {
				for _, e := range c.again(n) {
					err := l.exceeded(e, e.Message)
					if err == nil {
						continue
					}
					if n != c.at || !strings.Contains(err.Error(), c.want) {
						t.Errorf("at %d: %v; want %q at %d", n, err, c.want, c.at)
					}
					return
				}
			}
			if c.at != 0 {
				t.Errorf("no error by %d", c.at)
			}
		})
	}
}
