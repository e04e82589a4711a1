package wire

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"redial/harness/client"
	"redial/harness/history"
	"redial/harness/protocol"
)

// These tests use protocols of other applications than the tutorial's chat.

// roomProtocol is a protocol that uses most of its fields.
func roomProtocol() *protocol.Protocol {
	return &protocol.Protocol{
		Path: "/ws", Namespace: "/chat",
		Auth:    map[string]any{"token": "t-{{client}}", "since": "{{offset}}", "session": "{{session}}"},
		Query:   map[string]string{"room": "a b", "seen": "{{offset}}", "v": "{{unknown}}"},
		Headers: map[string]string{"Authorization": "Bearer {{client}}", "Host": "chat.example"},
		Send:    &protocol.Send{Event: "send", Args: []any{map[string]any{"body": "{{text}}", "id": "{{key}}", "to": "{{other}}"}}, Refused: "$.status"},
		Receive: protocol.Receive{Event: "new", Text: "$.body", Offset: "$.seq"},
	}
}

// bubbleWith is bubble with a protocol.
func bubbleWith(t *testing.T, p *protocol.Protocol, test func(t *testing.T, m *memory, w *Client, r *history.Recorder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemory(), history.NewRecorder()
		w := New(client.Options{Name: "ann", Other: "bob", URL: "http://chat.test:80", Dial: m.dial, Record: r.Add, Seed: 1, SeedKeys: true, Protocol: p})
		defer w.Close()
		test(t, m, w, r)
	})
}

// acceptRequest accepts the next connection and checks the URI, the Host and the Authorization of
// its request.
func (m *memory) acceptRequest(t *testing.T, want ...string) *peer {
	t.Helper()
	conn := <-m.conns
	t.Cleanup(func() { conn.Close() })
	var got []string
	upgrader := ws.Upgrader{
		OnRequest: func(uri []byte) error { got = append(got, string(uri)); return nil },
		OnHost:    func(host []byte) error { got = append(got, string(host)); return nil },
		OnHeader: func(key, value []byte) error {
			if string(key) == "Authorization" {
				got = append(got, string(value))
			}
			return nil
		},
	}
	if _, err := upgrader.Upgrade(conn); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the request has %q, want %q", got, want)
	}
	p := &peer{t, conn}
	p.send(openText)
	return p
}

func TestWireFollowsTheProtocol(t *testing.T) {
	bubbleWith(t, roomProtocol(), func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		sendAll(t, w, "one")
		p := m.acceptRequest(t, "/ws/?EIO=4&transport=websocket&room=a+b&seen=0", "chat.example", "Bearer ann")
		p.expect(`40/chat,{"since":0,"token":"t-ann"}`)
		p.send(`40{"sid":"s0"}`) // another namespace
		p.send(`40/chat,{"sid":"s1"}`)
		first := p.receive()
		if !strings.HasPrefix(first, `42/chat,0["send",{"body":"one","id":"`) || !strings.HasSuffix(first, `","to":"bob"}]`) || strings.Contains(first, `"id":""`) {
			t.Fatalf("received %s; want one with a key", first)
		}
		p.send(`43/chat,0[{"ok":true,"status":null}]`)
		synctest.Wait()
		sendAll(t, w, "two")
		p.receive()
		p.send(`43/chat,1[{"status":"muted"}]`)
		p.send(`42/chat,["new",{"body":"one","seq":"7"}]`)
		p.send(`42/chat,["new",{"body":"older","seq":6}]`)
		p.send(`42/chat,["typing","x"]`)
		p.send(`42["new",{"body":"elsewhere","seq":9}]`)
		synctest.Wait()
		p.conn.Close()
		p = m.acceptRequest(t, "/ws/?EIO=4&transport=websocket&room=a+b&seen=7", "chat.example", "Bearer ann")
		p.expect(`40/chat,{"since":7,"token":"t-ann"}`)
		p.send(`40/chat,{"sid":"s2"}`)
		synctest.Wait()
		if err := w.Disconnect(); err != nil {
			t.Fatal(err)
		}
		p.expect("41/chat,", "close")
		wantHistory(t, r, "opened", "sent one", "connected", "acknowledged one", "sent two", "refused two muted", "shown one #7",
			"disconnected transport close", "connected", "disconnected io client disconnect")
	})
}

