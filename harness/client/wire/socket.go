package wire

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"

	"redial/harness/history"
	"redial/harness/protocol"
)

// The reasons that the official client gives for a disconnection.
const (
	transportClose   = "transport close"
	transportError   = "transport error"
	pingTimeout      = "ping timeout"
	parseError       = "parse error"
	ServerDisconnect = "io server disconnect"
	clientDisconnect = "io client disconnect"
)

// A view is one page load of a Client. The Client's lock guards its fields, and is held by the
// caller of a method unless that runs on its own goroutine.
type view struct {
	wire    *Client
	number  int
	running sync.WaitGroup

	manager   *manager // nil while the view is to stay disconnected
	connected bool
	shown     int
	offset    int64 // of the last message shown
	cursors   protocol.Cursors

	// For connection state recovery: the private session id and the offset of the last event.
	session    string
	lastOffset *string

	received [][]any          // events that came before it was connected
	entering *enterState      // not nil while Protocol.Enter is under way
	unsent   []*parser.Packet // emitted before it was connected
	nextID   uint64
	awaiting map[uint64]string // messages by the id of the acknowledgement due
	queue    queue             // with Retries, the messages that are not acknowledged
	page     page
}

// A manager keeps a view connected from a connect to the next disconnect, with any number of
// connections.
type manager struct {
	cancel context.CancelFunc
	engine *engine // nil while there is no connection
}

func newView(w *Client, number int) *view {
	v := &view{
		wire:     w,
		number:   number,
		awaiting: map[uint64]string{},
		page:     page{own: map[string]int{}, shown: map[string][]int64{}},
	}
	if begin := w.options.ServerOffset; begin != nil && w.proto.Receive.Opaque {
		v.offset = v.cursors.Of(begin)
	} else {
		v.offset, _ = protocol.WholeNumber(begin)
	}
	return v
}

func (v *view) record(e history.Event) {
	if v.wire.options.Record == nil {
		return
	}
	e.Client, e.View = v.wire.options.Name, v.number
	v.wire.options.Record(e)
}

// connect starts to connect and reconnect, unless the view does already.
func (v *view) connect() {
	if v.manager != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	manager := &manager{cancel: cancel}
	v.manager = manager
	v.running.Go(func() { v.keepConnected(ctx, manager) })
}

// disconnect is socket.disconnect(): it sends a DISCONNECT packet if the server has a socket.
func (v *view) disconnect() {
	if v.connected || v.entering != nil {
		v.write(&parser.Packet{Type: parser.DISCONNECT})
	}
	v.leave()
	if v.connected {
		v.onDisconnect(clientDisconnect)
	}
}

// leave ends the manager. Queued packets are still written, but later ones from the server are
// ignored.
func (v *view) leave() {
	v.stopWaiting()
	v.stopEntering()
	if v.manager == nil {
		return
	}
	v.manager.cancel()
	if v.manager.engine != nil {
		v.manager.engine.leave()
	}
	v.manager = nil
}

// onDisconnect records the end of a connection. Acknowledgements that were due on it will not
// come, except those of messages that were not sent yet.
func (v *view) onDisconnect(reason string) {
	v.connected = false
	v.stopWaiting()
	v.stopEntering()
	v.record(history.Event{Kind: history.Disconnected, Detail: reason})
	unsent := map[uint64]bool{}
	for _, p := range v.unsent {
		if p.Id != nil {
			unsent[*p.Id] = true
		}
	}
	maps.DeleteFunc(v.awaiting, func(id uint64, _ string) bool { return !unsent[id] })
}

