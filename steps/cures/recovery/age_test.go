package recovery

import (
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"
)

// quick has a heartbeat and a MaxDisconnection that a test can wait for: events are kept
// for 500 + 100 + 100 + 100 ms.
func quick(o *socket.ServerOptions) {
	o.SetPingInterval(100 * time.Millisecond)
	o.SetPingTimeout(100 * time.Millisecond)
	o.ConnectionStateRecovery().SetMaxDisconnectionDuration(500)
}

// secondAbsence maps how long a client is offline the second time to whether it is
// restored: an event is kept for 800 ms, and it was offline for 400 ms before.
var secondAbsence = map[time.Duration]bool{380 * time.Millisecond: true, 450 * time.Millisecond: false}

// A client comes back in time, and its connection dies before it has read anything; it
// comes back in time once more. It is restored while what it missed the first time is
// kept, and refused afterwards, although that was written to it at the first return.
func TestRestoredTwiceOnlyWhileWhatItMissedIsKept(t *testing.T) {
	for wait, restored := range secondAbsence {
		onFakeClock(t, func(t *testing.T, start starter) {
			s := start(&Builder{Takeover: true}, quick)
			a := s.awayAfterOne(t)
			s.emit(2, 3) // missed
			time.Sleep(400 * time.Millisecond)
			b := s.dial(t, a) // within MaxDisconnection
			wantRecovered(t, a, b, true)
			s.drop(t, b) // what was written to b is on its way, and lost with the connection
			time.Sleep(wait)
			s.emit(4)
			c := s.dial(t, a) // the client has received nothing since a: same pid, same offset
			wantRecovered(t, a, c, restored)
			if restored {
				c.awaitEvent(t, 4)
				wantNumbers(t, c, 2, 3, 4)
			}
		})
	}
}

// The same, where a half of what it missed has come: the offset is one of the replay.
func TestRestoredInMidReplayOnlyWhileTheRestIsKept(t *testing.T) {
	for wait, restored := range secondAbsence {
		onFakeClock(t, func(t *testing.T, start starter) {
			s := start(&Builder{}, quick)
			a := s.awayAfterOne(t)
			s.emit(2, 3)
			time.Sleep(400 * time.Millisecond)
			b := s.dial(t, a)
			wantRecovered(t, a, b, true)
			half := &client{sid: b.sid, pid: b.pid, offset: b.events[0][2].(string)} // 2 came, 3 did not
			s.drop(t, b)
			time.Sleep(wait)
			c := s.dial(t, half)
			wantRecovered(t, a, c, restored)
			if restored {
				s.emit(4)
				c.awaitEvent(t, 4)
				wantNumbers(t, c, 3, 4)
			}
		})
	}
}

// Where one option of the heartbeat is set, the library has its own default for the other, and
// the log is kept for both.
func TestOnlyOneOfTheHeartbeatsOptions(t *testing.T) {
	for _, set := range []func(*socket.ServerOptions){
		func(o *socket.ServerOptions) { o.SetPingTimeout(10 * time.Minute) },
		func(o *socket.ServerOptions) { o.SetPingInterval(10 * time.Minute) },
	} {
		s := start(t, &Builder{}, set)
		engine := s.io.Engine().Opts()
		want := defaultMaxDisconnection + engine.PingInterval() + 2*engine.PingTimeout()
		if got := s.adapter.log.keepFor; got != want {
			t.Errorf("events are kept for %v, and a client that is restored may lack what is %v old", got, want)
		}
	}
}

// An event that nobody lacks grows old between take and enter: that is no reason to
// refuse what was granted.
func TestWhatGrowsOldDuringARestore(t *testing.T) {
	onFakeClock(t, func(t *testing.T, start starter) {
		s := start(&Builder{}, func(o *socket.ServerOptions) {
			quick(o)
			o.ConnectionStateRecovery().SetSkipMiddlewares(false)
		})
		s.io.Use(func(_ *socket.Socket, next func(*socket.ExtendedError)) {
			time.Sleep(50 * time.Millisecond) // an ordinary look-up in a database
			next(nil)
		})
		a := s.afterOne(t)
		// Others talk all the time; nothing is for a.
		for range 90 {
			_ = s.io.Except(socket.Room(a.sid)).Emit("n", 0)
			time.Sleep(10 * time.Millisecond)
		}
		s.drop(t, a)
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
					_ = s.io.Except(socket.Room(a.sid)).Emit("n", 0)
				}
			}
		}()
		b := s.dialOnly(t, a)
		b.await(t, "an answer or an end", func() bool { return b.sid != "" || b.closed })
		if b.isClosed() {
			t.Error("the client lacks nothing, was given its session, and is cut off without an answer")
			c := s.dial(t, a)
			t.Logf("it comes again: recovered %t", c.sid == a.sid)
		} else {
			wantRecovered(t, a, b, true)
		}
	})
}

// A session does not expire while a socket uses it, even if it was saved before.
func TestARestoredSessionDoesNotGrowOld(t *testing.T) {
	onFakeClock(t, func(t *testing.T, start starter) {
		s := start(&Builder{}, quick)
		a := s.dial(t, s.awayAfterOne(t))
		time.Sleep(time.Second)
		s.drop(t, s.dial(t, nil)) // this removes the sessions that are too old
		s.emit(2)
		a.awaitEvent(t, 2)
	})
}

