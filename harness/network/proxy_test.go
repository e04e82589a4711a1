package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redial/harness/plan"
)

func TestEverythingPassesUnchanged(t *testing.T) {
	r := newRig(t)
	client, server := r.upgraded()
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 2 << 20} {
		text := string(pattern(size))
		client.sendAsync(upFrame(text))
		server.receive(upFrame(text))
		server.sendAsync(downFrame(text))
		client.receive(downFrame(text))
	}
	client.CloseWrite()
	server.receiveEnd(io.EOF)
	server.send(downFrame("after half-close"))
	client.receive(downFrame("after half-close"))
	server.Close()
	client.receiveEnd(io.EOF)
	if n := r.link.Connections(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestBreakEndsEveryConnection(t *testing.T) {
	for kind, want := range map[plan.FaultKind]error{plan.Cut: io.EOF, plan.Reset: errReset, plan.HalfOpen: io.EOF} {
		t.Run(string(kind), func(t *testing.T) {
			r := newRig(t)
			client1, server1 := r.upgraded()
			client2, server2 := r.connect()
			r.mustBreak(plan.Fault{Kind: kind})
			where := r.awaitFired().Where
			if !strings.Contains(where, "connection 1") || !strings.Contains(where, "connection 2") {
				t.Errorf("fired at %q, want both connections", where)
			}
			client1.receiveEnd(want)
			client2.receiveEnd(want)
			if kind == plan.HalfOpen {
				server1.receiveNothing()
			} else {
				server1.receiveEnd(want)
				server2.receiveEnd(want)
			}
			if err := r.link.Break(plan.Fault{Kind: kind}); err == nil {
				t.Error("a fault with nothing to break is no error")
			}
			r.nothingFired()
			client3, server3 := r.connect()
			client3.send("x")
			server3.receive("x")
		})
	}
}

// A reset discards neither bytes that are unread in the other end's system, nor bytes that do
// not fit into its buffers.
func TestResetDiscardsNoBytesBeforeIt(t *testing.T) {
	for _, size := range []int{32 << 10, 8 << 20} {
		r := newRig(t)
		client, server := r.upgraded()
		text := downFrame(string(pattern(size)))
		r.link.Arm(plan.Fault{Kind: plan.Reset, At: plan.Frame{Direction: plan.Down, After: true}})
		if size < 64<<10 {
			server.send(text)
			server.receiveEnd(errReset) // so both are reset
		} else {
			server.sendAsync(text)
		}
		client.receive(text)
		client.receiveEnd(errReset)
	}
}

func TestHalfOpenServerReceivesNothing(t *testing.T) {
	r := newRig(t)
	client, server := r.upgraded()
	r.mustBreak(plan.Fault{Kind: plan.HalfOpen})
	client.send(upFrame("too late"))
	client.receiveEnd(io.EOF)
	client.Close()
	// More than any socket buffer holds, so the link has to discard it.
	server.send(string(pattern(16 << 20)))
	server.receiveNothing()
	server.CloseWrite()
	server.receiveEnd(io.EOF) // the proxy closes when the server does
}

func TestSwitchChangesTheSourceAddress(t *testing.T) {
	r := newRig(t)
	if !r.proxy.addresses {
		t.Skip("this system has only 127.0.0.1")
	}
	source := func(server *end) string {
		host, _, _ := net.SplitHostPort(server.RemoteAddr().String())
		return host
	}
	client, server := r.upgraded()
	_, again := r.connect()
	if source(server) != source(again) {
		t.Errorf("two connections from %s and %s without a switch", source(server), source(again))
	}
	r.mustBreak(plan.Fault{Kind: plan.Switch})
	client.receiveEnd(io.EOF)
	server.receiveNothing()
	_, after := r.connect()
	if source(server) == source(after) {
		t.Errorf("still from %s after the switch", source(after))
	}
	if where := r.awaitFired().Where; !strings.Contains(where, source(after)) {
		t.Errorf("fired at %q, which does not name %s", where, source(after))
	}
	bob, err := r.proxy.Link("bob")
	if err != nil {
		t.Fatal(err)
	}
	r.link = bob
	if _, other := r.connect(); source(other) == source(after) || source(other) == source(server) {
		t.Errorf("bob comes from alice's address %s", source(other))
	}
}

func TestResetsAreForwarded(t *testing.T) {
	t.Run("client resets", func(t *testing.T) {
		r := newRig(t)
		client, server := r.upgraded()
		client.SetLinger(0)
		client.Close()
		server.receiveEnd(errReset)
	})
	t.Run("server resets", func(t *testing.T) {
		r := newRig(t)
		client, server := r.upgraded()
		server.SetLinger(0)
		server.Close()
		client.receiveEnd(errReset)
	})
	t.Run("no server", func(t *testing.T) {
		proxy, err := NewProxy("127.0.0.1:1", Events{})
		if err != nil {
			t.Fatal(err)
		}
		defer proxy.Close()
		link, err := proxy.Link("alice")
		if err != nil {
			t.Fatal(err)
		}
		// The reset may come while the client still waits for its dial.
		if c, err := net.Dial("tcp", link.Address()); err == nil {
			newEnd(t, c).receiveEnd(errReset)
		} else if !errors.Is(err, errReset) {
			t.Errorf("dialling: %v, want a reset", err)
		}
		if n := link.Connections(); n != 0 {
			t.Errorf("%d connections, want 0: none reached the server", n)
		}
	})
}

func TestMisuseOfAProxyIsAnError(t *testing.T) {
	if _, err := NewProxy("no port", Events{}); err == nil {
		t.Error("a target without a port is no error")
	}
	r := newRig(t)
	for _, kind := range []plan.FaultKind{plan.Cut, plan.Reset, plan.HalfOpen, plan.Switch, plan.Heal, plan.Crash, "nonsense"} {
		if err := r.link.Break(plan.Fault{Kind: kind}); err == nil {
			t.Errorf("%s on a link without a connection is no error", kind)
		}
	}
	if again, _ := r.proxy.Link("alice"); again != r.link {
		t.Error("the second link of alice is another one")
	}
	r.proxy.Close()
	if err := r.link.Break(plan.Fault{Kind: plan.Silence}); err == nil {
		t.Error("a break after Close is no error")
	}
	if _, err := r.proxy.Link("bob"); err == nil {
		t.Error("a link after Close is no error")
	}
	r.nothingFired()
}

func descriptors(t *testing.T) int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no list of open files here")
	}
	return len(list)
}

