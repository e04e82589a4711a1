package history

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"redial/harness/contract"
	"redial/harness/plan"
)

func TestChangedIsClosedByTheNextAdd(t *testing.T) {
	r := NewRecorder()
	r.Add(Event{Kind: Note})
	first, same := r.Changed(), r.Changed()
	if isClosed(first) || isClosed(same) {
		t.Fatal("closed before the next Add")
	}
	r.Add(Event{Kind: Note})
	if !isClosed(first) || !isClosed(same) {
		t.Error("still open after the next Add")
	}
	if isClosed(r.Changed()) {
		t.Error("the channel taken after an Add is closed by it")
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestWaitingMissesNothing checks that goroutines which wait as the doc of Changed describes
// see every event that others add.
func TestWaitingMissesNothing(t *testing.T) {
	const writers, waiters, each = 4, 4, 500
	r := NewRecorder()
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				r.Add(Event{Kind: Note})
			}
		})
	}
	for range waiters {
		all.Go(func() {
			for seen := 0; seen < writers*each; {
				changed := r.Changed()
				if news := r.Events(seen); len(news) > 0 {
					seen += len(news)
					continue
				}
				<-changed
			}
		})
	}
	all.Wait()
}

func TestEventsAreStampedAndStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRecorder()
		r.Add(Event{Kind: Sent, Message: "one"})
		early := r.Events(0)
		time.Sleep(3 * time.Second)
		r.Add(Event{Kind: Sent, Message: "two", At: 99})
		if got := r.Events(1); len(got) != 1 || got[0].Message != "two" || got[0].At != plan.Duration(3*time.Second) {
			t.Errorf("from 1: %+v", got)
		}
		if len(early) != 1 || cap(early) != 1 {
			t.Errorf("what was handed out before has changed: %d of %d", len(early), cap(early))
		}
		if len(r.Events(2)) != 0 {
			t.Error("there is something after the end")
		}
	})
}

// TestFileRoundTrip checks that a history with any texts is the same after Write and Read.
func TestFileRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		event := rapid.Custom(func(t *rapid.T) Event {
			return Event{
				At:        plan.Duration(rapid.Int64Min(0).Draw(t, "at")),
				Kind:      rapid.SampledFrom([]Kind{Sent, Shown, Note, Connected}).Draw(t, "kind"),
				Client:    rapid.StringN(1, -1, -1).Draw(t, "client"),
				View:      rapid.IntMin(1).Draw(t, "view"),
				Message:   rapid.String().Draw(t, "message"),
				Offset:    rapid.Int64().Draw(t, "offset"),
				Recovered: rapid.Bool().Draw(t, "recovered"),
				Detail:    rapid.String().Draw(t, "detail"),
			}
		})
		events := append([]Event{{Kind: Began, Level: contract.Recovery, Plan: &plan.Plan{
			Scenario: "round-trip", Seed: 1<<64 - 1, Clients: []plan.Client{{Name: "앨리스"}},
			Tuning: plan.Tuning{PingTimeout: plan.Duration(time.Second)},
		}}}, rapid.SliceOf(event).Draw(t, "events")...)
		var file bytes.Buffer
		if err := Write(&file, events); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(file.String(), "\n"); lines != len(events) {
			t.Fatalf("%d events on %d lines", len(events), lines)
		}
		got, err := Read(&file)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, events) {
			t.Fatalf("read back\n%+v\nwant\n%+v", got, events)
		}
	})
}

func TestReadNamesTheLine(t *testing.T) {
	for name, file := range map[string]string{
		"no JSON":        `{"at":"0s","kind":"note"}` + "\nhello\n",
		"cut short":      `{"at":"0s","kind":"note"}` + "\n" + `{"at":"1s","ki`,
		"not an event":   `{"at":"0s","kind":"note"}` + "\n[1]\n",
		"a bad duration": `{"at":"0s","kind":"note"}` + "\n" + `{"at":"soon"}` + "\n",
		"two on a line":  "\n" + `{"at":"0s","kind":"note"}{"at":"0s","kind":"note"}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(strings.NewReader(file))
			if err == nil || !strings.HasPrefix(err.Error(), "line 2 of the history is no event: ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
	if events, err := Read(strings.NewReader("\n" + `{"at":"0s","kind":"note"}` + "\n\n")); err != nil || len(events) != 1 {
		t.Errorf("empty lines: %v, %v", events, err)
	}
}

func TestReadReturnsTheReadersError(t *testing.T) {
	_, err := Read(io.MultiReader(strings.NewReader(`{"at":"0s","kind":"note"}`+"\n"), broken{}))
	if err == nil || !strings.Contains(err.Error(), "the disk is gone") {
		t.Errorf("got %v", err)
	}
	if err := Write(broken{}, []Event{{Kind: Note}}); err == nil || !strings.HasPrefix(err.Error(), "writing the history: ") {
		t.Errorf("got %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error)  { return 0, fmt.Errorf("the disk is gone") }
func (broken) Write([]byte) (int, error) { return 0, fmt.Errorf("the disk is gone") }

// BenchmarkAdd fills histories of 10,000 events, with and without a waiting goroutine.
func BenchmarkAdd(b *testing.B) {
	e := Event{Kind: Shown, Client: "alice", View: 1, Message: "alice says hello"}
	for _, waits := range []bool{false, true} {
		b.Run(fmt.Sprintf("awaited %t", waits), func(b *testing.B) {
			b.ReportAllocs()
			r := NewRecorder()
			for i := range b.N {
				if i%10_000 == 0 {
					r = NewRecorder()
				}
				if waits {
					r.Changed()
				}
				r.Add(e)
			}
		})
	}
}

func sample(n int) []Event {
	events := make([]Event, n)
	for i := range events {
		events[i] = Event{At: plan.Duration(i) * 12345, Kind: Shown, Client: "alice", View: 1, Message: fmt.Sprintf("bob says message %d", i), Offset: int64(i)}
	}
	return events
}

func BenchmarkWrite(b *testing.B) {
	events := sample(10_000)
	for range b.N {
		if err := Write(io.Discard, events); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(events))/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkRead(b *testing.B) {
	var file bytes.Buffer
	events := sample(10_000)
	if err := Write(&file, events); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(file.Len()))
	for range b.N {
		if _, err := Read(bytes.NewReader(file.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(events))/b.Elapsed().Seconds(), "events/s")
}
