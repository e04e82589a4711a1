package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"redial/harness/client"
	"redial/harness/history"
)

// These tests run in a bubble with a fake clock, against a server that does
// nothing but what the test says, over connections in memory.

const openText = `0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`

// memory is a network with one listener.
type memory struct {
	conns chan net.Conn

	mu    sync.Mutex
	dials []time.Time
	down  bool
}

func newMemory() *memory { return &memory{conns: make(chan net.Conn)} }

func (m *memory) setDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// dialled is when the client tried to connect.
func (m *memory) dialled() []time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.dials)
}

func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	m.mu.Lock()
	m.dials = append(m.dials, time.Now())
	down := m.down
	m.mu.Unlock()
	if down {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	select {
	case m.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// peer is the server's end of one connection.
type peer struct {
	t    *testing.T
	conn net.Conn
}

// accept takes the next connection and shakes hands, no more.
func (m *memory) accept(t *testing.T) *peer {
	t.Helper()
	select {
	case conn := <-m.conns:
		t.Cleanup(func() { conn.Close() })
		if _, err := ws.Upgrade(conn); err != nil {
			t.Fatal(err)
		}
		return &peer{t, conn}
	case <-time.After(time.Hour):
		t.Fatal("nobody connected within an hour")
		return nil
	}
}

// connected takes the next connection as far as the answer to CONNECT.
func (m *memory) connected(t *testing.T, answer string) *peer {
	t.Helper()
	p := m.accept(t)
	p.send(openText)
	if connect := p.receive(); !strings.HasPrefix(connect, "40") {
		t.Fatalf("received %s; want CONNECT", connect)
	}
	p.send(answer)
	return p
}

func (p *peer) send(text string) {
	p.t.Helper()
	if err := wsutil.WriteServerText(p.conn, []byte(text)); err != nil {
		p.t.Fatalf("sending %s: %v", text, err)
	}
}

// receive is the next frame: a text as it is, a binary one in quotes, a close
// frame as "close".
func (p *peer) receive() string {
	p.t.Helper()
	p.conn.SetReadDeadline(time.Now().Add(time.Hour))
	header, err := ws.ReadHeader(p.conn)
	payload := make([]byte, header.Length)
	if err == nil {
		_, err = io.ReadFull(p.conn, payload)
	}
	if err != nil {
		p.t.Fatalf("receiving: %v", err)
	}
	if !header.Masked || !header.Fin {
		p.t.Errorf("a frame that is not masked or not whole: %+v", header)
	}
	ws.Cipher(payload, header.Mask, 0)
	switch header.OpCode {
	case ws.OpBinary:
		return fmt.Sprintf("%q", payload)
	case ws.OpClose:
		return "close"
	}
	return string(payload)
}

func (p *peer) expect(want ...string) {
	p.t.Helper()
	for _, text := range want {
		if got := p.receive(); got != text {
			p.t.Fatalf("received %s\n    want %s", got, text)
		}
	}
}

// bubble runs a test in a bubble, with a client that is closed at its end.
func bubble(t *testing.T, test func(t *testing.T, m *memory, w *Client, r *history.Recorder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemory(), history.NewRecorder()
		w := New(client.Options{Name: "ann", URL: "http://chat.test:80", Dial: m.dial, Record: r.Add, Seed: 1})
		defer w.Close()
		test(t, m, w, r)
	})
}

func open(t *testing.T, w *Client) {
	t.Helper()
	if err := w.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func say(t *testing.T, w *Client, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := w.Send(text); err != nil {
			t.Fatal(err)
		}
	}
}

// story is the history as short lines.
func story(r *history.Recorder) []string {
	var lines []string
	for _, e := range r.Events(0) {
		line := string(e.Kind)
		for _, part := range []string{e.Message, e.Detail} {
			if part != "" {
				line += " " + part
			}
		}
		if e.Offset != 0 {
			line += fmt.Sprintf(" #%d", e.Offset)
		}
		if e.Recovered {
			line += " recovered"
		}
		lines = append(lines, line)
	}
	return lines
}

// tells checks the whole history, once nothing moves any more.
func tells(t *testing.T, r *history.Recorder, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := story(r); !slices.Equal(got, want) {
		t.Errorf("history:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestWireRecoversAsTheOfficialClient(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		p := m.accept(t)
		p.send(openText)
		opened := time.Now()
		p.expect(`40{"serverOffset":0}`)
		if waited := time.Since(opened); waited != connectDelay {
			t.Errorf("CONNECT came after %s; want %s", waited, connectDelay)
		}
		p.send(`40{"sid":"s1","pid":"p1"}`)
		p.send(`42["chat message","one",1,"o1"]`)
		p.send(`42["note to all","o2"]`)       // not shown, but its offset counts
		p.send(`427["chat message","two",2]`)  // with an acknowledgement: no offset
		p.send(`42["chat message","three",3]`) // volatile: neither
		synctest.Wait()
		p.conn.Close()

		p = m.accept(t)
		p.send(openText)
		p.expect(`40{"offset":"o2","pid":"p1","serverOffset":3}`)
		p.send(`42["chat message","four",4,"o4"]`) // missed events come before the answer
		synctest.Wait()
		if w.Status().Shown != 3 {
			t.Error("an event was shown before the client was connected")
		}
		p.send(`40{"sid":"s1","pid":"p1"}`)
		tells(t, r, "opened", "connected", "shown one #1", "shown two #2", "shown three #3",
			"disconnected transport close", "shown four #4", "connected recovered")

		p.conn.Close()
		p = m.accept(t)
		p.send(openText)
		p.expect(`40{"offset":"o4","pid":"p1","serverOffset":4}`)
		p.send(`40{"sid":"s2","pid":"p2"}`)
		synctest.Wait()
		if last := r.Events(0)[len(r.Events(0))-1]; last.Kind != history.Connected || last.Recovered {
			t.Errorf("last event %+v; want connected, not recovered", last)
		}
	})
}

// What came over a connection that never was one comes again, and is shown once.
func TestWireForgetsWhatCameTooEarly(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		p := m.connected(t, `40{"sid":"s1","pid":"p1"}`)
		p.send(`42["chat message","one","o1"]`)
		synctest.Wait()
		p.conn.Close()
		for _, lost := range []bool{true, false} {
			p = m.accept(t)
			p.send(openText)
			p.expect(`40{"offset":"o1","pid":"p1","serverOffset":0}`)
			p.send(`42["chat message","two","o2"]`)
			synctest.Wait()
			if lost {
				p.conn.Close()
			}
		}
		p.send(`40{"sid":"s1","pid":"p1"}`)
		synctest.Wait()
		shown := 0
		for _, e := range r.Events(0) {
			if e.Kind == history.Shown && e.Message == "two" {
				shown++
			}
		}
		if shown != 1 {
			t.Errorf("a message that came twice before the connect packet was shown %d times, want once", shown)
		}
	})
}

func TestWireSendsOnceAndInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		say(t, w, "a", "b") // offline
		p := m.connected(t, `40{"sid":"s1"}`)
		p.expect(`420["chat message","a"]`, `421["chat message","b"]`)
		p.send(`430[]`)
		p.send(`431[{"error":"too long"}]`)
		synctest.Wait()
		say(t, w, "lost")
		p.expect(`422["chat message","lost"]`)
		if pending := w.Status().Pending; pending != 1 {
			t.Errorf("%d pending with one send on the way; want 1", pending)
		}
		p.conn.Close()
		synctest.Wait()
		if pending := w.Status().Pending; pending != 0 {
			t.Errorf("%d pending after the connection of the only send died; want 0", pending)
		}
		p = m.accept(t)
		p.send(openText)
		p.expect(`40{"serverOffset":0}`)
		say(t, w, "c") // there is a connection, but no answer to CONNECT yet
		p.send(`40{"sid":"s2"}`)
		p.expect(`423["chat message","c"]`) // once, and not "lost" again
		p.send(`42["chat message","c",3]`)
		synctest.Wait()
		if pending := w.Status().Pending; pending != 0 {
			t.Errorf("%d pending after the message came back; want 0", pending)
		}
		w.Emit("next")
		p.expect(`42["next"]`)
		p.send(`433[null]`)
		p.send(`433[null]`) // nobody waits for a second one
		tells(t, r, "opened", "sent a", "sent b", "connected", "acknowledged a", "refused b too long",
			"sent lost", "disconnected transport close", "sent c", "connected", "shown c #3", "acknowledged c")
	})
}

