package page_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"redial/harness/client"
	"redial/harness/history"
	"redial/harness/protocol"
)

// An application is a server whose frames a test sends itself, so that it sees the frames of a page
// byte for byte.
type application struct {
	address  string
	dialed   chan *session
	requests chan *http.Request // those other than WebSocket upgrades
}

// A session is one connection of a page.
type session struct {
	t       testing.TB
	conn    *websocket.Conn
	request *http.Request
	frames  chan string
}

// newApplication serves on the listener, or over TCP if that is nil. It offers the client library at
// libraryPath, if that is not empty.
func newApplication(t testing.TB, listener net.Listener, libraryPath string) *application {
	a := &application{dialed: make(chan *session, 10), requests: make(chan *http.Request, 100)}
	if listener == nil {
		var err error
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	a.address = listener.Addr().String()
	var reading sync.WaitGroup
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case websocket.IsWebSocketUpgrade(r):
			a.serve(t, w, r, &reading)
		case r.URL.Path == libraryPath:
			_, _ = w.Write(distribution(t, filepath.Base(libraryPath)))
			a.requests <- r
		default:
			http.NotFound(w, r)
			a.requests <- r
		}
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
		reading.Wait()
	})
	return a
}

func (a *application) serve(t testing.TB, w http.ResponseWriter, r *http.Request, reading *sync.WaitGroup) {
	reading.Add(1)
	defer reading.Done()
	conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	s := &session{t: t, conn: conn, request: r, frames: make(chan string, 100)}
	defer close(s.frames)
	s.send(`0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`)
	a.dialed <- s
	for {
		_, frame, err := conn.ReadMessage()
		if err != nil {
			return
		}
		s.frames <- string(frame)
	}
}

// accept waits for a page's next connection.
func (a *application) accept(t testing.TB) *session {
	t.Helper()
	select {
	case s := <-a.dialed:
		return s
	case <-time.After(time.Minute):
		t.Fatal("no page connects")
		return nil
	}
}

// enter accepts a page and answers its CONNECT packet.
func (a *application) enter(t testing.TB) *session {
	t.Helper()
	s := a.accept(t)
	if got := s.next(); !strings.HasPrefix(got, "40") {
		t.Fatalf("the first packet is %s", got)
	}
	s.send(`40{"sid":"s"}`)
	return s
}

func (s *session) next() string {
	s.t.Helper()
	select {
	case frame, open := <-s.frames:
		if !open {
			s.t.Fatal("the page closed its connection")
		}
		return frame
	case <-time.After(time.Minute):
		s.t.Fatal("the page sends nothing")
	}
	return ""
}

// expect checks the next frames of the page.
func (s *session) expect(frames ...string) {
	s.t.Helper()
	for _, want := range frames {
		if got := s.next(); got != want {
			s.t.Fatalf("the page sends\n%s, want\n%s", got, want)
		}
	}
}

func (s *session) send(frames ...string) {
	for _, frame := range frames {
		if err := s.conn.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
			s.t.Error(err)
		}
	}
}

// sendBytes sends binary frames.
func (s *session) sendBytes(frames ...string) {
	for _, frame := range frames {
		if err := s.conn.WriteMessage(websocket.BinaryMessage, []byte(frame)); err != nil {
			s.t.Error(err)
		}
	}
}

// cut closes the connection without a close frame.
func (s *session) cut() { _ = s.conn.NetConn().Close() }

// distribution is a file of the official client library.
func distribution(t testing.TB, file string) []byte {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "..", "..", "steps", "node_modules", "socket.io-client", "dist", file))
	if err != nil {
		t.Fatal("there is no client library; run make client")
	}
	return source
}

// referencePage is the kit's page of a step with a shorter reconnection delay.
func referencePage(t testing.TB, step string) []byte {
	t.Helper()
	html, err := os.ReadFile(filepath.Join("..", "..", "..", "steps", "step"+step, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(strings.NewReplacer("io()", "io({ reconnectionDelay: 20 })", "io({ auth", "io({ reconnectionDelay: 20, auth").Replace(string(html)))
}

// openTranslated opens a page that is translated to the protocol.
func openTranslated(t testing.TB, a *application, html []byte, p protocol.Protocol) *watched {
	t.Helper()
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	return newWatched(t, client.Options{
		URL: "http://" + a.address, HTML: html, Protocol: &p, Other: "ben",
		Bundle: func() ([]byte, error) { return distribution(t, "socket.io.js"), nil },
	}).open(t)
}

// countOf counts the events of a kind with the message.
func (p *watched) countOf(kind history.Kind, message string) int {
	n := 0
	for _, e := range p.history.Events(0) {
		if e.Kind == kind && e.Message == message {
			n++
		}
	}
	return n
}
