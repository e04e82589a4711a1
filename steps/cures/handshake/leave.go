package handshake

import (
	"reflect"
	"runtime"

	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/engine/v3/transports"
	"github.com/zishang520/socket.io/v3/pkg/queue"
)

// leaveNothing has a connection that is over leave nothing behind.
//
// The library (servers/engine v3.0.2) ends the goroutine that writes to a connection
// in the transport's DoClose, which it does not call for a WebSocket that the other
// side has closed: one goroutine is left behind for every page that is closed or
// refreshed. Calling it here is safe, since the connection is over. It has a goroutine
// of its own because the event may come from inside the very listener that DoClose
// would call again, and wait for. Out of reach is a WebSocket that is to take over from
// polling and ends before its first packet: nobody is told of it.
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

// collectable lets the garbage collector have a queue of the library's when nobody
// uses it any more.
//
// A queue (pkg/queue v3.0.2) has a finalizer, and a sync.Cond that points back into
// it: a cycle with a finalizer, which Go never collects (runtime.SetFinalizer says so).
// Two queues of 8 kB each stay for every connection that ever was, until the server
// ends. The finalizer is of no use, since the queue's own goroutine holds the queue;
// it is taken off here. The field is the library's own, and is looked up by name: where
// it is called otherwise nothing happens, and TestAClosedPageLeavesNothing tells.
func collectable(owner any, field string) {
	held := reflect.Indirect(reflect.ValueOf(owner)).FieldByName(field)
	if held.IsValid() && held.Type() == reflect.TypeFor[*queue.Queue]() {
		runtime.SetFinalizer((*queue.Queue)(held.UnsafePointer()), nil)
	}
}
