package seam

import (
	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// Adapter builds the library's default in-memory adapter with pauses.
func (s Seams) Adapter() *AdapterBuilder {
	return &AdapterBuilder{s, &socket.AdapterBuilder{}}
}

// An AdapterBuilder builds adapters that pause before a broadcast, before a session is saved,
// before and after it is restored, and before a socket joins its rooms.
type AdapterBuilder struct {
	seams Seams
	inner socket.AdapterConstructor
}

// Around returns a builder that adds the pauses to the adapters of inner.
func (b *AdapterBuilder) Around(inner socket.AdapterConstructor) socket.AdapterConstructor {
	return &AdapterBuilder{b.seams, inner}
}

// New builds the adapter of a namespace.
func (b *AdapterBuilder) New(nsp socket.Namespace) socket.Adapter {
	return &adapter{b.inner.New(nsp), b.seams}
}

type adapter struct {
	socket.Adapter
	seams Seams
}

func (a *adapter) Broadcast(packet *parser.Packet, options *socket.BroadcastOptions) {
	a.seams.Pause("before a broadcast")
	a.Adapter.Broadcast(packet, options)
}

func (a *adapter) PersistSession(session *socket.SessionToPersist) {
	if !a.seams.isEnding() {
		a.seams.Pause("before saving a session")
	}
	a.Adapter.PersistSession(session)
}

func (a *adapter) RestoreSession(pid socket.PrivateSessionId, offset string) (*socket.Session, error) {
	a.seams.Pause("before restoring a session")
	session, err := a.Adapter.RestoreSession(pid, offset)
	a.seams.Pause("after restoring a session")
	return session, err
}

func (a *adapter) AddAll(id socket.SocketId, rooms *types.Set[socket.Room]) {
	a.seams.Pause("before joining")
	a.Adapter.AddAll(id, rooms)
}