func TestCloseDuringAnyFaultLeavesNothing(t *testing.T) {
	warm := newRig(t) // opens files that the process keeps, such as its poller
	warm.upgraded()
	warm.close()
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	for _, f := range []plan.Fault{
		{}, {Kind: plan.Cut}, {Kind: plan.Reset}, {Kind: plan.HalfOpen}, {Kind: plan.Switch},
		{Kind: plan.Silence}, {Kind: plan.Silence, For: plan.Duration(time.Hour)},
		{Kind: plan.Outage}, {Kind: plan.Delay, Delay: plan.Duration(time.Hour)}, {Kind: plan.Limit, BytesPerSecond: 1},
	} {
		r := newRig(t)
		client, server := r.upgraded()
		if f.Kind != "" {
			r.mustBreak(f)
		}
		client.Write([]byte(upFrame("x"))) // the fault may make it fail
		late, _ := net.Dial("tcp", r.link.Address())
		r.proxy.Close()
		if _, err := net.Dial("tcp", r.link.Address()); err == nil {
			t.Errorf("%s: something still listens", f.Kind)
		}
		client.Close()
		server.Close()
		if late != nil {
			late.Close()
		}
		r.close()
	}
	deadline := time.Now().Add(bound)
	for runtime.NumGoroutine() > goroutines || descriptors(t) > files {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines and %d files, %d and %d before", runtime.NumGoroutine(), descriptors(t), goroutines, files)
		}
		runtime.Gosched()
	}
}

// Under any faults, the bytes that arrive on a connection are a prefix of those that were sent:
// none is skipped, repeated or out of order. And nothing hangs.
func TestAnyFaultsLeaveAPrefix(t *testing.T) {
	r := newRig(t)
	r.act = func(plan.Fault) {}
	go func() {
		for range r.fired { // the reports would fill the channel
		}
	}()
	const lines = 50_000
	var all strings.Builder
	for i := range lines {
		all.WriteString(upFrame(fmt.Sprint("message ", i)))
	}
	stream := upgradeRequest + all.String()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var work sync.WaitGroup
	var arrived atomic.Int64
	began := time.Now()
	// The test ends when it has tried enough, because a busy machine gets less done in the
	// same time.
	enough := func() bool {
		return time.Since(began) > 2*time.Second && r.link.Connections() >= 10 && arrived.Load() >= 1000
	}
	for range 4 {
		work.Go(func() { // clients, one connection after the other
			for ctx.Err() == nil {
				c, err := net.Dial("tcp", r.link.Address())
				if err != nil {
					runtime.Gosched()
					continue
				}
				stop := context.AfterFunc(ctx, func() { c.Close() })
				go io.Copy(io.Discard, c)
				io.WriteString(c, stream)
				c.Close()
				stop()
			}
		})
	}
	work.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-r.accepted:
				work.Go(func() {
					stop := context.AfterFunc(ctx, func() { s.Close() })
					defer stop()
					defer s.Close()
					io.WriteString(s, upgradeResponse+downFrame("hello"))
					got, _ := io.ReadAll(s)
					arrived.Add(int64(len(got)))
					if !strings.HasPrefix(stream, string(got)) {
						t.Errorf("the %d bytes that arrived are no prefix of those that were sent", len(got))
					}
				})
			}
		}
	})
	kinds := append([]plan.FaultKind{plan.Crash}, plan.Links...)
	random := rand.New(rand.NewPCG(1, 2))
	for ctx.Err() == nil && !enough() {
		f := plan.Fault{
			Kind: kinds[random.IntN(len(kinds))], For: plan.Duration((1 + random.IntN(5)) * int(time.Millisecond)),
			Delay: plan.Duration(time.Millisecond), BytesPerSecond: 10_000_000, Idle: plan.Duration(time.Millisecond),
			At: plan.Frame{Number: 1 + random.IntN(50), After: random.IntN(2) == 0},
		}
		if random.IntN(2) == 0 {
			f.At.Direction, f.At.Number = plan.Down, 1+random.IntN(3)
		}
		if random.IntN(2) == 0 {
			r.link.Arm(f)
		} else {
			r.link.Break(f) // may have nothing to break
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(random.IntN(3)) * time.Millisecond):
		}
	}
	cancel()
	r.proxy.Close()
	work.Wait()
	close(r.fired)
	r.close()
	if r.link.Connections() < 10 || arrived.Load() < 1000 {
		t.Errorf("only %d connections and %d bytes: too little to tell", r.link.Connections(), arrived.Load())
	}
	t.Logf("%d connections, %d bytes", r.link.Connections(), arrived.Load())
}
