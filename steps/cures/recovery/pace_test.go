package recovery

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/steps/cures/backpressure"
)

// A restore may write much more than the server lets wait for one client: it goes as
// fast as the client reads, in place of having it cut off for what is not its fault.
func TestALongRestoreKeepsPace(t *testing.T) {
	const missed = 5_000
	s := start(t, &Builder{}, nil)
	backpressure.Limit{Packets: 2*batchPackets + 1}.Apply(s.io)
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
	s.emit(missed) // while the restore ends, or after it
	b.awaitEvent(t, missed)
	wantNumbers(t, b, append(want, missed)...)
	awaitCondition(t, "the end of the restore", func() bool {
		s.adapter.mu.Lock()
		defer s.adapter.mu.Unlock()
		return !s.adapter.live[socket.SocketId(b.sid)].paced
	})
}

// emitLarge emits so many events of 100 kB, numbered from 0.
func (s *server) emitLarge(count int) {
	text := strings.Repeat("x", 100<<10)
	for n := range count {
		s.io.Emit("n", n, text)
	}
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
	s.emitLarge(missed)
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
	s.emitLarge(200) // more than the system's buffers take
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

// What comes in while a restore waits for a client that does not read is bounded, too.
func TestAClientThatDoesNotReadDuringALongRestoreIsCutOff(t *testing.T) {
	const kept = 300
	s := start(t, &Builder{MaxEvents: kept}, func(o *socket.ServerOptions) {
		o.SetPingInterval(time.Hour) // a ping that is not answered would end it, too
	})
	backpressure.Limit{Bytes: 4 * batchBytes}.Apply(s.io)
	a := s.awayAfterOne(t)
	s.emitLarge(200) // more than the system's buffers take
	b := s.dialOnly(t, a)
	b.mu.Lock() // it reads one message more, and then nothing
	defer b.mu.Unlock()
	awaitCondition(t, "the restore", func() bool { return s.live() == 1 })
	for n := range 2*kept + 2 {
		s.emit(n)
	}
	awaitCondition(t, "the end of the connection", func() bool { return s.io.Engine().ClientsCount() == 0 })
}

// An attachment is a packet of its own, and counts as one towards what may wait.
func TestALongRestoreOfAttachmentsKeepsPace(t *testing.T) {
	const missed, attachments = batchPackets - 1, 9
	s := start(t, &Builder{}, nil)
	backpressure.Limit{Packets: 2*batchPackets + 1}.Apply(s.io)
	a := s.awayAfterOne(t)
	var want []int
	for n := range missed {
		args := []any{n}
		for range attachments {
			args = append(args, []byte("x"))
		}
		s.io.Emit("n", args...)
		want = append(want, n)
	}
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	b.awaitEvent(t, missed-1)
	wantNumbers(t, b, want...)
}

// A client that says goodbye in the midst of it is written no more: its connection may go
// on, for another namespace or as another socket.
func TestAGoodbyeEndsALongRestore(t *testing.T) {
	s := start(t, &Builder{}, nil)
	backpressure.Limit{}.Apply(s.io)
	gone := make(chan struct{})
	var stray atomic.Int32
	_ = s.io.On("connection", func(args ...any) {
		client := args[0].(*socket.Socket)
		_ = client.On("disconnect", func(why ...any) {
			if why[0] != "client namespace disconnect" {
				return
			}
			_ = client.Conn().On("packetCreate", func(...any) { stray.Add(1) })
			close(gone)
		})
	})
	a := s.awayAfterOne(t)
	s.emitLarge(200) // more than the system's buffers take
	b := s.dialOnly(t, a)
	b.await(t, "the first events", func() bool { return len(b.events) > 2 && b.sid != "" })
	b.mu.Lock() // it reads one message more, and then nothing
	if err := b.conn.WriteMessage(websocket.TextMessage, []byte("41")); err != nil {
		t.Fatal(err)
	}
	<-gone
	before := b.sid
	b.mu.Unlock()
	awaitCondition(t, "the end of the restore", func() bool {
		s.adapter.mu.Lock()
		defer s.adapter.mu.Unlock()
		return len(s.adapter.live) == 0
	})
	// What keepPace was about to write it may write: one part.
	if err := b.conn.WriteMessage(websocket.TextMessage, []byte("40")); err != nil {
		t.Fatal(err)
	}
	b.await(t, "another socket on the same connection", func() bool { return b.sid != before })
	if n := stray.Load(); n > 3 {
		t.Errorf("%d packets were written after the goodbye", n)
	}
}

// What waits for a member is bounded by what the log may hold, not by what it holds by default.
func TestALargeLogIsRestored(t *testing.T) {
	const missed = 2*defaultMaxEvents + 5_000
	s := start(t, &Builder{MaxEvents: 2 * missed}, nil)
	backpressure.Limit{}.Apply(s.io)
	a := s.awayAfterOne(t)
	text := strings.Repeat("x", 1_000) // more than the system's buffers take
	for n := range missed {
		s.io.Emit("n", n, text)
	}
	b := s.dialOnly(t, a)
	b.mu.Lock() // it reads one message more, and then nothing
	awaitCondition(t, "the restore", func() bool {
		s.adapter.mu.Lock()
		defer s.adapter.mu.Unlock()
		return len(s.adapter.live) == 1
	})
	s.emit(missed)
	b.mu.Unlock()
	b.awaitEvent(t, missed)
	wantRecovered(t, a, b, true)
}
