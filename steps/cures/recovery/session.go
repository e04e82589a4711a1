package recovery

import (
	"container/list"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// state is where a session is in its life: live, saved, restoring, live again.
type state int

const (
	// live: a socket has it.
	live state = iota
	// saved: its socket was closed, and the client may come back for it.
	saved
	// restoring: a client came back, and its socket is not in the namespace yet.
	restoring
)

// A session outlives its sockets. There is one for each socket id.
type session struct {
	sid   socket.SocketId
	pid   socket.PrivateSessionId
	state state
	// member is the session's newest socket.
	member *member
	// begun is the newest event of the log from before the session.
	begun uint64
	// replayed is the newest event that was written to it when it was restored last, at
	// restoredAt; what came later was written as it came.
	replayed   uint64
	restoredAt time.Time

	// While saved or restoring.
	rooms   *types.Set[socket.Room]
	data    any
	savedAt time.Time
	element *list.Element

	// While restoring: position is the last event that the client has; settled is
	// closed when the restore has ended, either way.
	position uint64
	settled  chan struct{}
}

// PersistSession saves the session of a socket that is closing. It is ignored for a
// session that a newer socket has.
func (a *adapter) PersistSession(p *socket.SessionToPersist) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.bySid[p.Sid]
	if s == nil || s.state != live || !s.member.ending() {
		return
	}
	s.state, s.pid, s.rooms, s.data, s.savedAt = saved, p.Pid, p.Rooms, p.Data, time.Now()
	if !s.member.closedAt.IsZero() {
		s.savedAt = s.member.closedAt // the application's listeners may have taken their time
	}
	a.byPid[s.pid] = s
	delete(a.live, s.sid)
	a.hold(s)
	a.trim()
}

// RestoreSession begins a restore. What the client missed is not in its answer: it
// is written when the socket goes live, together with what comes in between.
func (a *adapter) RestoreSession(pid socket.PrivateSessionId, offset string) (*socket.Session, error) {
	position, ok := a.log.position(offset)
	if !ok {
		return nil, nil
	}
	timeout := time.NewTimer(restoreTimeout)
	defer timeout.Stop()
	for {
		restored, wait := a.take(pid, position)
		if wait == nil {
			return restored, nil
		}
		select {
		case <-wait:
		case <-timeout.C:
			return nil, nil
		}
	}
}

// take begins to restore a saved session. If an older socket of the session has to close
// first, or another restore to end, it returns the channel that is closed then.
func (a *adapter) take(pid socket.PrivateSessionId, position uint64) (*socket.Session, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trim()
	s := a.byPid[pid]
	switch {
	case s == nil:
		return nil, nil
	case a.builder.SkipDirect && position <= s.begun:
		// The client has received no event of the log in this session. What was emitted
		// to it directly is not in the log, and may have been lost with the connection.
		return nil, nil
	case s.state == restoring:
		return nil, s.settled
	case s.member.closing > 0:
		// If the session were restored now, the old socket would remove the new one as it
		// closes, because both have the same id.
		return nil, s.member.gone
	case s.state == live && !a.builder.Takeover:
		return nil, nil
	case s.state == live:
		old := s.member
		gone := old.gone
		a.mu.Unlock()
		old.socket.Conn().Close(true)
		a.mu.Lock()
		return nil, gone
	}
	position, ok := a.startFor(s, position)
	if !ok {
		a.forget(s)
		return nil, nil
	}
	s.state, s.position, s.settled = restoring, position, make(chan struct{})
	return &socket.Session{SessionToPersist: &socket.SessionToPersist{
		Sid: s.sid, Pid: s.pid, Rooms: types.NewSet(s.rooms.Keys()...), Data: s.data,
	}}, nil
}

// startFor returns the position from which to replay to a disconnected session. Events that were
// written to its last connection before that connection last answered a ping have arrived.
func (a *adapter) startFor(s *session, position uint64) (uint64, bool) {
	arrived := s.savedAt.Add(-a.unnoticed)
	if s.member.paced || position < s.replayed && !s.restoredAt.Before(arrived) {
		arrived = time.Time{} // what it missed before may have been lost on that connection too
	}
	return a.log.startFor(position, arrived)
}

// learn notes the private id of a session, which all its sockets have.
func (a *adapter) learn(sid socket.SocketId, pid socket.PrivateSessionId) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.bySid[sid]; s != nil {
		s.pid = pid
		a.byPid[pid] = s
	}
}

// The methods below are called under the lock.

// hold puts the session among those without a socket.
func (a *adapter) hold(s *session) {
	s.element = a.saved.PushBack(s)
	for _, room := range s.rooms.Keys() {
		a.held[room]++
	}
}

// release takes it out again.
func (a *adapter) release(s *session) {
	if s.element == nil {
		return
	}
	a.saved.Remove(s.element)
	s.element = nil
	for _, room := range s.rooms.Keys() {
		if a.held[room]--; a.held[room] == 0 {
			delete(a.held, room)
		}
	}
}

// endRestore sets the state after a restore, and wakes the attempts that wait for its end.
func (a *adapter) endRestore(s *session, to state) {
	s.state = to
	close(s.settled)
}

func (a *adapter) forget(s *session) {
	a.release(s)
	if s.state == restoring {
		a.endRestore(s, saved)
	}
	delete(a.bySid, s.sid)
	delete(a.byPid, s.pid)
	delete(a.live, s.sid)
}

// forgetMember forgets the session of a socket that is closed, unless it was saved.
func (a *adapter) forgetMember(m *member) {
	if s := a.bySid[m.socket.Id()]; s != nil && s.state == live && s.member == m {
		a.forget(s)
	}
}

// trim drops the events and the sessions that are too old or too many.
func (a *adapter) trim() {
	now := time.Now()
	a.log.trim(now)
	for front := a.saved.Front(); front != nil; front = a.saved.Front() {
		s := front.Value.(*session)
		if a.saved.Len() <= a.builder.MaxSessions && now.Sub(s.savedAt) <= a.builder.MaxDisconnection {
			return
		}
		a.forget(s)
	}
}
