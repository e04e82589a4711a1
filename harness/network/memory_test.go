package network

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"redial/harness/plan"
)

func TestPipeBehavesAsNetConn(t *testing.T) {
	nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
		x, y := newPipe(memoryAddress("x"), memoryAddress("y"))
		return x, y, func() { x.Close(); y.Close() }, nil
	})
}

// A pipe has the half-close and the resets of a TCP connection, and knows whether the other end
// has closed.
func TestPipeHasHalfCloseAndResets(t *testing.T) {
	joined := func() (a, b *pipeEnd) {
		a, b = newPipe(memoryAddress("a"), memoryAddress("b"))
		if _, err := a.Write([]byte("before")); err != nil {
			t.Fatal(err)
		}
		return a, b
	}
	wantRead := func(p *pipeEnd, text string, want error) {
		t.Helper()
		got, err := io.ReadAll(p)
		if err == nil {
			err = io.EOF
		}
		if string(got) != text || !errors.Is(err, want) {
			t.Errorf("read %q and then %v, want %q and then %v", got, err, text, want)
		}
	}
	wantWrite := func(p *pipeEnd, want error) {
		t.Helper()
		if _, err := p.Write([]byte("x")); !errors.Is(err, want) {
			t.Errorf("writing gives %v, want %v", err, want)
		}
	}

	a, b := joined()
	a.CloseWrite()
	if !b.hungUp() || a.hungUp() {
		t.Errorf("hung up: %v and %v, want only b to see it", b.hungUp(), a.hungUp())
	}
	wantRead(b, "before", io.EOF)
	wantWrite(a, net.ErrClosed)
	wantWrite(b, nil)
	b.Close()
	wantRead(a, "x", io.EOF)

	a, b = joined()
	a.Close()
	wantRead(b, "before", io.EOF)
	wantWrite(b, syscall.EPIPE)
	wantRead(a, "", net.ErrClosed)

	a, b = joined()
	reset(a)
	wantRead(b, "before", syscall.ECONNRESET)
	wantWrite(b, syscall.ECONNRESET)
}

// A server's end that has vanished is closed for the client only.
func TestVanishedEndDiscardsWritesAndBlocksReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := newPipe(memoryAddress("client"), memoryAddress("server"))
		server.Write([]byte("before"))
		server.vanish()
		if _, err := server.Write([]byte("after")); err != nil {
			t.Errorf("the vanished end cannot write: %v", err)
		}
		if got, err := io.ReadAll(client); string(got) != "before" || err != nil {
			t.Errorf("the client receives %q, %v", got, err)
		}
		if _, err := client.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("the client writes to the vanished end: %v", err)
		}
		read := make(chan error)
		go func() {
			_, err := server.Read(make([]byte, 1))
			read <- err
		}()
		synctest.Wait()
		select {
		case err := <-read:
			t.Errorf("a read of the vanished end returns: %v", err)
		default:
		}
		server.Close()
		if err := <-read; !errors.Is(err, net.ErrClosed) {
			t.Errorf("a closed end reads %v", err)
		}
	})
}

// memoryRig is a memory network in a bubble.
type memoryRig struct {
	*Memory
	t     *testing.T
	fired []string
}

func inMemory(t *testing.T, seed uint64, play func(*memoryRig)) {
	synctest.Test(t, func(t *testing.T) {
		m := &memoryRig{t: t}
		m.Memory = NewMemory(seed, Events{Fired: func(f Fired) { m.fired = append(m.fired, f.Where) }})
		defer m.Close()
		play(m)
	})
}

// serve starts a server that echoes what it receives.
func (m *memoryRig) serve() *Listener {
	l := m.Listen()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return l
}

func (m *memoryRig) dial(address string) (net.Conn, error) {
	return m.Dial(context.Background(), "tcp", address)
}

