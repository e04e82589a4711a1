package wire

import (
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"redial/harness/history"
	"redial/harness/protocol"
)

// enterProtocol is that of an application in which each client gets a session, joins with it and
// then loads the messages.
func enterProtocol() *protocol.Protocol {
	p := historyProtocol()
	p.Auth = map[string]any{"session": "{{session}}"}
	p.Send.Args = []any{"{{text}}", "{{room}}"}
	p.Enter = []protocol.EnterStep{
		{Await: "session", Save: map[string]protocol.Path{"session": "$.id"}},
		{Emit: []any{"join", "{{client}}", "{{session}}"}, Ack: true, Save: map[string]protocol.Path{"room": "$2"}},
		{Emit: []any{"load"}, Await: "all"},
	}
	return p
}

func TestWireIsConnectedOnlyAfterEnter(t *testing.T) {
	bubbleWith(t, enterProtocol(), func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		sendAll(t, w, "one")
		p := m.accept(t)
		p.send(openText)
		p.expect("40{}") // no session yet
		p.send(`40{"sid":"s1"}`)
		p.send(`42["new",{"body":"early"}]`)
		p.send(`42["session",{"id":17}]`)
		p.expect(`421["join","ann",17]`) // before the message
		p.send(historyEvent("before the ack"))
		p.send(`431["ok","r5"]`)
		p.expect(`42["load"]`)
		synctest.Wait()
		if w.Status().Connected {
			t.Error("it is connected although the only list came before load was sent")
		}
		p.send(historyEvent("early", "late"))
		p.expect(`420["send","one","r5"]`)
		wantHistory(t, r, "opened", "sent one", "shown early", "shown before the ack", "shown late", "connected")

		go io.Copy(io.Discard, p.conn)
		if err := w.Refresh(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		p = m.accept(t)
		p.send(openText)
		p.expect(`40{"session":17}`) // saved values persist across a refresh
		p.send(`40{"sid":"s2"}`)
		synctest.Wait()
		if err := w.Disconnect(); err != nil {
			t.Fatal(err)
		}
		p.expect("41", "close") // to the server it is connected already
		time.Sleep(2 * enterBound)
		if last := lines(r)[len(lines(r))-1]; last != "opened" {
			t.Errorf("%q after Disconnect, although no step waits any more", last)
		}
	})
	twice := enterProtocol()
	twice.Enter = []protocol.EnterStep{{Await: "tick"}, {Await: "tick"}}
	bubbleWith(t, twice, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		p := m.connected(t, `40{"sid":"s1"}`)
		p.send(`42["tick"]`)
		wantHistory(t, r, "opened")
		p.send(`42["tick"]`)
		wantHistory(t, r, "opened", "connected")
	})
}

func TestWireLeavesStepsOutOnARecoveredSession(t *testing.T) {
	p := enterProtocol()
	p.Enter = []protocol.EnterStep{{Emit: []any{"join"}, Ack: true, Unrecovered: true}, {Emit: []any{"seen"}, Ack: true}, {Emit: []any{"load"}, Await: "all", Unrecovered: true}}
	bubbleWith(t, p, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		withoutJitter(w)
		open(t, w)
		s := m.connected(t, `40{"sid":"s1","pid":"p1"}`)
		s.expect(`420["join"]`)
		s.send(`430[]`)
		s.expect(`421["seen"]`)
		s.send(`431[]`)
		s.expect(`42["load"]`)
		s.send(historyEvent())
		wantHistory(t, r, "opened", "connected")
		s.conn.Close()

		s = m.connected(t, `40{"sid":"s2","pid":"p1"}`)
		s.expect(`422["seen"]`)
		s.send(`432[]`)
		wantHistory(t, r, "opened", "connected", "disconnected transport close", "connected recovered")
		s.conn.Close()

		m.connected(t, `40{"sid":"s3","pid":"p2"}`).expect(`423["join"]`)
	})
	p.Enter = p.Enter[:1]
	bubbleWith(t, p, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		s := m.connected(t, `40{"sid":"s1","pid":"p1"}`)
		s.expect(`420["join"]`)
		s.send(`430[]`)
		wantHistory(t, r, "opened", "connected")
		s.conn.Close()
		m.connected(t, `40{"sid":"s2","pid":"p1"}`)
		wantHistory(t, r, "opened", "connected", "disconnected transport close", "connected recovered")
	})
}

func TestWireClosesAConnectionWhenEnterTimesOut(t *testing.T) {
	for want, play := range map[string]func(p *peer) time.Duration{
		`the event "session"`: func(p *peer) time.Duration {
			time.Sleep(enterBound / 2)
			p.send(`42["other"]`) // does not restart the timer
			return enterBound
		},
		`the acknowledgement of "join"`: func(p *peer) time.Duration {
			time.Sleep(enterBound / 2)
			p.send(`42["session",{"id":17}]`)
			p.expect(`420["join","ann",17]`)
			return enterBound * 3 / 2
		},
	} {
		bubbleWith(t, enterProtocol(), func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
			withoutJitter(w)
			open(t, w)
			p := m.connected(t, `40{"sid":"s1"}`)
			began := time.Now()
			after := play(p)
			go io.Copy(io.Discard, p.conn)
			m.accept(t)
			if took := time.Since(began); took != after+time.Second {
				t.Errorf("%s: connected again after %s, want %s and a second", want, took, after)
			}
			if got := lines(r)[1:]; !slices.Equal(got, []string{"note enter: " + want + " did not come within 20s, so the client closed the connection", "disconnected transport close"}) {
				t.Errorf("history: %q", got)
			}
		})
	}
	// The timer of a connection that has ended does not end the next one.
	bubbleWith(t, enterProtocol(), func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		p := m.connected(t, `40{"sid":"s1"}`)
		time.Sleep(enterBound / 2)
		p.conn.Close()
		p = m.accept(t)
		p.send(openText)
		time.Sleep(enterBound)
		p.expect(`40{}`)
		p.send(`40{"sid":"s2"}`)
		time.Sleep(enterBound - time.Second)
		p.send(`42["session",{"id":17}]`)
		p.expect(`420["join","ann",17]`)
		wantHistory(t, r, "opened", "disconnected transport close")
	})
}
