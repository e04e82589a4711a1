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

// A witness is a client that remembers everything that reaches it.
type witness struct {
	*wire.Client
	speaks  protocol.Protocol
	numbers bool // whether an offset is a number, and a string one of recovery's

	mu      sync.Mutex
	entries []entry
	changed chan struct{}
	conns   []net.Conn
}

// An entry is a packet that arrived, or what the client recorded.
type entry struct {
	history.Event
	packet *parser.Packet
}

// mostEntries bounds what a witness remembers of a server that never stops.
const mostEntries = 50_000

// reconnectDelay is long enough for a message to be sent while a client is disconnected.
const reconnectDelay = 300 * time.Millisecond

// newWitness makes a client for the options, of which Record and Dial are its own.
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

// cut closes its connections without a closing frame, as when the network is gone.
func (w *witness) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range w.conns {
		_ = conn.Close() // one that has ended already is no matter
	}
	w.conns = nil
}

// from returns what it remembers after the first so many.
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

// await waits for an entry after the first so many, at most for a time. Only one goroutine
// may wait at a witness.
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

// event returns the event in an entry: its name and arguments.
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

// messages are those in an entry, as the protocol reads them.
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

// received returns the messages with one of the texts, in the order in which they came.
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

// names are those of the events that came after the first so many, without repeats.
func (w *witness) names(seen int) (names []string) {
	for _, e := range w.from(seen) {
		if name, _, ok := e.event(); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// lastNote is what the client noted last, such as the reason of a connect error.
func (w *witness) lastNote() (note string) {
	for _, e := range w.from(0) {
		if e.Kind == history.Note || e.Kind == history.Disconnected {
			note = ": " + e.Detail
		}
	}
	return note
}

func is(kind history.Kind) func(entry) bool { return func(e entry) bool { return e.Kind == kind } }
