package network

import (
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"redial/harness/plan"
)

// bubble runs a link on a fake clock, between a client and a server that are ends of net.Pipe.
type bubble struct {
	t        *testing.T
	link     *link
	client   net.Conn
	server   net.Conn
	received map[net.Conn]*received

	mu    sync.Mutex
	fired []string
}

// received collects the bytes that an end receives.
type received struct {
	mu    sync.Mutex
	text  string
	ended bool
}

func (r *received) readAll(end net.Conn) {
	buffer := make([]byte, 1000)
	for {
		n, err := end.Read(buffer)
		r.mu.Lock()
		r.text += string(buffer[:n])
		r.ended = err != nil
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// inBubble makes a bubble in which a WebSocket handshake has passed, and plays. prepare, if not
// nil, changes the link before.
func inBubble(t *testing.T, prepare func(*link), play func(b *bubble)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{t: t, received: map[net.Conn]*received{}}
		start := time.Now()
		b.link = newLink("alice", 0, Events{Fired: func(f Fired) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.fired = append(b.fired, time.Since(start).String()+" "+string(f.Fault.Kind)+map[bool]string{true: " healed"}[f.Healed])
		}})
		if prepare != nil {
			prepare(b.link)
		}
		defer b.link.Close()
		b.client, b.server = b.connect()
		defer b.client.Close()
		defer b.server.Close()
		b.client.Write([]byte(upgradeRequest))
		synctest.Wait()
		b.server.Write([]byte(upgradeResponse))
		b.want(b.server, upgradeRequest)
		b.want(b.client, upgradeResponse)
		play(b)
	})
}

func (b *bubble) connect() (client, server net.Conn) {
	client, near := net.Pipe()
	far, server := net.Pipe()
	b.link.start(near, func() (net.Conn, error) { return far, nil })
	for _, end := range []net.Conn{client, server} {
		r := &received{}
		b.received[end] = r
		go r.readAll(end)
	}
	return client, server
}

// want compares what an end has received since the last call.
func (b *bubble) want(end net.Conn, text string) {
	b.t.Helper()
	synctest.Wait()
	r := b.received[end]
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.text != text {
		b.t.Errorf("after %s received %.60q, want %.60q", b.firings(), r.text, text)
	}
	r.text = ""
}

func (b *bubble) wantEnded(end net.Conn, ended bool) {
	b.t.Helper()
	synctest.Wait()
	r := b.received[end]
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended != ended {
		b.t.Errorf("after %s the stream has ended: %v, want %v", b.firings(), r.ended, ended)
	}
}

func (b *bubble) wantFired(list ...string) {
	b.t.Helper()
	synctest.Wait()
	if got := b.firings(); got != strings.Join(list, ", ") {
		b.t.Errorf("fired %s, want %s", got, list)
	}
}

func (b *bubble) firings() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.fired, ", ")
}

func (b *bubble) mustBreak(f plan.Fault) {
	b.t.Helper()
	if err := b.link.Break(f); err != nil {
		b.t.Fatal(err)
	}
}

func TestCutResetAndHalfOpenOverPipes(t *testing.T) {
	for _, kind := range []plan.FaultKind{plan.Cut, plan.Reset, plan.HalfOpen} {
		inBubble(t, nil, func(b *bubble) {
			b.link.Arm(plan.Fault{Kind: kind, At: plan.Frame{Direction: plan.Down, Number: 2}})
			b.server.Write([]byte(downFrame("one") + downFrame("two")))
			b.want(b.client, downFrame("one"))
			b.wantEnded(b.client, true)
			b.wantEnded(b.server, kind != plan.HalfOpen)
			b.wantFired("0s " + string(kind))
			if kind == plan.HalfOpen {
				if _, err := b.server.Write([]byte(downFrame("three"))); err != nil {
					t.Errorf("the server's write on its half-open connection: %v", err)
				}
			}
		})
	}
}

func TestSilenceHoldsUntilItEnds(t *testing.T) {
	inBubble(t, nil, func(b *bubble) {
		b.mustBreak(plan.Fault{Kind: plan.Silence, For: plan.Duration(20 * time.Second)})
		var all string
		for range 50 { // net.Pipe has no buffer, so the link has to read during the silence
			time.Sleep(time.Second / 10)
			b.client.Write([]byte(upFrame("x")))
			all += upFrame("x")
		}
		lateClient, lateServer := b.connect()
		lateClient.Write([]byte("hello"))
		time.Sleep(14 * time.Second)
		b.want(b.server, "")
		b.want(lateServer, "")
		time.Sleep(time.Second)
		b.want(b.server, all)
		b.want(lateServer, "hello")
		b.wantFired("0s silence", "20s silence healed")
		lateClient.Close()
		b.wantEnded(lateServer, true)
	})
}

func TestDelayAddsLatencyAndKeepsThroughput(t *testing.T) {
	inBubble(t, nil, func(b *bubble) {
		b.mustBreak(plan.Fault{Kind: plan.Delay, Delay: plan.Duration(time.Second), For: plan.Duration(time.Minute)})
		b.client.Write([]byte(upFrame("a")))
		time.Sleep(time.Second / 2)
		b.client.Write([]byte(upFrame("b")))
		time.Sleep(time.Second/2 - 1)
		b.want(b.server, "")
		time.Sleep(time.Nanosecond)
		b.want(b.server, upFrame("a"))
		b.server.Write([]byte(downFrame("d")))
		time.Sleep(time.Second / 2)
		b.want(b.server, upFrame("b")) // it has not waited for a's delay
		b.want(b.client, "")
		time.Sleep(time.Second / 2)
		b.want(b.client, downFrame("d"))
		time.Sleep(time.Minute)
		b.client.Write([]byte(upFrame("c")))
		b.want(b.server, upFrame("c"))
		b.wantFired("0s delay", "1m0s delay healed")
	})
}

