package recovery

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// emit emits the event "n" with each number, to everyone.
func (s *server) emit(numbers ...int) {
	for _, n := range numbers {
		_ = s.io.Sockets().Emit("n", n)
	}
}

// drop cuts the client and waits until the server has noticed.
func (s *server) drop(t *testing.T, c *client) {
	t.Helper()
	c.cut()
	s.awaitEnd(t, c)
}

// awayAfterOne is a client that has received event 1 and was cut off.
func (s *server) awayAfterOne(t *testing.T) *client {
	t.Helper()
	a := s.dial(t, nil)
	s.emit(1)
	a.awaitEvent(t, 1)
	s.drop(t, a)
	return a
}

func (s *server) live() int {
	s.adapter.mu.Lock()
	defer s.adapter.mu.Unlock()
	return len(s.adapter.live)
}

func wantNumbers(t *testing.T, c *client, want ...int) {
	t.Helper()
	if got := c.numbers(); !slices.Equal(got, want) {
		t.Errorf("received %v, want %v", got, want)
	}
}

func wantRecovered(t *testing.T, before, after *client, want bool) {
	t.Helper()
	if got := before.sid == after.sid; got != want {
		t.Fatalf("recovered: %t, want %t", got, want)
	}
}

func TestMissedEventsComeBeforeTheAnswer(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.awayAfterOne(t)
	var missed []int
	for n := range batchPackets {
		missed = append(missed, n+2)
	}
	s.emit(missed...)
	b := s.dialOnly(t, a)
	var atConnect []int
	b.await(t, "the connect packet", func() bool {
		if b.sid != "" && atConnect == nil {
			for _, args := range b.events {
				atConnect = append(atConnect, int(args[1].(float64)))
			}
		}
		return b.sid != ""
	})
	wantRecovered(t, a, b, true)
	if !slices.Equal(atConnect, missed) {
		t.Errorf("%d events before the connect packet, want %d in order", len(atConnect), len(missed))
	}
}

func TestSessionIsRestoredOnce(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.awayAfterOne(t)

	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	// The same session once more, while the restored one is live.
	wantRecovered(t, a, s.dial(t, a), false)

	s.emit(2)
	b.awaitEvent(t, 2)
	s.drop(t, b)
	s.emit(3)
	c := s.dial(t, b)
	wantRecovered(t, b, c, true)
	wantNumbers(t, c, 3)
}

func TestTakeover(t *testing.T) {
	for _, takeover := range []bool{true, false} {
		t.Run(fmt.Sprint(takeover), func(t *testing.T) {
			s := start(t, &Builder{Takeover: takeover}, nil)
			a := s.dial(t, nil)
			s.emit(1)
			a.awaitEvent(t, 1)
			// The connection stays open, and the client has not heard of 2 and 3.
			offset := a.offset
			s.emit(2, 3)
			a.awaitEvent(t, 3)
			half := &client{sid: a.sid, pid: a.pid, offset: offset}

			b := s.dial(t, half)
			wantRecovered(t, a, b, takeover)
			if !takeover {
				return
			}
			<-a.done
			s.emit(4)
			b.awaitEvent(t, 4)
			wantNumbers(t, b, 2, 3, 4)
			if n := len(s.io.Sockets().Sockets().Keys()); n != 1 || s.live() != 1 {
				t.Errorf("%d sockets in the namespace, %d live, want one", n, s.live())
			}

			// A restored session is taken over as well.
			c := s.dial(t, b)
			wantRecovered(t, a, c, true)
			s.emit(5)
			c.awaitEvent(t, 5)
			wantNumbers(t, c, 5)
		})
	}
}

// A socket whose closing is held up by the application must not remove the one that
// is restored under its id.
func TestLateCloseDoesNotDeafen(t *testing.T) {
	s := start(t, &Builder{}, nil)
	release, closing, handled := make(chan struct{}), make(chan struct{}, 1), make(chan struct{}, 2)
	_ = s.io.On("connection", func(args ...any) {
		connected := args[0].(*socket.Socket)
		_ = connected.On("disconnecting", func(...any) {
			select {
			case closing <- struct{}{}:
				<-release
			default:
			}
		})
		handled <- struct{}{}
	})
	a := s.dial(t, nil)
	<-handled
	s.emit(1)
	a.awaitEvent(t, 1)
	a.cut()
	<-closing
	b := s.dialOnly(t, a)
	s.emit(2)
	close(release)
	b.await(t, "the connect packet", func() bool { return b.sid != "" })
	wantRecovered(t, a, b, true)
	s.emit(3)
	b.awaitEvent(t, 3)
	wantNumbers(t, b, 2, 3)
}

