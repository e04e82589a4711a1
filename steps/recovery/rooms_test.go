package recovery

import (
	"sync"
	"testing"

	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// TestJoinMeetsTheLastLeave has one socket leave a room just as another joins it:
// the other must be in it afterwards. The library's adapter loses it now and then.
func TestJoinMeetsTheLastLeave(t *testing.T) {
	server := socket.NewServer(nil, socket.DefaultServerOptions())
	defer server.Close(nil)
	a := (&Builder{}).New(server.Of("/", nil))
	defer a.Close()
	const room, rounds = socket.Room("chat"), 200_000
	for n := range rounds {
		a.AddAll("leaver", types.NewSet(room))
		var both sync.WaitGroup
		both.Go(func() { a.Del("leaver", room) })
		both.Go(func() { a.AddAll("joiner", types.NewSet(room)) })
		both.Wait()
		if ids, ok := a.Rooms().Load(room); !ok || !ids.Has("joiner") {
			t.Fatalf("round %d: the one who joined is not in the room", n)
		}
		a.Del("joiner", room)
	}
}
