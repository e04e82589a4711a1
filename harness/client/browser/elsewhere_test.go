package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
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
