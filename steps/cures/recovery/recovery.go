// Package recovery is connection state recovery without lost or reordered events: an adapter
// for github.com/zishang520/socket.io/servers/socket/v3, to be used in place of the library's
// SessionAwareAdapterBuilder.
//
// Read [Builder] first; [Builder.Apply] is all that a server needs:
//
//	options := socket.DefaultServerOptions()
//	(&recovery.Builder{Takeover: true}).Apply(options)
//	io := socket.NewServer(nil, options)
//
// # What it guarantees
//
// One order: in one step, an event is appended to the log and to every socket's queue. So every
// socket receives the recoverable events in the order of the log, with acknowledged and volatile
// events between them.
//
// An atomic restore: a socket that is being restored receives no broadcast before it is in its
// namespace. Then every event after its offset is queued, in order and once, and the socket
// becomes live in the same step. If its connection closes before that, the session is kept for
// the next attempt.
//
// A session is restored once. A late close of the old socket does not stop delivery to the
// restored one, which has the same id.
//
// A quiet room recovers: offsets are numbers. A client is restored if it lacks no event, even if
// the last event that it received, and later ones for other rooms, were deleted from the log. A
// restore is refused only if an event that the client may lack was deleted (more than MaxEvents
// followed its offset, or the client reconnects repeatedly without receiving what was
// replayed), if the session has expired, or if another process issued the offset.
//
// Bounded memory, by age and by count. Expired events and sessions are deleted whenever an event
// or a session is added or requested; there is no timer and no goroutine to stop.
//
// # What it cannot guarantee
//
// Events with an acknowledgement and volatile events are not stored, as in the reference
// implementation. If a volatile event's last argument is a string, which the client would take
// for an offset, the newest offset is appended, so that the client's offset stays valid.
//
// A client that has received no event has no offset and cannot ask to be restored; see
// Builder.OffsetEvent.
//
// If several goroutines write to one socket at once, one of them writes for all: Emit may then
// return just before its event is written. Listeners of OnAnyOutgoing are called after the event
// is queued; they may emit.
//
// The adapter listens to the sockets' "disconnecting" and "disconnect". Do not call
// RemoveAllListeners for these on a server-side socket.
//
// A listener of the adapter's "create-room", "join-room", "leave-room" and "delete-room" must not
// itself join or leave a room: it is called while the rooms change.
//
// The package must not import the chat or the harness.
//
// # What it works around
//
// library_test.go has a reproduction of each defect of the library's adapter:
// TestLibraryHalfOpen, TestLibraryZombie, TestLibraryOrder, TestLibraryIdle, TestLibraryVolatile,
// TestLibraryBinary and TestLibraryMemory. TestGap (probe_test.go) reproduces the event that is
// broadcast while a session is restored, and TestJoinMeetsTheLastLeave (rooms_test.go) counts the
// joins that the library's rooms lose. Upstream, this package could replace the session-aware
// adapter, as it implements the same interface.
package recovery

import (
	"container/list"
	"sync"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"
)

const (
	defaultMaxDisconnection = 2 * time.Minute
	defaultMaxEvents        = 10_000
	defaultMaxBytes         = 64 << 20
	defaultMaxSessions      = 10_000
	// The library's heartbeat where the options do not name one.
	defaultPingInterval, defaultPingTimeout = 25 * time.Second, 20 * time.Second
	// How long a restore waits for an older socket of its session to be gone.
	restoreTimeout = 5 * time.Second
)

// A Builder makes an adapter for each namespace. Its zero value is valid.
type Builder struct {
	// Takeover lets a client come back while its old connection is dead and the
	// server has not noticed: the old one is closed, its session saved, and the new
	// one restored. Without it such a client is not recovered, as in the reference.
	// It needs the default parser (the one that writes packets as text).
	Takeover bool
	// MaxDisconnection is how long a session is kept after its connection was seen
	// to close. Zero means the server's maxDisconnectionDuration, or 2 minutes.
	MaxDisconnection time.Duration
	// MaxEvents bounds the log. Zero means 10,000.
	MaxEvents int
	// MaxBytes bounds what is in the log's events, in bytes. Zero means 64 MB.
	MaxBytes int
	// MaxSessions bounds the saved sessions; the oldest go first. Zero means 10,000.
	MaxSessions int
	// SkipDirect keeps what is emitted to one socket (socket.Emit, or a broadcast to
	// one socket id) out of the log: it is sent, not stored, and moves no offset. It
	// is for applications that replay their own history to a socket, which would
	// otherwise be stored again for each connection.
	//
	// With it a recovered socket may lack what was emitted to it directly: after a
	// cut in the middle of a replay the application has to go on with the replay
	// though the socket says Recovered. A way that leaves neither gap nor overlap:
	// broadcast to a room, let the socket join it in one step with the end of the
	// replay, and replay to every socket that is not in that room when it connects.
	// A room once joined is restored with the session, and so are the events to it.
	//
	// For that to hold, a client is not restored that has received no stored event in
	// its session: where it names an offset, it is one from a session before, and the
	// end of the replay may not have reached it.
	SkipDirect bool
	// OffsetEvent, when not empty, is the name of an event that each new socket is
	// sent first, with its offset as the only argument, so that a client that has
	// received nothing else can still be restored. It is not stored.
	OffsetEvent string
}

