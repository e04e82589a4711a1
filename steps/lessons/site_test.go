package lessons

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"redial/harness/client"
	"redial/harness/client/page"
	"redial/harness/history"
	"redial/steps/internal/chattest"
)

// A site is a step on loopback, and its pages with the official client in the harness's
// JavaScript VM.
type site struct {
	t      *testing.T
	url    string
	folder string
	lesson Lesson
	server *httptest.Server
	closer io.Closer

	mu     sync.Mutex
	events []history.Event
	// changed is closed at the next event.
	changed chan struct{}
}

func serveStep(t *testing.T, number string) *site {
	t.Helper()
	if _, err := Bundle(); err != nil {
		t.Skip(err)
	}
	lesson, err := Find(number)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, lesson: lesson, changed: make(chan struct{})}
	s.server = httptest.NewUnstartedServer(nil)
	s.newServer()
	s.server.Start()
	s.url = s.server.URL
	t.Cleanup(func() {
		if story := s.story(); strings.Contains(story, "uncaught") {
			t.Errorf("a page's script threw: %s", story)
		}
		s.end()
		s.server.Close()
	})
	return s
}

// newServer starts the step with an empty folder.
func (s *site) newServer() {
	s.t.Helper()
	s.folder = s.t.TempDir()
	handler, closer, err := Handler(s.lesson, Settings{DataDir: s.folder})
	s.must(err)
	s.server.Config.Handler, s.closer = handler, closer
}

// changePage returns the step's page with one text replaced.
func (s *site) changePage(old, with string) []byte {
	s.t.Helper()
	if bytes.Count(s.lesson.Page, []byte(old)) != 1 {
		s.t.Fatalf("the page does not contain %q once", old)
	}
	return bytes.Replace(s.lesson.Page, []byte(old), []byte(with), 1)
}

func (s *site) end() {
	s.t.Helper()
	s.server.CloseClientConnections()
	s.must(s.closer.Close())
}

// A device has one browser, and one network for all of its tabs.
type device struct {
	profile *page.Profile
	html    []byte

	mu      sync.Mutex
	offline bool
	conns   []net.Conn
}

func newDevice() *device { return &device{profile: page.NewProfile()} }

func (b *device) dial(ctx context.Context, network, address string) (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.offline {
		return nil, errors.New("the device is offline")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		b.conns = append(b.conns, conn)
	}
	return conn, err
}

// network takes the device offline or online.
func (b *device) network(offline bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.offline = offline
	for _, conn := range b.conns {
		_ = conn.Close()
	}
	b.conns = nil
}

// open opens a page on a new device.
func (s *site) open(name string) *page.Page { return s.openTab(name, newDevice()) }

// openTab opens a page in a new tab of a device.
func (s *site) openTab(name string, b *device) *page.Page {
	s.t.Helper()
	opened := page.New(client.Options{Name: name, URL: s.url, Dial: b.dial, HTML: b.html, Record: s.record}, b.profile)
	s.t.Cleanup(func() { _ = opened.Close() })
	s.must(opened.Open(context.Background()))
	s.isConnected(name, opened, true)
	return opened
}

func (s *site) isConnected(name string, p *page.Page, want bool) {
	s.t.Helper()
	s.until(fmt.Sprintf("%s is connected: %v", name, want), func() bool { return p.Status().Connected == want })
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) record(e history.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	close(s.changed)
	s.changed = make(chan struct{})
}

// until waits for a condition, which is evaluated after each event.
func (s *site) until(what string, holds func() bool) {
	s.t.Helper()
	timeout := time.After(patience)
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			s.t.Fatalf("not within %v: %s; the events: %s", patience, what, s.story())
		}
	}
}

func (s *site) story() (text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		text += fmt.Sprintf("\n%s/%d %s %q %s", e.Client, e.View, e.Kind, e.Message, e.Detail)
	}
	return text
}

// texts returns the messages of the events of a kind in the client's latest view.
func (s *site) texts(name string, kind history.Kind) (texts []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	view := 0
	for _, e := range s.events {
		if e.Client == name && e.View > view {
			view, texts = e.View, nil
		}
		if e.Client == name && e.Kind == kind {
			texts = append(texts, e.Message)
		}
	}
	return texts
}

// acknowledged waits until any tab has received the acknowledgement of the message.
func (s *site) acknowledged(text string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%q is acknowledged", text), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.ContainsFunc(s.events, func(e history.Event) bool {
			return e.Kind == history.Acknowledged && e.Message == text
		})
	})
}

// shows waits until the client's page shows these messages and no others.
func (s *site) shows(name string, texts ...string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%s shows %q", name, texts), func() bool { return slices.Equal(s.texts(name, history.Shown), texts) })
}

func (s *site) hasStored(texts ...string) {
	s.t.Helper()
	if got := chattest.Stored(s.t, s.folder); !slices.Equal(got, texts) {
		s.t.Errorf("stored are %q, want %q", got, texts)
	}
}
