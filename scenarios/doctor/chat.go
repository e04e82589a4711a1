package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"

	"redial/harness/client"
	"redial/harness/client/wire"
	"redial/harness/history"
	"redial/harness/protocol"
)

// messagesToSend is the number of alice's first messages: enough to have an order, and for a
// client that has some of them but not all.
const messagesToSend = 4

func (x *examination) client(name, other string, change func(*client.Options)) *witness {
	options := client.Options{Name: name, Other: other, URL: "http://" + x.under.Address(), Protocol: x.server.Protocol}
	if change != nil {
		change(&options)
	}
	return newWitness(options)
}

// enter opens a client and waits until it is connected.
func (x *examination) enter(ctx context.Context, w *witness) bool {
	if err := w.Open(ctx); err != nil {
		return false
	}
	_, ok := w.await(ctx, 0, answerWithin, func(e entry) bool {
		return e.Kind == history.Connected || e.Kind == history.Note || e.packet != nil && e.packet.Type == parser.CONNECT_ERROR
	})
	return ok && w.Status().Connected
}

// connect connects two clients to the namespace.
func (x *examination) connect(ctx context.Context) bool {
	x.doing("connecting two clients")
	x.alice, x.bob = x.client("alice", "bob", nil), x.client("bob", "alice", nil)
	namespace := cmp.Or(x.p.Namespace, "/")
	for _, w := range []*witness{x.alice, x.bob} {
		if x.enter(ctx, w) {
			continue
		}
		refused, answered, old := w.refusal(), false, false
		for _, e := range w.from(0) {
			answered = answered || e.packet != nil && e.packet.Type == parser.CONNECT
			old = old || strings.Contains(e.Detail, wire.NoSid)
		}
		switch {
		case old:
			return x.found(Connect, Bad, "update the server to Socket.IO 3 or 4", "no client can connect to %s%s", namespace, oneLine(w.lastNote()))
		case refused != "":
			return x.found(Connect, Bad, "set socket.namespace, or what the server wants to let a client in: socket.auth, query or headers", "the namespace %s refuses a client: %s", namespace, oneLine(refused))
		case w.expelled():
			return x.expels(Connect)
		case answered:
			return x.found(Connect, Bad, "see socket.enter in redial.yaml: what it awaits did not come", "a client is connected to %s, but cannot enter%s", namespace, w.lastNote())
		}
		return x.found(Connect, Bad, "set socket.namespace and socket.parser (json or msgpack) in redial.yaml", "a CONNECT to the namespace %s has no answer%s", namespace, oneLine(w.lastNote()))
	}
	return x.found(Connect, Good, "", "two clients are connected to the namespace %s", namespace)
}

// text returns a new message; the mark distinguishes it from those of earlier runs.
func (x *examination) text(what string) string { return "redial doctor " + x.mark + " " + what }

// deliver lets alice send messages, or waits for messages if clients send none.
func (x *examination) deliver(ctx context.Context) bool {
	x.doing("sending messages")
	if x.p.Send == nil {
		return x.listen(ctx)
	}
	from := x.bob.count()
	for n := range messagesToSend {
		text := x.text(fmt.Sprint(n + 1))
		if err := x.alice.Send(text); err != nil {
			return x.found(Delivered, Bad, "", "a message cannot be sent: %v", err)
		}
		x.texts = append(x.texts, text)
		if _, ok := x.bob.await(ctx, from, answerWithin, x.bob.brings(text)); !ok {
			return x.undelivered(from)
		}
	}
	x.found(Delivered, Good, "", "a message arrives at the other client, as %q", x.p.Receive.Event)
	last := x.texts[len(x.texts)-1]
	_, echoed := x.alice.await(ctx, 0, replayWithin, x.alice.brings(last))
	switch {
	case echoed == !x.p.NoEcho:
		x.found(Echo, Good, "", "a message %s its sender, as the protocol says", map[bool]string{true: "comes back to", false: "does not come back to"}[echoed])
	case echoed:
		x.found(Echo, Lacking, "leave out `echo: false` in redial.yaml", "a message comes back to its sender, though redial.yaml says it does not")
	default:
		x.found(Echo, Lacking, "say `echo: false` below socket in redial.yaml, or emit to all clients (io.emit)", "a message does not come back to its sender")
	}
	x.acknowledged(ctx)
	x.numbered()
	return true
}

// expels finds that the server has let clients connect only to disconnect them.
func (x *examination) expels(id ID) bool {
	return x.found(id, Bad, "set what the server wants to let a client in: socket.auth, query, headers or enter", "the server disconnects a client after it has connected")
}

