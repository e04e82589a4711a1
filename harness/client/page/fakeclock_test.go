package page_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"redial/harness/client"
	"redial/harness/client/page"
	"redial/harness/history"
)

// memory is a listener whose connections are pipes.
type memory struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case conn := <-m.accepted:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error { close(m.closed); return nil }

func (m *memory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3000} }

func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case m.accepted <- far:
		return late{near}, nil
	case <-m.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestPagesChatForAnHourOnAFakeClock(t *testing.T) {
	page := chatPage("", ", () => {}")
	distribution(t, "socket.io.js")
	for _, transports := range pageTransports {
		t.Run(strings.Join(transports, "+"), func(t *testing.T) {
			begin := time.Now()
			inBubble(t, func(t *testing.T) { fakeClockStory(t, page, transports) })
			if real := time.Since(begin); real > time.Minute {
				t.Errorf("an hour of fake time took %s", real)
			}
		})
	}
}

// inBubble is synctest.Test, but tolerates the goroutine that the Go server leaks for each connection
// that its client has closed. The tests check for goroutines of a page with leftovers.
func inBubble(t *testing.T, story func(t *testing.T)) {
	defer func() {
		if problem := recover(); problem != nil {
			if !strings.Contains(fmt.Sprint(problem), "blocked goroutines remain") {
				panic(problem)
			}
			t.Log("leaked by the server: ", problem)
		}
	}()
	synctest.Test(t, story)
}

// leftovers returns the stacks if a goroutine of a page is among them.
func leftovers() string {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, own := range []string{"harness/client/page/web.", "harness/client/page.(", "net/http.(*persistConn)"} {
		if strings.Contains(string(stacks), own) {
			return string(stacks)
		}
	}
	return ""
}

func fakeClockStory(t *testing.T, html string, transports []string) {
	s := newSite(t, html)
	network := &memory{accepted: make(chan net.Conn), closed: make(chan struct{})}
	listener := &cutter{Listener: network}
	server := &http.Server{Handler: s.handler}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })

	begin := time.Now()
	open := func(name string) *watched {
		recorder := history.NewRecorder()
		p := &watched{history: recorder, Page: page.New(client.Options{
			Name: name, URL: "http://127.0.0.1:3000", Dial: network.dial, Transports: transports, Record: recorder.Add}, nil)}
		t.Cleanup(func() { _ = p.Close() })
		return p.open(t)
	}
	anna, ben := open("anna"), open("ben")
	anna.await(t, "connected", 1)
	ben.await(t, "connected", 1)
	anna.send(t, "hello")
	ben.await(t, "shown hello", 1)
	anna.await(t, "acknowledged hello", 1)

	time.Sleep(time.Hour) // 144 pings
	if !anna.Status().Connected || count(anna.story(), "connected") != 1 {
		t.Errorf("an hour later: %q", anna.story())
	}
	listener.cut()
	if slices.Contains(transports, "websocket") {
		ben.await(t, "connected", 2)
		anna.await(t, "connected", 2)
	}
	// Whether a cut poll ends the session depends on the server's scheduling: the browser repeats
	// the poll before the page notices, and the server may not have noticed the cut. After a minute
	// all effects of it are over.
	time.Sleep(time.Minute)
	if !ben.Status().Connected || !anna.Status().Connected {
		t.Fatalf("a minute after the cut: %q, %q", ben.story(), anna.story())
	}
	ben.send(t, "still here")
	anna.await(t, "shown still here", 1)

	// A laptop that sleeps longer than the ping timeout disconnects when it wakes.
	connects := count(ben.story(), "connected")
	if err := ben.Suspend(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Minute)
	if err := ben.Resume(); err != nil {
		t.Fatal(err)
	}
	ben.await(t, "connected", connects+1)
	if passed := time.Since(begin); passed < time.Hour || passed > 70*time.Minute {
		t.Errorf("the story took %s of fake time", passed)
	}
	for _, p := range []*watched{anna, ben} {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	s.io.Close(nil)
	_ = server.Close()
	listener.cut()
	<-served
	time.Sleep(10 * time.Minute) // the server's timers drain
	synctest.Wait()
	if stacks := leftovers(); stacks != "" {
		t.Errorf("goroutines of the pages are left:\n%s", stacks)
	}
}
