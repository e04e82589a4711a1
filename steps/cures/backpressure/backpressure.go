// Package backpressure limits the data that waits to be written to a connection of
// github.com/zishang520/socket.io/servers/socket/v3.
//
// The library (servers/engine v3.0.2) buffers data that it cannot write yet, without a
// limit. A client that reads nothing while others send costs the server memory until the
// ping timeout, 45 s by default. A history that is replayed faster than the client reads is
// in memory as a whole, once for each such client.
//
// Read [Limit.Apply] first, which is for broadcasts. It closes a connection whose buffer is
// over the limit; the client reconnects and catches up, as after any other disconnection.
// [Wait] is for code that sends much to one client, and can slow down.
//
//	backpressure.Limit{}.Apply(io)
//	…
//	for page := range history {
//		backpressure.Wait(client, len(page))
//		…
//	}
//
// TestWithoutALimitAllOfItWaits shows the buffer grow without the package. Upstream it could
// be an option of the engine, since it uses only what the library exports. The package must
// not import the chat or the harness.
package backpressure

import (
	"log"
	"sync"

	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/socket/v3"
)

const (
	defaultPackets = 4_000
	defaultBytes   = 4 << 20
)

// A Limit is how much may wait for one connection, behind what its transport is
// writing. Its zero value is valid.
type Limit struct {
	// Packets bounds their number. Zero means 4,000: some hundred bytes of memory each,
	// besides what is in them.
	Packets int
	// Bytes bounds what is in them. Zero means 4 MB.
	Bytes int
}

// queues has the queue of each connection that is bounded and open, by its
// engine.Socket.
var queues sync.Map

// Apply bounds every connection that is made to the server from now on. One that has
// as much waiting as the limit allows, and is sent more, is closed: with a line in the
// log, and in the way that connection state recovery takes for a broken connection
// ("forced close"). What it is sent from then on is dropped.
//
// Apply makes the server's http.Handler if there is none yet, as ServeHandler does.
func (l Limit) Apply(server *socket.Server) {
	if l.Packets <= 0 {
		l.Packets = defaultPackets
	}
	if l.Bytes <= 0 {
		l.Bytes = defaultBytes
	}
	if server.Engine() == nil {
		server.ServeHandler(nil)
	}
	_ = server.Engine().On("connection", func(args ...any) {
		newQueue(args[0].(engine.Socket), l)
	})
}

// Wait returns when at most so many packets wait to be written to the client, those
// that are being written included, and in them at most an eighth of the bytes that may;
// or when its connection has ended. It returns at once where no Limit was applied. Do
// not call it with a lock held, nor on the goroutine that reads from the client: it
// takes as long as the client does, and with long-polling what it waits for comes with
// the client's next request.
func Wait(client *socket.Socket, packets int) {
	found, ok := queues.Load(client.Conn())
	if !ok {
		return
	}
	q := found.(*queue)
	for {
		enough, changed := q.atMost(packets)
		if enough {
			return
		}
		<-changed
	}
}

// close ends the connection, for the reason that it is too slow. It runs on a
// goroutine of its own, since closing calls listeners that may emit, and this is
// called from within an emit. Until then nothing more is queued: the state sees to it.
func (q *queue) close(waiting amount) {
	log.Printf("the client at %s takes less than it is sent, and %d packets (%d bytes) waited for it: its connection is closed; it may come again",
		q.conn.RemoteAddress(), waiting.packets, waiting.bytes)
	q.conn.SetReadyState("closing")
	go q.conn.Close(true)
}