func (m *memoryRig) mustDial(name string) net.Conn {
	m.t.Helper()
	l, _ := m.Link(name)
	c, err := m.dial(l.Address())
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

func (m *memoryRig) wantRefused(why, address string) {
	m.t.Helper()
	c, err := m.dial(address)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		m.t.Errorf("%s, a dial gives %v, %v; want it refused", why, c, err)
	}
}

func (m *memoryRig) mustBreak(f plan.Fault) {
	m.t.Helper()
	l, _ := m.Link(f.Client)
	if err := l.Break(f); err != nil {
		m.t.Fatal(err)
	}
}

// echo sends an HTTP request and receives it back, and returns how long that takes.
func (m *memoryRig) echo(c net.Conn) time.Duration {
	m.t.Helper()
	start := time.Now()
	if _, err := c.Write([]byte(upgradeRequest)); err != nil {
		m.t.Fatal(err)
	}
	got := make([]byte, len(upgradeRequest))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != upgradeRequest {
		m.t.Fatalf("received %q, %v", got, err)
	}
	return time.Since(start)
}

func TestMemoryRefusesWithoutAServerAndInAnOutage(t *testing.T) {
	inMemory(t, 1, func(m *memoryRig) {
		link, _ := m.Link("alice")
		m.wantRefused("Before there is a server", link.Address())
		server := m.serve()
		m.wantRefused("At an address without a link", "127.0.0.1:80")
		m.echo(m.mustDial("alice"))
		if n := link.Connections(); n != 1 {
			t.Errorf("%d connections reached the server, want 1", n)
		}

		m.mustBreak(plan.Fault{Kind: plan.Outage, Client: "alice", For: plan.Duration(time.Minute)})
		m.wantRefused("In an outage", link.Address())
		m.echo(m.mustDial("bob"))
		time.Sleep(time.Minute)
		m.echo(m.mustDial("alice"))

		server.Close()
		m.wantRefused("When the server has stopped listening", link.Address())
		m.serve()
		m.echo(m.mustDial("alice"))

		ctx, cancel := context.WithTimeout(context.Background(), minLatency/2)
		defer cancel()
		if _, err := m.Dial(ctx, "tcp", link.Address()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a dial beyond its deadline gives %v", err)
		}
	})
}

// The latencies are the same to the nanosecond, whatever other clients send.
func TestMemoryLatenciesDependOnTheSeedOnly(t *testing.T) {
	times := func(seed uint64, others int) (list []time.Duration) {
		inMemory(t, seed, func(m *memoryRig) {
			m.serve()
			for n := range others {
				go func() {
					c := m.mustDial(strings.Repeat("x", n+1))
					m.echo(c)
					c.Close()
				}()
			}
			start := time.Now()
			c := m.mustDial("alice")
			list = append(list, time.Since(start))
			for range 3 {
				list = append(list, m.echo(c))
			}
			time.Sleep(time.Second)
		})
		return list
	}
	alone, crowded, other := times(1, 0), times(1, 20), times(2, 0)
	seen := map[time.Duration]bool{}
	for i := range alone {
		if alone[i] != crowded[i] {
			t.Errorf("round trip %d took %s alone and %s beside other clients", i, alone[i], crowded[i])
		}
		if alone[i] < 2*minLatency || alone[i] > 2*maxLatency+2*frameGap {
			t.Errorf("a round trip took %s", alone[i])
		}
		seen[alone[i]], seen[other[i]] = true, true
	}
	if len(seen) != len(alone)+len(other) {
		t.Errorf("two round trips took the same time: %v and, with another seed, %v", alone, other)
	}
}

