package recovery

import (
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

// afterOne is a client that has received event 1.
func (s *server) afterOne(t testing.TB) *client {
	t.Helper()
	a := s.dial(t, nil)
	s.emit(1)
	a.awaitEvent(t, 1)
	return a
}

// awayAfterOne is a client that has received event 1 and was cut off.
func (s *server) awayAfterOne(t *testing.T) *client {
	t.Helper()
	a := s.afterOne(t)
	s.drop(t, a)
	return a
}

func (s *server) live() int {
	s.adapter.mu.Lock()
	defer s.adapter.mu.Unlock()
	return len(s.adapter.live)
}

func (s *server) sessions() int {
	s.adapter.mu.Lock()
	defer s.adapter.mu.Unlock()
	return len(s.adapter.bySid)
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
	a := s.afterOne(t)
	old := s.socketOf(t, a)
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
	onFakeClock(t, func(t *testing.T, start starter) {
		const keep = 150 * time.Millisecond
		s := start(&Builder{MaxDisconnection: keep}, nil)
		s.adapter.mu.Lock()
		s.adapter.log.keepFor = keep // not the time for which a dead connection goes unnoticed as well
		s.adapter.mu.Unlock()
		a := s.dial(t, nil)
		s.emit(1, 2)
		a.awaitEvent(t, 2)
		time.Sleep(2 * keep)
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
	})
}

// A client that got nothing while others did is up to date all the same, when what was
// for them is gone, and something for it is there.
func TestQuietForOneRecoversAfterOthersTalked(t *testing.T) {
	onFakeClock(t, func(t *testing.T, start starter) {
		const keep = 150 * time.Millisecond
		s := start(&Builder{}, nil)
		s.adapter.mu.Lock()
		s.adapter.log.keepFor, s.adapter.unnoticed = keep, keep
		s.adapter.mu.Unlock()
		a := s.afterOne(t)
		for n := range 3 {
			_ = s.io.Except(socket.Room(a.sid)).Emit("n", n)
		}
		time.Sleep(2 * keep)
		s.drop(t, a)
		s.emit(2)
		if kept := s.events(); kept != 1 {
			t.Fatalf("%d events are kept, want the last one only", kept)
		}
		b := s.dial(t, a)
		wantRecovered(t, a, b, true)
		b.awaitEvent(t, 2)
		wantNumbers(t, b, 2)
	})
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
		a := s.awayAfterOne(t)
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

func TestCloseForgetsEverything(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.awayAfterOne(t)
	s.dial(t, nil)
	s.adapter.Close()
	if s.sessions()+s.live()+s.events() > 0 {
		t.Errorf("%d sessions, %d members and %d events are left", s.sessions(), s.live(), s.events())
	}
	wantRecovered(t, a, s.dial(t, a), false)
}

type around struct{ inner socket.AdapterConstructor }

func (a *around) Around(inner socket.AdapterConstructor) socket.AdapterConstructor {
	a.inner = inner
	return a
}

func (a *around) New(nsp socket.Namespace) socket.Adapter { return a.inner.New(nsp) }

func TestAnAdapterOfTheOptionsGoesAround(t *testing.T) {
	options, builder, outer := socket.DefaultServerOptions(), &Builder{}, &around{}
	options.SetAdapter(outer)
	builder.Apply(options)
	if options.Adapter() != outer || outer.inner != builder {
		t.Errorf("the adapter is %v, and has %v inside", options.Adapter(), outer.inner)
	}
}

func TestApplyKeepsTheRecoveryOptionsOfTheApplication(t *testing.T) {
	own := socket.DefaultConnectionStateRecovery()
	own.SetSkipMiddlewares(false)
	own.SetMaxDisconnectionDuration(500)
	for _, test := range []struct {
		set   socket.ConnectionStateRecoveryInterface
		asked time.Duration // of the Builder
		skip  bool
		keep  time.Duration
	}{
		{nil, 0, true, 2 * time.Minute},
		{socket.DefaultConnectionStateRecovery(), 0, true, 2 * time.Minute},
		{own, 0, false, 500 * time.Millisecond},
		{own, time.Second, false, time.Second},
	} {
		options := socket.DefaultServerOptions()
		options.SetConnectionStateRecovery(test.set)
		(&Builder{MaxDisconnection: test.asked}).Apply(options)
		keep := time.Duration(options.ConnectionStateRecovery().MaxDisconnectionDuration()) * time.Millisecond
		if used := socket.NewServer(nil, options).Sockets().Adapter().(*adapter).builder.MaxDisconnection; used != keep {
			t.Errorf("the adapter keeps sessions for %v", used)
		}
		if skip := options.ConnectionStateRecovery().SkipMiddlewares(); skip != test.skip || keep != test.keep {
			t.Errorf("middlewares are skipped: %t, sessions are kept for %v; want %t, %v", skip, keep, test.skip, test.keep)
		}
	}
}

// Without recovery on the server the adapter adds no offset.
func TestRecoverySwitchedOff(t *testing.T) {
	s := start(t, &Builder{OffsetEvent: "offset"}, func(o *socket.ServerOptions) { o.SetConnectionStateRecovery(nil) })
	a := s.afterOne(t)
	if len(a.events) != 1 || len(a.events[0]) != 2 {
		t.Errorf("received %v", a.events)
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