// A message whose offset was received before is not shown again, whichever offset came last.
// Without an offset, the client sends none.
func TestWireReturnsAnOpaqueOffsetUnchanged(t *testing.T) {
	p := roomProtocol()
	p.Receive.Opaque = true
	bubbleWith(t, p, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		p := m.acceptRequest(t, "/ws/?EIO=4&transport=websocket&room=a+b", "chat.example", "Bearer ann")
		p.expect(`40/chat,{"token":"t-ann"}`)
		p.send(`40/chat,{"sid":"s1"}`)
		p.send(`42/chat,["new",{"body":"one","seq":"f3"}]`)
		p.send(`42/chat,["new",{"body":"two","seq":"0a"}]`)
		synctest.Wait()
		p.conn.Close()
		p = m.acceptRequest(t, "/ws/?EIO=4&transport=websocket&room=a+b&seen=0a", "chat.example", "Bearer ann")
		p.expect(`40/chat,{"since":"0a","token":"t-ann"}`)
		p.send(`40/chat,{"sid":"s2"}`)
		p.send(`42/chat,["new",{"body":"one","seq":"f3"}]`)
		p.send(`42/chat,["new",{"body":"three","seq":"1b"}]`)
		synctest.Wait()
		wantHistory(t, r, "opened", "connected", "shown one", "shown two", "disconnected transport close", "connected", "shown three")
	})
}

func TestWireFollowsTheProtocolOverPolling(t *testing.T) {
	p := roomProtocol()
	p.Parser = protocol.MessagePack
	bubbleWith(t, p, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		w.options.Transports = []string{"polling"}
		down, up := make(chan string, 3), make(chan string, 3)
		server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			query := r.URL.Query()
			if r.URL.Path != "/ws/" || query.Get("room") != "a b" || r.Header.Get("Authorization") != "Bearer ann" || r.Host != "chat.example" {
				t.Errorf("%s of %s %s, %v", r.Method, r.Host, r.URL, r.Header)
			}
			if r.Method == http.MethodPost {
				body, _ := io.ReadAll(r.Body)
				up <- string(body)
				return
			}
			select {
			case answer := <-down:
				fmt.Fprint(rw, answer)
			case <-r.Context().Done():
			}
		})}
		go server.Serve(pollingListener{m, make(chan struct{})})
		t.Cleanup(func() { server.Close() }) // after the client is closed
		open(t, w)
		down <- openText
		connect := encode(protocol.MessagePack, packetOf(0, map[string]any{"since": 0.0, "token": "t-ann"}))[0]
		if got := <-up; got != "b"+base64Of(connect.binary) {
			t.Errorf("posted %q", got)
		}
		down <- "b" + base64Of(encodeMessagePack(packetOf(0, map[string]any{"sid": "s1"}))) + separator +
			"b" + base64Of(encodeMessagePack(packetOf(2, []any{"new", map[string]any{"body": "one", "seq": 3}})))
		wantHistory(t, r, "opened", "connected", "shown one #3")
	})
}

func TestWireWithoutAcknowledgementsSendsNothingAgain(t *testing.T) {
	p := roomProtocol()
	p.Namespace, p.Send = "", &protocol.Send{Event: "send", Args: []any{"{{text}}"}, NoAck: true}
	bubbleWith(t, p, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		w.options.Retries = true // would retry for ever
		open(t, w)
		sendAll(t, w, "one", "two")
		p := m.connected(t, `40{"sid":"s1"}`)
		p.expect(`42["send","one"]`, `42["send","two"]`)
		time.Sleep(2 * ackTimeout)
		sendAll(t, w, "three")
		p.expect(`42["send","three"]`)
	})
}

func TestWireSendsNothingWithoutSendInTheProtocol(t *testing.T) {
	p := roomProtocol()
	p.Send = nil
	bubbleWith(t, p, func(t *testing.T, _ *memory, w *Client, r *history.Recorder) {
		open(t, w)
		if err := w.Send("one"); !errors.Is(err, errSendsNothing) {
			t.Errorf("error %v", err)
		}
		wantHistory(t, r, "opened")
	})
}

