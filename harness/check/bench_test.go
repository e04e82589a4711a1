package check

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"redial/harness/contract"
	"redial/harness/history"
)

// crowd generates a history that is too long for memory: every view shows every message.
type crowd struct {
	views, messages int
	// anomaly makes every anomaly-th Shown event wrong: in turn left out, doubled or late. 0
	// means none.
	anomaly int
	log     bool
}

// play passes the history to add, event by event, and returns the number of events.
func (c crowd) play(add func(history.Event)) (events int) {
	put := func(e history.Event) { add(e); events++ }
	names := make([]string, c.views)
	put(history.Event{Kind: history.Began, Level: contract.Recovery})
	for i := range names {
		names[i] = fmt.Sprintf("client-%d", i)
		put(history.Event{Kind: history.Opened, Client: names[i], View: 1})
		put(history.Event{Kind: history.Connected, Client: names[i], View: 1})
	}
	again := make([]string, c.views)
	for i := range again {
		again[i] = strings.Clone(names[i])
	}
	showings := 0
	late := make([]string, c.views)
	for m := range c.messages {
		put(history.Event{Kind: history.Sent, Client: names[m%c.views], View: 1, Message: c.text(m)})
		// A new string: comparing one with itself would be too fast to be realistic.
		text := c.text(m)
		for v, name := range again {
			e := history.Event{Kind: history.Shown, Client: name, View: 1, Message: text}
			showings++
			if c.anomaly > 0 && showings%c.anomaly == 0 {
				switch showings / c.anomaly % 3 {
				case 0:
					continue
				case 1:
					put(e)
				default:
					if late[v] == "" {
						late[v] = e.Message
						continue
					}
				}
			}
			put(e)
			if late[v] != "" && late[v] != e.Message {
				e.Message, late[v] = late[v], ""
				put(e)
			}
		}
	}
	put(history.Event{Kind: history.Barrier})
	if c.log {
		for m := range c.messages {
			put(history.Event{Kind: history.Stored, Message: c.text(m)})
		}
		put(history.Event{Kind: history.LogRead})
	}
	put(history.Event{Kind: history.Ended})
	return events
}

func (c crowd) text(m int) string { return fmt.Sprintf("client-%d says message %d", m%c.views, m) }

// BenchmarkChecker judges about ten million Shown events; their generation is included.
// bytes/event is the memory of the Checker after the last event.
func BenchmarkChecker(b *testing.B) {
	for _, c := range []struct {
		name string
		crowd
	}{
		{"in order, no log", crowd{views: 100, messages: 100_000}},
		{"in order, log", crowd{views: 100, messages: 100_000, log: true}},
		{"1% anomalies, no log", crowd{views: 100, messages: 100_000, anomaly: 100}},
		{"1% anomalies, log", crowd{views: 100, messages: 100_000, anomaly: 100, log: true}},
		{"10 views, in order", crowd{views: 10, messages: 1_000_000}},
	} {
		b.Run(c.name, func(b *testing.B) {
			events := 0
			var held uint64
			for range b.N {
				before := heap()
				checker := NewChecker()
				events += c.play(checker.Add)
				b.StopTimer()
				held = heap() - before
				b.StartTimer()
				v := checker.Verdict()
				if (v.Outcome == Pass) != (c.anomaly == 0) {
					b.Fatalf("%s: %s", v.Outcome, v.Reason)
				}
				runtime.KeepAlive(checker)
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(held)/(float64(events)/float64(b.N)), "bytes/event")
		})
	}
}

// BenchmarkVerdict is the part of BenchmarkChecker after the last event.
func BenchmarkVerdict(b *testing.B) {
	for _, anomaly := range []int{0, 100} {
		b.Run(fmt.Sprintf("anomaly every %d", anomaly), func(b *testing.B) {
			checker := NewChecker()
			events := crowd{views: 100, messages: 100_000, anomaly: anomaly}.play(checker.Add)
			b.ResetTimer()
			for range b.N {
				checker.Verdict()
			}
			b.ReportMetric(float64(b.N)*float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkShuffled is the worst case: each page shows all messages in a random order of its
// own.
func BenchmarkShuffled(b *testing.B) {
	for _, messages := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("%d messages", messages), func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 2))
			c := crowd{views: 10, messages: messages}
			events := 0
			for range b.N {
				checker := NewChecker()
				checker.Add(history.Event{Kind: history.Began, Level: contract.Recovery})
				for m := range messages {
					checker.Add(history.Event{Kind: history.Sent, Client: fmt.Sprint("sender-", m%7), View: 1, Message: c.text(m)})
				}
				for v := range c.views {
					for _, m := range random.Perm(messages) {
						checker.Add(history.Event{Kind: history.Shown, Client: fmt.Sprint("reader-", v), View: 1, Message: c.text(m)})
					}
				}
				checker.Add(history.Event{Kind: history.Ended})
				if v := checker.Verdict(); v.Reordered == 0 {
					b.Fatal("nothing was out of order")
				}
				events += checker.events
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