func TestWireShowsOnlyWhatIsNewer(t *testing.T) {
	given := []string{`42["chat message","two",2]`, `42["chat message","one",1]`, `42["chat message","two",2]`,
		`42["chat message","no offset"]`, `42["chat message","string","5"]`, `42["chat message",{"a":[1]},3]`}
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		p := m.connected(t, `40{"sid":"s1"}`)
		for _, text := range given {
			p.send(text)
		}
		tells(t, r, "opened", "connected", "shown two #2", "shown no offset", "shown string", `shown {"a":[1]} #3`)
	})
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		w.Raw = true
		open(t, w)
		p := m.connected(t, `40{"sid":"s1"}`)
		for _, text := range given {
			p.send(text)
		}
		tells(t, r, "opened", "connected", "shown two #2", "shown one #1", "shown two #2", "shown no offset",
			"shown string", `shown {"a":[1]} #3`)
	})
}

func TestWireHeartbeat(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		p := m.connected(t, `40{"sid":"s1"}`)
		for range 3 {
			time.Sleep(25 * time.Second)
			p.send("2")
			p.expect("3")
		}
		lastPing := time.Now()
		p.send(`42["chat message","no ping",1]`) // does not count as one
		for w.Status().Connected {
			time.Sleep(time.Second)
		}
		if waited := time.Since(lastPing); waited < 45*time.Second || waited > 46*time.Second {
			t.Errorf("noticed after %s; want 45 s", waited)
		}
		tells(t, r, "opened", "connected", "shown no ping #1", "disconnected ping timeout")
	})
}

func TestWireDisconnects(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		p := m.connected(t, `40{"sid":"s1"}`)
		synctest.Wait()
		if err := w.Disconnect(); err != nil {
			t.Fatal(err)
		}
		p.expect("41", "close")
		say(t, w, "later")
		time.Sleep(time.Hour)
		if len(m.dialled()) != 1 {
			t.Fatalf("%d connections; want no other after disconnect()", len(m.dialled()))
		}
		w.Connect()
		p = m.connected(t, `40{"sid":"s2"}`)
		p.expect(`420["chat message","later"]`)
		p.send("41")
		p.expect("close")
		time.Sleep(time.Hour)
		if len(m.dialled()) != 2 {
			t.Fatalf("%d connections; want no other after the server's disconnect", len(m.dialled()))
		}
		w.Connect()
		m.connected(t, `40{"sid":"s3"}`)
		tells(t, r, "opened", "connected", "disconnected io client disconnect", "sent later", "connected",
			"disconnected io server disconnect", "connected")
	})
}

func TestWireDisconnectReasons(t *testing.T) {
	for reason, end := range map[string]func(p *peer){
		"transport close (end of stream)": func(p *peer) { p.conn.Close() },
		"transport close (close frame)": func(p *peer) {
			go ws.WriteFrame(p.conn, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusGoingAway, "")))
			p.expect("close")
		},
		"transport close (mute close)":      func(p *peer) { ws.WriteFrame(p.conn, ws.NewCloseFrame(nil)); time.Sleep(2 * time.Second) },
		"transport close (close packet)":    func(p *peer) { p.send("1") },
		"transport error (masked frame)":    func(p *peer) { go wsutil.WriteClientText(p.conn, []byte("2")) },
		"transport error (unknown type)":    func(p *peer) { p.send("x") },
		"parse error (no such packet)":      func(p *peer) { p.send("49") },
		"parse error (binary out of place)": func(p *peer) { wsutil.WriteServerBinary(p.conn, []byte{1}) },
	} {
		t.Run(reason, func(t *testing.T) {
			bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
				open(t, w)
				p := m.connected(t, `40{"sid":"s1"}`)
				synctest.Wait()
				end(p)
				synctest.Wait()
				want, _, _ := strings.Cut(reason, " (")
				tells(t, r, "opened", "connected", "disconnected "+want)
				m.connected(t, `40{"sid":"s2"}`) // it always comes back
			})
		})
	}
}

func TestWireIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		w.Handshake = map[string]any{"token": []any{"wrong"}}
		open(t, w)
		p := m.accept(t)
		p.send(openText)
		p.expect(`40{"token":["wrong"]}`)
		p.send(`44{"message":"not allowed"}`)
		p.expect("close")
		time.Sleep(time.Hour)
		if len(m.dialled()) != 1 {
			t.Errorf("%d connections; the official client does not try again by itself", len(m.dialled()))
		}
		tells(t, r, "opened", `note connect_error: {"message":"not allowed"}`)
	})
}

