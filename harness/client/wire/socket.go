package wire

import (
	"context"
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
	serverDisconnect = "io server disconnect"
	clientDisconnect = "io client disconnect"
)

// A wireView is one page load of a Wire. Its fields and methods are guarded by
// the Wire's lock, except where a method says that it runs on its own goroutine.
type view struct {
	wire    *Client
	number  int
	running sync.WaitGroup

	link      *wireLink // nil while nobody wants a connection
	connected bool
	shown     int
	offset    int64 // the last one shown
	cursors   protocol.Cursors

	// For connection state recovery: what the server called this session, and the
	// offset of the last event.
	session    string
	lastOffset *string

	received [][]any          // events that came before it was connected
	entering *entry           // not nil while Protocol.Enter is under way
	unsent   []*parser.Packet // emitted before it was connected
	nextID   uint64
	awaiting map[uint64]string // messages by the id of the acknowledgement due
	pending  map[string]int    // of these, the ones not seen otherwise, by text
	queue    queue             // with Retries: messages are here until they are acknowledged
	page     page
}

// A wireLink lasts from one connect to the disconnect that ends it, over any
// number of connections.
type wireLink struct {
	cancel context.CancelFunc
	engine *engine // nil while there is no connection
}

func newView(w *Client, number int) *view {
	v := &view{
		wire:     w,
		number:   number,
		awaiting: map[uint64]string{},
		pending:  map[string]int{},
		page:     newPage(),
	}
	if begin := w.options.ServerOffset; begin != nil && w.speaks.Receive.Opaque {
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

// connect starts to connect, and to reconnect, unless that is under way.
func (v *view) connect() {
	if v.link != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	link := &wireLink{cancel: cancel}
	v.link = link
	v.running.Go(func() { v.keepConnected(ctx, link) })
}

// disconnect is the page's own: a goodbye, if there is somebody to say it to.
func (v *view) disconnect() {
	if v.connected || v.entering != nil {
		v.write(&parser.Packet{Type: parser.DISCONNECT})
	}
	v.leave()
	if v.connected {
		v.lost(clientDisconnect)
	}
}

// leave ends the link. What is still to be written is, but nothing that comes in
// from here on is looked at.
func (v *view) leave() {
	v.stopWaiting()
	v.stopEntering()
	if v.link == nil {
		return
	}
	v.link.cancel()
	if v.link.engine != nil {
		v.link.engine.leave()
	}
	v.link = nil
}

// lost notes the end of a connection. The acknowledgements due on it will not
// come; those of what was never sent still may.
func (v *view) lost(reason string) {
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
	for id, text := range v.awaiting {
		if !unsent[id] {
			delete(v.awaiting, id)
			v.settled(text)
		}
	}
}

// keepConnected runs on its own goroutine for as long as the link lasts.
func (v *view) keepConnected(ctx context.Context, link *wireLink) {
	failing := false
	for attempt := 0; ; attempt++ {
		var to endpoint
		if !v.ifCurrent(link, func() { to = v.endpoint() }) {
			return
		}
		engine, err := v.wire.dial(ctx, to)
		if err == nil {
			attempt = 0
			v.converse(ctx, link, engine)
		} else if !failing { // the first of a row is worth a note
			v.ifCurrent(link, func() {
				v.record(history.Event{Kind: history.Note, Detail: "connect_error: " + err.Error()})
			})
		}
		failing = err != nil
		var delay time.Duration
		wanted := v.ifCurrent(link, func() {
			delay = v.wire.Backoff.Delay(attempt, v.wire.random.Float64())
		})
		if !wanted {
			return
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
	}
}

// converse runs on the link's goroutine, over one connection, until it has ended.
func (v *view) converse(ctx context.Context, link *wireLink, engine *engine) {
	defer engine.wait()
	if !v.ifCurrent(link, func() { link.engine = engine }) {
		engine.leave()
		return
	}
	if !v.wire.options.EagerConnect {
		select {
		case <-time.After(connectDelay):
		case <-ctx.Done():
		}
	}
	v.ifCurrent(link, v.sendConnect)

	decoder := newDecoder(v.wire.speaks.Parser, func(p *parser.Packet) {
		v.ifCurrent(link, func() { v.handle(p) })
	})
	defer decoder.Destroy()
	reason := engine.read(decoder.add)
	v.ifCurrent(link, func() {
		link.engine = nil
		v.lost(reason)
	})
}

// ifCurrent does something under the lock, unless the link is of the past.
func (v *view) ifCurrent(link *wireLink, do func()) bool {
	v.wire.mu.Lock()
	defer v.wire.mu.Unlock()
	if v.link != link {
		return false
	}
	do()
	return true
}

// sendConnect asks for the old session back if there was one. What a connection before
// this one brought, and held back since its own connect packet never came, will come
// again: the official client would show it twice, and the pages of the steps see to it
// that it does not.
func (v *view) sendConnect() {
	v.received = nil
	auth := v.auth()
	if v.session != "" {
		recovery := map[string]any{"pid": v.session}
		if v.lastOffset != nil {
			recovery["offset"] = *v.lastOffset
		}
		for field, value := range auth { // the page's own fields win
			recovery[field] = value
		}
		auth = recovery
	}
	connect := &parser.Packet{Type: parser.CONNECT}
	if auth != nil { // a nil map in Data would be written as null
		connect.Data = auth
	}
	v.write(connect)
}

// write hands a packet to the connection; without one it is lost.
func (v *view) write(p *parser.Packet) {
	if v.link == nil || v.link.engine == nil {
		return
	}
	p.Nsp = v.wire.namespace()
	if m, ok := p.Data.(message); ok { // filled in now: what Enter saves was not known before
		p.Data = v.arguments(m)
	}
	v.link.engine.send(encode(v.wire.speaks.Parser, p)...)
}

// emit writes an event now or, while not connected, later.
func (v *view) emit(p *parser.Packet) {
	if v.connected && v.wire.knows() {
		v.write(p)
	} else {
		v.unsent = append(v.unsent, p)
	}
}

// await expects an acknowledgement for the text, under the id that it returns.
func (v *view) await(text string) (id uint64) {
	id = v.nextID
	v.nextID++
	v.awaiting[id] = text
	v.pending[text]++
	return id
}

// settled takes one message with the text off the pending ones, if there is one.
func (v *view) settled(text string) {
	if v.pending[text] > 1 {
		v.pending[text]--
	} else {
		delete(v.pending, text)
	}
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
			args = append(args, acknowledgeable{}) // where a page finds a function
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
		v.lost(serverDisconnect)
	case parser.CONNECT_ERROR:
		v.leave() // the official client does not try again either
		v.record(history.Event{Kind: history.Note, Detail: "connect_error: " + describe(p.Data)})
	}
}

// acknowledgeable stands for the function with which a page would answer.
type acknowledgeable struct{}

// onConnect begins with what Protocol.Enter has a client do first.
func (v *view) onConnect(data any) {
	fields, _ := data.(map[string]any)
	session, _ := fields["pid"].(string)
	recovered := session != "" && v.session == session
	v.session = session
	v.entering = &entry{recovered: recovered, from: len(v.received)}
	v.enter()
}

// onEntered delivers what was held back, then sends what was, and only then
// counts as connected for the page: the official client's order.
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

// sendUnsent sends what had to wait, once the view is connected and knows what the messages
// contain.
func (v *view) sendUnsent() {
	if !v.connected || !v.wire.knows() {
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
	v.settled(text)
	defer v.answered(*p.Id)
	if reason, refused := v.wire.speaks.Send.Refusal(args); refused {
		v.record(history.Event{Kind: history.Refused, Message: text, Detail: describe(reason)})
		return
	}
	v.record(history.Event{Kind: history.Acknowledged, Message: text})
}
