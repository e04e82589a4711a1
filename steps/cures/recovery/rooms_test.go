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