// keepConnected runs on the manager's goroutine.
func (v *view) keepConnected(ctx context.Context, manager *manager) {
	failing := false
	for attempt := 0; ; attempt++ {
		var to endpoint
		if !v.ifCurrent(manager, func() { to = v.endpoint() }) {
			return
		}
		engine, err := v.wire.dial(ctx, to)
		if err == nil {
			attempt = 0
			v.useConnection(ctx, manager, engine)
		} else if !failing { // one note for consecutive failures
			v.ifCurrent(manager, func() {
				v.record(history.Event{Kind: history.Note, Detail: "connect_error: " + err.Error()})
			})
		}
		failing = err != nil
		var delay time.Duration
		if !v.ifCurrent(manager, func() { delay = v.wire.delay(attempt) }) {
			return
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
	}
}

// useConnection runs on the manager's goroutine until the connection has ended.
func (v *view) useConnection(ctx context.Context, manager *manager, engine *engine) {
	defer engine.wait()
	if !v.ifCurrent(manager, func() { manager.engine = engine }) {
		engine.leave()
		return
	}
	if !v.wire.options.EagerConnect {
		select {
		case <-time.After(connectDelay):
		case <-ctx.Done():
		}
	}
	v.ifCurrent(manager, v.sendConnect)

	decoder := newDecoder(v.wire.proto.Parser, func(p *parser.Packet) {
		v.ifCurrent(manager, func() { v.handle(p) })
	})
	defer decoder.Destroy()
	reason := engine.read(decoder.add)
	v.ifCurrent(manager, func() {
		manager.engine = nil
		v.onDisconnect(reason)
	})
}

// ifCurrent calls do with the lock held, unless the view has another manager by now.
func (v *view) ifCurrent(manager *manager, do func()) bool {
	v.wire.mu.Lock()
	defer v.wire.mu.Unlock()
	if v.manager != manager {
		return false
	}
	do()
	return true
}

// sendConnect asks to recover the session if there is one. Events that came over an earlier
// connection before its own connect packet are discarded, because the server sends them again.
// The official client would deliver them twice; the pages of the steps prevent that.
func (v *view) sendConnect() {
	v.received = nil
	auth := v.auth()
	if v.session != "" {
		recovery := map[string]any{"pid": v.session}
		if v.lastOffset != nil {
			recovery["offset"] = *v.lastOffset
		}
		maps.Copy(recovery, auth) // the page's own fields win
		auth = recovery
	}
	connect := &parser.Packet{Type: parser.CONNECT}
	if auth != nil { // a nil map in Data would be written as null
		connect.Data = auth
	}
	v.write(connect)
}

// write sends a packet over the connection. Without a connection the packet is lost.
func (v *view) write(p *parser.Packet) {
	if v.manager == nil || v.manager.engine == nil {
		return
	}
	p.Nsp = v.wire.namespace()
	if m, ok := p.Data.(message); ok { // filled in late, because Enter may save values for it
		p.Data = v.arguments(m)
	}
	v.manager.engine.send(encode(v.wire.proto.Parser, p)...)
}

// emit sends an event now, or later if the view is not connected.
func (v *view) emit(p *parser.Packet) {
	if v.connected && v.wire.knowsAwaited() {
		v.write(p)
	} else {
		v.unsent = append(v.unsent, p)
	}
}

func (v *view) newID() uint64 {
	v.nextID++
	return v.nextID - 1
}

// await registers an acknowledgement for the text and returns its id.
func (v *view) await(text string) (id uint64) {
	id = v.newID()
	v.awaiting[id] = text
	return id
}

func (v *view) handle(p *parser.Packet) {
	if p.Nsp != v.wire.namespace() {
		return
	}
	if v.wire.OnPacket != nil {
		v.wire.OnPacket(p)
	}
	switch p.Type {
	case parser.CONNECT:
		v.onConnect(p.Data)
	case parser.EVENT, parser.BINARY_EVENT:
		args, _ := p.Data.([]any)
		if p.Id != nil {
			args = append(args, acknowledgeable{}) // a page gets a function here
		}
		v.learn(args)
		if v.connected {
			v.onEvent(args)
			return
		}
		v.received = append(v.received, args)
		if v.entering != nil {
			v.enter()
		}
	case parser.ACK, parser.BINARY_ACK:
		v.onAcknowledgement(p)
	case parser.DISCONNECT:
		v.leave()
		v.onDisconnect(ServerDisconnect)
		if v.wire.proto.Reconnects {
			v.connect()
		}
	case parser.CONNECT_ERROR:
		v.leave() // as in the official client, which does not reconnect then
		v.record(history.Event{Kind: history.Note, Detail: "connect_error: " + describe(p.Data)})
	}
}

// NoSid is the note of a client that does not connect, because its server is too old.
const NoSid = "connect_error: the CONNECT packet has no sid: the server speaks the protocol of Socket.IO 2, and the kit that of 3 and 4"

// acknowledgeable stands for the function with which a page acknowledges an event.
type acknowledgeable struct{}

// onConnect handles the server's answer to CONNECT, and starts Protocol.Enter.
func (v *view) onConnect(data any) {
	fields, _ := data.(map[string]any)
	if sid, _ := fields["sid"].(string); sid == "" { // the official client does not connect, either
		v.record(history.Event{Kind: history.Note, Detail: NoSid})
		return
	}
	session, _ := fields["pid"].(string)
	recovered := session != "" && v.session == session
	v.session = session
	v.entering = &enterState{recovered: recovered, from: len(v.received)}
	v.enter()
}

// onEntered delivers the events that were held back, then sends the buffered ones, and then
// records the connection, in the official client's order.
func (v *view) onEntered(recovered bool) {
	v.connected = true
	received := v.received
	v.received = nil
	for _, args := range received {
		v.onEvent(args)
	}
	v.sendUnsent()
	v.record(history.Event{Kind: history.Connected, Recovered: recovered})
}

// sendUnsent sends the buffered events if the view is connected and the values in its messages are
// known.
func (v *view) sendUnsent() {
	if !v.connected || !v.wire.knowsAwaited() {
		return
	}
	unsent := v.unsent
	v.unsent = nil
	for _, p := range unsent {
		v.write(p)
	}
	v.sendFirst()
}

func (v *view) onEvent(args []any) {
	if len(args) == 0 {
		return
	}
	if name, ok := args[0].(string); ok {
		v.show(name, args[1:])
	}
	if v.session == "" {
		return
	}
	if offset, ok := args[len(args)-1].(string); ok {
		v.lastOffset = &offset
	}
}

func (v *view) onAcknowledgement(p *parser.Packet) {
	if p.Id == nil {
		return
	}
	args, _ := p.Data.([]any)
	if v.onEnterAcknowledged(*p.Id, args) {
		return
	}
	text, due := v.awaiting[*p.Id]
	if !due {
		return
	}
	delete(v.awaiting, *p.Id)
	defer v.answered(*p.Id)
	if reason, refused := v.wire.proto.Send.Refusal(args); refused {
		v.record(history.Event{Kind: history.Refused, Message: text, Detail: describe(reason)})
		return
	}
	v.record(history.Event{Kind: history.Acknowledged, Message: text})
}