// historyProtocol is that of an application that sends all messages at every change, without
// offsets.
func historyProtocol() *protocol.Protocol {
	return &protocol.Protocol{
		Send:    &protocol.Send{Event: "send", Args: []any{"{{text}}"}},
		Receive: protocol.Receive{Event: "new", Text: "$.body"},
		History: &protocol.History{Event: "all", List: "$.messages"},
	}
}

// historyEvent is the event with all messages; a number after a colon is a message's offset.
func historyEvent(texts ...string) string {
	for i, text := range texts {
		body, seq, numbered := strings.Cut(text, ":")
		if texts[i] = `{"body":"` + body + `"}`; numbered {
			texts[i] = `{"body":"` + body + `","seq":` + seq + `}`
		}
	}
	return `42["all",{"messages":[` + strings.Join(texts, ",") + `]}]`
}

func TestWireShowsOnlyNewMessagesOfAHistory(t *testing.T) {
	given := []string{historyEvent("a", "b"), `42["new",{"body":"c"}]`, historyEvent("a", "b", "c", "c"), `42["new",{"body":"c"}]`, historyEvent("d", "c", "c", "c", "a", "b")}
	for raw, want := range map[bool]string{false: "abcccd", true: "abcabccc" + "dcccab"} {
		bubbleWith(t, historyProtocol(), func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
			w.Raw = raw
			open(t, w)
			p := m.accept(t)
			p.send(openText)
			p.expect("40") // there is no auth
			p.send(`40{"sid":"s1"}`)
			for _, packet := range given {
				p.send(packet)
			}
			synctest.Wait()
			if got := strings.Join(shown(r.Events(0), "ann"), ""); got != want {
				t.Errorf("raw %v: shown %s, want %s", raw, got, want)
			}
		})
	}
	p := historyProtocol()
	p.Receive.Offset = "$.seq"
	bubbleWith(t, p, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		p := m.connected(t, `40{"sid":"s1"}`)
		p.send(`42["new",{"body":"a","seq":2}]`)
		p.send(`42["new",{"body":"b"}]`)
		p.send(historyEvent("a:1", "a:2", "b:3")) // a:1 is another message, b:3 is the b without an offset
		p.send(`42["new",{"body":"b","seq":3}]`)
		p.send(historyEvent("a:1", "a:2", "b:3"))
		p.send(historyEvent("a:1", "a:2", "b:3", "a:4"))
		p.send(historyEvent("a:5"))
		wantHistory(t, r, "opened", "connected", "shown a #2", "shown b", "shown a #1", "shown a #4", "shown a #5")
	})
}

func TestWireShowsItsOwnMessageOnceWithoutAnEcho(t *testing.T) {
	p := historyProtocol()
	p.NoEcho, p.Receive.Offset = true, "$.seq"
	bubbleWith(t, p, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		sendAll(t, w, "a", "b", "c", "c", "d")
		p := m.connected(t, `40{"sid":"s1"}`)
		p.expect(`420["send","a"]`, `421["send","b"]`, `422["send","c"]`, `423["send","c"]`, `424["send","d"]`)
		if status := w.Status(); status.Shown != 5 {
			t.Errorf("%+v; want five shown", status)
		}
		p.send(`430[]`)
		p.send(`42["new",{"body":"a","seq":5}]`) // one copy
		p.send(`42["new",{"body":"x","seq":4}]`) // older than it
		p.send(`42["new",{"body":"a","seq":6}]`) // a second copy is shown
		p.send(`42["new",{"body":"d","seq":1}]`) // one copy, though it is older
		p.send(`42["new",{"body":"d","seq":7}]`)
		for seq := range 3 { // two copies
			p.send(fmt.Sprintf(`42["new",{"body":"c","seq":%d}]`, 8+seq))
		}
		wantHistory(t, r, "opened", "sent a", "shown a", "sent b", "shown b", "sent c", "shown c", "sent c", "shown c", "sent d", "shown d",
			"connected", "acknowledged a", "shown a #6", "shown d #7", "shown c #10")
		p.send(historyEvent("a:5", "a:6", "b:7", "c:8", "c:9", "c:10"))
		p.send(historyEvent("a:5", "a:6", "b:7", "c:8", "c:9", "c:10"))
		synctest.Wait()
		if status := w.Status(); status.Shown != 8 {
			t.Errorf("%+v; want no new message", status)
		}
	})
}