func (x *examination) undelivered(from int) bool {
	if x.alice.expelled() || x.bob.expelled() {
		return x.expels(Delivered)
	}
	if e, ok := x.alice.await(context.Background(), 0, time.Millisecond, is(history.Refused)); ok {
		return x.found(Delivered, Bad, "see socket.send and socket.enter in redial.yaml: what does a client need to be allowed to send?", "the server refuses a message: %s", oneLine(e.Detail))
	}
	var events [][]any
	for _, e := range x.alice.from(0) {
		if name, args, ok := e.event(); ok {
			events = append(events, append([]any{name}, args...))
		}
	}
	if lacking := x.p.Lacking(events, protocol.Values{protocol.Client: "alice", protocol.Other: "bob"}); len(lacking) > 0 {
		return x.found(Delivered, Bad, "add to socket.learn the event in which a client receives it; the other client may come later than this one", "no message was sent: it waits for {{%s}}, which was in none of the events %q", lacking[0], x.alice.names(0))
	}
	others := "the other client received no event"
	if names := x.bob.names(from); len(names) > 0 {
		others = fmt.Sprintf("the other client received %q", names)
	}
	return x.found(Delivered, Bad, "set socket.send and socket.receive in redial.yaml (`redial init --probe` proposes them)", "a message sent as %q does not arrive as %q with its text at %s: %s%s", x.p.Send.Event, x.p.Receive.Event, cmp.Or(x.p.Receive.Text, "$"), others, oneLine(x.alice.lastNote()))
}

// listen waits for messages that the server emits without a client.
func (x *examination) listen(ctx context.Context) bool {
	for range 2 {
		e, ok := x.bob.await(ctx, 0, answerWithin, func(e entry) bool {
			return slices.ContainsFunc(x.bob.messages(e), func(m protocol.Message) bool { return !slices.Contains(x.texts, protocol.TextOf(m.Text)) })
		})
		if !ok && x.bob.expelled() {
			return x.expels(Delivered)
		}
		if !ok && len(x.texts) == 0 {
			return x.found(Delivered, Bad, "set socket.send, or have the server emit", "the server emits no %q within %s, and redial.yaml has no send", x.p.Receive.Event, answerWithin)
		}
		for _, m := range x.bob.messages(e) {
			x.texts = append(x.texts, protocol.TextOf(m.Text))
		}
	}
	x.found(Delivered, Good, "", "the server emits messages by itself, as %q", x.p.Receive.Event)
	x.found(Echo, Good, "", "clients send no messages, so none has to come back")
	x.found(Acknowledged, Lacking, "", "clients send no messages, so none is acknowledged")
	x.numbered()
	return true
}

func (x *examination) acknowledged(ctx context.Context) {
	if x.p.Send.NoAck {
		x.found(Acknowledged, Lacking, "call the acknowledgement callback when a message is stored, and leave out `ack: false`", "messages are not acknowledged, as redial.yaml says")
		return
	}
	if _, ok := x.alice.await(ctx, 0, replayWithin, is(history.Acknowledged)); !ok {
		x.found(Acknowledged, Lacking, "call the acknowledgement callback when a message is stored, or say `ack: false` below socket.send in redial.yaml", "a message is not acknowledged")
		return
	}
	x.found(Acknowledged, Good, "", "a message is acknowledged")
}

// numbered examines the offsets of the messages that bob received.
func (x *examination) numbered() {
	grow, opaque := true, x.p.Receive.Opaque
	var last int64
	for _, m := range x.bob.received(x.texts) {
		offset := m.Cursor
		if !opaque && m.Numbered {
			offset = m.Offset
		}
		if offset == nil {
			fix := "store each message and send its row's id along (a whole number), and name its place: socket.receive.offset"
			if x.p.Receive.Offset != "" && !opaque {
				fix += "; where it is no number, say `opaque: true` beside it"
			}
			x.found(Offset, Lacking, fix, "a message has no offset")
			return
		}
		if opaque {
			text := protocol.TextOf(offset)
			grow = grow && !slices.ContainsFunc(x.offsets, func(o any) bool { return protocol.TextOf(o) == text })
		} else {
			grow = grow && (len(x.offsets) == 0 || m.Offset > last)
			last = m.Offset
		}
		x.offsets = append(x.offsets, offset)
	}
	x.found(Offset, Good, "", "a message has an offset")
	switch list := listed(x.offsets); {
	case last > protocol.Exact:
		x.found(Growing, Lacking, "say `opaque: true` below socket.receive in redial.yaml, so that clients hand the offsets back as they came", "offsets are numbers that JavaScript cannot count exactly: %s", list)
	case !grow && opaque:
		x.found(Growing, Lacking, "give each message an offset of its own", "two messages have the same offset: %s", list)
	case !grow:
		x.found(Growing, Lacking, "give each message a higher number than all before it, in the order in which they are emitted (or say `opaque: true` below socket.receive, where offsets are no numbers that grow)", "offsets do not grow: %s", list)
	case opaque:
		x.found(Growing, Good, "", "every message has an offset of its own: %s", list)
	default:
		x.found(Growing, Good, "", "offsets grow: %s", list)
	}
}

func listed(offsets []any) string {
	texts := make([]string, len(offsets))
	for i, offset := range offsets {
		texts[i] = protocol.TextOf(offset)
	}
	return strings.Join(texts, ", ")
}