func TestMemoryFramesAreInOrder(t *testing.T) {
	inMemory(t, 1, func(m *memoryRig) {
		m.serve()
		c := m.mustDial("alice")
		m.echo(c)
		m.echo(m.mustDial("bob"))
		c.Close()
		m.echo(m.mustDial("alice"))
		var ups []plan.Passed
		for _, f := range m.Frames() {
			if f.Direction == plan.Up {
				ups = append(ups, f)
			}
		}
		want := []plan.Passed{
			{Client: "alice", Connection: 1, Direction: plan.Up, Number: 1},
			{Client: "bob", Connection: 1, Direction: plan.Up, Number: 1},
			{Client: "alice", Connection: 2, Direction: plan.Up, Number: 1},
		}
		if len(ups) != 3 || ups[0] != want[0] || ups[1] != want[1] || ups[2] != want[2] {
			t.Errorf("frames up: %v, want %v", ups, want)
		}
	})
}

// The lab's reader notices it too, because it has a link.
func TestClientsNoticeAVanishedServerAtDifferentTimes(t *testing.T) {
	inMemory(t, 3, func(m *memoryRig) {
		server := m.serve()
		ends := []net.Conn{m.mustDial("alice"), m.mustDial("bob")}
		reader, err := m.dial(ServerAddress)
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, reader)
		for _, c := range ends {
			m.echo(c)
		}
		vanished := time.Now()
		server.Vanish()
		noticed := make(chan time.Duration, len(ends))
		for _, c := range ends {
			go func() {
				if got, err := io.ReadAll(c); err != nil || len(got) > 0 {
					t.Errorf("received %q, %v from a vanished server", got, err)
				}
				noticed <- time.Since(vanished)
				c.Close()
			}()
		}
		seen := map[time.Duration]bool{}
		for range ends {
			after := <-noticed
			seen[after] = true
			if after < minLatency || after > maxLatency+frameGap {
				t.Errorf("noticed after %s", after)
			}
		}
		if len(seen) != len(ends) {
			t.Errorf("two noticed at one instant: %v", seen)
		}
		server.CloseAll() // or the server's reads would block for ever
	})
}

func TestMemorySwitchChangesTheSourceAddress(t *testing.T) {
	inMemory(t, 1, func(m *memoryRig) {
		l := m.Listen()
		addresses := make(chan string, 1)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				addresses <- c.RemoteAddr().(*net.TCPAddr).IP.String()
			}
		}()
		m.mustDial("alice")
		first := <-addresses
		m.mustBreak(plan.Fault{Kind: plan.Switch, Client: "alice"})
		m.mustDial("alice")
		second := <-addresses
		if first == second || len(m.fired) != 1 || !strings.HasSuffix(m.fired[0], "from now on "+second) {
			t.Errorf("alice came from %s and then from %s; reported: %q", first, second, m.fired)
		}
		l.CloseAll()
	})
}

// The frame is lost with its connection, unless the crash comes after it.
func TestMemoryCrashAtAFrame(t *testing.T) {
	for _, after := range []bool{false, true} {
		received := ""
		synctest.Test(t, func(t *testing.T) {
			var l *Listener
			m := NewMemory(1, Events{Act: func(plan.Fault) {
				time.Sleep(time.Nanosecond) // for the server to read what has arrived
				l.Vanish()
				time.Sleep(time.Second)
			}})
			defer m.Close()
			l = m.Listen()
			done := make(chan struct{})
			go func() {
				defer close(done)
				c, _ := l.Accept()
				got := make([]byte, 1000)
				n, _ := c.Read(got)
				received = string(got[:n])
			}()
			link, _ := m.Link("alice")
			link.Arm(plan.Fault{Kind: plan.Crash, Client: "alice", At: plan.Frame{After: after}})
			c, err := m.Dial(context.Background(), "tcp", link.Address())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.Write([]byte(upgradeRequest))
			if got, err := io.ReadAll(c); len(got) > 0 || err != nil {
				t.Errorf("alice receives %q, %v", got, err)
			}
			l.CloseAll()
			<-done
		})
		if want := map[bool]string{true: upgradeRequest}[after]; received != want {
			t.Errorf("a crash at a frame, after it %v: the server has received %q, want %q", after, received, want)
		}
	}
}
