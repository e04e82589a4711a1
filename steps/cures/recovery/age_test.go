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

// Only the ping timeout is set: the library pings with it and its own interval, and the
// log is kept for its defaults of both.
func TestOnlyOneOfTheHeartbeatsOptions(t *testing.T) {
	const timeout = 10 * time.Minute
	s := start(t, &Builder{}, func(o *socket.ServerOptions) { o.SetPingTimeout(timeout) })
	engine := s.io.Engine().Opts()
	t.Logf("the engine's: interval %v, timeout %v", engine.PingInterval(), engine.PingTimeout())
	want := defaultMaxDisconnection + engine.PingInterval() + 2*engine.PingTimeout()
	if got := s.adapter.log.keepFor; got < want {
		t.Errorf("events are kept for %v, and a client that is restored may lack what is %v old", got, want)
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
		a := s.dial(t, nil)
		s.emit(1)
		a.awaitEvent(t, 1)
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
// that it connects again.
func TestASessionThatGrowsOldDuringARestore(t *testing.T) {
	onFakeClock(t, func(t *testing.T, start starter) {
		s := start(&Builder{}, func(o *socket.ServerOptions) {
			quick(o)
			o.ConnectionStateRecovery().SetSkipMiddlewares(false)
		})
		a := s.awayAfterOne(t)
		other := s.dial(t, nil)
		s.io.Use(func(_ *socket.Socket, next func(*socket.ExtendedError)) {
			time.Sleep(100 * time.Millisecond)
			s.drop(t, other) // this removes the sessions that are too old
			next(nil)
		})
		time.Sleep(450 * time.Millisecond)
		b := s.dialOnly(t, a)
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

// A client that comes back while its old socket is being closed waits for the end of that, and
// is restored then.
func TestAClientComesBackWhileItsOldSocketCloses(t *testing.T) {
	onFakeClock(t, func(t *testing.T, start starter) {
		s := start(&Builder{}, nil)
		_ = s.io.On("connection", func(args ...any) {
			_ = args[0].(*socket.Socket).On("disconnecting", func(...any) { time.Sleep(400 * time.Millisecond) })
		})
		a := s.dial(t, nil)
		s.emit(1)
		a.awaitEvent(t, 1)
		a.cut()
		time.Sleep(100 * time.Millisecond)
		s.emit(2)
		b := s.dial(t, a)
		wantRecovered(t, a, b, true)
		wantNumbers(t, b, 2)
	})
}
