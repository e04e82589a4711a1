package recovery

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/servers/socket/v3"
)

// emitVolatile sends the client a volatile event with these arguments.
func (s *server) emitVolatile(t *testing.T, c *client, args ...any) {
	t.Helper()
	connected := s.socketOf(t, c)
	awaitCondition(t, "room for a volatile event", connected.Conn().Transport().Writable)
	c.mu.Lock()
	before := len(c.events)
	c.mu.Unlock()
	_ = s.io.Sockets().Volatile().Emit("n", args...)
	c.await(t, "a volatile event", func() bool { return len(c.events) > before })
}

func TestUnstoredEventsDoNotPoisonTheOffset(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.afterOne(t)
	s.emitVolatile(t, a, 2)
	if args := a.events[1]; len(args) != 2 {
		t.Errorf("a volatile event that ends in a number got an offset: %v", args)
	}
	s.emitVolatile(t, a, 2, "looks like an offset")
	s.drop(t, a)
	s.emit(3)
	_ = s.io.Sockets().Volatile().Emit("n", 4)
	s.io.Sockets().Timeout(time.Millisecond).EmitWithAck("n", 5)(func([]any, error) {})
	if s.events() != 2 {
		t.Errorf("%d events are stored, want 1 and 3", s.events())
	}
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	wantNumbers(t, b, 3)
}

func TestVolatileAndCompressedAreWrittenSo(t *testing.T) {
	s := start(t, &Builder{}, nil)
	for _, flags := range []socket.BroadcastFlags{{}, {WriteOptions: socket.WriteOptions{Volatile: true}}} {
		yes := true
		flags.Compress = &yes
		m := s.adapter.encode(&parser.Packet{Type: parser.EVENT, Data: []any{"n"}}, &flags)
		if m.options.Volatile != flags.Volatile || m.options.Compress != &yes {
			t.Errorf("%+v is written with %+v", flags, m.options)
		}
	}
}

func TestDirectEventIsRestored(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.awayAfterOne(t)
	s.io.To(socket.Room(a.sid)).Emit("n", 2)
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	wantNumbers(t, b, 2)
}

// The client also takes the name of an event without arguments for an offset.
func TestEventWithoutArgumentsDoesNotPoisonTheOffset(t *testing.T) {
	for _, direct := range []bool{false, true} {
		s := start(t, &Builder{SkipDirect: direct}, nil)
		a := s.afterOne(t)
		if direct {
			_ = s.io.To(socket.Room(a.sid)).Emit("n")
			a.await(t, "the event without arguments", func() bool { return len(a.events) == 2 })
		} else {
			s.emitVolatile(t, a)
		}
		s.drop(t, a)
		s.emit(3)
		b := s.dial(t, a)
		wantRecovered(t, a, b, true)
		wantNumbers(t, b, 3)
	}
}

func TestAcknowledgedBroadcastKeepsItsPlace(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.dial(t, nil)
	s.emit(1)
	answered := make(chan int, 1)
	_ = s.io.Sockets().Timeout(50*time.Millisecond).Emit("n", 2, func(answers []any, _ error) { answered <- len(answers) })
	s.emit(3)
	a.awaitEvent(t, 3)
	wantNumbers(t, a, 1, 2, 3)
	if n := <-answered; n != 0 {
		t.Errorf("%d answers from a client that does not answer", n)
	}
}

// In a namespace other than the default one, packets carry its name, and the answer to a broadcast
// arrives.
func TestAcknowledgedBroadcastInANamespace(t *testing.T) {
	s := start(t, &Builder{}, nil)
	chat := s.io.Of("/chat", nil)
	connected := make(chan struct{}) // when the library takes the client's packets: see steps/cures/handshake
	_ = chat.On("connection", func(...any) { close(connected) })
	c := s.dial(t, nil)
	write := func(packet string) {
		t.Helper()
		if err := c.conn.WriteMessage(websocket.TextMessage, []byte(packet)); err != nil {
			t.Fatal(err)
		}
	}
	write("40/chat,")
	<-connected
	answered := make(chan []any, 1)
	_ = chat.Timeout(patienceInTests).Emit("n", 1, func(answers []any, _ error) { answered <- answers })
	c.awaitEvent(t, 1)
	var id int
	if _, err := fmt.Sscanf(c.packet, "42/chat,%d[", &id); err != nil {
		t.Fatalf("the event is %q: %v", c.packet, err)
	}
	write(fmt.Sprintf(`43/chat,%d["yes"]`, id))
	if answers := <-answered; fmt.Sprint(answers) != "[yes]" {
		t.Errorf("the answers are %v", answers)
	}
}

