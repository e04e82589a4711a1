package recovery

import (
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"redial/steps/cures/backpressure"
)

// AddAll lets a socket join rooms. The library's own call for the room with the
// socket's id, just after it has put the socket into the namespace, is where the
// socket goes live.
func (a *adapter) AddAll(id socket.SocketId, rooms *types.Set[socket.Room]) {
	a.inRooms(func() { a.Adapter.AddAll(id, rooms) })
	if !rooms.Has(socket.Room(id)) {
		return
	}
	if s, ok := a.Nsp().Sockets().Load(id); ok {
		a.goLive(s)
	}
}

// goLive adds the socket to those that broadcasts go to, and writes what it missed.
func (a *adapter) goLive(socket *socket.Socket) {
	if a.isLive(socket.Id()) {
		return
	}
	m := newMember(socket, 2*a.log.maxEvents)
	a.watch(m)
	if !a.enter(m) {
		// The client was told that it is recovered, but its events are gone: close the
		// connection, so that it reconnects.
		socket.Conn().Close(true)
		socket.Disconnect(false)
		return
	}
	if m.paced { // nobody else changes it before keepPace does
		go a.keepPace(m)
	} else {
		m.drain()
	}
	if socket.Conn().ReadyState() == "closed" {
		a.rescue(m)
	}
	if !socket.Connected() {
		// The application has closed it, maybe before it was watched.
		a.mu.Lock()
		a.forgetMember(m)
		a.mu.Unlock()
	}
}

func (a *adapter) isLive(id socket.SocketId) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, is := a.live[id]
	return is
}

// enter queues the events that the member missed and makes it live, in one step. It fails
// if the session of a restored socket has expired, or if events that it missed were deleted.
func (a *adapter) enter(m *member) bool {
	if !m.socket.Recovered() {
		a.enterNew(m)
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.bySid[m.socket.Id()]
	if s == nil || s.state != restoring {
		return false
	}
	position, ok := a.startFor(s, s.position)
	if !ok {
		a.forget(s)
		return false
	}
	missed := reaching(s.rooms, a.log.after(position))
	m.push(missed...)
	m.paced = len(firstOf(missed)) < len(missed)
	a.release(s)
	a.endRestore(s, live)
	s.member, s.replayed, s.restoredAt = m, a.log.newest(), time.Now()
	a.live[s.sid] = m
	return true
}

// keepPace writes what a member missed, and what comes in meanwhile, not faster than
// the client reads, where the server bounds what waits for it (package backpressure: at
// 2,000 packets or more, so that a part fits in behind another one).
// It has a goroutine of its own: the one that has restored the socket is that which
// reads from the client, and a client that polls reads nothing while its own request
// is not answered.
func (a *adapter) keepPace(m *member) {
	for batch := m.take(); len(batch) > 0; batch = m.take() {
		writeTo(m.socket, batch)
		backpressure.Wait(m.socket, batchPackets)
		if !m.socket.Connected() {
			m.drop() // after a disconnect packet the connection may go on, for another socket
		}
	}
	m.drain()
	a.mu.Lock()
	defer a.mu.Unlock()
	m.paced = false
	if s := a.bySid[m.socket.Id()]; s != nil && s.member == m {
		s.replayed, s.restoredAt = a.log.newest(), time.Now()
	}
}

func (a *adapter) enterNew(m *member) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := m.socket.Id()
	a.bySid[id] = &session{sid: id, state: live, member: m, begun: a.log.newest()}
	a.live[id] = m
	if a.builder.OffsetEvent != "" && a.recovers {
		m.push(a.offsetEvent())
	}
}

func reaching(rooms *types.Set[socket.Room], events []event) []message {
	var messages []message
	for _, e := range events {
		if e.reaches(rooms) {
			messages = append(messages, e.message)
		}
	}
	return messages
}

// DelAll takes a socket out of all rooms, as the last thing that it asks of the
// adapter. An older socket with the id of a live one is not listened to.
func (a *adapter) DelAll(id socket.SocketId) {
	a.mu.Lock()
	switch s := a.bySid[id]; {
	case s == nil || s.state == saved:
	case s.state == restoring:
		// Its connection died, or a middleware refused it: to be tried again.
		a.endRestore(s, saved)
	case !s.member.ending():
		a.mu.Unlock()
		return
	default:
		a.forget(s)
	}
	a.mu.Unlock()
	a.inRooms(func() { a.Adapter.DelAll(id) })
}

// Del takes the socket out of the room.
func (a *adapter) Del(id socket.SocketId, room socket.Room) {
	a.inRooms(func() { a.Adapter.Del(id, room) })
}

// inRooms lets one goroutine at a time join or leave. In the library's adapter a
// join that meets the leaving of a room's last member may be lost with the room:
// 118 times in 500,000 on a tight probe.
func (a *adapter) inRooms(change func()) {
	a.rooms.Lock()
	defer a.rooms.Unlock()
	change()
}

func (a *adapter) disconnecting(m *member) {
	a.mu.Lock()
	defer a.mu.Unlock()
	m.close()
	if m.ended {
		m.ended, m.gone = false, make(chan struct{})
	}
	m.closing++
}

func (a *adapter) disconnected(m *member) {
	a.mu.Lock()
	m.closing--
	if m.closing == 0 {
		m.ended = true
		close(m.gone)
	}
	a.forgetMember(m)
	newer := a.live[m.socket.Id()]
	a.mu.Unlock()
	if newer != nil && newer.socket.Connected() {
		// This socket was late, and the namespace removes by id.
		a.Nsp().Sockets().LoadOrStore(newer.socket.Id(), newer.socket)
	}
}

// rescue closes a socket whose connection ended after it had entered the namespace
// and before its client knew of it. The library overlooks such a socket.
func (a *adapter) rescue(m *member) {
	a.mu.Lock()
	s := a.bySid[m.socket.Id()]
	if s == nil || s.member != m || m.closing > 0 || !m.socket.Connected() {
		a.mu.Unlock()
		return
	}
	pid := s.pid
	m.closing++
	a.mu.Unlock()
	if pid != "" {
		a.PersistSession(&socket.SessionToPersist{
			Sid: s.sid, Pid: pid, Rooms: types.NewSet(m.socket.Rooms().Keys()...), Data: m.socket.Data(),
		})
	}
	m.socket.Disconnect(false)
	a.disconnected(m)
}
