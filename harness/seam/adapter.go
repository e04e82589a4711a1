package seam

import (
	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// Adapter makes the library's plain adapter, with pauses.
func (s Seams) Adapter() *AdapterBuilder {
	return &AdapterBuilder{s, &socket.AdapterBuilder{}}
}

// An AdapterBuilder makes an adapter with a pause wherever the library calls it in the
// course of sending, connecting or leaving.
type AdapterBuilder struct {
	seams Seams
	inner socket.AdapterConstructor
}

// Around puts the pauses around another adapter.
func (b *AdapterBuilder) Around(inner socket.AdapterConstructor) socket.AdapterConstructor {
	return &AdapterBuilder{b.seams, inner}
}

// New makes the adapter of a namespace.
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