func TestWireBackoff(t *testing.T) {
	waits := func(t *testing.T, backoff Backoff, seed uint64) (waits []time.Duration) {
		bubble(t, func(t *testing.T, m *memory, _ *Client, r *history.Recorder) {
			w := New(client.Options{Name: "ann", URL: "http://chat.test", Dial: m.dial, Record: r.Add, Seed: seed})
			defer w.Close()
			w.Backoff = backoff
			m.setDown(true)
			open(t, w)
			time.Sleep(time.Minute)
			w.Close()
			for i := range 6 {
				waits = append(waits, m.dialled()[i+1].Sub(m.dialled()[i]))
			}
			tells(t, r, "opened", "note connect_error: connection refused", "closed") // noted once
		})
		return waits
	}
	plain := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second, 5 * time.Second}
	if got := waits(t, Backoff{Jitter: -1}, 1); !slices.Equal(got, plain) {
		t.Errorf("without jitter %v; want %v", got, plain)
	}
	drawn := waits(t, Backoff{}, 1)
	for i, wait := range drawn {
		if middle := time.Second << i; wait < min(middle/2, 5*time.Second) || wait > min(middle*3/2, 5*time.Second) {
			t.Errorf("wait %d is %s", i, wait)
		}
	}
	if again := waits(t, Backoff{}, 1); !slices.Equal(drawn, again) {
		t.Errorf("one seed, two stories: %v and %v", drawn, again)
	}
	if other := waits(t, Backoff{}, 2); slices.Equal(drawn, other) {
		t.Errorf("two seeds, one story: %v", drawn)
	}
}

// A connection that was made ends the row: the next wait is the first one again.
func TestWireBackoffBeginsAgain(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, _ *history.Recorder) {
		w.Backoff = Backoff{Jitter: -1}
		m.setDown(true)
		open(t, w)
		time.Sleep(20 * time.Second)
		m.setDown(false)
		for range 3 {
			p := m.connected(t, `40{"sid":"s1"}`)
			synctest.Wait()
			p.conn.Close()
			ended := time.Now()
			m.connected(t, `40{"sid":"s2"}`).conn.Close()
			dials := m.dialled()
			if waited := dials[len(dials)-1].Sub(ended); waited != time.Second {
				t.Errorf("waited %s after a connection; want 1 s", waited)
			}
		}
	})
}

func TestWireGivesUpOnAMuteServer(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		w.Backoff = Backoff{Jitter: -1}
		open(t, w)
		m.accept(t) // and never an open packet
		m.accept(t)
		if waited := m.dialled()[1].Sub(m.dialled()[0]); waited != connectBound+time.Second {
			t.Errorf("tried again after %s; want %s and a second", waited, connectBound)
		}
		tells(t, r, "opened", "note connect_error: timeout")
	})
}

func TestWireBinary(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		w.options.EagerConnect = true
		open(t, w)
		p := m.accept(t)
		p.send(openText)
		opened := time.Now()
		p.expect(`40{"serverOffset":0}`)
		if time.Since(opened) != 0 {
			t.Error("an eager CONNECT was delayed")
		}
		p.send(`40{"sid":"s1"}`)
		synctest.Wait()
		if err := w.Emit("file", map[string]any{"name": "x", "data": []byte("\x01\x02")}, 7); err != nil {
			t.Fatal(err)
		}
		p.expect(`451-["file",{"data":{"_placeholder":true,"num":0},"name":"x"},7]`, `"\x01\x02"`)
		if err := w.SendPacket("4broken"); err != nil {
			t.Fatal(err)
		}
		p.expect("4broken")
		if err := w.Emit("bad", make(chan int)); err == nil {
			t.Error("a channel was written as JSON")
		}
		p.send(`451-["chat message",{"_placeholder":true,"num":0},4]`)
		wsutil.WriteServerBinary(p.conn, []byte("hi"))
		tells(t, r, "opened", "connected", "shown binary:aGk= #4")
	})
}

