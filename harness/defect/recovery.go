package defect

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
)

// PublishedRecovery makes a server that does what the published tutorial does at step 6:
// connection state recovery with the library's own adapter, and no backlog for new pages. It
// promises level recovery and breaks that promise in four ways, each a row of the catalogue. A
// half-open switch of networks and a drop before any event are not recovered; a session that
// is restored twice receives nothing more; and events that are broadcast while a session is
// restored are lost.
//
// It emits a message unchanged, as any JSON value, as step 6 does.
func PublishedRecovery(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	return recovering(options, &socket.SessionAwareAdapterBuilder{})
}

// UsesUp is PublishedRecovery with a wrong fix for the session that is restored twice: each
// session can be restored only once. A page whose connection is cut before the answer arrives
// has lost its session.
var UsesUp = restoring(func(n int, s *socket.Session) *socket.Session {
	if n > 1 {
		return nil
	}
	return s
})

// OwnOffset is PublishedRecovery that replays from the last event that it sent, instead of
// from the page's offset. Events that it sent into a dead connection are lost.
func OwnOffset(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	return recovering(options, around(func(inner socket.Adapter) socket.Adapter {
		return &ownOffset{Adapter: inner, atDrop: map[socket.PrivateSessionId]string{}}
	}))
}

// OwnMessageFirst is PublishedRecovery that sends a message to the page that sent it before it sends
// it to the others.
func OwnMessageFirst(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	own := copied(options)
	onLibrary(own, &socket.SessionAwareAdapterBuilder{})
	server := socket.NewServer(nil, own)
	memoryChat(server, func(client *socket.Socket, value any) {
		_ = client.Emit(contract.ChatEvent, value)
		time.Sleep(5 * time.Millisecond)
		_ = client.Broadcast().Emit(contract.ChatEvent, value)
	})
	return served(server)
}

// recovering is the chat of step 6 as published, on the given adapter. Each of beside adds what
// the server does besides.
func recovering(options *socket.ServerOptions, adapter socket.AdapterConstructor, beside ...func(*socket.Server)) (http.Handler, io.Closer, error) {
	own := copied(options)
	onLibrary(own, adapter)
	server := socket.NewServer(nil, own)
	memoryChat(server, func(_ *socket.Socket, value any) { _ = server.Sockets().Emit(contract.ChatEvent, value) })
	for _, add := range beside {
		add(server)
	}
	return served(server)
}

// around wraps the library's session-aware adapter.
type around func(inner socket.Adapter) socket.Adapter

func (a around) New(nsp socket.Namespace) socket.Adapter {
	return a((&socket.SessionAwareAdapterBuilder{}).New(nsp))
}

type ownOffset struct {
	socket.Adapter
	mu     sync.Mutex
	newest string
	atDrop map[socket.PrivateSessionId]string
}

func (a *ownOffset) Broadcast(packet *parser.Packet, options *socket.BroadcastOptions) {
	a.Adapter.Broadcast(packet, options)
	if data, ok := packet.Data.([]any); ok && len(data) > 0 {
		if offset, ok := data[len(data)-1].(string); ok {
			a.mu.Lock()
			a.newest = offset
			a.mu.Unlock()
		}
	}
}

func (a *ownOffset) PersistSession(session *socket.SessionToPersist) {
	a.mu.Lock()
	a.atDrop[session.Pid] = a.newest
	a.mu.Unlock()
	a.Adapter.PersistSession(session)
}

func (a *ownOffset) RestoreSession(pid socket.PrivateSessionId, _ string) (*socket.Session, error) {
	a.mu.Lock()
	offset := a.atDrop[pid]
	a.mu.Unlock()
	return a.Adapter.RestoreSession(pid, offset)
}
