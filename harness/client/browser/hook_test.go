package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"

	"redial/harness/history"
)

// do runs a script in the page.
func (w *watched) do(script string) {
	w.t.Helper()
	if _, err := w.tab.evaluate(w.tab.ctx, "() => { "+script+"; return ''; }"); err != nil {
		w.t.Fatal(err)
	}
}

func TestConnectionsAndTheirEndsAreObservedOverEachTransport(t *testing.T) {
	for name, transports := range map[string]string{
		"polling": `["polling"]`, "websocket": `["websocket"]`, "upgrade": `["polling", "websocket"]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serveChanged(t, "7", "io({ auth", "io({ transports: "+transports+", reconnectionDelay: 100, auth")
			alice := watch(t, "alice", url, tutorial, nil).opens()
			from := alice.until(0, "connected")
			alice.sends("first") // perhaps during the upgrade
			from = alice.until(from, "shown first")
			for _, end := range []struct{ script, reason string }{{`socket.io.engine.close()`, "the page has closed"}, {`socket.disconnect(); socket.connect()`, "io client disconnect"}} {
				alice.do(end.script)
				from = alice.until(from, "disconnected "+end.reason)
				from = alice.until(from, "connected")
				alice.sends(end.script)
				from = alice.until(from, "shown "+end.script)
			}
			var connected, disconnected int
			for _, e := range alice.history.Events(0) {
				switch e.Kind {
				case history.Connected:
					connected++
				case history.Disconnected:
					disconnected++
				}
			}
			if connected != 3 || disconnected != 2 || !alice.Status().Connected {
				t.Errorf("%d connections and %d ends: %q", connected, disconnected, alice.lines(0))
			}
		})
	}
}

// A page with two namespaces is connected when it has joined both, or was refused by one.
func TestAPageIsConnectedWhenItHasJoinedEachNamespace(t *testing.T) {
	for second, want := range map[string]string{
		`40/chat,{"sid":"2"}`:             "[opened shown 40 shown 40/chat connected disconnected the WebSocket was closed, 1000]",
		`44/chat,{"message":"no\ntoken"}`: "[opened shown 40 shown 44/chat note connect_error: no token connected disconnected the WebSocket was closed, 1000]",
	} {
		url := serveWebSocket(t, `
			socket.onopen = () => { socket.send("40"); socket.send("40/chat,"); };
			socket.onmessage = (event) => { add(event.data.split(/,|{/)[0]); socket.send("42[]"); };`, func(ctx context.Context, conn *websocket.Conn) {
			for range 2 {
				_, _, _ = conn.Read(ctx)
			}
			for _, packet := range []string{`40{"sid":"1"}`, second} {
				if err := conn.Write(ctx, websocket.MessageText, []byte(packet)); err != nil {
					t.Error(err)
				}
				_, _, _ = conn.Read(ctx) // the page has handled it
			}
		})
		alice := watch(t, "alice", url, tutorial, nil).opens()
		alice.until(0, "disconnected")
		if got := fmt.Sprint(alice.lines(0)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// A server may refuse a connection before it sends a packet that can be read.
func TestARefusalIsNoted(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/socket.io/" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		writePage(w, form+`<script> fetch("/socket.io/?EIO=4&transport=polling") </script>`)
	}))
	t.Cleanup(refusing.Close)
	messagePack := serveWebSocket(t, `socket.binaryType = "arraybuffer"`, func(ctx context.Context, conn *websocket.Conn) {
		if err := conn.Write(ctx, websocket.MessageBinary, []byte("\x83\xa4type\x04")); err != nil {
			t.Error(err)
		}
		_, _, _ = conn.Read(ctx)
	})
	for url, want := range map[string]string{refusing.URL: "an HTTP request was answered 403", messagePack: "the server refuses the namespace"} {
		watch(t, "alice", url, tutorial, nil).opens().until(0, "note connect_error: "+want)
	}
}

func TestRecoveredConnectionIsRecordedAsRecovered(t *testing.T) {
	url := serveStep(t, "6")
	alice := watch(t, "alice", url, tutorial, nil).opens()
	alice.until(0, "connected")
	alice.sends("one")
	from := alice.until(0, "shown one")
	alice.do(`socket.io.engine.close()`)
	alice.until(from, "connected")
	if events := alice.history.Events(from); !events[len(events)-1].Recovered {
		t.Errorf("it is not recovered: %+v", events)
	}
	if first := alice.history.Events(0)[1]; first.Recovered {
		t.Errorf("the first connection is: %+v", first)
	}
}

func TestConnectionsOfOtherParsersAreObserved(t *testing.T) {
	for name, c := range map[string]struct {
		kind    websocket.MessageType
		packets []string // connect, event, disconnect
		end     string
	}{
		"MessagePack": {websocket.MessageBinary, []string{"\x83\xa4type\x00", "\x83\xa4type\x02", "\x83\xa4type\x01"}, "io server disconnect"},
		// A packet that cannot be read ends no session: its transport does.
		"texts of its own": {websocket.MessageText, []string{`4{"kind":"hello"}`, `4{"kind":"event"}`, "1"}, "the server has closed the connection"},
		"bytes of its own": {websocket.MessageBinary, []string{"\x01", "\x02", "\x03"}, "the WebSocket was closed, 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			url := serveWebSocket(t, `
				socket.binaryType = "arraybuffer";
				socket.onmessage = (event) => add(typeof event.data);`, func(ctx context.Context, conn *websocket.Conn) {
				for _, packet := range c.packets {
					if err := conn.Write(ctx, c.kind, []byte(packet)); err != nil {
						t.Error(err)
					}
				}
			})
			alice := watch(t, "alice", url, tutorial, nil).opens()
			alice.until(alice.until(0, "connected"), "disconnected "+c.end)
			alice.tab.flush()
			if got, want := fmt.Sprint(alice.Status().Shown), "3"; got != want {
				t.Errorf("%s packets reached the page, want %s", got, want)
			}
		})
	}
}

// serveWebSocket serves a page whose script has a WebSocket named socket, and the other end of that.
func serveWebSocket(t *testing.T, script string, talk func(context.Context, *websocket.Conn)) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/socket.io/" {
			writePage(w, form+`<script>
				const socket = new WebSocket("ws://" + location.host + "/socket.io/?EIO=4&transport=websocket");`+script+`
			</script>`)
			return
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		talk(r.Context(), conn)
		_ = conn.Close(websocket.StatusNormalClosure, "")
	}))
	t.Cleanup(server.CloseClientConnections)
	return server.URL
}

// What a message's element has beside the text is skipped, in whatever order it comes.
func TestSenderAndTimeAreNoPartOfAMessage(t *testing.T) {
	url := serve(t, `<ul id="messages"></ul>`)
	alice := watch(t, "alice", url, Spec{Messages: "#messages li", Without: ".who, #messages time"}, nil).opens()
	alice.do(`document.getElementById("messages").innerHTML =
		'<li><p class="who"><i>bob</i></p> one <b>and</b> two <time>12:00</time>\n</li><li>three</li><li class="own"> four <i class="who">you</i></li>'`)
	alice.until(0, "shown one and two")
	alice.until(0, "shown three")
	alice.until(0, "shown four")
}

// A message is not shown again because the list has removed an older one.
func TestTrimmedListShowsEachMessageOnceInEitherOrder(t *testing.T) {
	for _, newestFirst := range []bool{true, false} {
		url := serve(t, `<ul id="messages"></ul>`)
		spec := Spec{Messages: "#messages li", NewestFirst: newestFirst}
		alice := watch(t, "alice", url, spec, nil).opens()
		for n := range 6 {
			alice.do(fmt.Sprintf(`
				const list = document.getElementById("messages"), item = document.createElement("li");
				item.textContent = "m%d";
				if (%t) list.prepend(item); else list.append(item);
				if (list.children.length > 3) (%[2]t ? list.lastChild : list.firstChild).remove()`, n, newestFirst))
		}
		alice.until(0, "shown m5")
		alice.tab.flush()
		var got []string
		for _, e := range alice.history.Events(0) {
			if e.Kind == history.Shown || e.Kind == history.Note {
				got = append(got, e.Message+e.Detail)
			}
		}
		if want := "[m0 m1 m2 m3 m4 m5]"; fmt.Sprint(got) != want {
			t.Errorf("newest first: %t: the history has %q, want %s", newestFirst, got, want)
		}
	}
}

func TestLimitedListMayBeFilledAgainWithoutItsOldest(t *testing.T) {
	alice := watch(t, "alice", serve(t, form), tutorial, nil).opens()
	for n := range 6 {
		alice.do(fmt.Sprintf(`add("%d"); if (messages.children.length > 3) messages.firstChild.remove()`, n))
	}
	for _, latest := range []string{"4567", "5678", "6789"} {
		alice.do(`messages.textContent = ""`)
		alice.do(fmt.Sprintf(`for (const text of %q) { add(text); if (messages.children.length > 3) messages.firstChild.remove(); }`, latest))
	}
	alice.tab.flush()
	if _, removed := alice.Removed(); len(removed) > 0 {
		t.Errorf("removed %q", removed)
	}
	alice.do(`messages.textContent = ""; add("10"); add("11")`)
	alice.tab.flush()
	if _, removed := alice.Removed(); fmt.Sprint(removed) != "[7 8 9]" {
		t.Errorf("removed %q", removed)
	}
}