// The same for one that closes a second time, after the restore: what its goroutine
// would call is called here.
func TestOlderSocketIsNotListenedTo(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.dial(t, nil)
	s.emit(1)
	a.awaitEvent(t, 1)
	old, _ := s.io.Sockets().Sockets().Load(socket.SocketId(a.sid))
	s.drop(t, a)
	b := s.dial(t, a)

	old.Emit("ignored")
	old.EmitReserved("disconnecting", "transport close")
	s.adapter.PersistSession(&socket.SessionToPersist{Sid: old.Id(), Pid: socket.PrivateSessionId(a.pid), Rooms: types.NewSet[socket.Room]()})
	s.adapter.DelAll(old.Id())
	s.io.Sockets().Remove(old)
	old.EmitReserved("disconnect", "transport close")

	s.emit(2)
	b.await(t, "event 2", func() bool { return len(b.events) == 2 })
	if _, there := s.io.Sockets().Sockets().Load(old.Id()); !there {
		t.Error("the restored socket is no longer in its namespace")
	}
	wantRecovered(t, a, s.dial(t, a), false)
}

func TestQuietRoomRecoversAfterPurge(t *testing.T) {
	const keep = 150 * time.Millisecond
	s := start(t, &Builder{MaxDisconnection: keep}, nil)
	s.adapter.mu.Lock()
	s.adapter.log.keepFor = keep // not the time for which a dead connection goes unnoticed as well
	s.adapter.mu.Unlock()
	a := s.dial(t, nil)
	s.emit(1, 2)
	a.awaitEvent(t, 2)
	time.Sleep(2 * keep) // what the test is about is time itself
	s.drop(t, a)
	if kept := s.events(); kept != 0 {
		t.Fatalf("%d events are kept after their time", kept)
	}
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	s.emit(3)
	b.awaitEvent(t, 3)

	s.drop(t, b)
	time.Sleep(2 * keep)
	wantRecovered(t, b, s.dial(t, b), false)
}

// A client that got nothing while others did is up to date all the same, when what was
// for them is gone, and something for it is there.
func TestQuietForOneRecoversAfterOthersTalked(t *testing.T) {
	const keep = 150 * time.Millisecond
	s := start(t, &Builder{}, nil)
	s.adapter.mu.Lock()
	s.adapter.log.keepFor, s.adapter.unnoticed = keep, keep
	s.adapter.mu.Unlock()
	a := s.dial(t, nil)
	s.emit(1)
	a.awaitEvent(t, 1)
	for n := range 3 {
		_ = s.io.Except(socket.Room(a.sid)).Emit("n", n)
	}
	time.Sleep(2 * keep) // what the test is about is time itself
	s.drop(t, a)
	s.emit(2)
	if kept := s.events(); kept != 1 {
		t.Fatalf("%d events are kept, want the last one only", kept)
	}
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	b.awaitEvent(t, 2)
	wantNumbers(t, b, 2)
}

func (s *server) events() int {
	s.adapter.mu.Lock()
	defer s.adapter.mu.Unlock()
	return len(s.adapter.log.events)
}

func TestRefusedOnlyWhenEventsAreGone(t *testing.T) {
	s := start(t, &Builder{MaxEvents: 5}, nil)
	for _, c := range []struct {
		missed    int
		recovered bool
	}{{0, true}, {5, true}, {6, false}} {
		a := s.dial(t, nil)
		s.emit(1)
		a.awaitEvent(t, 1)
		s.drop(t, a)
		for n := range c.missed {
			s.emit(n)
		}
		b := s.dial(t, a)
		wantRecovered(t, a, b, c.recovered)
		if c.recovered && len(b.numbers()) != c.missed {
			t.Errorf("received %d events, want %d", len(b.numbers()), c.missed)
		}
		s.drop(t, b)
	}
}

