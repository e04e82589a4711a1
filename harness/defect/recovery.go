package defect

import (
	"io"
	"net/http"
	"sync"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
)

// PublishedRecovery makes a server that does what the published tutorial does at step
// 6: connection state recovery with the library's own adapter, and nothing that every
// new page is sent. It promises level recovery, and breaks that promise in four ways,
// each a row of the catalogue: a half-open switch of networks and a drop before any
// event are not recovered, a session that was restored and restored again goes deaf,
// and what is broadcast while a session is restored passes it by.
//
// What is said is given back as it is: any JSON value, as step 6 does.
func PublishedRecovery(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	return recovering(options, &socket.SessionAwareAdapterBuilder{})
}

// UsesUp is PublishedRecovery with a cure for the session that is restored twice that is
// worse than the illness: a session can be restored once in its life. A page that is cut
// off before it has the answer has lost it.
func UsesUp(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	return recovering(options, around(func(inner socket.Adapter) socket.Adapter {
		return &usesUp{Adapter: inner, used: map[socket.PrivateSessionId]bool{}}
	}))
}

// OwnOffset is PublishedRecovery that goes on from what it sent last and not from what
// the page has. What it sent into a connection that was dead already is lost.
func OwnOffset(_ string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
	return recovering(options, around(func(inner socket.Adapter) socket.Adapter {
		return &ownOffset{Adapter: inner, atDrop: map[socket.PrivateSessionId]string{}}
	}))
}

// recovering is the chat of step 6 as published, on an adapter.
func recovering(options *socket.ServerOptions, adapter socket.AdapterConstructor) (http.Handler, io.Closer, error) {
	own := copied(options)
	onLibrary(own, adapter)
	server := socket.NewServer(nil, own)
	memoryChat(server, func(_ *socket.Socket, value any) { _ = server.Sockets().Emit(contract.ChatEvent, value) })
	return served(server)
}

// around makes adapters that go around the library's.
type around func(inner socket.Adapter) socket.Adapter

func (a around) New(nsp socket.Namespace) socket.Adapter {
	return a((&socket.SessionAwareAdapterBuilder{}).New(nsp))
}

type usesUp struct {
	socket.Adapter
	mu   sync.Mutex
	used map[socket.PrivateSessionId]bool
}

func (a *usesUp) RestoreSession(pid socket.PrivateSessionId, offset string) (*socket.Session, error) {
	a.mu.Lock()
	used := a.used[pid]
	a.used[pid] = true
	a.mu.Unlock()
	if used {
		return nil, nil
	}
	return a.Adapter.RestoreSession(pid, offset)
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
