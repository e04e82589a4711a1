package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"redial/harness/plan"
)

func TestEverythingPassesUnchanged(t *testing.T) {
	r := newRig(t)
	client, server := r.upgraded()
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 2 << 20} {
		text := string(pattern(size))
		client.saying(upFrame(text))
		server.hear(upFrame(text))
		server.saying(downFrame(text))
		client.hear(downFrame(text))
	}
	client.CloseWrite()
	server.hearEnd(io.EOF)
	server.say(downFrame("still heard"))
	client.hear(downFrame("still heard"))
	server.Close()
	client.hearEnd(io.EOF)
	if n := r.link.Connections(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// The end that an armed Cut, Reset and HalfOpen puts to a connection, at the
// second frame after the handshake, each direction, before and after it.
func TestArmedFaultEndsTheConnection(t *testing.T) {
	for _, c := range []struct {
		kind           plan.FaultKind
		client, server error // what each end hears; nil: nothing at all
	}{
		{plan.Cut, io.EOF, io.EOF},
		{plan.Reset, errReset, errReset},
		{plan.HalfOpen, io.EOF, nil},
		{plan.Switch, io.EOF, nil},
		{plan.Outage, io.EOF, io.EOF},
	} {
		for _, direction := range []plan.Direction{plan.Up, plan.Down} {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s after=%v", c.kind, direction, after), func(t *testing.T) {
					r := newRig(t)
					r.link.Arm(plan.Fault{ID: "f1", Kind: c.kind, At: plan.Frame{Direction: direction, Number: 3, After: after}})
					client, server := r.upgraded()
					from, to, frame := client, server, upFrame
					if direction == plan.Down {
						from, to, frame = server, client, downFrame
					}
					// All at once: the fault falls between two frames of one chunk.
					from.say(frame("one") + frame("two") + frame("three"))
					to.hear(frame("one"))
					if after {
						to.hear(frame("two"))
					}
					fired := r.awaitFired()
					want := "alice, connection 1, frame 3 " + string(direction)
					if fired.Fault.ID != "f1" || fired.Healed || !strings.HasPrefix(fired.Where, want) {
						t.Errorf("fired %q, want %q", fired.Where, want)
					}
					client.hearEnd(c.client)
					if c.server != nil {
						server.hearEnd(c.server)
					} else {
						server.hearNothing()
						server.say(downFrame("into the void"))
					}
					r.nothingFired()
				})
			}
		}
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
			client1.hearEnd(want)
			client2.hearEnd(want)
			if kind == plan.HalfOpen {
				server1.hearNothing()
			} else {
				server1.hearEnd(want)
				server2.hearEnd(want)
			}
			if err := r.link.Break(plan.Fault{Kind: kind}); err == nil {
				t.Error("the second one broke nothing and is no error")
			}
			r.nothingFired()
			client3, server3 := r.connect()
			client3.say("x")
			server3.hear("x")
		})
	}
}

// A reset must not eat what was delivered before it: neither what is still unread
// in the other end's system, nor what does not fit in there.
func TestResetKeepsWhatCameBefore(t *testing.T) {
	for _, size := range []int{32 << 10, 8 << 20} {
		r := newRig(t)
		client, server := r.upgraded()
		text := downFrame(string(pattern(size)))
		r.link.Arm(plan.Fault{Kind: plan.Reset, At: plan.Frame{Direction: plan.Down, After: true}})
		if size < 64<<10 {
			server.say(text)
			server.hearEnd(errReset) // so both are reset
		} else {
			server.saying(text)
		}
		client.hear(text)
		client.hearEnd(errReset)
	}
}