// recover cuts bob's connection, and lets alice send a message before bob reconnects.
func (x *examination) recover(ctx context.Context) bool {
	x.doing("cutting a connection")
	session := x.bob.session()
	const fix = "set connectionStateRecovery: {} on the server, or replay from the client's offset"
	if session == "" || x.p.Send == nil {
		text := map[bool]string{true: "connection state recovery is off: CONNECT is answered without a pid", false: "connection state recovery is on; whether it works was not tried, since clients send no messages"}[session == ""]
		x.found(Recovery, map[bool]Mark{true: Lacking, false: Good}[session == ""], fix, "%s", text)
		return true
	}
	from := x.bob.count()
	x.bob.cut()
	x.bob.await(ctx, from, answerWithin, is(history.Disconnected))
	text := x.text("while bob is disconnected")
	if err := x.alice.Send(text); err != nil {
		return x.found(Recovery, Lacking, "", "a message cannot be sent: %v", err)
	}
	x.texts = append(x.texts, text)
	back, ok := x.bob.await(ctx, from, answerWithin, is(history.Connected))
	_, arrived := x.bob.await(ctx, from, replayWithin, x.bob.brings(text))
	switch {
	case !ok:
		x.found(Recovery, Lacking, "see what the server prints", "after a cut a client cannot connect again%s", oneLine(x.bob.lastNote()))
	case !back.Recovered:
		x.found(Recovery, Lacking, "look at maxDisconnectionDuration, and at the adapter: not every one keeps sessions", "connection state recovery is on, but after a cut the session was not restored")
	case !arrived:
		x.found(Recovery, Lacking, "look at the adapter, and emit without volatile and without an acknowledgement of all clients", "a session was restored after a cut, but without the message that was sent meanwhile")
	default:
		x.found(Recovery, Good, "", "after a cut the session is restored, with the message that was sent meanwhile")
	}
	return true
}

// catchUp examines the replay for a client that has some messages, and for one that has
// none.
func (x *examination) catchUp(ctx context.Context) bool {
	x.doing("reading what a client missed")
	if x.p.Send == nil {
		x.found(CatchUp, Lacking, "", "what a client is sent that has missed some was not tried, since clients send no messages")
		x.found(Backlog, Lacking, "", "what a new client is sent was not tried, since clients send no messages")
		return true
	}
	reader, newcomer := "carol", "dave"
	if x.p.Pairwise() { // every message is addressed to bob
		reader, newcomer = "bob", "bob"
	}
	if len(x.offsets) == messagesToSend && x.p.NamesOffset() {
		old, missed := x.texts[:2], x.texts[2:]
		got := x.replay(ctx, reader, x.offsets[1])
		switch again := count(got, old); {
		case count(got, missed) < len(missed):
			x.found(CatchUp, Lacking, "on connection emit all messages with a higher offset than the handshake's (socket.handshake.auth.serverOffset in the tutorial)", "a client that names its offset is sent %d of the %d messages that it has missed", count(got, missed), len(missed))
		case again > 0 && x.p.History == nil:
			x.found(CatchUp, Lacking, "compare with >, not >=, and read the offset from the handshake", "a client that names its offset is sent what it has missed, and %d that it has", again)
		default:
			x.found(CatchUp, Good, "", "a client that names its offset is sent what it has missed, and only that")
		}
	} else if x.p.History == nil {
		x.found(CatchUp, Lacking, "send offsets, and have clients name theirs on connecting: {{offset}} in socket.auth, query or enter", "a client cannot ask for what it has missed: there is no offset that it names")
	}
	got := x.replay(ctx, newcomer, nil)
	whole := slices.Equal(got, x.texts)
	if whole {
		x.found(Backlog, Good, "", "a new client is sent all messages, in order")
	} else {
		x.found(Backlog, Lacking, "store messages, and emit them to a client that connects without an offset", "a new client is sent %d of %d messages%s", count(got, x.texts), len(x.texts), map[bool]string{true: ", in another order or twice"}[count(got, x.texts) == len(x.texts)])
	}
	if _, tried := x.report.Find(CatchUp); !tried {
		x.found(CatchUp, map[bool]Mark{true: Good, false: Lacking}[whole], "emit all messages on every connection", "every connection is sent all messages, as %q", x.p.History.Event)
	}
	return true
}

// replay returns the messages that the server sends to a connecting client with the offset.
func (x *examination) replay(ctx context.Context, name string, offset any) (texts []string) {
	w := x.client(name, "alice", func(o *client.Options) { o.ServerOffset = offset })
	defer w.Close()
	if !x.enter(ctx, w) {
		return nil
	}
	w.await(ctx, 0, replayWithin, w.brings(x.texts[len(x.texts)-1]))
	w.await(ctx, w.count(), quiet, func(entry) bool { return false })
	for _, m := range w.received(x.texts) {
		texts = append(texts, protocol.TextOf(m.Text))
	}
	return texts
}

// count returns how many of the wanted texts are among the others.
func count(among, wanted []string) (n int) {
	for _, text := range wanted {
		if slices.Contains(among, text) {
			n++
		}
	}
	return n
}
