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

// These tests run on a fake clock, against a server whose packets the test sends, over
// connections in memory.

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

// dialled returns the times of the client's dials.
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

// accept accepts the next connection up to the WebSocket handshake.
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
		t.Fatal("the client did not connect within an hour")
		return nil
	}
}

// connected accepts the next connection up to the answer to CONNECT.
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

// receive returns the next frame: a text as it is, a binary one in quotes, a close frame as
// "close".
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
		p.t.Errorf("a frame that is not masked or is a fragment: %+v", header)
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
	bubbleWith(t, nil, test)
}

func open(t *testing.T, w *Client) {
	t.Helper()
	if err := w.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func sendAll(t *testing.T, w *Client, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := w.Send(text); err != nil {
			t.Fatal(err)
		}
	}
}

// lines is the history as short lines.
func lines(r *history.Recorder) []string {
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

// wantHistory checks the whole history when all goroutines of the bubble wait.
func wantHistory(t *testing.T, r *history.Recorder, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := lines(r); !slices.Equal(got, want) {
		t.Errorf("history:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestWireRecoversItsSessionAsTheOfficialClient(t *testing.T) {
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
		p.send(`427["chat message","two",2]`)  // events with an acknowledgement have no recovery offset
		p.send(`42["chat message","three",3]`) // nor have volatile ones
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
		wantHistory(t, r, "opened", "connected", "shown one #1", "shown two #2", "shown three #3",
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

func TestEventsBeforeALostConnectPacketAreShownOnce(t *testing.T) {
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

func TestRefreshStartsANewViewAndCloseIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		if err := w.Send("too early"); err == nil {
			t.Error("a closed client sent a message")
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
		p.expect(`40{"serverOffset":0}`) // a new view has no session and no offset
		p.send(`40{"sid":"s2","pid":"p2"}`)
		synctest.Wait()
		if got, want := w.Status(), (client.Status{View: 2, Open: true, Connected: true}); got != want {
			t.Errorf("status %+v; want %+v", got, want)
		}
		began := time.Now() // the server does not read from here on
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
		wantHistory(t, r, "opened", "connected", "shown one #1", "closed", "opened", "connected", "closed")
		if e := r.Events(0)[5]; e.View != 2 || e.Client != "ann" {
			t.Errorf("event %+v; want view 2 of ann", e)
		}
	})
}

func TestCloseIsBoundedInEveryState(t *testing.T) {
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