// A session can expire during its restore, while a middleware runs. The client is cut off, so
// that it connects again, and a second client that waits for the session is not kept waiting.
func TestASessionThatGrowsOldDuringARestore(t *testing.T) {
	onFakeClock(t, func(t *testing.T, start starter) {
		s := start(&Builder{}, func(o *socket.ServerOptions) {
			quick(o)
			o.ConnectionStateRecovery().SetSkipMiddlewares(false)
		})
		a := s.awayAfterOne(t)
		other := s.dial(t, nil)
		time.Sleep(450 * time.Millisecond)
		begun := make(chan struct{})
		s.io.Use(func(client *socket.Socket, next func(*socket.ExtendedError)) {
			if client.Recovered() {
				close(begun)
				time.Sleep(100 * time.Millisecond)
				s.drop(t, other) // this removes the sessions that are too old
			}
			next(nil)
		})
		b := s.dialOnly(t, a)
		<-begun // the server may read c's packet first otherwise
		begin := time.Now()
		c := s.dial(t, a) // waits for the end of b's restore
		wantRecovered(t, a, c, false)
		if waited := time.Since(begin); waited >= restoreTimeout {
			t.Errorf("it was refused after %s, though the session had expired long before", waited)
		}
		b.await(t, "the end of the connection", func() bool { return b.closed })
		if b.sid != "" {
			t.Errorf("it was answered with %q", b.sid)
		}
		s.awaitEnd(t, a)
	})
}

// The application's "disconnecting" listener takes 400 ms (a row in a slow database), and
// the session is saved only then. It is kept for the 500 ms of MaxDisconnection from the
// end of the connection on, no longer.
func TestSlowDisconnectingListenerDoesNotProlongTheSession(t *testing.T) {
	for wait, restored := range map[time.Duration]bool{80 * time.Millisecond: true, 120 * time.Millisecond: false} {
		onFakeClock(t, func(t *testing.T, start starter) {
			s := start(&Builder{}, quick)
			_ = s.io.On("connection", func(args ...any) {
				_ = args[0].(*socket.Socket).On("disconnecting", func(...any) { time.Sleep(400 * time.Millisecond) })
			})
			a := s.dial(t, nil)
			time.Sleep(20 * time.Millisecond)
			s.emit(1)
			a.awaitEvent(t, 1)
			a.cut()
			s.emit(2)
			s.awaitEnd(t, a)
			time.Sleep(wait)
			s.emit(3)
			c := s.dial(t, a)
			wantRecovered(t, a, c, restored)
			if restored {
				c.awaitEvent(t, 3)
				wantNumbers(t, c, 2, 3)
			}
		})
	}
}

// A client that reconnects while its old socket is being closed is restored when that has ended.
func TestAClientComesBackWhileItsOldSocketCloses(t *testing.T) {
	onFakeClock(t, func(t *testing.T, start starter) {
		s := start(&Builder{}, nil)
		_ = s.io.On("connection", func(args ...any) {
			_ = args[0].(*socket.Socket).On("disconnecting", func(...any) { time.Sleep(400 * time.Millisecond) })
		})
		a := s.afterOne(t)
		a.cut()
		time.Sleep(100 * time.Millisecond)
		s.emit(2)
		b := s.dial(t, a)
		wantRecovered(t, a, b, true)
		wantNumbers(t, b, 2)
	})
}

// Events that were written to a connection before it last answered a ping have arrived, unless
// they were replayed on it later. A client that may lack a deleted event is not restored.
func TestWhatWasWrittenToALivingConnectionHasArrived(t *testing.T) {
	gone := time.Unix(1_000_000, 0) // when the newest event that is gone was broadcast
	a := &adapter{unnoticed: time.Minute, log: newEventLog(10, 1<<20, time.Hour)}
	for range 3 {
		a.log.append(event{at: gone})
	}
	a.log.append(event{at: gone.Add(time.Hour + 1)}) // the three before it are too old now
	const alive = time.Second
	for name, c := range map[string]struct {
		alive, restored    time.Duration // when it was last seen to be alive, and restored
		position, replayed uint64
		paced, ok          bool
	}{
		"alive later":                         {alive: alive, position: 1, ok: true},
		"alive no later":                      {alive: 0, position: 1},
		"lacks nothing that is gone":          {alive: 0, position: 3, ok: true},
		"still being restored":                {alive: alive, position: 1, paced: true},
		"restored after it was seen alive":    {alive: alive, restored: 2 * alive, position: 1, replayed: 2},
		"restored when it was seen alive":     {alive: alive, restored: alive, position: 1, replayed: 2},
		"restored before it was seen alive":   {alive: alive, restored: alive / 2, position: 1, replayed: 2, ok: true},
		"the client has what it was restored": {alive: alive, restored: 2 * alive, position: 2, replayed: 2, ok: true},
	} {
		s := &session{
			savedAt: gone.Add(c.alive + a.unnoticed), restoredAt: gone.Add(c.restored),
			replayed: c.replayed, member: &member{paced: c.paced},
		}
		from, ok := a.startFor(s, c.position)
		if ok != c.ok || ok && from != 3 {
			t.Errorf("%s: from %d, %t; want %t", name, from, ok, c.ok)
		}
	}
}

func TestASessionIsKeptForItsTimeAndNoLonger(t *testing.T) {
	onFakeClock(t, func(t *testing.T, start starter) {
		s := start(&Builder{}, quick)
		a := s.awayAfterOne(t)
		s.adapter.mu.Lock()
		defer s.adapter.mu.Unlock()
		session := s.adapter.bySid[socket.SocketId(a.sid)]
		for older, want := range []int{1, 0} { // by a nanosecond
			age := 500*time.Millisecond + time.Duration(older)
			session.savedAt = time.Now().Add(-age)
			s.adapter.trim()
			if got := s.adapter.saved.Len(); got != want {
				t.Errorf("after %s, %d sessions, want %d", age, got, want)
			}
		}
	})
}