func TestOffsetOfAnotherProcess(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.awayAfterOne(t)
	for _, offset := range []string{"", "1", "other.1", a.offset + "0", a.offset + "!"} {
		wantRecovered(t, a, s.dial(t, &client{sid: a.sid, pid: a.pid, offset: offset}), false)
		if offset == a.offset+"0" {
			break // an offset from the future: the session is given up
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s := start(t, &Builder{MaxEvents: 100, MaxSessions: 3}, nil)
	for n := range 1_000 {
		s.emit(n)
	}
	var clients []*client
	for range 6 {
		clients = append(clients, s.dial(t, nil))
	}
	s.emit(1)
	for _, c := range clients {
		c.awaitEvent(t, 1)
		s.drop(t, c)
	}
	a := s.adapter
	a.mu.Lock()
	events, capacity := len(a.log.events), cap(a.log.events)
	bySid, byPid, saved, live, held := len(a.bySid), len(a.byPid), a.saved.Len(), len(a.live), len(a.held)
	a.mu.Unlock()
	if events != 100 || capacity > 1_000 {
		t.Errorf("%d events in room for %d, want 100", events, capacity)
	}
	if bySid != 3 || byPid != 3 || saved != 3 || held != 3 || live != 0 {
		t.Errorf("sessions by sid %d, by pid %d, saved %d, their rooms %d, live %d; want 3, 3, 3, 3, 0", bySid, byPid, saved, held, live)
	}
	wantRecovered(t, clients[0], s.dial(t, clients[0]), false)
	wantRecovered(t, clients[5], s.dial(t, clients[5]), true)
}

// A middleware holds the restored socket up while its connection dies.
func TestPendingRestoreThatDies(t *testing.T) {
	s := start(t, &Builder{}, func(o *socket.ServerOptions) {
		o.ConnectionStateRecovery().SetSkipMiddlewares(false)
	})
	next := make(chan func(*socket.ExtendedError), 1)
	hold := false
	s.io.Use(func(_ *socket.Socket, go_ func(*socket.ExtendedError)) {
		if !hold {
			go_(nil)
			return
		}
		next <- go_
	})
	a := s.awayAfterOne(t)
	s.emit(2)

	hold = true
	dead := s.dialOnly(t, a)
	proceed := <-next
	s.emit(3)
	hold = false
	dead.cut()
	awaitCondition(t, "the server to notice", func() bool { return s.io.Engine().ClientsCount() == 0 })
	waiting := s.dialOnly(t, a) // waits for the end of the first restore
	proceed(nil)
	waiting.await(t, "the connect packet", func() bool { return waiting.sid != "" })
	wantRecovered(t, a, waiting, true)
	s.emit(4)
	waiting.awaitEvent(t, 4)
	wantNumbers(t, waiting, 2, 3, 4)
	wantNumbers(t, dead)
}

// A middleware that refuses a restored socket leaves the session as it was.
func TestRefusedRestore(t *testing.T) {
	s := start(t, &Builder{}, func(o *socket.ServerOptions) {
		o.ConnectionStateRecovery().SetSkipMiddlewares(false)
	})
	refuse := false
	s.io.Use(func(_ *socket.Socket, next func(*socket.ExtendedError)) {
		if refuse {
			next(socket.NewExtendedError("not now", nil))
			return
		}
		next(nil)
	})
	a := s.awayAfterOne(t)
	s.emit(2)
	refuse = true
	s.dialOnly(t, a)
	awaitCondition(t, "the refusal", func() bool {
		s.adapter.mu.Lock()
		defer s.adapter.mu.Unlock()
		session := s.adapter.byPid[socket.PrivateSessionId(a.pid)]
		return session != nil && session.state == saved && session.settled != nil
	})
	refuse = false
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	wantNumbers(t, b, 2)
}

// cutter is an adapter that ends the connection of the next socket in the moment
// between its entry into the namespace and its going live, where the library's own
// clean-up overlooks it.
type cutter struct {
	*adapter
	armed bool
}

func (c *cutter) AddAll(id socket.SocketId, rooms *types.Set[socket.Room]) {
	if s, ok := c.Nsp().Sockets().Load(id); c.armed && ok && s.Connected() {
		c.armed = false
		s.Conn().Close(true)
	}
	c.adapter.AddAll(id, rooms)
}

type cutterBuilder struct{ made *cutter }

func (b *cutterBuilder) New(nsp socket.Namespace) socket.Adapter {
	b.made = &cutter{adapter: (&Builder{}).New(nsp).(*adapter)}
	return b.made
}

func TestConnectionThatDiesWhileGoingLive(t *testing.T) {
	builder := &cutterBuilder{}
	s := start(t, builder, nil)
	s.adapter = builder.made.adapter
	a := s.awayAfterOne(t)
	s.emit(2)
	builder.made.armed = true
	dead := s.dialOnly(t, a)
	<-dead.done
	awaitCondition(t, "the dead socket's removal", func() bool { return len(s.io.Sockets().Sockets().Keys()) == 0 && s.live() == 0 })
	s.emit(3)
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	s.emit(4)
	b.awaitEvent(t, 4)
	wantNumbers(t, b, 2, 3, 4)
}

// emitVolatile sends the client a volatile event 2 that ends in a string.
func (s *server) emitVolatile(t *testing.T, c *client) {
	t.Helper()
	connected, _ := s.io.Sockets().Sockets().Load(socket.SocketId(c.sid))
	awaitCondition(t, "room for a volatile event", connected.Conn().Transport().Writable)
	_ = s.io.Sockets().Volatile().Emit("n", 2, "looks like an offset")
	c.awaitEvent(t, 2)
}

func TestUnstoredEventsDoNotPoisonTheOffset(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.dial(t, nil)
	s.emit(1)
	a.awaitEvent(t, 1)
	s.emitVolatile(t, a)
	s.drop(t, a)
	s.emit(3)
	_ = s.io.Sockets().Volatile().Emit("n", 4)
	_ = s.io.Sockets().Timeout(time.Second).EmitWithAck("n", 5)
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	wantNumbers(t, b, 3)
}

func TestAcknowledgedBroadcastKeepsItsPlace(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.dial(t, nil)
	s.emit(1)
	answered := make(chan int, 1)
	_ = s.io.Sockets().Timeout(50*time.Millisecond).Emit("n", 2, func(answers []any, _ error) { answered <- len(answers) })
	s.emit(3)
	a.awaitEvent(t, 3)
	wantNumbers(t, a, 1, 2, 3)
	if n := <-answered; n != 0 {
		t.Errorf("%d answers from a client that does not answer", n)
	}
}

func TestOffsetEvent(t *testing.T) {
	s := start(t, &Builder{OffsetEvent: "offset"}, nil)
	a := s.dial(t, nil)
	s.drop(t, a)
	s.emit(1)
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	wantNumbers(t, b, 1)
}

func TestSkipDirect(t *testing.T) {
	s := start(t, &Builder{SkipDirect: true}, nil)
	handled := make(chan *socket.Socket, 1)
	_ = s.io.On("connection", func(args ...any) {
		connected := args[0].(*socket.Socket)
		connected.Join("room")
		if !connected.Recovered() {
			s.io.To("room").Emit("n", 0) // which gives the client an offset
		}
		_ = connected.Emit("n", 1, "a string")
		_ = connected.Emit("n", 2)
		handled <- connected
	})
	a := s.dial(t, nil)
	a.awaitEvent(t, 2)
	if s.events() != 1 {
		t.Errorf("%d events are stored, want the one to the room", s.events())
	}
	// The client takes a string at the end for an offset. Here it must not be one, for
	// what comes before it may be lost on the way, and is not stored.
	if args := a.events[1]; len(args) != 4 || args[3] != nil {
		t.Errorf("a direct event that ends in a string is %v, want a null behind it", args)
	}
	if args := a.events[2]; len(args) != 2 {
		t.Errorf("a direct event that ends in a number got an offset: %v", args)
	}
	gone := <-handled
	s.drop(t, a)
	_ = gone.Emit("n", 3)
	s.io.To("room").Emit("n", 4)
	if s.events() != 2 {
		t.Errorf("%d events are stored, want the two to the room", s.events())
	}
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	b.awaitEvent(t, 2)
	wantNumbers(t, b, 4, 1, 2)

	gone = <-handled
	gone.Disconnect(true)
	s.awaitEnd(t, b)
	_ = gone.Emit("n", 5)
	if s.events() != 2 {
		t.Error("an event to a socket that will never be back is stored")
	}
}

func TestRoomsAndExceptions(t *testing.T) {
	s := start(t, &Builder{}, nil)
	handled := make(chan struct{})
	_ = s.io.On("connection", func(args ...any) {
		connected := args[0].(*socket.Socket)
		if connected.Recovered() {
			return
		}
		connected.SetData("kept")
		connected.Join("in")
		connected.Join("out")
		connected.Leave("out")
		close(handled)
	})
	a := s.dial(t, nil)
	<-handled
	s.emit(1)
	a.awaitEvent(t, 1)
	s.drop(t, a)
	send := func() {
		s.io.To("in").Emit("n", 2)
		s.io.To("out").Emit("n", 3)
		s.io.Except("in").Emit("n", 4)
		s.io.To("in", socket.Room(a.sid)).Emit("n", 5)
	}
	send()
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	wantNumbers(t, b, 2, 5)
	restored, _ := s.io.Sockets().Sockets().Load(socket.SocketId(b.sid))
	if restored.Data() != "kept" || !restored.Rooms().Has("in") || restored.Rooms().Has("out") {
		t.Errorf("restored with data %v in %v", restored.Data(), restored.Rooms().Keys())
	}
	send()
	b.await(t, "the live events", func() bool { return len(b.events) == 4 })
	wantNumbers(t, b, 2, 5, 2, 5)
}

func TestBinaryIsRestored(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.awayAfterOne(t)
	_ = s.io.Sockets().Emit("n", 2, io.Reader(bytes.NewReader([]byte("bytes"))))
	for range 2 {
		b := s.dial(t, a)
		wantRecovered(t, a, b, true)
		b.await(t, "the attachment", func() bool { return len(b.binaries) == 1 })
		if string(b.binaries[0]) != "bytes" {
			t.Errorf("attachment %q", b.binaries[0])
		}
		s.drop(t, b)
	}
}

// What listens to outgoing events may emit; so may what listens to the end of a
// socket that ends inside a write.
func TestListenersMayEmit(t *testing.T) {
	s := start(t, &Builder{}, nil)
	_ = s.io.On("connection", func(args ...any) {
		connected := args[0].(*socket.Socket)
		connected.OnAnyOutgoing(func(outgoing ...any) {
			if outgoing[1] == 1 {
				s.emit(2)
			}
		})
	})
	a := s.dial(t, nil)
	awaitCondition(t, "the handler", func() bool {
		connected, ok := s.io.Sockets().Sockets().Load(socket.SocketId(a.sid))
		return ok && len(connected.ListenersAnyOutgoing()) == 1
	})
	s.emit(1)
	a.awaitEvent(t, 2)
	wantNumbers(t, a, 1, 2)
}

// Without recovery on the server the adapter adds no offset.
func TestRecoverySwitchedOff(t *testing.T) {
	s := start(t, &Builder{}, func(o *socket.ServerOptions) { o.SetConnectionStateRecovery(nil) })
	a := s.dial(t, nil)
	s.emit(1)
	a.awaitEvent(t, 1)
	if len(a.events[0]) != 2 {
		t.Errorf("received %v", a.events[0])
	}
}

// A client keeps its offset when it begins a new session. In that session it is sent
// something directly, which the dead connection has swallowed: the offset says nothing
// of that, and must not bring back a session that seems to need nothing.
func TestSkipDirectAndAnOffsetFromASessionBefore(t *testing.T) {
	for _, hears := range []bool{false, true} {
		s := start(t, &Builder{SkipDirect: true}, nil)
		_ = s.io.On("connection", func(args ...any) {
			connected := args[0].(*socket.Socket)
			if !connected.Recovered() {
				_ = connected.Emit("n", 1)
				connected.Join("room")
				_ = connected.Emit("n", 2)
			}
		})
		first := s.dial(t, nil)
		first.awaitEvent(t, 2)
		s.io.To("room").Emit("n", 3) // which gives the client an offset
		first.awaitEvent(t, 3)

		second := s.dial(t, nil)
		second.awaitEvent(t, 2)
		if hears {
			s.io.To("room").Emit("n", 4) // so what was sent before has arrived
			second.awaitEvent(t, 4)
		} else {
			second.offset = first.offset
		}
		s.drop(t, second)
		wantRecovered(t, second, s.dial(t, second), hears)
	}
}
