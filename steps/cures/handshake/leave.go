package handshake

import (
	"reflect"
	"runtime"
	"sync"

	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/engine/v3/transports"
	"github.com/zishang520/socket.io/v3/pkg/queue"
)

// leaveNothing frees the goroutine and the queues of a connection when it has ended.
//
// The library (servers/engine v3.0.2) ends the goroutine that writes to a connection in the
// transport's DoClose, which it does not call for a WebSocket that the client has closed.
// Every page that is closed or refreshed leaves one goroutine behind. leaveNothing calls
// DoClose when the transport emits "close", which is safe, since the connection has ended.
// The call has a goroutine of its own, because the event may come from inside the listener
// that DoClose would call again and wait for. A WebSocket that is meant for an upgrade and
// ends before its first packet is out of reach, because the library emits no event for it.
func leaveNothing(connection engine.Socket) {
	leave := func(transport transports.Transport) {
		collectable(transport, "writeQueue")
		if transport.Name() == transports.WEBSOCKET {
			_ = transport.Once("close", func(...any) { go transport.DoClose(nil) })
		}
	}
	leave(connection.Transport())
	_ = connection.On("upgrading", func(args ...any) { leave(args[0].(transports.Transport)) })
}

// collectable lets the garbage collector free a queue of the library when its connection is
// gone, and frees the room in it that the queue does not need.
//
// A queue (pkg/queue v3.0.2) has a finalizer, and a sync.Cond that points back into it. Go
// never collects a cycle with a finalizer (see runtime.SetFinalizer), so the two queues of
// each connection stay in memory until the server ends. The finalizer has no use, since the
// queue's own goroutine refers to the queue, and is removed here. A queue also begins with
// room for 1,024 tasks, which is 8 kB, and most connections never have more than a few
// waiting.
//
// The fields are unexported and are looked up by name. If the library renames them nothing
// happens, and TestAClosedPageLeavesNothing and TestOpenConnectionHoldsNoRoomForTasks fail.
func collectable(owner any, field string) {
	held := reflect.Indirect(reflect.ValueOf(owner)).FieldByName(field)
	if held.IsValid() && held.Type() == reflect.TypeFor[*queue.Queue]() {
		tasks := (*queue.Queue)(held.UnsafePointer())
		runtime.SetFinalizer(tasks, nil)
		shrink(tasks)
	}
}

// shrink moves the tasks that wait, under the queue's own lock, to a slice that holds no more
// than them. The library itself allocates such a slice for each task from the 1,024th on,
// because its queue takes tasks off the front.
func shrink(q *queue.Queue) {
	fields := reflect.ValueOf(q).Elem()
	mu, tasks := fields.FieldByName("mu"), fields.FieldByName("tasks")
	if !mu.IsValid() || mu.Type() != reflect.TypeFor[sync.Mutex]() || !tasks.IsValid() || tasks.Type() != reflect.TypeFor[[]func()]() {
		return
	}
	lock, waiting := (*sync.Mutex)(mu.Addr().UnsafePointer()), (*[]func())(tasks.Addr().UnsafePointer())
	lock.Lock()
	defer lock.Unlock()
	*waiting = append([]func(){}, *waiting...)
}
