package backpressure

import (
	"io"
	"sync"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/engine/v3/transports"
)

// An amount is a number of packets and of the bytes in them.
type amount struct{ packets, bytes int }

func (a amount) plus(b amount) amount {
	return amount{a.packets + b.packets, a.bytes + b.bytes}
}

func (a amount) minus(b amount) amount {
	return amount{a.packets - b.packets, a.bytes - b.bytes}
}

// A queue counts the packets that wait to be written to one connection. A packet is
// buffered from its "packetCreate" until the "flush" that hands all buffered packets to the
// transport as one batch. The transport is writing the batch until it emits "drain". (The
// connection's own "drain" comes as soon as the transport has the batch.)
type queue struct {
	conn  engine.Socket
	limit Limit

	mu        sync.Mutex
	transport transports.Transport
	buffered  amount
	writing   []amount // a batch each, the oldest first
	ended     bool
	changed   chan struct{} // closed, and made anew, when less waits or all has ended
}

func newQueue(conn engine.Socket, limit Limit) *queue {
	q := &queue{conn: conn, limit: limit, changed: make(chan struct{})}
	queues.Store(conn, q)
	_ = conn.On("packetCreate", func(args ...any) { q.created(args[0].(*packet.Packet)) })
	_ = conn.On("flush", func(args ...any) { q.flushed(args[0].([]*packet.Packet)) })
	_ = conn.On("upgrade", func(args ...any) { q.writesTo(args[0].(transports.Transport)) })
	_ = conn.On("close", func(...any) { q.end() })
	q.writesTo(conn.Transport())
	if conn.ReadyState() == "closed" {
		q.end() // the connection closed before the listener was attached
	}
	return q
}

// writesTo counts what this transport writes from now on. The batches of the previous
// transport are forgotten, since an upgrade waits until they are written.
func (q *queue) writesTo(transport transports.Transport) {
	q.mu.Lock()
	q.transport, q.writing = transport, nil
	q.announce()
	q.mu.Unlock()
	_ = transport.On("drain", func(...any) { q.drained(transport) })
}

// created counts a new packet, and closes the connection if the limit was reached before it.
func (q *queue) created(p *packet.Packet) {
	q.mu.Lock()
	before := q.buffered
	q.buffered = before.plus(sizeOf(p))
	tooMuch := !q.ended && (before.packets >= q.limit.Packets || before.bytes >= q.limit.Bytes)
	q.ended = q.ended || tooMuch
	q.mu.Unlock()
	if tooMuch {
		q.close(before)
	}
}

func (q *queue) flushed(packets []*packet.Packet) {
	var batch amount
	for _, p := range packets {
		if p.Type != packet.OPEN { // created before the listener was attached, so not counted
			batch = batch.plus(sizeOf(p))
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.buffered = q.buffered.minus(batch)
	q.writing = append(q.writing, batch)
}

func (q *queue) drained(by transports.Transport) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if by != q.transport || len(q.writing) == 0 {
		return // the open packet, or a packet that the transport sent on its own
	}
	q.writing = q.writing[1:]
	q.announce()
}

func (q *queue) end() {
	queues.Delete(q.conn)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.announce()
}

// announce wakes every caller of Wait. The caller holds the lock.
func (q *queue) announce() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// atMost reports whether at most this many packets wait, with at most an eighth of the
// bytes that the limit allows, or the connection has ended. If not, the channel is closed
// when the answer may have changed.
func (q *queue) atMost(packets int) (bool, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.waiting()
	return q.ended || waiting.packets <= packets && waiting.bytes <= q.limit.Bytes/8, q.changed
}

// waiting is the amount that is buffered or being written. The caller holds the lock.
func (q *queue) waiting() amount {
	waiting := q.buffered
	for _, batch := range q.writing {
		waiting = waiting.plus(batch)
	}
	return waiting
}

func sizeOf(p *packet.Packet) amount {
	one := amount{packets: 1}
	if data, ok := p.Data.(interface {
		io.Reader
		Len() int
	}); ok {
		one.bytes = data.Len()
	}
	return one
}
