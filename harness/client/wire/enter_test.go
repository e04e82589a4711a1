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

// entering is an application that gives each client a session, and then its messages.
func entering() *protocol.Protocol {
	p := whole()
	p.Auth = map[string]any{"session": "{{session}}"}
	p.Send.Args = []any{"{{text}}", "{{room}}"}
	p.Enter = []protocol.EnterStep{
		{Await: "session", Save: map[string]protocol.Path{"session": "$.id"}},
		{Emit: []any{"join", "{{client}}", "{{session}}"}, Ack: true, Save: map[string]protocol.Path{"room": "$2"}},
		{Emit: []any{"load"}, Await: "all"},
	}
	return p
}

func TestWireEntersBeforeItIsConnected(t *testing.T) {
	speaking(t, entering(), func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		say(t, w, "one")
		p := m.accept(t)
		p.send(openText)
		p.expect("40{}") // no session yet
		p.send(`40{"sid":"s1"}`)
		p.send(`42["new",{"body":"early"}]`)
		p.send(`42["session",{"id":17}]`)
		p.expect(`421["join","ann",17]`) // and not the message
		p.send(all("before the ack"))
		p.send(`431["ok","r5"]`)
		p.expect(`42["load"]`)
		synctest.Wait()
		if w.Status().Connected {
			t.Error("it is connected before what it awaits has come: the first list was no answer to load")
		}
		p.send(all("early", "late"))
		p.expect(`420["send","one","r5"]`)
		tells(t, r, "opened", "sent one", "shown early", "shown before the ack", "shown late", "connected")

		go io.Copy(io.Discard, p.conn)
		if err := w.Refresh(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		p = m.accept(t)
		p.send(openText)
		p.expect(`40{"session":17}`) // it is remembered
		p.send(`40{"sid":"s2"}`)
		synctest.Wait()
		if err := w.Disconnect(); err != nil {
			t.Fatal(err)
		}
		p.expect("41", "close") // to the server it is connected
		time.Sleep(2 * enterBound)
		if last := story(r)[len(story(r))-1]; last != "opened" {
			t.Errorf("%q, with nothing to wait for", last)
		}
	})
	twice := entering()
	twice.Enter = []protocol.EnterStep{{Await: "tick"}, {Await: "tick"}}
	speaking(t, twice, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		p := m.connected(t, `40{"sid":"s1"}`)
		p.send(`42["tick"]`)
		tells(t, r, "opened")
		p.send(`42["tick"]`)
		tells(t, r, "opened", "connected")
	})
}

func TestWireGivesUpAConnectionThatItCannotEnter(t *testing.T) {
	for want, play := range map[string]func(p *peer) time.Duration{
		`the event "session"`: func(p *peer) time.Duration {
			time.Sleep(enterBound / 2)
			p.send(`42["other"]`) // and it waits no longer for that
			return enterBound
		},
		`the acknowledgement of "join"`: func(p *peer) time.Duration {
			time.Sleep(enterBound / 2)
			p.send(`42["session",{"id":17}]`)
			p.expect(`420["join","ann",17]`)
			return enterBound * 3 / 2
		},
	} {
		speaking(t, entering(), func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
			w.Backoff.Jitter = -1
			open(t, w)
			p := m.connected(t, `40{"sid":"s1"}`)
			began := time.Now()
			after := play(p)
			go io.Copy(io.Discard, p.conn)
			m.accept(t)
			if took := time.Since(began); took != after+time.Second {
				t.Errorf("%s: connected again after %s, want %s and a second", want, took, after)
			}
			if got := story(r)[1:]; !slices.Equal(got, []string{"note enter: " + want + " did not come within 20s, so the client closed the connection", "disconnected transport close"}) {
				t.Errorf("history: %q", got)
			}
		})
	}
	// What was awaited on a connection that is gone has no say over the next one.
	speaking(t, entering(), func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
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
		tells(t, r, "opened", "disconnected transport close")
	})
}
