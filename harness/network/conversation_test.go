package network

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"redial/harness/plan"
)

// echo accepts a WebSocket, and sends back each of its messages.
func echo(w http.ResponseWriter, q *http.Request, options *websocket.AcceptOptions) {
	c, err := websocket.Accept(w, q, options)
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(-1)
	for {
		kind, text, err := c.Read(q.Context())
		if err != nil || c.Write(q.Context(), kind, text) != nil {
			return
		}
	}
}

func TestFaultsInPollingAndWebSocketOfRealLibraries(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/ws" {
			echo(w, q, nil)
			return
		}
		body, _ := io.ReadAll(q.Body)
		if len(body) > 5000 {
			w.(http.Flusher).Flush() // chunked
		}
		w.Write(body)
	}))
	defer server.Close()
	fired := make(chan Fired, 10)
	proxy, err := NewProxy(server.Listener.Addr().String(), Events{Fired: func(f Fired) { fired <- f }})
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	link, err := proxy.Link("alice")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	poll := func(body string) (string, error) {
		client := http.Client{Transport: transport, Timeout: bound}
		answer, err := client.Post("http://"+link.Address()+"/", "text/plain", strings.NewReader(body))
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		got, err := io.ReadAll(answer.Body)
		return string(got), err
	}
	for _, size := range []int{0, 1, 4999, 100_000} {
		if got, err := poll(string(pattern(size))); err != nil || got != string(pattern(size)) {
			t.Fatalf("polling %d bytes: %d bytes, %v", size, len(got), err)
		}
	}
	link.Arm(plan.Fault{Kind: plan.Cut, At: plan.Frame{Direction: plan.Down, Match: `42["b"`}})
	if got, err := poll("2\x1e42[\"a\"]"); err != nil || got != "2\x1e42[\"a\"]" {
		t.Fatalf("polling past an armed fault: %q, %v", got, err)
	}
	if got, err := poll("2\x1e42[\"b\"]"); err == nil {
		t.Fatalf("the response came although it was cut: %q", got)
	}
	if f := <-fired; f.Where != "alice, connection 1, frame 6 down" {
		t.Errorf("fired at %q", f.Where)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 6*bound)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+link.Address()+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	c.SetReadLimit(-1)
	echo := func(text string) error {
		if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			return err
		}
		_, got, err := c.Read(ctx)
		if err == nil && string(got) != text {
			err = fmt.Errorf("echoed %d bytes for %d", len(got), len(text))
		}
		return err
	}
	link.Arm(plan.Fault{Kind: plan.Reset, At: plan.Frame{Match: `42["c"`, Number: 2}})
	for _, size := range []int{0, 125, 126, 65535, 65536, 2 << 20} {
		if err := echo(string(pattern(size))); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
	}
	if err := echo(`42["c",1]`); err != nil {
		t.Fatal(err)
	}
	if err := echo(`42["c",2]`); err == nil {
		t.Error("the second message passed although its connection was reset")
	}
	if f := <-fired; f.Fault.Kind != plan.Reset || !strings.HasPrefix(f.Where, "alice, connection 2, ") {
		t.Errorf("fired at %q", f.Where)
	}
}