// New makes the adapter of a namespace. It makes *Builder a
// socket.AdapterConstructor.
func (b *Builder) New(nsp socket.Namespace) socket.Adapter {
	a := &adapter{
		Adapter: socket.MakeAdapter(),
		builder: *b,
		bySid:   map[socket.SocketId]*session{},
		byPid:   map[socket.PrivateSessionId]*session{},
		live:    map[socket.SocketId]*member{},
		held:    map[socket.Room]int{},
		saved:   list.New(),
	}
	a.Prototype(a)
	a.Construct(nsp)
	return a
}

// An outer adapter can go around another one, as a test's does that delays or counts.
type outer interface {
	Around(inner socket.AdapterConstructor) socket.AdapterConstructor
}

// Apply sets the adapter, turns recovery on, and sets the recovery options that the
// application has left open, which the library does only for its own adapter; a
// MaxDisconnection replaces the application's. Where the
// options have an adapter already that can go around another one, it goes around this one.
func (b *Builder) Apply(options *socket.ServerOptions) {
	recovery := socket.DefaultConnectionStateRecovery()
	recovery.Assign(options.ConnectionStateRecovery()) // a copy, since the application may use its options again
	options.SetConnectionStateRecovery(recovery)
	if recovery.GetRawSkipMiddlewares() == nil {
		recovery.SetSkipMiddlewares(true)
	}
	if b.MaxDisconnection > 0 || recovery.GetRawMaxDisconnectionDuration() == nil {
		recovery.SetMaxDisconnectionDuration(orDefault(b.MaxDisconnection, defaultMaxDisconnection).Milliseconds())
	}
	if around, ok := options.Adapter().(outer); ok {
		options.SetAdapter(around.Around(b))
		return
	}
	options.SetAdapter(b)
}

// adapter adds sessions, a log and an order to the library's adapter, whose rooms
// it goes on using.
type adapter struct {
	socket.Adapter
	builder Builder
	// recovers is false when the server has recovery switched off: then events get
	// an order and no offset.
	recovers bool

	// unnoticed is how long a connection may have been dead when it is seen to be: a ping
	// was answered within the timeout, the next one was sent after the interval, and not
	// answered within the timeout. What was written before the first one had arrived.
	unnoticed time.Duration

	// rooms is held while a socket joins or leaves; see inRooms. Nothing else is
	// locked under it.
	rooms sync.Mutex

	// mu makes "append to the log and to every queue" one step. It is never held
	// while something is written or a listener is called.
	mu    sync.Mutex
	log   *eventLog
	bySid map[socket.SocketId]*session
	byPid map[socket.PrivateSessionId]*session
	// live holds the sockets that broadcasts go to.
	live map[socket.SocketId]*member
	// saved holds the sessions that no live socket has, the oldest first, and held
	// counts them by room.
	saved *list.List
	held  map[socket.Room]int
}

// Construct is called by New, and by nobody else.
func (a *adapter) Construct(nsp socket.Namespace) {
	a.Adapter.Construct(nsp)
	options := nsp.Server().Opts()
	maxDisconnection := a.builder.MaxDisconnection
	if recovery := options.ConnectionStateRecovery(); recovery != nil {
		a.recovers = true
		maxDisconnection = orDefault(maxDisconnection, time.Duration(recovery.MaxDisconnectionDuration())*time.Millisecond)
	}
	a.builder.MaxDisconnection = orDefault(maxDisconnection, defaultMaxDisconnection)
	a.builder.MaxSessions = orDefault(a.builder.MaxSessions, defaultMaxSessions)

	interval, timeout := orDefault(options.PingInterval(), defaultPingInterval), orDefault(options.PingTimeout(), defaultPingTimeout)
	a.unnoticed = timeout + interval + timeout
	a.log = newEventLog(orDefault(a.builder.MaxEvents, defaultMaxEvents), orDefault(a.builder.MaxBytes, defaultMaxBytes), a.builder.MaxDisconnection+a.unnoticed)
}

// Close forgets every session and event.
func (a *adapter) Close() {
	a.mu.Lock()
	for _, s := range a.bySid {
		a.forget(s)
	}
	a.log.clear()
	a.mu.Unlock()
	a.Adapter.Close()
}

func orDefault[T ~int | ~int64](value, otherwise T) T {
	if value > 0 {
		return value
	}
	return otherwise
}
