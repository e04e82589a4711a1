package recovery

import (
	"sync"
	"testing"

	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// TestJoinMeetsTheLastLeave has one socket leave a room just as another joins it:
// the other must be in it afterwards. The library's adapter loses it now and then, which
// is told and not demanded: it is a matter of luck.
func TestJoinMeetsTheLastLeave(t *testing.T) {
	lost, rounds := joinsLost(&socket.AdapterBuilder{})
	t.Logf("library: %d of %d joins lost", lost, rounds)
	lost, rounds = joinsLost(&Builder{})
	t.Logf("ours: %d of %d joins lost", lost, rounds)
	if lost > 0 {
		t.Error("who joined is not in the room")
	}
}

func joinsLost(builder socket.AdapterConstructor) (lost, rounds int) {
	server := socket.NewServer(nil, socket.DefaultServerOptions())
	defer server.Close(nil)
	a := builder.New(server.Of("/", nil))
	defer a.Close()
	const room = socket.Room("chat")
	rounds = 40_000
	for range rounds {
		a.AddAll("leaver", types.NewSet(room))
		var both sync.WaitGroup
		both.Go(func() { a.Del("leaver", room) })
		both.Go(func() { a.AddAll("joiner", types.NewSet(room)) })
		both.Wait()
		if ids, ok := a.Rooms().Load(room); !ok || !ids.Has("joiner") {
			lost++
		}
		a.Del("joiner", room)
	}
	return lost, rounds
}

// Two clients of a room are disconnected. One is restored and then leaves, so the room is empty.
// An event to the room must be stored, because the other client is still to be restored.
func TestARoomIsHeldForEachClientThatIsAway(t *testing.T) {
	s := start(t, &Builder{SkipDirect: true}, nil)
	_ = s.io.On("connection", func(args ...any) { args[0].(*socket.Socket).Join("room") })
	emit := func(number int) { _ = s.io.To("room").Emit("n", number) }
	a, b := s.dial(t, nil), s.dial(t, nil)
	awaitCondition(t, "both to join", func() bool {
		room, ok := s.adapter.Rooms().Load("room")
		return ok && room.Len() == 2
	})
	emit(1)
	a.awaitEvent(t, 1)
	b.awaitEvent(t, 1)
	s.drop(t, a)
	s.drop(t, b)

	again := s.dial(t, a)
	wantRecovered(t, a, again, true)
	connected := s.socketOf(t, a)
	connected.Disconnect(false)
	emit(2)
	back := s.dial(t, b)
	wantRecovered(t, b, back, true)
	wantNumbers(t, back, 2)
}
