package recovery

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

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
			a := s.afterOne(t)
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

func TestOffsetOfAnotherProcess(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.awayAfterOne(t)
	// The last one is of an event that is yet to come: it ends the session.
	for _, offset := range []string{"", "1", "other.1", a.offset + "!", a.offset + "0"} {
		wantRecovered(t, a, s.dial(t, &client{sid: a.sid, pid: a.pid, offset: offset}), false)
	}
	s.adapter.mu.Lock()
	defer s.adapter.mu.Unlock()
	if s.adapter.bySid[socket.SocketId(a.sid)] != nil {
		t.Error("with an offset from the future, the session is kept")
	}
}

// The connection of a client that is being restored closes while a middleware runs. Until the
// middleware ends, no other client is given the session.
func TestPendingRestoreThatDies(t *testing.T) {
	onFakeClock(t, func(t *testing.T, start starter) {
		s := start(&Builder{}, func(o *socket.ServerOptions) {
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
		waiting := s.dialOnly(t, a)
		time.Sleep(time.Second)
		if waiting.connected() {
			t.Error("the session was given away twice")
		}
		proceed(nil)
		waiting.await(t, "the connect packet", func() bool { return waiting.sid != "" })
		wantRecovered(t, a, waiting, true)
		s.emit(4)
		waiting.awaitEvent(t, 4)
		wantNumbers(t, waiting, 2, 3, 4)
		wantNumbers(t, dead)
	})
}

// A middleware that refuses a restored socket leaves the session as it was.
func TestRefusedRestore(t *testing.T) {
	s := start(t, &Builder{}, func(o *socket.ServerOptions) {
		o.ConnectionStateRecovery().SetSkipMiddlewares(false)
	})
	refuse := false
	var refused *socket.Socket
	s.io.Use(func(client *socket.Socket, next func(*socket.ExtendedError)) {
		if refuse {
			refused = client
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
	s.adapter.goLive(refused) // as if the application had closed it in the moment before
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	wantNumbers(t, b, 2)
}

// A restore is granted, and while a middleware still runs, an event that the client lacks has to
// go. The client is cut off without an answer, so that it comes again, and starts anew.
func TestWhatIsCrowdedOutDuringARestore(t *testing.T) {
	s := start(t, &Builder{MaxEvents: 3}, func(o *socket.ServerOptions) {
		o.ConnectionStateRecovery().SetSkipMiddlewares(false)
	})
	a := s.awayAfterOne(t)
	s.emit(2)
	s.io.Use(func(_ *socket.Socket, next func(*socket.ExtendedError)) {
		s.emit(3, 4, 5)
		next(nil)
	})
	b := s.dialOnly(t, a)
	b.await(t, "the end of the connection", func() bool { return b.closed })
	if b.sid != "" || len(b.events) > 0 {
		t.Errorf("it was answered with %q and sent %v", b.sid, b.events)
	}
	awaitCondition(t, "the refused socket's removal", func() bool { return len(s.io.Sockets().Sockets().Keys()) == 0 })
	if s.sessions()+s.live() > 0 {
		t.Errorf("%d sessions and %d members are left", s.sessions(), s.live())
	}
	wantRecovered(t, a, s.dial(t, a), false)
}

// The library adds a socket to its own room once; an application may do so again.
func TestJoiningTheOwnRoomAgainChangesNothing(t *testing.T) {
	s := start(t, &Builder{OffsetEvent: "offset"}, nil)
	a := s.dial(t, nil)
	connected := s.socketOf(t, a)
	connected.Join(socket.Room(a.sid))
	s.emit(1)
	a.awaitEvent(t, 1)
	if len(a.events) != 2 {
		t.Errorf("received %v, want the offset event and event 1", a.events)
	}
}

// A socket that the application closes in the moment before it goes live leaves nothing behind.
func TestClosedBeforeItGoesLive(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.dial(t, nil)
	connected := s.socketOf(t, a)
	connected.Disconnect(false)
	for name, closes := range map[string]func(){
		"before": func() {
			s.adapter.goLive(connected)
			s.adapter.learn(connected.Id(), socket.PrivateSessionId(a.pid))
		},
		"meanwhile, so that only its end is heard": func() {
			m := newMember(connected, 1)
			s.adapter.enter(m)
			s.adapter.disconnected(m)
		},
	} {
		closes()
		if s.sessions()+s.live() > 0 {
			t.Errorf("closed %s: %d sessions and %d members are left", name, s.sessions(), s.live())
		}
	}
}

// Several goroutines may close one socket, and one may do so after it was closed. A client that
// waits for its end continues after the last close.
func TestASocketClosesOftenAndEndsWithTheLast(t *testing.T) {
	closed := socket.MakeSocket() // whose goroutine outlives the test
	synctest.Test(t, func(t *testing.T) {
		a, m := &adapter{}, newMember(closed, 1)
		begin := time.Now()
		for range 3 {
			a.disconnecting(m)
			gone := m.gone
			a.disconnecting(m)
			if m.gone != gone {
				t.Error("the second close has replaced the channel that is closed at the end")
			}
			a.disconnected(m)
			time.Sleep(time.Second)
			select {
			case <-gone:
				t.Error("it has ended, and is still being closed")
			default:
			}
			a.disconnected(m)
			<-gone
		}
		if !m.closedAt.Equal(begin) {
			t.Errorf("it was closed %s after its first end", m.closedAt.Sub(begin))
		}
	})
}

// An application that removes all listeners of a socket removes the adapter's as well. The adapter
// still detects the end of the connection.
func TestASocketWithoutListeners(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.afterOne(t)
	connected := s.socketOf(t, a)
	connected.RemoveAllListeners("disconnecting")
	connected.RemoveAllListeners("disconnect")
	s.drop(t, a)
	s.emit(2)
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	wantNumbers(t, b, 2)
}

// Two goroutines can close one socket, and the library saves its session in both.
func TestASessionIsSavedOnce(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.awayAfterOne(t)
	s.adapter.PersistSession(&socket.SessionToPersist{
		Sid: socket.SocketId(a.sid), Pid: socket.PrivateSessionId(a.pid), Rooms: types.NewSet[socket.Room](),
	})
	s.adapter.mu.Lock()
	defer s.adapter.mu.Unlock()
	if n := s.adapter.saved.Len(); n != 1 {
		t.Errorf("it is saved %d times", n)
	}
}

// What is emitted while a socket leaves its rooms for good is not written to it any more.
func TestALeavingSocketIsSentNothing(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.dial(t, nil)
	connected := s.socketOf(t, a)
	_ = s.adapter.On("leave-room", func(...any) { s.emit(1) })
	before := a.sid
	connected.Disconnect(false)
	if err := a.conn.WriteMessage(websocket.TextMessage, []byte("40")); err != nil {
		t.Fatal(err)
	}
	a.await(t, "another socket on the same connection", func() bool { return a.sid != before })
	wantNumbers(t, a)
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
	s.drop(t, b)

	// One that is new, and was not told its private id, leaves no session beside that one.
	builder.made.armed = true
	dead = s.dialOnly(t, nil)
	<-dead.done
	awaitCondition(t, "the dead socket's removal", func() bool { return len(s.io.Sockets().Sockets().Keys()) == 0 && s.sessions() == 1 })
}

// A connection that dies while its client is told that it is connected: the session is kept.
func TestConnectionThatDiesWhileItIsAnswered(t *testing.T) {
	s := start(t, &Builder{}, func(o *socket.ServerOptions) {
		o.ConnectionStateRecovery().SetSkipMiddlewares(false)
	})
	a := s.awayAfterOne(t)
	s.emit(2)
	armed := true
	s.io.Use(func(client *socket.Socket, next func(*socket.ExtendedError)) {
		if armed {
			armed = false
			_ = client.Conn().On("packetCreate", func(args ...any) {
				if _, ok := announced(client.Id(), args[0]); ok {
					client.Conn().Close(true)
				}
			})
		}
		next(nil)
	})
	dead := s.dialOnly(t, a)
	<-dead.done
	awaitCondition(t, "the dead socket's removal", func() bool { return len(s.io.Sockets().Sockets().Keys()) == 0 && s.live() == 0 })
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	wantNumbers(t, b, 2)
}