func TestHalfOpenServerHearsNothing(t *testing.T) {
	r := newRig(t)
	client, server := r.upgraded()
	r.mustBreak(plan.Fault{Kind: plan.HalfOpen})
	client.say(upFrame("too late"))
	client.hearEnd(io.EOF)
	client.Close()
	// More than any socket buffer holds: it is swallowed, not held up.
	server.say(string(pattern(16 << 20)))
	server.hearNothing()
	server.CloseWrite()
	server.hearEnd(io.EOF) // the proxy lets go when the server does
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
	client.hearEnd(io.EOF)
	server.hearNothing()
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

func TestSilenceHoldsAndDeliversInOrder(t *testing.T) {
	r := newRig(t)
	client, server := r.upgraded()
	r.mustBreak(plan.Fault{Kind: plan.Silence})
	var up, down string
	for i := range 200 {
		up += upFrame(fmt.Sprint("up ", i))
		down += downFrame(fmt.Sprint("down ", i))
		client.say(upFrame(fmt.Sprint("up ", i)))
		server.say(downFrame(fmt.Sprint("down ", i)))
	}
	client.CloseWrite()
	server.hearNothing()
	client.hearNothing()

	late, err := net.Dial("tcp", r.link.Address())
	if err != nil {
		t.Fatal(err)
	}
	newcomer := newEnd(t, late)
	newcomer.say("hello")
	newcomer.hearNothing()
	quitter, err := net.Dial("tcp", r.link.Address())
	if err != nil {
		t.Fatal(err)
	}
	held := r.link.(*tcpLink)
	r.await("three connections are held", func() bool { return len(held.openConnections()) == 3 })
	quitter.Close()

	r.mustBreak(plan.Fault{Kind: plan.Heal})
	server.hear(up)
	server.hearEnd(io.EOF)
	client.hear(down)
	newServer := r.server()
	newServer.hear("hello")
	newServer.say("welcome")
	newcomer.hear("welcome")
	if n := r.link.Connections(); n != 2 {
		t.Errorf("%d connections reached the server, want 2: one gave up in the silence", n)
	}
	kinds := []string{}
	for range 3 {
		f := r.awaitFired()
		kinds = append(kinds, fmt.Sprintf("%s %v", f.Fault.Kind, f.Healed))
	}
	if got := strings.Join(kinds, ", "); got != "silence false, heal false, silence true" {
		t.Errorf("reported %s", got)
	}
}

func TestArmedSilenceHoldsItsFrame(t *testing.T) {
	for _, after := range []bool{false, true} {
		r := newRig(t)
		client, server := r.upgraded()
		r.link.Arm(plan.Fault{Kind: plan.Silence, For: plan.Duration(2 * never), At: plan.Frame{Match: "two", After: after}})
		client.say(upFrame("one") + upFrame("two") + upFrame("three"))
		server.hear(upFrame("one"))
		if after {
			server.hear(upFrame("two"))
		}
		began := r.awaitFired()
		server.hearNothing()
		if healed := r.awaitFired(); began.Healed || !healed.Healed {
			t.Errorf("reported %+v and %+v", began, healed)
		}
		if !after {
			server.hear(upFrame("two"))
		}
		server.hear(upFrame("three"))
		client.say(upFrame("four")) // and directly again
		server.hear(upFrame("four"))
	}
}

func TestOutageRefusesUntilItHeals(t *testing.T) {
	r := newRig(t)
	client, server := r.upgraded()
	r.mustBreak(plan.Fault{Kind: plan.Outage})
	client.hearEnd(io.EOF)
	server.hearEnd(io.EOF)
	for range 3 {
		if _, err := net.Dial("tcp", r.link.Address()); err == nil || !strings.Contains(err.Error(), syscall.ECONNREFUSED.Error()) {
			t.Fatalf("dialling in an outage: %v, want a refusal", err)
		}
	}
	r.mustBreak(plan.Fault{Kind: plan.Heal})
	client, server = r.connect()
	client.say("x")
	server.hear("x")
	if err := r.link.Break(plan.Fault{Kind: plan.Heal}); err == nil {
		t.Error("a heal of nothing is no error")
	}
}

func TestOutageHealsByItself(t *testing.T) {
	r := newRig(t)
	r.mustBreak(plan.Fault{Kind: plan.Outage, For: plan.Duration(never)})
	r.awaitFired()
	if f := r.awaitFired(); !f.Healed {
		t.Errorf("reported %+v, want it healed", f)
	}
	r.await("the link accepts again", func() bool {
		c, err := net.Dial("tcp", r.link.Address())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func TestDelayAddsLatencyAndKeepsThroughput(t *testing.T) {
	const delay = 100 * time.Millisecond
	r := newRig(t)
	client, server := r.upgraded()
	r.mustBreak(plan.Fault{Kind: plan.Delay, Delay: plan.Duration(delay)})
	start := time.Now()
	client.say(upFrame("ping"))
	server.hear(upFrame("ping"))
	oneWay := time.Since(start)
	server.say(downFrame("pong"))
	client.hear(downFrame("pong"))
	if both := time.Since(start); oneWay < delay || both < 2*delay {
		t.Errorf("%v there and %v there and back, want at least %v and %v", oneWay, both, delay, 2*delay)
	}
	// A hundred frames one after the other are not a hundred delays.
	start = time.Now()
	var all string
	for i := range 100 {
		client.say(upFrame(fmt.Sprint(i)))
		all += upFrame(fmt.Sprint(i))
	}
	server.hear(all)
	if took := time.Since(start); took < delay || took > 50*delay {
		t.Errorf("100 frames took %v, want about %v", took, delay)
	}
	r.mustBreak(plan.Fault{Kind: plan.Heal})
	client.say(upFrame("fast"))
	server.hear(upFrame("fast"))
}

func TestLimit(t *testing.T) {
	r := newRig(t)
	client, server := r.upgraded()
	r.mustBreak(plan.Fault{Kind: plan.Limit, BytesPerSecond: 100_000})
	text := upFrame(string(pattern(20_000)))
	start := time.Now()
	client.saying(text)
	server.hear(text)
	if took := time.Since(start); took < 190*time.Millisecond {
		t.Errorf("20 kB at 100 kB/s took %v, want 200ms", took)
	}
	r.mustBreak(plan.Fault{Kind: plan.Limit, BytesPerSecond: 1}) // replaces it
	client.saying(text)
	server.hear(text[:1])
	r.mustBreak(plan.Fault{Kind: plan.Heal})
	server.hear(text[1:])
}

func TestArmedFaultPicksItsFrame(t *testing.T) {
	r := newRig(t)
	message := func(i int) string { return fmt.Sprintf(`42["chat message","%d"]`, i) }
	r.link.Arm(plan.Fault{ID: "third message", Kind: plan.Cut, At: plan.Frame{Match: `42["chat message"`, Number: 3}})
	r.link.Arm(plan.Fault{ID: "second connection", Kind: plan.Reset, At: plan.Frame{Direction: plan.Down, Connection: 2, Number: 2}})
	client, server := r.upgraded()
	client.say(upFrame("40") + upFrame(message(1)) + upFrame("2") + upFrame(message(2)))
	server.hear(upFrame("40") + upFrame(message(1)) + upFrame("2") + upFrame(message(2)))
	server.say(downFrame("a") + downFrame("b") + downFrame("c"))
	client.hear(downFrame("a") + downFrame("b") + downFrame("c"))
	r.nothingFired()
	// Byte by byte: nothing of the frame may pass before it is known.
	for _, b := range []byte(upFrame(message(3))) {
		client.say(string([]byte{b}))
	}
	server.hearEnd(io.EOF)
	if f := r.awaitFired(); f.Fault.ID != "third message" || f.Where != "alice, connection 1, frame 6 up" {
		t.Errorf("fired %s at %q", f.Fault.ID, f.Where)
	}
	client, server = r.upgraded()
	client.say(upFrame(message(4)))
	server.hear(upFrame(message(4)))
	server.say(downFrame("d"))
	client.hearEnd(errReset)
	if f := r.awaitFired(); f.Fault.ID != "second connection" || f.Where != "alice, connection 2, frame 2 down" {
		t.Errorf("fired %s at %q", f.Fault.ID, f.Where)
	}
	// Both are spent.
	client, server = r.upgraded()
	client.say(upFrame(message(5)) + upFrame(message(6)))
	server.hear(upFrame(message(5)) + upFrame(message(6)))
	r.nothingFired()
}

func TestFramesAreCountedAcrossConnections(t *testing.T) {
	r := newRig(t)
	r.link.Arm(plan.Fault{Kind: plan.Cut, At: plan.Frame{Direction: plan.Down, Number: 3}})
	r.upgraded()
	r.upgraded()
	client, server := r.connect()
	client.say(upgradeRequest)
	server.hear(upgradeRequest)
	server.say(upgradeResponse)
	client.hearEnd(io.EOF)
	if f := r.awaitFired(); f.Where != "alice, connection 3, frame 1 down" {
		t.Errorf("fired at %q", f.Where)
	}
}

func TestUnmatchedFrameIsNotKept(t *testing.T) {
	r := newRig(t)
	r.link.Arm(plan.Fault{Kind: plan.Cut, At: plan.Frame{Match: "42[", After: true}})
	r.link.Arm(plan.Fault{Kind: plan.Cut, At: plan.Frame{Match: "43["}})
	client, server := r.upgraded()
	frame := upFrame("44[" + string(pattern(1000)))
	client.say(frame[:10]) // head, mask, and enough of the payload to tell
	server.hear(frame[:10])
	client.say(frame[10:])
	server.hear(frame[10:])
	client.say(frame[:7])
	client.CloseWrite() // an end in the middle of a frame that is still held
	server.hear(frame[:7])
	server.hearEnd(io.EOF)
}

func TestActHoldsItsFrame(t *testing.T) {
	for _, connectionGoes := range []bool{false, true} {
		for _, direction := range []plan.Direction{plan.Up, plan.Down} {
			t.Run(fmt.Sprintf("%s gone=%v", direction, connectionGoes), func(t *testing.T) {
				r := newRig(t)
				client, server := r.upgraded()
				from, to, frame := client, server, upFrame
				if direction == plan.Down {
					from, to, frame = server, client, downFrame
				}
				r.link.Arm(plan.Fault{Kind: plan.Crash, At: plan.Frame{Direction: direction, Match: "42"}})
				acted, done := make(chan plan.Fault, 10), make(chan bool)
				r.act = func(f plan.Fault) {
					acted <- f
					<-done
				}
				from.say(frame("1") + frame("42") + frame("3"))
				to.hear(frame("1"))
				if f := <-acted; f.Kind != plan.Crash {
					t.Errorf("acted %s", f.Kind)
				}
				to.hearNothing()
				if connectionGoes {
					server.SetLinger(0)
					server.Close()
				}
				close(done)
				switch {
				case !connectionGoes:
					to.hear(frame("42") + frame("3"))
				case to == client:
					client.SetReadDeadline(time.Now().Add(bound))
					if rest, err := io.ReadAll(client.in); len(rest) > 0 || os.IsTimeout(err) {
						t.Errorf("heard %q and %v after the crash", rest, err)
					}
				default:
					client.SetReadDeadline(time.Now().Add(bound))
					if _, err := io.ReadAll(client.in); os.IsTimeout(err) {
						t.Error("the client is not told of the crash")
					}
				}
				if len(acted) > 0 {
					t.Error("acted twice")
				}
			})
		}
	}
}

func TestFaultOnAnotherLink(t *testing.T) {
	r := newRig(t)
	client, server := r.upgraded()
	alice := r.link
	var err error
	if r.link, err = r.proxy.Link("bob"); err != nil {
		t.Fatal(err)
	}
	bobClient, bobServer := r.upgraded()
	alice.Arm(plan.Fault{Kind: plan.Cut, Client: "bob", At: plan.Frame{Client: "alice", Match: "42"}})
	client.say(upFrame("42"))
	server.hear(upFrame("42")) // alice loses nothing
	bobClient.hearEnd(io.EOF)
	bobServer.hearEnd(io.EOF)
	if f := r.awaitFired(); f.Where != "bob, connection 1" {
		t.Errorf("fired at %q", f.Where)
	}
}

func TestEndsArePassedOn(t *testing.T) {
	t.Run("client resets", func(t *testing.T) {
		r := newRig(t)
		client, server := r.upgraded()
		client.SetLinger(0)
		client.Close()
		server.hearEnd(errReset)
	})
	t.Run("server resets", func(t *testing.T) {
		r := newRig(t)
		client, server := r.upgraded()
		server.SetLinger(0)
		server.Close()
		client.hearEnd(errReset)
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
			newEnd(t, c).hearEnd(errReset)
		} else if !errors.Is(err, errReset) {
			t.Errorf("dialling: %v, want a reset", err)
		}
		if n := link.Connections(); n != 0 {
			t.Errorf("%d connections, want 0: none reached the server", n)
		}
	})
}

func TestMisuseIsAnError(t *testing.T) {
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

// Whatever is going on, Close leaves nothing behind.
func TestCloseLeavesNothing(t *testing.T) {
	warm := newRig(t) // opens what the process keeps, like its poller
	warm.upgraded()
	warm.proxy.Close()
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	for _, f := range []plan.Fault{
		{}, {Kind: plan.Cut}, {Kind: plan.Reset}, {Kind: plan.HalfOpen}, {Kind: plan.Switch},
		{Kind: plan.Silence}, {Kind: plan.Silence, For: plan.Duration(time.Hour)},
		{Kind: plan.Outage}, {Kind: plan.Delay, Delay: plan.Duration(time.Hour)}, {Kind: plan.Limit, BytesPerSecond: 1},
	} {
		r := &rig{t: t, accepted: make(chan *net.TCPConn, 100), fired: make(chan Fired, 100)}
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		accepting := make(chan struct{})
		go func() {
			defer close(accepting)
			for {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				r.accepted <- c.(*net.TCPConn)
			}
		}()
		if r.proxy, err = NewProxy(listener.Addr().String(), Events{}); err != nil {
			t.Fatal(err)
		}
		if r.link, err = r.proxy.Link("alice"); err != nil {
			t.Fatal(err)
		}
		client, server := r.upgraded()
		if f.Kind != "" {
			r.mustBreak(f)
		}
		client.Write([]byte(upFrame("x"))) // may fail, by the fault
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
		listener.Close()
		<-accepting
		for len(r.accepted) > 0 {
			(<-r.accepted).Close()
		}
	}
	deadline := time.Now().Add(bound)
	for runtime.NumGoroutine() > goroutines || descriptors(t) > files {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines and %d files, %d and %d before", runtime.NumGoroutine(), descriptors(t), goroutines, files)
		}
		runtime.Gosched()
	}
}

// Under any faults what arrives on a connection is a beginning of what was sent on
// it: nothing skipped, repeated or out of order. And nothing hangs.
func TestAnyFaultsLeaveABeginning(t *testing.T) {
	r := newRig(t)
	r.act = func(plan.Fault) {}
	go func() { // reports are not what this is about
		for range r.fired {
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
	// A busy machine gets less done in a time, so what ends the test is that it has tried
	// enough.
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
						t.Errorf("what arrived is no beginning of what was sent: %d bytes", len(got))
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
	for len(r.accepted) > 0 {
		(<-r.accepted).Close()
	}
	if r.link.Connections() < 10 || arrived.Load() < 1000 {
		t.Errorf("only %d connections and %d bytes: too little to tell", r.link.Connections(), arrived.Load())
	}
	t.Logf("%d connections, %d bytes", r.link.Connections(), arrived.Load())
}

// A conversation of real libraries: polling with net/http, then a WebSocket.
func TestRealConversation(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/ws" {
			c, err := websocket.Accept(w, q, nil)
			if err != nil {
				return
			}
			defer c.CloseNow()
			c.SetReadLimit(-1)
			for {
				kind, text, err := c.Read(q.Context())
				if err != nil || c.Write(q.Context(), kind, text) != nil {
					return
				}
			}
		}
		body, _ := io.ReadAll(q.Body)
		if len(body) > 5000 {
			w.(http.Flusher).Flush() // chunked
		}
		w.Write(body)
	}))
	defer server.Close()
	fired := make(chan Fired, 10)
	proxy, err := NewProxy(server.Listener.Addr().String(), Events{Fired: func(f Fired) { fired <- f }})
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	link, err := proxy.Link("alice")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	poll := func(body string) (string, error) {
		client := http.Client{Transport: transport, Timeout: bound}
		answer, err := client.Post("http://"+link.Address()+"/", "text/plain", strings.NewReader(body))
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		got, err := io.ReadAll(answer.Body)
		return string(got), err
	}
	for _, size := range []int{0, 1, 4999, 100_000} {
		if got, err := poll(string(pattern(size))); err != nil || got != string(pattern(size)) {
			t.Fatalf("polling %d bytes: %d bytes, %v", size, len(got), err)
		}
	}
	link.Arm(plan.Fault{Kind: plan.Cut, At: plan.Frame{Direction: plan.Down, Match: `42["b"`}})
	if got, err := poll("2\x1e42[\"a\"]"); err != nil || got != "2\x1e42[\"a\"]" {
		t.Fatalf("polling past an armed fault: %q, %v", got, err)
	}
	if got, err := poll("2\x1e42[\"b\"]"); err == nil {
		t.Fatalf("the response came although it was cut: %q", got)
	}
	if f := <-fired; f.Where != "alice, connection 1, frame 6 down" {
		t.Errorf("fired at %q", f.Where)
	}

	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+link.Address()+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	c.SetReadLimit(-1)
	echo := func(text string) error {
		if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			return err
		}
		_, got, err := c.Read(ctx)
		if err == nil && string(got) != text {
			err = fmt.Errorf("echoed %d bytes for %d", len(got), len(text))
		}
		return err
	}
	link.Arm(plan.Fault{Kind: plan.Reset, At: plan.Frame{Match: `42["c"`, Number: 2}})
	for _, size := range []int{0, 125, 126, 65535, 65536, 2 << 20} {
		if err := echo(string(pattern(size))); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
	}
	if err := echo(`42["c",1]`); err != nil {
		t.Fatal(err)
	}
	if err := echo(`42["c",2]`); err == nil {
		t.Error("the second message came through although it was reset")
	}
	if f := <-fired; f.Fault.Kind != plan.Reset || !strings.HasPrefix(f.Where, "alice, connection 2, ") {
		t.Errorf("fired at %q", f.Where)
	}
}
