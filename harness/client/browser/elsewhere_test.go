package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"redial/harness/network"
	"redial/steps/lessons"
)

// A page that another server serves names the server by itself, here with a port where nothing
// listens. Its connections pass the client's link all the same, over polling and over WebSocket.
func TestPageOfAnotherOriginConnectsOverTheLink(t *testing.T) {
	step, err := url.Parse(serveStep(t, "7"))
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := lessons.Bundle()
	if err != nil {
		t.Skip(err)
	}
	chat := httputil.NewSingleHostReverseProxy(step)
	chat.ModifyResponse = func(r *http.Response) error {
		r.Header.Set("Access-Control-Allow-Origin", "*")
		return nil
	}
	server := httptest.NewServer(chat)
	t.Cleanup(server.Close)
	for _, transport := range []string{"polling", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/" {
					_, _ = w.Write(bundle)
					return
				}
				writePage(w, form+fmt.Sprintf(`<script src="/client.js"></script><script>
					const socket = io("https://127.0.0.1:1", { transports: [%q] });
					socket.on("chat message", add);
					document.getElementById("form").onsubmit = (event) => { event.preventDefault(); socket.emit("chat message", document.getElementById("input").value); };
				</script>`, transport))
			}))
			t.Cleanup(pages.Close)
			link, err := network.NewProxy(server.Listener.Addr().String(), network.Events{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { link.Close() })
			way, err := link.Link("alice")
			if err != nil {
				t.Fatal(err)
			}
			spec := tutorial
			spec.Path = pages.URL + "/"
			alice := watch(t, "alice", "http://"+way.Address(), spec, nil).opens()
			alice.until(0, "connected")
			alice.sends("hello")
			alice.until(0, "shown hello")
			link.Close()
			alice.until(0, "disconnected")
		})
	}
}

// The link has the cookies of localhost where the page names the server so, and a request that
// CORS blocks is noted.
func TestPageOfLocalhostKeepsItsCookiesOverTheLink(t *testing.T) {
	cookies := make(chan string, 2)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cookies <- r.URL.Query().Get("transport") + " " + r.Header.Get("Cookie")
	}))
	t.Cleanup(server.Close)
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writePage(w, form+`<script>
			document.cookie = "session=alice";
			new WebSocket("wss://localhost:1/socket.io/?EIO=4&transport=websocket").onerror = () => {
				fetch("http://localhost:1/socket.io/?EIO=4&transport=polling", { credentials: "include" }).catch(() => {});
			};
		</script>`)
	}))
	t.Cleanup(pages.Close)
	spec := tutorial
	spec.Path = strings.Replace(pages.URL, "127.0.0.1", "localhost", 1)
	alice := watch(t, "alice", server.URL, spec, nil).opens()
	alice.until(0, "note the browser blocked a request of the page by CORS (MissingAllowOriginHeader)")
	for _, want := range []string{"websocket session=alice", "polling session=alice"} {
		if got := <-cookies; got != want {
			t.Errorf("the server received %q, want %q", got, want)
		}
	}
}