func TestLimitIsExactUntilItIsReplacedOrHealed(t *testing.T) {
	inBubble(t, nil, func(b *bubble) {
		b.mustBreak(plan.Fault{Kind: plan.Limit, BytesPerSecond: 100})
		text := upFrame(string(pattern(300)))
		b.client.Write([]byte(text))
		time.Sleep(time.Second)
		b.want(b.server, text[:100])
		time.Sleep(time.Second)
		b.want(b.server, text[100:200])
		b.mustBreak(plan.Fault{Kind: plan.Limit, BytesPerSecond: 1})
		time.Sleep(2 * time.Second)
		b.want(b.server, text[200:201])
		b.mustBreak(plan.Fault{Kind: plan.Heal})
		b.want(b.server, text[201:])
	})
}

// Bytes in either direction restart the idle time. A connection that is made during the fault is
// cut too, and none after a heal.
func TestIdleCloseCutsConnectionsThatAreIdle(t *testing.T) {
	inBubble(t, nil, func(b *bubble) {
		b.mustBreak(plan.Fault{Kind: plan.IdleClose, Idle: plan.Duration(5 * time.Second)})
		time.Sleep(4 * time.Second)
		b.client.Write([]byte(upFrame("a")))
		time.Sleep(4 * time.Second)
		b.server.Write([]byte(downFrame("b")))
		b.want(b.client, downFrame("b"))
		time.Sleep(5*time.Second - 1)
		b.wantFired()
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		b.wantFired("13s idle-close")
		b.wantEnded(b.client, true)
		b.wantEnded(b.server, true)
		b.client, b.server = b.connect()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		b.wantFired("13s idle-close", "18s idle-close")
		b.client, b.server = b.connect()
		time.Sleep(4 * time.Second)
		b.mustBreak(plan.Fault{Kind: plan.Heal})
		time.Sleep(time.Hour)
		b.client.Write([]byte(upFrame("c")))
		b.want(b.server, upFrame("c"))
		b.wantFired("13s idle-close", "18s idle-close", "22s heal", "22s idle-close healed")
	})
}

// The own delays of frames do not add up.
func TestFramesWithOwnDelaysKeepTheirOrder(t *testing.T) {
	delays := []time.Duration{0, 5 * time.Second, time.Second, 8 * time.Second}
	next := 0
	hook := func(l *link) {
		l.pace(func(direction plan.Direction, connection, frame int) time.Duration {
			if direction == plan.Down || frame == 5 { // the end of the stream
				return 0
			}
			if connection != 1 || frame != next+1 {
				t.Errorf("frame %d of connection %d, want frame %d of the first", frame, connection, next+1)
			}
			next++
			return delays[next-1]
		})
	}
	inBubble(t, hook, func(b *bubble) {
		start := time.Now()
		b.client.Write([]byte(upFrame("a") + upFrame("b") + upFrame("c")))
		for _, step := range []struct {
			at   time.Duration
			text string
		}{
			{5*time.Second - 1, ""},
			{5 * time.Second, upFrame("a")}, // b is due after one second, but waits for a
			{5*time.Second + frameGap, upFrame("b")},
			{8*time.Second - 1, ""},
			{8 * time.Second, upFrame("c")},
		} {
			time.Sleep(step.at - time.Since(start))
			b.want(b.server, step.text)
		}
	})
}

// The act takes a minute on the fake clock, and closes the connection or leaves it open.
func TestActHoldsItsFrameOverPipes(t *testing.T) {
	for _, closes := range []bool{false, true} {
		var b *bubble
		inBubble(t, func(l *link) {
			l.events.Act = func(plan.Fault) {
				if closes {
					b.client.Close()
				}
				time.Sleep(time.Minute)
			}
		}, func(made *bubble) {
			b = made
			b.link.Arm(plan.Fault{Kind: plan.RefreshPage, At: plan.Frame{Match: "42"}})
			b.client.Write([]byte(upFrame("42")))
			time.Sleep(time.Minute - 1)
			b.want(b.server, "")
			time.Sleep(10 * time.Nanosecond)
			if closes {
				b.want(b.server, "")
			} else {
				b.want(b.server, upFrame("42"))
			}
			b.wantEnded(b.server, closes)
		})
	}
}

// Beyond the bound of the queue, the sender's write blocks.
func TestQueueOfASilentLinkIsBounded(t *testing.T) {
	inBubble(t, nil, func(b *bubble) {
		b.mustBreak(plan.Fault{Kind: plan.Silence})
		b.client.SetWriteDeadline(time.Now().Add(time.Hour))
		chunk := make([]byte, 1<<20)
		written := 0
		for {
			n, err := b.client.Write(chunk)
			written += n
			if err != nil {
				break
			}
		}
		if written < maxQueue || written > maxQueue+4*largeBuffer {
			t.Errorf("a silent link took %d bytes, want about %d", written, maxQueue)
		}
	})
}
