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

// A Limit is how much data may wait for one connection, in addition to the batch that its
// transport is writing. The zero value is valid.
type Limit struct {
	// Packets limits the number of packets. Zero means 4,000. A packet takes some hundred
	// bytes of memory besides its payload.
	Packets int
	// Bytes limits the size of all payloads together. Zero means 4 MB.
	Bytes int
}

// queues maps the engine.Socket of each open connection that has a limit to its queue.
var queues sync.Map

// Apply limits every connection that is made to the server from now on. A connection is
// closed when more data is sent to it while the limit is reached. The reason is "forced
// close", so that connection state recovery treats it as a broken connection, and one line
// is logged. Data that is sent to the connection afterwards is dropped.
//
// Apply creates the server's http.Handler if there is none yet, as ServeHandler does.
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

// Wait returns when at most this many packets wait to be written to the client, including
// those that are being written, and their payloads are at most an eighth of Limit.Bytes. It
// also returns when the connection has ended, and at once where no Limit was applied. Do
// not call it with a lock held, because it takes as long as the client takes to read. Do
// not call it on the goroutine that reads from the client either: with long-polling the
// data is written in the answer to the client's next request.
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

// close ends the connection because its client reads too slowly. The library's Close runs
// on a goroutine of its own, since it calls listeners that may emit, and close is called
// from within an emit. The state "closing" keeps the library from queueing more until then.
func (q *queue) close(waiting amount) {
	log.Printf("the client at %s reads too slowly: its connection is closed with %d packets (%d bytes) waiting; it can reconnect",
		q.conn.RemoteAddress(), waiting.packets, waiting.bytes)
	q.conn.SetReadyState("closing")
	go q.conn.Close(true)
}
