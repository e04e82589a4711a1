package wire

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"redial/harness/client"
	"redial/harness/history"
)

// pollingPeer is a scripted server: each value in down answers one GET, and up receives the
// bodies of POSTs.
type pollingPeer struct {
	t      *testing.T
	down   chan string // answers to GETs; "" is a server error
	up     chan string // the bodies of POSTs
	status int         // of the answers to POSTs
}

func (p *pollingPeer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	want := "EIO=4&transport=polling"
	if sid := r.URL.Query().Get("sid"); sid != "" {
		want += "&sid=" + sid
	}
	if r.URL.Path != "/socket.io/" || r.URL.RawQuery != want {
		p.t.Errorf("request for %s", r.URL)
	}
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		p.up <- string(body)
		w.WriteHeader(p.status)
		fmt.Fprint(w, "ok")
		return
	}
	select {
	case answer := <-p.down:
		if answer == "" {
			w.WriteHeader(http.StatusBadGateway)
		}
		io.WriteString(w, answer)
	case <-r.Context().Done():
	}
}

func (p *pollingPeer) expect(want string) {
	p.t.Helper()
	select {
	case got := <-p.up:
		if got != want {
			p.t.Fatalf("received %q\n    want %q", got, want)
		}
	case <-time.After(time.Hour):
		p.t.Fatalf("%q was not posted", want)
	}
}

// pollingListener accepts the connections in memory for net/http.
type pollingListener struct {
	*memory
	closed chan struct{}
}

func (l pollingListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l pollingListener) Close() error   { close(l.closed); return nil }
func (l pollingListener) Addr() net.Addr { return &net.TCPAddr{} }

func pollingBubble(t *testing.T, test func(p *pollingPeer, w *Client, r *history.Recorder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemory(), history.NewRecorder()
		p := &pollingPeer{t: t, down: make(chan string), up: make(chan string, 10), status: http.StatusOK}
		server := &http.Server{Handler: p}
		go server.Serve(pollingListener{m, make(chan struct{})})
		defer server.Close()
		w := New(client.Options{Name: "ann", URL: "http://chat.test", Dial: m.dial, Record: r.Add, Transports: []string{"polling"}})
		defer w.Close()
		test(p, w, r)
	})
}

func TestWireChatsOverPolling(t *testing.T) {
	pollingBubble(t, func(p *pollingPeer, w *Client, r *history.Recorder) {
		open(t, w)
		p.down <- openText
		p.expect(`40{"serverOffset":0}`)
		p.down <- strings.Join([]string{`40{"sid":"s1"}`, `42["chat message","one",1]`, "2"}, separator)
		p.expect("3")
		p.down <- "6"
		w.Emit("file", []byte("\x01\x02"))
		p.expect(`451-["file",{"_placeholder":true,"num":0}]` + separator + "bAQI=")
		p.down <- `451-["chat message",{"_placeholder":true,"num":0},2]` + separator + "baGk="
		synctest.Wait()
		sendAll(t, w, "two")
		p.expect(`420["chat message","two"]`)
		p.down <- "430[]"
		synctest.Wait()
		w.Disconnect()
		p.expect("41")
		p.expect("1")
		wantHistory(t, r, "opened", "connected", "shown one #1", "shown binary:aGk= #2", "sent two", "acknowledged two",
			"disconnected io client disconnect")
	})
}

func TestWirePollingDisconnectReasons(t *testing.T) {
	for reason, end := range map[string]func(p *pollingPeer, w *Client){
		"transport close (close packet)": func(p *pollingPeer, _ *Client) { p.down <- "1" },
		"transport error (failed GET)":   func(p *pollingPeer, _ *Client) { p.down <- "" },
		"transport error (too long)": func(p *pollingPeer, _ *Client) {
			p.down <- `42["chat message","too long",1]` + separator + strings.Repeat("6", messageBound)
		},
		"transport error (failed POST)": func(p *pollingPeer, w *Client) {
			p.status = http.StatusBadRequest
			w.Emit("x")
			<-p.up
		},
		"parse error (of a batch)": func(p *pollingPeer, _ *Client) {
			p.down <- "49" + separator + `42["chat message","after it",1]`
		},
		"ping timeout": func(*pollingPeer, *Client) { time.Sleep(45 * time.Second) },
	} {
		t.Run(reason, func(t *testing.T) {
			pollingBubble(t, func(p *pollingPeer, w *Client, r *history.Recorder) {
				open(t, w)
				p.down <- openText
				p.expect(`40{"serverOffset":0}`)
				p.down <- `40{"sid":"s1"}`
				synctest.Wait()
				end(p, w)
				want, _, _ := strings.Cut(reason, " (")
				wantHistory(t, r, "opened", "connected", "disconnected "+want)
				p.down <- openText // it reconnects
				p.expect(`40{"serverOffset":0}`)
			})
		})
	}
}

// A dial that is under way ends with its connection, and makes none that nothing uses.
func TestWirePollingGivesUpItsDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		given := make(chan error, 1)
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			select {
			case <-ctx.Done():
				given <- ctx.Err()
			case <-time.After(time.Hour):
				given <- nil
			}
			return nil, net.ErrClosed
		}
		w := New(client.Options{Name: "ann", URL: "http://chat.test", Dial: dial, Record: history.NewRecorder().Add, Transports: []string{"polling"}})
		open(t, w)
		synctest.Wait()
		w.Close()
		if err := <-given; err == nil {
			t.Error("the dial went on")
		}
	})
}
