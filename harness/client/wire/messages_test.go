package wire

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws/wsutil"

	"redial/harness/client"
	"redial/harness/history"
)

func TestWireSendsEachMessageOnceAndInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		sendAll(t, w, "a", "b") // offline
		p := m.connected(t, `40{"sid":"s1"}`)
		p.expect(`420["chat message","a"]`, `421["chat message","b"]`)
		p.send(`430[]`)
		p.send(`431[{"error":"too long"}]`)
		synctest.Wait()
		sendAll(t, w, "lost")
		p.expect(`422["chat message","lost"]`)
		p.conn.Close()
		synctest.Wait()
		if w.mu.Lock(); len(w.view.awaiting) != 0 {
			t.Errorf("acknowledgements are due after the connection ended: %v", w.view.awaiting)
		}
		w.mu.Unlock()
		p = m.accept(t)
		p.send(openText)
		p.expect(`40{"serverOffset":0}`)
		sendAll(t, w, "c") // there is a connection, but no answer to CONNECT yet
		p.send(`40{"sid":"s2"}`)
		p.expect(`423["chat message","c"]`) // once, and not "lost" again
		p.send(`42["chat message","c",3]`)
		synctest.Wait()
		w.Emit("next")
		p.expect(`42["next"]`)
		p.send(`433[null]`)
		p.send(`433[null]`) // a second acknowledgement is ignored
		wantHistory(t, r, "opened", "sent a", "sent b", "connected", "acknowledged a", "refused b too long",
			"sent lost", "disconnected transport close", "sent c", "connected", "shown c #3", "acknowledged c")
	})
}

func TestWireShowsOnlyNewerOffsetsUnlessRaw(t *testing.T) {
	given := []string{`42["chat message","two",2]`, `42["chat message","one",1]`, `42["chat message","two",2]`,
		`42["chat message","no offset"]`, `42["chat message","string","5"]`, `42["chat message",{"a":[1]},3]`}
	for raw, want := range map[bool][]string{
		false: {"opened", "connected", "shown two #2", "shown no offset", "shown string", `shown {"a":[1]} #3`},
		true:  {"opened", "connected", "shown two #2", "shown one #1", "shown two #2", "shown no offset", "shown string", `shown {"a":[1]} #3`},
	} {
		bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
			w.Raw = raw
			open(t, w)
			p := m.connected(t, `40{"sid":"s1"}`)
			for _, text := range given {
				p.send(text)
			}
			wantHistory(t, r, want...)
		})
	}
}

func TestWireSendsAndReceivesBinary(t *testing.T) {
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
			t.Error("a channel was encoded as JSON")
		}
		p.send(`451-["chat message",{"_placeholder":true,"num":0},4]`)
		wsutil.WriteServerBinary(p.conn, []byte("hi"))
		wantHistory(t, r, "opened", "connected", "shown binary:aGk= #4")
	})
}

// With Retries, as in the official client, a message is sent again with its key after ackTimeout
// and on every new connection. The next one is sent only when it is acknowledged.
func TestWireRetriesUntilAcknowledged(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		w.options.Retries = true
		open(t, w)
		sendAll(t, w, "a", "b", "c") // offline
		p := m.connected(t, `40{"sid":"s1"}`)
		first := p.receive()
		a, ok := strings.CutPrefix(first, `420["chat message","a",`)
		if !ok || len(a) < 10 {
			t.Fatalf("received %s; want a with a key", first)
		}
		sent := time.Now()
		p.expect(`421["chat message","a",` + a)
		if waited := time.Since(sent); waited != ackTimeout {
			t.Errorf("sent again after %s; want %s", waited, ackTimeout)
		}
		p.send(`430[]`) // acknowledges the first attempt, too late
		p.send(`42["chat message","a",1]`)
		synctest.Wait()
		p.conn.Close()
		time.Sleep(ackTimeout / 2) // enough to reconnect, and less than a retry takes
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
		wantHistory(t, r, "opened", "sent a", "sent b", "sent c", "connected", "shown a #1", "disconnected transport close",
			"connected", "acknowledged a", "refused b too long", "acknowledged c")
		sendAll(t, w, "d")
		p.receive()
		go io.Copy(io.Discard, p.conn)
		view := w.view
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if view.queue.timer != nil {
			t.Error("a closed client still waits for an acknowledgement")
		}
	})
}

// The lab sends again what a page could not send while it was loaded again, and takes what a
// client cannot do for no defect.
func TestWireErrorsAreThoseOfAClient(t *testing.T) {
	w := New(client.Options{})
	if err := w.Send("a"); !errors.Is(err, client.ErrNotOpen) {
		t.Errorf("Send on a closed client is %v", err)
	}
	for _, do := range []func() error{w.Suspend, w.Resume, w.Throw} {
		if err := do(); !errors.Is(err, client.ErrUnsupported) {
			t.Errorf("what needs a page is %v", err)
		}
	}
}

func TestWireSendsAKeyWithEachMessage(t *testing.T) {
	bubble(t, func(t *testing.T, m *memory, w *Client, _ *history.Recorder) {
		w.Keys = true
		open(t, w)
		sendAll(t, w, "a", "a")
		p := m.connected(t, `40{"sid":"s1"}`)
		first, second := p.receive(), p.receive()
		if strings.Count(first, `"`) != 6 || first[3:] == second[3:] {
			t.Errorf("received %s and %s; want two different keys", first, second)
		}
	})
}
