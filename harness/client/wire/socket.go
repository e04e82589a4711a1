package wire

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"redial/harness/contract"
	"redial/harness/history"
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

	// For connection state recovery: what the server called this session, and the
	// offset of the last event.
	session    string
	lastOffset *string

	received [][]any          // events that came before CONNECT was answered
	unsent   []*parser.Packet // said before that
	nextID   uint64
	awaiting map[uint64]string // messages by the id of the acknowledgement due
	pending  map[string]int    // of these, the ones not seen otherwise, by text
	queue    queue             // with Retries: what is said is here until it is acknowledged
}

// A wireLink lasts from one connect to the disconnect that ends it, over any
// number of connections.
type wireLink struct {
	cancel context.CancelFunc
	engine *engine // nil while there is no connection
}

func newView(w *Client, number int) *view {
	return &view{
		wire:     w,
		number:   number,
		offset:   w.options.ServerOffset,
		awaiting: map[uint64]string{},
		pending:  map[string]int{},
	}
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
	if v.connected {
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
		engine, err := v.wire.dial(ctx)
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

	decoder := parser.NewDecoder(&parser.DecoderOptions{MaxAttachments: 1000})
	decoder.On("decoded", func(args ...any) { // on this goroutine, from within Add
		v.ifCurrent(link, func() { v.handle(args[0].(*parser.Packet)) })
	})
	defer decoder.Destroy()
	reason := engine.read(func(p packet) error {
		if p.binary != nil {
			return decoder.Add(p.binary)
		}
		return decoder.Add(p.text)
	})
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
	auth := v.wire.auth(v.offset)
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
	v.write(&parser.Packet{Type: parser.CONNECT, Data: auth})
}

// write hands a packet to the connection; without one it is lost.
func (v *view) write(p *parser.Packet) {
	if v.link == nil || v.link.engine == nil {
		return
	}
	var packets []packet
	for _, buffer := range parser.NewEncoder().Encode(p) {
		if _, isText := buffer.(*types.StringBuffer); isText {
			packets = append(packets, packet{text: messagePacket + buffer.String()})
		} else {
			packets = append(packets, packet{binary: buffer.Bytes()})
		}
	}
	v.link.engine.send(packets...)
}

// emit writes an event now or, while not connected, later.
func (v *view) emit(p *parser.Packet) {
	if v.connected {
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
	if p.Nsp != "/" {
		return
	}
	switch p.Type {
	case parser.CONNECT:
		v.onConnect(p.Data)
	case parser.EVENT, parser.BINARY_EVENT:
		args, _ := p.Data.([]any)
		if p.Id != nil {
			args = append(args, acknowledgeable{}) // where a page finds a function
		}
		if v.connected {
			v.onEvent(args)
		} else {
			v.received = append(v.received, args)
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

// onConnect delivers what was held back, then sends what was, and only then
// counts as connected for the page: the official client's order.
func (v *view) onConnect(data any) {
	fields, _ := data.(map[string]any)
	session, _ := fields["pid"].(string)
	recovered := session != "" && v.session == session
	v.session = session
	v.connected = true
	received, unsent := v.received, v.unsent
	v.received, v.unsent = nil, nil
	for _, args := range received {
		v.onEvent(args)
	}
	for _, p := range unsent {
		v.write(p)
	}
	v.sendFirst()
	v.record(history.Event{Kind: history.Connected, Recovered: recovered})
}

func (v *view) onEvent(args []any) {
	if len(args) > 1 && args[0] == contract.ChatEvent {
		v.onMessage(args[1:])
	}
	if len(args) == 0 || v.session == "" {
		return
	}
	if offset, ok := args[len(args)-1].(string); ok {
		v.lastOffset = &offset
	}
}

// onMessage shows a message, (text [, offset]), and then moves the offset.
func (v *view) onMessage(args []any) {
	e := history.Event{Kind: history.Shown, Message: describe(args[0])}
	numbered := false
	if len(args) > 1 {
		e.Offset, numbered = wholeNumber(args[1])
	}
	if numbered && e.Offset <= v.offset && !v.wire.Raw {
		return
	}
	v.shown++
	v.record(e)
	v.settled(e.Message)
	v.offset = max(v.offset, e.Offset)
}

func (v *view) onAcknowledgement(p *parser.Packet) {
	if p.Id == nil {
		return
	}
	text, due := v.awaiting[*p.Id]
	if !due {
		return
	}
	delete(v.awaiting, *p.Id)
	v.settled(text)
	defer v.answered(*p.Id)
	if args, _ := p.Data.([]any); len(args) > 0 {
		if answer, ok := args[0].(map[string]any); ok && answer[contract.RefusalField] != nil {
			v.record(history.Event{Kind: history.Refused, Message: text, Detail: describe(answer[contract.RefusalField])})
			return
		}
	}
	v.record(history.Event{Kind: history.Acknowledged, Message: text})
}

// wholeNumber reads an offset. JSON numbers are exact up to 2^53.
func wholeNumber(value any) (number int64, ok bool) {
	f, ok := value.(float64)
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// describe is the text of a value: a string as it is, binary in base64, and
// anything else as JSON.
func describe(value any) string {
	switch typed := value.(type) {
	case string:
		return typed
	case types.BufferInterface:
		return "binary:" + base64.StdEncoding.EncodeToString(typed.Bytes())
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(data)
}
