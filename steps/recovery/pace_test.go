package recovery

import (
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/steps/backpressure"
)

// A restore may write much more than the server lets wait for one client: it goes as
// fast as the client reads, in place of having it cut off for what is not its fault.
func TestALongRestoreKeepsPace(t *testing.T) {
	const missed = 5_000
	s := start(t, &Builder{}, nil)
	backpressure.Limit{Packets: 2*batchEvents + 1}.Apply(s.io)
	a := s.dial(t, nil)
	s.emit(0)
	a.awaitEvent(t, 0)
	s.drop(t, a)
	var want []int
	for n := range missed {
		s.emit(n)
		want = append(want, n)
	}
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	b.awaitEvent(t, missed-1)
	wantNumbers(t, b, want...)
}

// The same where it is not many events, but large ones.
func TestALongRestoreOfLargeEventsKeepsPace(t *testing.T) {
	const missed = 100
	s := start(t, &Builder{}, nil)
	backpressure.Limit{Bytes: 4 * batchBytes}.Apply(s.io)
	a := s.dial(t, nil)
	s.emit(0)
	a.awaitEvent(t, 0)
	s.drop(t, a)
	text := strings.Repeat("x", 100<<10)
	for n := range missed {
		s.io.Emit("n", n, text)
	}
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	b.awaitEvent(t, missed-1)
}

// What large events hold is bounded, too; a client that lacks one that had to go is not
// restored.
func TestTheLogIsBoundedInBytes(t *testing.T) {
	const kept = 10
	text := strings.Repeat("x", 1_000)
	s := start(t, &Builder{MaxBytes: kept * 1_100}, nil)
	for _, missed := range []int{kept, kept + 1} {
		a := s.dial(t, nil)
		s.emit(0)
		a.awaitEvent(t, 0)
		s.drop(t, a)
		for n := range missed {
			s.io.Emit("n", n, text)
		}
		wantRecovered(t, a, s.dial(t, a), missed == kept)
	}
}

// A restore is not written on the goroutine that reads from the client. A client that
// polls would wait for its request to be answered before it reads on, and so would this
// one, which says something first.
func TestAClientThatHasMissedMuchIsHeard(t *testing.T) {
	s := start(t, &Builder{}, nil)
	backpressure.Limit{Bytes: 4 * batchBytes}.Apply(s.io)
	heard := make(chan struct{}, 2)
	_ = s.io.On("connection", func(args ...any) {
		_ = args[0].(*socket.Socket).On("hello", func(...any) { heard <- struct{}{} })
	})
	a := s.awayAfterOne(t)
	text := strings.Repeat("x", 100<<10)
	for n := range 200 { // more than the system's buffers take
		s.io.Emit("n", n, text)
	}
	b := s.dialOnly(t, a)
	b.mu.Lock() // it reads one message more, and then nothing
	if err := b.conn.WriteMessage(websocket.TextMessage, []byte(`42["hello"]`)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-heard:
	case <-time.After(patienceInTests):
		t.Error("it is not heard")
	}
	b.mu.Unlock()
	b.awaitEvent(t, 199)
	wantRecovered(t, a, b, true)
}
