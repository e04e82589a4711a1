package chattest

import (
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
)

// Inside is what WaitForTheLock needs of a running step.
type Inside struct {
	Server *socket.Server
	Order  serve.Lock
	// Store stores and emits a message. The test holds the lock.
	Store func(text string) error
}

// WaitForTheLock tests that messages are emitted, pages join and Close ends only under the
// step's lock. Without it, a page could join between the INSERT of a message and its emit.
func WaitForTheLock(t *testing.T, step New, inside func(*Server) Inside) {
	s := Start(t, step, serve.Settings{ReplayPage: 1})
	in := inside(s)
	ann := rawclient.Connect(t, s.URL, Offset(0))
	Send(t, ann, "before")
	Receive(t, ann, 1, "before")

	in.Order.Lock()
	bob := rawclient.Connect(t, s.URL, Offset(0))
	Receive(t, bob, 1, "before") // now bob waits for the lock
	joined := make(chan error, 1)
	go func() {
		_, err := bob.Ask("chat message", 7) // bob's events wait until he has joined
		joined <- err
	}()
	for _, text := range []string{"after 1", "after 2", "after 3", "after 4"} {
		if err := ann.Emit("chat message", text, "the key of "+text); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case got := <-ann.Events:
		t.Errorf("%v is emitted while the lock is held", got)
	case err := <-joined:
		t.Errorf("bob has joined (%v) while the lock is held", err)
	case <-time.After(200 * time.Millisecond): // nothing may happen
	}
	// The holder of the lock stores and emits a message before bob joins.
	if err := in.Store("meanwhile"); err != nil {
		t.Error(err)
	}
	in.Order.Unlock()
	if err := <-joined; err != nil {
		t.Error(err)
	}
	Send(t, ann, "the end")
	texts := s.Stored(t)[1:]
	for _, page := range []*rawclient.Client{ann, bob} {
		if err := ReceiveAfter(page, 1, texts...); err != nil {
			t.Error(err)
		}
	}
	backWhileWaiting(t, s, in, ann)

	in.Order.Lock()
	closed := make(chan error, 1)
	go func() { closed <- s.Closer.Close() }()
	ann.Ended() // the rest of Close takes no time
	select {
	case err := <-closed:
		t.Errorf("Close has ended (%v) while the lock is held", err)
	case <-time.After(100 * time.Millisecond): // nothing may happen
	}
	in.Order.Unlock()
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// A page disconnects while it waits for the lock, and is back with its session before it has the
// lock. The session was not in the room, so there is a second replay, and the first one must end.
func backWhileWaiting(t *testing.T, s *Server, in Inside, ann *rawclient.Client) {
	in.Order.Lock()
	cem := rawclient.Connect(t, s.URL, Offset(0))
	first := cem.Next()
	if offset, isStored := first.Args[len(first.Args)-1].(string); isStored {
		t.Errorf("recovery has stored an event of the replay as %s", offset)
	}
	if err := ReceiveAfter(cem, 1, s.Stored(t)[1:]...); err != nil { // then cem waits for the lock
		t.Error(err)
	}
	id := socket.SocketId(cem.Sid)
	client, _ := in.Server.Sockets().Sockets().Load(id)
	caughtUp := make(chan struct{})
	client.Enqueue(func() { close(caughtUp) })
	if err := in.Store("missed"); err != nil {
		t.Error(err)
	}
	missed := ann.Next()
	cem.Close()
	for deadline := time.Now().Add(rawclient.Timeout); client.Connected(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server has not noticed that cem is disconnected")
		}
	}
	// No page has this recovery offset without the message. It makes the server restore a session
	// that was not in the room.
	last := missed.Args[1].(float64) - 1
	back := rawclient.Connect(t, s.URL, map[string]any{"pid": cem.Pid, "offset": missed.Args[len(missed.Args)-1], "serverOffset": last})
	if back.Sid != cem.Sid {
		t.Error("the session is not restored, so this test cannot fail")
	}
	Receive(t, back, int(last)+1, "missed")
	in.Order.Unlock()
	<-caughtUp
	Send(t, ann, "the next")
	Receive(t, back, int(last)+2, "the next")
}
