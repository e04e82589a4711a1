package recovery

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"
)

// besideTheLibrary runs a test on the library's own adapter, where it shows what is
// wrong, and on ours: a check that had never failed would prove nothing.
func besideTheLibrary(t *testing.T, configure func(*socket.ServerOptions), test func(t *testing.T, s *server, ours bool)) {
	t.Run("library", func(t *testing.T) {
		test(t, start(t, &socket.SessionAwareAdapterBuilder{}, configure), false)
	})
	t.Run("ours", func(t *testing.T) {
		test(t, start(t, &Builder{Takeover: true}, configure), true)
	})
}

// TestLibraryHalfOpen has a client come back before the server has noticed that it was
// gone. The library knows of no session then.
func TestLibraryHalfOpen(t *testing.T) {
	besideTheLibrary(t, nil, func(t *testing.T, s *server, ours bool) {
		a := s.afterOne(t)
		b := s.dial(t, a)
		wantRecovered(t, a, b, ours)
	})
}

// TestLibraryZombie has a session restored twice: after a clean drop, and then before
// the server has noticed the second one. In the library the older socket, as it ends,
// takes the newer one out of the namespace, since both have one id; it goes on without
// ever being sent anything again.
func TestLibraryZombie(t *testing.T) {
	besideTheLibrary(t, nil, func(t *testing.T, s *server, ours bool) {
		a := s.awayAfterOne(t)
		b := s.dial(t, a)
		wantRecovered(t, a, b, true)
		c := s.dial(t, b)
		wantRecovered(t, a, c, true)

		b.cut()
		if !ours {
			s.awaitEnd(t, b)
		}
		hears := s.dial(t, nil)
		s.emit(2)
		hears.awaitEvent(t, 2)
		if ours {
			c.awaitEvent(t, 2)
			return
		}
		wantNumbers(t, c)
		if c.isClosed() {
			t.Error("the client was at least told")
		}
	})
}

// TestLibraryOrder emits an event while another one is on its way to the sockets, as two
// goroutines do by chance: what is emitted second is sent first, and the log has them
// the other way round.
func TestLibraryOrder(t *testing.T) {
	besideTheLibrary(t, nil, func(t *testing.T, s *server, ours bool) {
		a := s.dial(t, nil)
		connected := s.socketOf(t, a)
		connected.OnAnyOutgoing(func(args ...any) {
			if args[1] == 1 {
				s.emit(2)
			}
		})
		s.emit(1)
		a.await(t, "both events", func() bool { return len(a.events) == 2 })
		want := []int{2, 1}
		if ours {
			want = []int{1, 2}
		}
		wantNumbers(t, a, want...)
	})
}

// TestLibraryIdle has a client drop out of a room that has been quiet for longer than
// events are kept. The library no longer knows the client's offset then.
func TestLibraryIdle(t *testing.T) {
	const keep = 500 * time.Millisecond
	configure := func(options *socket.ServerOptions) {
		recovery := socket.DefaultConnectionStateRecovery()
		recovery.SetMaxDisconnectionDuration(keep.Milliseconds())
		recovery.SetSessionCleanupInterval(keep / 4)
		options.SetConnectionStateRecovery(recovery)
	}
	test := func(t *testing.T, s *server, ours bool) {
		a := s.afterOne(t)
		time.Sleep(2 * keep) // what the test is about is time itself
		s.drop(t, a)
		wantRecovered(t, a, s.dial(t, a), ours)
	}
	// The library cannot run on a fake clock, and a slow machine does not change what it does here.
	t.Run("library", func(t *testing.T) { test(t, start(t, &socket.SessionAwareAdapterBuilder{}, configure), false) })
	t.Run("ours", func(t *testing.T) {
		onFakeClock(t, func(t *testing.T, start starter) { test(t, start(&Builder{Takeover: true}, configure), true) })
	})
}

// TestLibraryVolatile sends a client a volatile event that ends in a string. The
// library gives it no offset, and the client takes the string for one.
func TestLibraryVolatile(t *testing.T) {
	besideTheLibrary(t, nil, func(t *testing.T, s *server, ours bool) {
		a := s.afterOne(t)
		s.emitVolatile(t, a, 2, "looks like an offset")
		s.drop(t, a)
		wantRecovered(t, a, s.dial(t, a), ours)
	})
}

// TestLibraryBinary restores bytes that somebody else has been sent already. The
// library keeps the argument and not what was sent, and a reader is read only once.
func TestLibraryBinary(t *testing.T) {
	besideTheLibrary(t, nil, func(t *testing.T, s *server, ours bool) {
		a, stays := s.dial(t, nil), s.dial(t, nil)
		s.emit(1)
		a.awaitEvent(t, 1)
		s.drop(t, a)
		_ = s.io.Sockets().Emit("n", 2, io.Reader(bytes.NewReader([]byte("bytes"))))
		attached := func(c *client) string {
			c.await(t, "the attachment", func() bool { return len(c.binaries) == 1 })
			return string(c.binaries[0])
		}
		if got := attached(stays); got != "bytes" {
			t.Errorf("who stayed was sent %q", got)
		}
		want := ""
		if ours {
			want = "bytes"
		}
		b := s.dial(t, a)
		wantRecovered(t, a, b, true)
		if got := attached(b); got != want {
			t.Errorf("who came back was sent %q, want %q", got, want)
		}
	})
}

// TestLibraryMemory emits more than a log should hold, to nobody. The library bounds its
// log by age alone, so it keeps all of it, also while no page is away.
func TestLibraryMemory(t *testing.T) {
	const events, size, bound = 8_000, 4 << 10, 100
	for _, c := range []struct {
		name    string
		builder socket.AdapterConstructor
	}{
		{"library", &socket.SessionAwareAdapterBuilder{}},
		{"ours", &Builder{MaxEvents: bound}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, c.builder, nil)
			before := heap()
			for range events {
				_ = s.io.Sockets().Emit("n", strings.Repeat("x", size))
			}
			kept := int(heap()-before) / size
			runtime.KeepAlive(s)
			if library := c.name == "library"; library != (kept > events/2) {
				t.Errorf("%d KB of %d are kept", kept*size>>10, events*size>>10)
			}
		})
	}
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMiddlewaresAreSkipped: who was let in once is not asked again. That is the
// reference's default, and here it is ours as well.
func TestMiddlewaresAreSkipped(t *testing.T) {
	besideTheLibrary(t, nil, func(t *testing.T, s *server, _ bool) {
		var asked atomic.Int32
		s.io.Use(func(_ *socket.Socket, next func(*socket.ExtendedError)) {
			asked.Add(1)
			next(nil)
		})
		a := s.awayAfterOne(t)
		wantRecovered(t, a, s.dial(t, a), true)
		if n := asked.Load(); n != 1 {
			t.Errorf("the middleware was asked %d times for two connections of one session", n)
		}
	})
}
