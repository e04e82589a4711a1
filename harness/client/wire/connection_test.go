package wire

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"redial/harness/client"
	"redial/harness/history"
)

func TestWireAnswersPingsAndTimesOutWithoutThem(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		p := m.connected(t, `40{"sid":"s1"}`)
		for range 3 {
			time.Sleep(25 * time.Second)
			p.send("2")
			p.expect("3")
		}
		lastPing := time.Now()
		p.send(`42["chat message","no ping",1]`) // does not restart the timeout
		for w.Status().Connected {
			time.Sleep(time.Second)
		}
		if waited := time.Since(lastPing); waited < 45*time.Second || waited > 46*time.Second {
			t.Errorf("disconnected after %s; want 45 s", waited)
		}
		wantHistory(t, r, "opened", "connected", "shown no ping #1", "disconnected ping timeout")
	})
}

func TestWireStaysDisconnectedUntilConnect(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		p := m.connected(t, `40{"sid":"s1"}`)
		synctest.Wait()
		if err := w.Disconnect(); err != nil {
			t.Fatal(err)
		}
		p.expect("41", "close")
		sendAll(t, w, "later")
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
		wantHistory(t, r, "opened", "connected", "disconnected io client disconnect", "sent later", "connected",
			"disconnected io server disconnect", "connected")
	})
}

func TestWireReconnectsAfterTheServerDisconnectedItIfItsApplicationDoes(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		w.proto.Reconnects = true
		open(t, w)
		p := m.connected(t, `40{"sid":"s1"}`)
		p.send("41")
		p.expect("close")
		m.connected(t, `40{"sid":"s2"}`)
		wantHistory(t, r, "opened", "connected", "disconnected io server disconnect", "connected")
	})
}

func TestWireDisconnectReasons(t *testing.T) {
	for reason, end := range map[string]func(p *peer){
		"transport close (end of stream)": func(p *peer) { p.conn.Close() },
		"transport close (close frame)": func(p *peer) {
			go ws.WriteFrame(p.conn, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusGoingAway, "")))
			p.expect("close")
		},
		"transport close (close without a status)": func(p *peer) { ws.WriteFrame(p.conn, ws.NewCloseFrame(nil)); time.Sleep(2 * time.Second) },
		"transport close (close packet)":           func(p *peer) { p.send("1") },
		"transport error (masked frame)":           func(p *peer) { go wsutil.WriteClientText(p.conn, []byte("2")) },
		"transport error (unknown type)":           func(p *peer) { p.send("x") },
		"parse error (no such packet)":             func(p *peer) { p.send("49") },
		"parse error (binary out of place)":        func(p *peer) { wsutil.WriteServerBinary(p.conn, []byte{1}) },
	} {
		t.Run(reason, func(t *testing.T) {
			bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
				open(t, w)
				p := m.connected(t, `40{"sid":"s1"}`)
				synctest.Wait()
				end(p)
				synctest.Wait()
				want, _, _ := strings.Cut(reason, " (")
				wantHistory(t, r, "opened", "connected", "disconnected "+want)
				m.connected(t, `40{"sid":"s2"}`) // it reconnects for any reason
			})
		})
	}
}

func TestWireDoesNotReconnectAfterConnectError(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		w.proto.Auth = map[string]any{"token": []any{"wrong"}}
		open(t, w)
		p := m.accept(t)
		p.send(openText)
		p.expect(`40{"token":["wrong"]}`)
		p.send(`44{"message":"not allowed"}`)
		p.expect("close")
		time.Sleep(time.Hour)
		if len(m.dialled()) != 1 {
			t.Errorf("%d connections; the official client does not reconnect after a CONNECT_ERROR", len(m.dialled()))
		}
		wantHistory(t, r, "opened", `note connect_error: {"message":"not allowed"}`)
	})
}

// The official client reports an error for a CONNECT packet of Socket.IO 2, and does not connect.
func TestWireDoesNotConnectToSocketIO2(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		m.connected(t, "40")
		wantHistory(t, r, "opened", "note connect_error: the CONNECT packet has no sid: the server speaks the protocol of Socket.IO 2, and the kit that of 3 and 4")
	})
}

// withoutJitter makes the client draw 0, with which its waits have no jitter.
func withoutJitter(w *Client) { w.random = rand.New(zeros{}) }

type zeros struct{}

func (zeros) Uint64() uint64 { return 0 }

func TestWireBackoffIsTheOfficialOneAndDependsOnTheSeed(t *testing.T) {
	waits := func(t *testing.T, seed uint64, change func(*Client)) (waits []time.Duration) {
		bubble(t, func(t *testing.T, m *memory, _ *Client, r *history.Recorder) {
			w := New(client.Options{Name: "ann", URL: "http://chat.test", Dial: m.dial, Record: r.Add, Seed: seed})
			defer w.Close()
			change(w)
			m.setDown(true)
			open(t, w)
			time.Sleep(time.Minute)
			w.Close()
			for i := range 6 {
				waits = append(waits, m.dialled()[i+1].Sub(m.dialled()[i]))
			}
			wantHistory(t, r, "opened", "note connect_error: connection refused", "closed") // one note for all attempts
		})
		return waits
	}
	plain := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second, 5 * time.Second}
	if got := waits(t, 1, withoutJitter); !slices.Equal(got, plain) {
		t.Errorf("without jitter %v; want %v", got, plain)
	}
	unchanged := func(*Client) {}
	drawn := waits(t, 1, unchanged)
	for i, wait := range drawn {
		if middle := time.Second << i; wait < min(middle/2, 5*time.Second) || wait > min(middle*3/2, 5*time.Second) {
			t.Errorf("wait %d is %s", i, wait)
		}
	}
	if again := waits(t, 1, unchanged); !slices.Equal(drawn, again) {
		t.Errorf("different waits with one seed: %v and %v", drawn, again)
	}
	if other := waits(t, 2, unchanged); slices.Equal(drawn, other) {
		t.Errorf("the same waits with two seeds: %v", drawn)
	}
}

func TestWireBackoffStartsOverAfterAConnection(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, _ *history.Recorder) {
		withoutJitter(w)
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

func TestWireReconnectsIfNoOpenPacketComes(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		withoutJitter(w)
		open(t, w)
		m.accept(t)
		m.accept(t)
		if waited := m.dialled()[1].Sub(m.dialled()[0]); waited != connectBound+time.Second {
			t.Errorf("dialled again after %s; want %s and a second", waited, connectBound)
		}
		wantHistory(t, r, "opened", "note connect_error: timeout")
	})
}
