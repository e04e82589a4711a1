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

// A queue counts what is on its way to one connection. A packet is buffered from its
// "packetCreate" to the "flush" that hands it to the transport, in one batch with all
// others that are buffered; the batch is being written until the transport's "drain".
// (The connection's own "drain" comes as soon as the transport has the batch.)
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
		q.end() // it was before the listener
	}
	return q
}

// writesTo counts what this transport writes from now on. What another one was writing
// is written, or never will be: an upgrade waits for it.
func (q *queue) writesTo(transport transports.Transport) {
	q.mu.Lock()
	q.transport, q.writing = transport, nil
	q.announce()
	q.mu.Unlock()
	_ = transport.On("drain", func(...any) { q.drained(transport) })
}

// created lets a packet in if what waits already is within the limit.
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
		if p.Type != packet.OPEN { // it was created before anybody could listen
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
		return // an open packet, or one that the transport has made itself
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

// announce wakes all who wait. The caller holds the lock.
func (q *queue) announce() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// atMost tells whether no more packets than that wait, with no more than an eighth of
// the bytes that may, or none ever will; if not, it returns what is closed when that may
// have changed.
func (q *queue) atMost(packets int) (bool, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.waiting()
	return q.ended || waiting.packets <= packets && waiting.bytes <= q.limit.Bytes/8, q.changed
}

// waiting is all that is not written yet. The caller holds the lock.
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