// With Retries a message goes out again, with its key, after ackTimeout and on every new
// connection, and the next one only when it is acknowledged: the official client's way.
func TestWireSendsAgainUntilAcknowledged(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		w.options.Retries = true
		open(t, w)
		say(t, w, "a", "b", "c") // offline
		p := m.connected(t, `40{"sid":"s1"}`)
		first := p.receive()
		a, ok := strings.CutPrefix(first, `420["chat message","a",`)
		if !ok || len(a) < 10 {
			t.Fatalf("received %s; want a with a key", first)
		}
		sent := time.Now()
		p.expect(`421["chat message","a",` + a) // nothing was answered
		if waited := time.Since(sent); waited != ackTimeout {
			t.Errorf("sent again after %s; want %s", waited, ackTimeout)
		}
		p.send(`430[]`) // an answer to the first try, too late
		p.send(`42["chat message","a",1]`)
		synctest.Wait()
		if pending := w.Status().Pending; pending != 3 {
			t.Errorf("%d pending with nothing acknowledged; want 3", pending)
		}
		p.conn.Close()
		time.Sleep(ackTimeout / 2) // less would do to connect
		p = m.connected(t, `40{"sid":"s2"}`)
		p.expect(`422["chat message","a",` + a)
		p.send(`432[]`)
		second := p.receive()
		if !strings.HasPrefix(second, `423["chat message","b",`) || strings.HasSuffix(second, a) {
			t.Fatalf("received %s; want b with a key of its own", second)
		}
		p.send(`433[{"error":"too long"}]`)
		if third := p.receive(); !strings.HasPrefix(third, `424["chat message","c",`) {
			t.Fatalf("received %s; want c", third)
		}
		p.send(`434[]`)
		tells(t, r, "opened", "sent a", "sent b", "sent c", "connected", "shown a #1", "disconnected transport close",
			"connected", "acknowledged a", "refused b too long", "acknowledged c")
		if pending := w.Status().Pending; pending != 0 {
			t.Errorf("%d pending; want 0", pending)
		}
		say(t, w, "d")
		p.receive()
		go io.Copy(io.Discard, p.conn)
		view := w.view
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if view.queue.timer != nil {
			t.Error("a closed client goes on to wait for an acknowledgement")
		}
	})
}

func TestWireKeys(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, _ *history.Recorder) {
		w.Keys = true
		open(t, w)
		say(t, w, "a", "a")
		p := m.connected(t, `40{"sid":"s1"}`)
		first, second := p.receive(), p.receive()
		if strings.Count(first, `"`) != 6 || first[3:] == second[3:] {
			t.Errorf("received %s and %s; want two different keys", first, second)
		}
	})
}

func TestWireRefreshesAndCloses(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		if err := w.Send("too early"); err == nil {
			t.Error("a closed client said something")
		}
		open(t, w)
		if err := w.Open(t.Context()); err == nil {
			t.Error("an open client was opened")
		}
		p := m.connected(t, `40{"sid":"s1","pid":"p1"}`)
		p.send(`42["chat message","one",1,"o1"]`)
		synctest.Wait()
		go io.Copy(io.Discard, p.conn)
		if err := w.Refresh(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		p = m.accept(t)
		p.send(openText)
		p.expect(`40{"serverOffset":0}`) // a fresh page knows nothing
		p.send(`40{"sid":"s2","pid":"p2"}`)
		synctest.Wait()
		if got, want := w.Status(), (client.Status{View: 2, Open: true, Connected: true}); got != want {
			t.Errorf("status %+v; want %+v", got, want)
		}
		began := time.Now() // nobody reads from here on
		for range 2 {
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took > leaveBound {
			t.Errorf("Close took %s with a server that does not read", took)
		}
		if got, want := w.Status(), (client.Status{View: 2}); got != want {
			t.Errorf("status %+v; want %+v", got, want)
		}
		tells(t, r, "opened", "connected", "shown one #1", "closed", "opened", "connected", "closed")
		if e := r.Events(0)[5]; e.View != 2 || e.Client != "ann" {
			t.Errorf("event %+v; want view 2 of ann", e)
		}
	})
}

func TestWireClosesWhateverItIsDoing(t *testing.T) {
	for name, until := range map[string]func(t *testing.T, m *memory, w *Client){
		"dialling":    func(*testing.T, *memory, *Client) {},
		"handshaking": func(_ *testing.T, m *memory, _ *Client) { <-m.conns },
		"opening":     func(t *testing.T, m *memory, _ *Client) { m.accept(t) },
		"connecting":  func(t *testing.T, m *memory, _ *Client) { m.accept(t).send(openText) },
		"backing off": func(t *testing.T, m *memory, _ *Client) { m.accept(t).conn.Close() },
		"disconnecting": func(t *testing.T, m *memory, w *Client) {
			m.connected(t, `40{"sid":"s1"}`)
			synctest.Wait()
			w.Disconnect()
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, m *memory, w *Client, _ *history.Recorder) {
				open(t, w)
				until(t, m, w)
				synctest.Wait()
				began := time.Now()
				w.Close()
				if took := time.Since(began); took > leaveBound {
					t.Errorf("Close took %s", took)
				}
			})
		})
	}
}
