package doctor

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"

	"redial/harness/client"
	"redial/harness/client/wire"
	"redial/harness/history"
	"redial/harness/protocol"
)

// A witness is a client that records every packet that reaches it.
type witness struct {
	*wire.Client
	speaks  protocol.Protocol
	numbers bool // whether offsets are numbers and a string is an offset of session recovery

	mu      sync.Mutex
	entries []entry
	changed chan struct{}
	conns   []net.Conn
}

// An entry is a packet that arrived, or an event that the client recorded.
type entry struct {
	history.Event
	packet *parser.Packet
}

// mostEntries limits the memory of a witness, because a server may never stop sending.
const mostEntries = 50_000

// reconnectDelay leaves time to send a message while a client is disconnected.
const reconnectDelay = 300 * time.Millisecond

// newWitness makes a client from the options, whose Record and Dial it sets itself.
func newWitness(options client.Options) *witness {
	w := &witness{speaks: protocol.Tutorial(), numbers: options.Protocol == nil, changed: make(chan struct{}, 1)}
	if options.Protocol != nil {
		w.speaks = *options.Protocol
	}
	options.Record = func(e history.Event) { w.add(entry{Event: e}) }
	options.ReconnectDelay = reconnectDelay
	options.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			w.mu.Lock()
			w.conns = append(w.conns, conn)
			w.mu.Unlock()
		}
		return conn, err
	}
	w.Client = wire.New(options)
	w.Raw = true
	w.OnPacket = func(p *parser.Packet) { w.add(entry{packet: p}) }
	return w
}

func (w *witness) add(e entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.entries) < mostEntries {
		w.entries = append(w.entries, e)
	}
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// cut closes the connections without a close frame, as a network failure does.
func (w *witness) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range w.conns {
		_ = conn.Close() // it may be closed already
	}
	w.conns = nil
}

// from returns the entries after the first seen ones.
func (w *witness) from(seen int) []entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.entries[min(seen, len(w.entries)):])
}

func (w *witness) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.entries)
}

// await waits for an entry after the first seen ones, up to a time limit. Only one goroutine
// at a time may wait on a witness.
func (w *witness) await(ctx context.Context, seen int, within time.Duration, is func(entry) bool) (found entry, ok bool) {
	bound := time.NewTimer(within)
	defer bound.Stop()
	for {
		for _, e := range w.from(seen) {
			if seen++; is(e) {
				return e, true
			}
		}
		select {
		case <-w.changed:
		case <-bound.C:
			return found, false
		case <-ctx.Done():
			return found, false
		}
	}
}

// event returns the name and the arguments of the event in an entry.
func (e entry) event() (name string, args []any, ok bool) {
	if e.packet == nil || e.packet.Type != parser.EVENT && e.packet.Type != parser.BINARY_EVENT {
		return "", nil, false
	}
	list, _ := e.packet.Data.([]any)
	if len(list) == 0 {
		return "", nil, false
	}
	name, ok = list[0].(string)
	return name, list[1:], ok
}

// session is the pid of the last CONNECT, with which the server offers to restore a session, or "".
func (w *witness) session() (pid string) {
	for _, e := range w.from(0) {
		if e.packet != nil && e.packet.Type == parser.CONNECT {
			fields, _ := e.packet.Data.(map[string]any)
			pid, _ = fields["pid"].(string)
		}
	}
	return pid
}

// refusal is what the server answered to the last CONNECT that it refused, or "".
func (w *witness) refusal() (text string) {
	for _, e := range w.from(0) {
		if e.packet != nil && e.packet.Type == parser.CONNECT_ERROR {
			why := e.packet.Data
			if fields, ok := why.(map[string]any); ok && fields["message"] != nil {
				why = fields["message"]
			}
			text = protocol.TextOf(why)
		}
	}
	return text
}

// messages returns the messages in an entry according to the protocol.
func (w *witness) messages(e entry) (list []protocol.Message) {
	name, args, ok := e.event()
	if !ok {
		return nil
	}
	list, _ = w.speaks.Read(name, args)
	for i, m := range list {
		if w.numbers && m.Numbered {
			_, list[i].Numbered = args[1].(float64)
		}
	}
	return list
}

// brings returns a condition for await: the entry contains the message.
func (w *witness) brings(text string) func(entry) bool {
	return func(e entry) bool {
		return slices.ContainsFunc(w.messages(e), func(m protocol.Message) bool { return protocol.TextOf(m.Text) == text })
	}
}

// received returns the messages with one of the texts, in the order of arrival.
func (w *witness) received(texts []string) (list []protocol.Message) {
	for _, e := range w.from(0) {
		for _, m := range w.messages(e) {
			if slices.Contains(texts, protocol.TextOf(m.Text)) {
				list = append(list, m)
			}
		}
	}
	return list
}

// names returns the names of the events after the first seen entries, each once.
func (w *witness) names(seen int) (names []string) {
	for _, e := range w.from(seen) {
		if name, _, ok := e.event(); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// lastNote returns the client's last note, such as the reason of a connect error. A disconnection
// that a later connection has made good is none.
func (w *witness) lastNote() (note string) {
	for _, e := range w.from(0) {
		switch {
		case e.Kind == history.Note || e.Kind == history.Disconnected:
			note = ": " + e.Detail
		case e.Kind == history.Connected && note == ": "+wire.ServerDisconnect:
			note = ""
		}
	}
	return note
}

// expelled tells whether the last that was noted is that the server disconnected the client.
func (w *witness) expelled() bool { return w.lastNote() == ": "+wire.ServerDisconnect }

func is(kind history.Kind) func(entry) bool { return func(e entry) bool { return e.Kind == kind } }
