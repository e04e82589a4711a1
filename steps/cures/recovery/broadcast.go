package recovery

import (
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// Broadcast stores the event if it is recoverable and sends it.
func (a *adapter) Broadcast(packet *parser.Packet, opts *socket.BroadcastOptions) {
	a.send(packet, opts, nil)
}

// BroadcastWithAck sends the event, in its place among the others, and does not
// store it: an acknowledgement cannot be asked for again after a reconnection.
func (a *adapter) BroadcastWithAck(packet *parser.Packet, opts *socket.BroadcastOptions, clientCount func(uint64), ack socket.Ack) {
	id := a.Nsp().Ids()
	packet.Id = &id
	sent := a.send(packet, opts, func(s *socket.Socket) { s.Acks().Store(id, ack) })
	clientCount(uint64(sent))
}

// send appends the event to the log and to the queues of its recipients, in one step, and
// then writes the queues. It returns the number of recipients.
func (a *adapter) send(packet *parser.Packet, opts *socket.BroadcastOptions, prepare func(*socket.Socket)) int {
	packet.Nsp = a.Nsp().Name()

	a.mu.Lock()
	recoverable := a.stamp(packet, opts)
	m := a.encode(packet, opts.Flags)
	if recoverable {
		a.log.append(event{message: m, at: time.Now(), rooms: opts.Rooms, except: opts.Except})
	}
	members := a.recipients(opts)
	for _, member := range members {
		if prepare != nil {
			prepare(member.socket)
		}
		member.push(m)
	}
	a.mu.Unlock()

	for _, member := range members {
		member.write()
	}
	for _, member := range members {
		member.socket.NotifyOutgoingListeners()(packet)
	}
	return len(members)
}

// stamp appends the offset to the event's arguments and tells whether the event is
// to be stored. The client takes a last argument that is a string for an offset
// whatever it was meant to be, and the name of an event without arguments, too. So an
// event that is not stored and ends in a string gets the newest offset: the client has
// been sent everything up to there. With SkipDirect that is not so of an event for one
// socket only, which may be a part of a replay: it gets a null behind it, and moves no
// offset.
func (a *adapter) stamp(packet *parser.Packet, opts *socket.BroadcastOptions) bool {
	if packet.Id != nil || !a.recovers {
		return false
	}
	data := packet.Data.([]any) // the event's name, then its arguments
	end := data[:len(data):len(data)]
	_, endsInString := data[len(data)-1].(string)
	switch {
	case a.builder.SkipDirect && a.direct(opts):
		if endsInString {
			packet.Data = append(end, nil)
		}
		return false
	case opts.Flags.Volatile:
		if endsInString {
			packet.Data = append(end, a.log.offset(a.log.newest()))
		}
		return false
	}
	packet.Data = append(end, a.log.offset(a.log.newest()+1))
	return true
}

// direct tells whether the event is for one socket: for one room that is a socket's
// id, or that nobody is in, live or saved (a socket that is gone).
func (a *adapter) direct(opts *socket.BroadcastOptions) bool {
	rooms := opts.Rooms.Keys()
	if len(rooms) != 1 {
		return false
	}
	if _, isID := a.bySid[socket.SocketId(rooms[0])]; isID {
		return true
	}
	_, occupied := a.Rooms().Load(rooms[0])
	return !occupied && a.held[rooms[0]] == 0
}

// encode encodes the packet once for all its recipients, now and later.
func (a *adapter) encode(packet *parser.Packet, flags *socket.BroadcastFlags) message {
	m := message{
		buffers: a.Nsp().Server().Encoder().Encode(packet),
		options: &socket.WriteOptions{},
	}
	// Not WsPreEncodedFrame, though it says that it is built once: the library makes a
	// gorilla PreparedMessage of it for every packet of every socket, which costs six
	// times the memory of writing the text.
	m.options.Volatile = flags.Volatile
	m.options.Compress = flags.Compress
	return m
}

// recipients are the live sockets that opts names, each once.
func (a *adapter) recipients(opts *socket.BroadcastOptions) []*member {
	except := a.idsIn(opts.Except)
	var members []*member
	add := func(id socket.SocketId) {
		m, live := a.live[id]
		if _, excepted := except[id]; live && !excepted {
			members = append(members, m)
		}
	}
	if opts.Rooms.Len() == 0 {
		for id := range a.live {
			add(id)
		}
		return members
	}
	for id := range a.idsIn(opts.Rooms) {
		add(id)
	}
	return members
}

func (a *adapter) idsIn(rooms *types.Set[socket.Room]) map[socket.SocketId]struct{} {
	ids := map[socket.SocketId]struct{}{}
	for _, room := range rooms.Keys() {
		if inRoom, ok := a.Rooms().Load(room); ok {
			for _, id := range inRoom.Keys() {
				ids[id] = struct{}{}
			}
		}
	}
	return ids
}

// offsetEvent is the event that does nothing but carry the newest offset.
func (a *adapter) offsetEvent() message {
	return a.encode(&parser.Packet{
		Type: parser.EVENT,
		Nsp:  a.Nsp().Name(),
		Data: []any{a.builder.OffsetEvent, a.log.offset(a.log.newest())},
	}, &socket.BroadcastFlags{})
}