func TestOffsetEvent(t *testing.T) {
	s := start(t, &Builder{OffsetEvent: "offset"}, nil)
	a := s.dial(t, nil)
	s.drop(t, a)
	s.emit(1)
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	wantNumbers(t, b, 1)
}

func TestSkipDirect(t *testing.T) {
	s := start(t, &Builder{SkipDirect: true}, nil)
	handled := make(chan *socket.Socket, 1)
	_ = s.io.On("connection", func(args ...any) {
		connected := args[0].(*socket.Socket)
		connected.Join("room")
		if !connected.Recovered() {
			s.io.To("room").Emit("n", 0) // which gives the client an offset
		}
		_ = connected.Emit("n", 1, "a string")
		_ = connected.Emit("n", 2)
		handled <- connected
	})
	a := s.dial(t, nil)
	a.awaitEvent(t, 2)
	if s.events() != 1 {
		t.Errorf("%d events are stored, want the one to the room", s.events())
	}
	// The client takes a string at the end for an offset. Here it must not be one, for
	// what comes before it may be lost on the way, and is not stored.
	if args := a.events[1]; len(args) != 4 || args[3] != nil {
		t.Errorf("a direct event that ends in a string is %v, want a null behind it", args)
	}
	if args := a.events[2]; len(args) != 2 {
		t.Errorf("a direct event that ends in a number got an offset: %v", args)
	}
	gone := <-handled
	s.drop(t, a)
	_ = gone.Emit("n", 3)
	s.io.To("room").Emit("n", 4)
	if s.events() != 2 {
		t.Errorf("%d events are stored, want the two to the room", s.events())
	}
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	b.awaitEvent(t, 2)
	wantNumbers(t, b, 4, 1, 2)

	gone = <-handled
	gone.Disconnect(true)
	s.awaitEnd(t, b)
	_ = gone.Emit("n", 5)
	if s.events() != 2 {
		t.Error("an event to a socket that will never be back is stored")
	}
}

func TestRoomsAndExceptions(t *testing.T) {
	s := start(t, &Builder{}, nil)
	handled := make(chan struct{})
	_ = s.io.On("connection", func(args ...any) {
		connected := args[0].(*socket.Socket)
		if connected.Recovered() {
			return
		}
		connected.SetData("kept")
		connected.Join("in")
		connected.Join("out")
		connected.Leave("out")
		close(handled)
	})
	a := s.dial(t, nil)
	<-handled
	s.emit(1)
	a.awaitEvent(t, 1)
	s.drop(t, a)
	send := func() {
		s.io.To("in").Emit("n", 2)
		s.io.To("out").Emit("n", 3)
		s.io.Except("in").Emit("n", 4)
		s.io.To("in", socket.Room(a.sid)).Emit("n", 5)
	}
	send()
	b := s.dial(t, a)
	wantRecovered(t, a, b, true)
	wantNumbers(t, b, 2, 5)
	restored := s.socketOf(t, b)
	if restored.Data() != "kept" || !restored.Rooms().Has("in") || restored.Rooms().Has("out") {
		t.Errorf("restored with data %v in %v", restored.Data(), restored.Rooms().Keys())
	}
	send()
	b.await(t, "the live events", func() bool { return len(b.events) == 4 })
	wantNumbers(t, b, 2, 5, 2, 5)
}

func TestBinaryIsRestored(t *testing.T) {
	s := start(t, &Builder{}, nil)
	a := s.awayAfterOne(t)
	_ = s.io.Sockets().Emit("n", 2, io.Reader(bytes.NewReader([]byte("bytes"))))
	for range 2 {
		b := s.dial(t, a)
		wantRecovered(t, a, b, true)
		b.await(t, "the attachment", func() bool { return len(b.binaries) == 1 })
		if string(b.binaries[0]) != "bytes" {
			t.Errorf("attachment %q", b.binaries[0])
		}
		s.drop(t, b)
	}
}

// What listens to outgoing events may emit; so may what listens to the end of a
// socket that ends inside a write.
func TestListenersMayEmit(t *testing.T) {
	s := start(t, &Builder{}, nil)
	_ = s.io.On("connection", func(args ...any) {
		connected := args[0].(*socket.Socket)
		connected.OnAnyOutgoing(func(outgoing ...any) {
			if outgoing[1] == 1 {
				s.emit(2)
			}
		})
	})
	a := s.dial(t, nil)
	awaitCondition(t, "the handler", func() bool {
		connected, ok := s.io.Sockets().Sockets().Load(socket.SocketId(a.sid))
		return ok && len(connected.ListenersAnyOutgoing()) == 1
	})
	s.emit(1)
	a.awaitEvent(t, 2)
	wantNumbers(t, a, 1, 2)
}
