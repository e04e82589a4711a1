package wire

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"redial/harness/client"
	"redial/harness/history"
)

// A proxy with sticky sessions recognises a client by its cookie, with either transport and after
// a reconnection.
func TestCookiesAreSentBack(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"polling", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			requests := make(chan string, 100)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				node, _ := r.Cookie("node")
				requests <- fmt.Sprint(node)
				header := http.Header{"Set-Cookie": {"node=a; Path=/"}}
				if transport == "polling" {
					w.Header().Set("Set-Cookie", header.Get("Set-Cookie"))
					if r.URL.Query().Get("sid") == "" {
						fmt.Fprint(w, openText)
					}
					return // an empty answer ends the session
				}
				conn, _, _, err := ws.HTTPUpgrader{Header: header}.Upgrade(r, w)
				if err == nil {
					_ = wsutil.WriteServerText(conn, []byte(openText))
					conn.Close()
				}
			}))
			defer server.Close()
			w := New(client.Options{Name: "ann", URL: server.URL, Transports: []string{transport}, Record: func(history.Event) {}, ReconnectDelay: time.Millisecond})
			defer w.Close()
			if err := w.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			if first := <-requests; first != "<nil>" && first != "" {
				t.Errorf("the first request has the cookie %q", first)
			}
			for range 3 {
				if got := <-requests; got != "node=a" {
					t.Errorf("a later request has the cookie %q", got)
				}
			}
		})
	}
}
