package recovery

import (
	"bytes"
	"encoding/json"
	"sync"
	"time"

	"github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// A message is an encoded packet, ready to be written to any socket.
type message struct {
	buffers []types.BufferInterface
	options *socket.WriteOptions
}

// size is in bytes.
func (m message) size() (size int) {
	for _, b := range m.buffers {
		size += b.Len()
	}
	return size
}

// A member is a live socket and the queue of what is to be written to it. The
// order is fixed by push, under the adapter's lock; the writing is done without
// it, because closing a connection can happen inside a write, and what listens to
// that may well emit.
type member struct {
	socket *socket.Socket

	// Under the adapter's lock: closing counts the closes of the socket that are
	// under way (two goroutines may close one socket at once), and gone is closed
	// when the last of them has ended.
	closing int
	ended   bool
	gone    chan struct{}
	// closedAt, under that lock too, is when its connection was seen to close.
	closedAt time.Time
	// paced, under that lock too, while what it missed is being written; see keepPace.
	paced bool

	mu      sync.Mutex
	queue   []message
	most    int // events that the queue may hold
	writing bool
}

// newMember makes a member whose maker is the first to write to it, with drain: so
// what it is given before it is live is written before anything else.
func newMember(s *socket.Socket, most int) *member {
	return &member{socket: s, gone: make(chan struct{}), most: most, writing: true}
}

// close notes when the connection was seen to close. The caller holds the adapter's lock.
func (m *member) close() {
	if m.closedAt.IsZero() {
		m.closedAt = time.Now()
	}
}

func (m *member) push(messages ...message) {
	m.mu.Lock()
	m.queue = append(m.queue, messages...)
	m.mu.Unlock()
}

// write writes what is queued, unless another goroutine is at it: then that one
// writes this as well.
func (m *member) write() {
	m.mu.Lock()
	busy, tooMuch := m.writing, len(m.queue) > m.most
	m.writing = true
	m.mu.Unlock()
	switch {
	case !busy:
		m.drain()
	case tooMuch: // it comes back for the rest, if that is still there
		go m.socket.Conn().Close(true)
	}
}

// What is written at a time to a member that has missed much. It is written before the
// word that the client is back, and before a ping: so many bytes that a slow line brings
// all of that before the client gives the connection up for dead.
const (
	batchPackets = 1_000
	batchBytes   = 64 << 10
)

// firstOf is the part of the messages that is written at a time; not empty if they are not.
func firstOf(messages []message) []message {
	packets, size := 0, 0
	for n, m := range messages {
		if packets >= batchPackets || size >= batchBytes {
			return messages[:n]
		}
		packets, size = packets+len(m.buffers), size+m.size() // an attachment is a packet, too
	}
	return messages
}

// take takes the first part from the queue.
func (m *member) take() []message {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := firstOf(m.queue)
	m.queue = m.queue[len(first):]
	return first
}

// drop empties the queue.
func (m *member) drop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = nil
}

// drain writes until the queue is empty. It is for the goroutine that set writing.
func (m *member) drain() {
	for {
		m.mu.Lock()
		queue := m.queue
		m.queue = nil
		m.writing = len(queue) > 0
		m.mu.Unlock()
		if len(queue) == 0 {
			return
		}
		writeTo(m.socket, queue)
	}
}

func writeTo(s *socket.Socket, messages []message) {
	for _, message := range messages {
		s.Client().WriteToEngine(message.buffers, message.options)
	}
}

// ending tells whether the socket is being closed. The state of the connection is
// asked as well, for a socket whose listeners the application has removed.
func (m *member) ending() bool {
	return m.closing > 0 || m.socket.Conn().ReadyState() == "closed"
}

// watch makes the adapter hear of the end of the socket, and of its private id. The
// id is exported nowhere but in the packet that tells the client (40{sid,pid}), so
// that is where it is read. Listeners are not removed again: the library removes
// by code address, which would hit another namespace's on the same connection.
func (a *adapter) watch(m *member) {
	_ = m.socket.On("disconnecting", func(...any) { a.disconnecting(m) })
	_ = m.socket.On("disconnect", func(...any) { a.disconnected(m) })
	_ = m.socket.Conn().On("close", func(...any) { a.rescue(m) })
	_ = m.socket.Conn().On("packetCreate", func(args ...any) {
		if pid, ok := announced(m.socket.Id(), args[0]); ok {
			a.learn(m.socket.Id(), pid)
		}
	})
}

// announced reads the private id out of an outgoing connect packet for sid.
func announced(sid socket.SocketId, created any) (socket.PrivateSessionId, bool) {
	p, ok := created.(*packet.Packet)
	if !ok {
		return "", false
	}
	text, ok := p.Data.(*types.StringBuffer)
	if !ok {
		return "", false
	}
	content := text.Bytes()
	if !bytes.HasPrefix(content, []byte("0")) { // no connect packet
		return "", false
	}
	var ids struct {
		Sid socket.SocketId
		Pid socket.PrivateSessionId
	}
	_ = json.Unmarshal(content[max(0, bytes.IndexByte(content, '{')):], &ids)
	return ids.Pid, ids.Sid == sid && ids.Pid != ""
}
