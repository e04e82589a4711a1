package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"redial/harness/client"
	"redial/harness/history"
	"redial/harness/plan"
	"redial/harness/protocol"
	"redial/harness/target"
	"redial/scenarios/servers"
)

// ListenOptions are the parameters of Listen.
type ListenOptions struct {
	// Path and Namespace, if empty, are searched for in the page.
	Path, Namespace string
	// Text is the message that the user types, and Wait the time limit for it.
	Text string
	Wait time.Duration
	// Send allows Listen to send messages itself.
	Send bool
	// Ready is called with the address of the page when the user may type the message, and
	// Doing before each step that may take long.
	Ready func(address string)
	Doing func(step string)
}

// A bystander is a run of Listen.
type bystander struct {
	options ListenOptions
	under   target.Target
	address string
	hints   Hints
	draft   Draft
	number  int64    // of the first message, at the drafted place of the offset
	others  []string // the events that arrived without the message
}

// ErrUnheard means that the message did not arrive in time.
var ErrUnheard = errors.New("no event brought the message")

// Listen connects as a client that sends nothing, waits for the message that the user types
// in the application's page, and drafts a redial.yaml from what it observes.
func Listen(ctx context.Context, server servers.Server, options ListenOptions) (d Draft, err error) {
	b := &bystander{options: options}
	if b.under, err = server.Server.Target(plan.Tuning{}); err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, b.under.Close()) }()
	options.Doing("waiting for the server to answer")
	starting, cancel := context.WithTimeout(ctx, server.StartWithin())
	defer cancel()
	if err := b.under.Start(starting); err != nil {
		return d, err
	}
	b.address = "http://" + b.under.Address()
	options.Doing("reading its page")
	b.hints = readPage(ctx, b.address)
	b.draft.Form, b.draft.NoPage = b.hints.Form, b.hints.NoPage
	if err := b.findPath(ctx); err != nil {
		return d, err
	}
	if err := b.listen(ctx); err != nil {
		return d, err
	}
	return b.draft, nil
}

// findPath finds the path that answers a handshake.
func (b *bystander) findPath(ctx context.Context) error {
	candidates := []string{"/socket.io/"}
	if b.options.Path != "" {
		candidates = []string{b.options.Path}
	} else {
		for _, hint := range b.hints.Paths {
			add(&candidates, (&protocol.Protocol{Path: hint}).EnginePath())
		}
		slices.Reverse(candidates) // a path from the page is more likely than the default
	}
	for _, candidate := range candidates {
		x := examination{under: b.under, p: protocol.Protocol{Path: candidate}}
		address, header := x.engine("polling", "")
		_, body, err := get(ctx, nil, address, header)
		var open openPacket
		if err != nil || !readOpen(body, &open) {
			if _, err := x.webSocket(ctx, ""); err != nil {
				continue
			}
		}
		if candidate != "/socket.io/" {
			b.draft.set(KeyPath, candidate, Sure, "a handshake is answered there")
		}
		return nil
	}
	return fmt.Errorf("no Socket.IO handshake at %s: name the path with --path", strings.Join(candidates, ", "))
}

// listen waits for the message in every namespace that the page may use.
func (b *bystander) listen(ctx context.Context) error {
	namespaces := []string{cmp.Or(b.options.Namespace, "/")}
	if b.options.Namespace == "" {
		namespaces = append(slices.Clone(b.hints.Namespaces), "/")
	}
	found, w, err := b.first(ctx, namespaces[:min(len(namespaces), 4)])
	if err != nil {
		return err
	}
	if w == nil {
		return b.unheard(ctx)
	}
	defer w.Close()
	if found.packet.Nsp != "/" {
		b.draft.set(KeyNamespace, found.packet.Nsp, Sure, "the message came there")
	}
	b.draft.recovers = w.session() != ""
	event, args, _ := found.event()
	b.receive(event, args)
	b.history(ctx)
	b.send(ctx)
	b.draft.decide()
	return nil
}

// client makes a client for a namespace with the protocol that is drafted so far.
func (b *bystander) client(p protocol.Protocol) *witness {
	p.Path = b.draft.text(KeyPath)
	p.Receive = protocol.Receive{Event: cmp.Or(p.Receive.Event, "-"), Text: p.Receive.Text}
	return newWitness(client.Options{Name: "redial", URL: b.address, Protocol: &p})
}

// first waits in all namespaces for the first event with the text, and returns it with the
// client that received it; the client is nil if no event arrived. The error is that no client
// could connect, so that nobody was asked for a message.
func (b *bystander) first(ctx context.Context, namespaces []string) (found entry, by *witness, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.options.Wait+time.Duration(len(namespaces))*answerWithin)
	defer cancel()
	var listening []*witness
	refusal := "no answer"
	for _, namespace := range namespaces {
		w := b.client(protocol.Protocol{Namespace: namespace})
		if err := w.Open(ctx); err != nil {
			continue
		}
		_, ok := w.await(ctx, 0, answerWithin, func(e entry) bool { return e.Kind == history.Connected || e.Kind == history.Note })
		if !ok || !w.Status().Connected {
			refusal = cmp.Or(w.refusal(), refusal)
			_ = w.Close()
			continue
		}
		listening = append(listening, w)
	}
	if len(listening) == 0 && ctx.Err() == nil {
		return found, nil, fmt.Errorf("a client that only listens cannot connect to the namespace %s: %s; if it needs a name or a token, write socket.auth by hand: without --probe, init writes a file to begin with", strings.Join(namespaces, ", "), oneLine(refusal))
	}
	if len(listening) == 0 {
		return found, nil, nil
	}
	b.options.Ready(b.address)
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, w := range listening {
		all.Go(func() {
			e, came := w.await(ctx, 0, b.options.Wait, b.carries)
			mu.Lock()
			defer mu.Unlock()
			if came && by == nil {
				found, by = e, w
				cancel() // the other clients stop waiting
				return
			}
			b.others = append(b.others, w.names(0)...)
			_ = w.Close()
		})
	}
	all.Wait()
	return found, by, nil
}

// carries reports whether an entry is an event that contains the text.
func (b *bystander) carries(e entry) bool {
	_, args, ok := e.event()
	return ok && len(locate(args, b.options.Text)) > 0
}

func (b *bystander) unheard(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	hint := ""
	if len(b.hints.Emits) > 0 {
		var names []string
		for _, e := range b.hints.Emits {
			names = append(names, e.Event)
		}
		hint = fmt.Sprintf(" The page emits %q: if a client has to join or log in first, write socket.enter by hand.", names)
	}
	if len(b.others) > 0 {
		hint += fmt.Sprintf(" The server emitted %q: if its clients send nothing, name the event in socket.receive, and leave out socket.send.", b.others)
	}
	return fmt.Errorf("%w within %s: was it sent in the page, and does it reach a client that only connects?%s", ErrUnheard, b.options.Wait, hint)
}

// receive drafts the positions of the text and the offset.
func (b *bystander) receive(event string, args []any) {
	b.draft.set(KeyEvent, event, Sure, "the message came in this event")
	at := locate(args, b.options.Text)[0]
	b.draft.set(KeyText, at.path(), Sure, "the text of the message was there")
	b.draft.at = at
	offsets := beside(args, at)
	if len(offsets) == 0 {
		return
	}
	sure, why := Likely, "a whole number beside the text; does it grow with every message?"
	if len(offsets) > 1 {
		sure = Guess
		why = fmt.Sprintf("one of the whole numbers beside the text (%s)", strings.Join(offsets, ", "))
	}
	b.draft.set(KeyOffset, offsets[0], sure, why)
	value, _ := protocol.Path(offsets[0]).First(args)
	b.number, _ = protocol.WholeNumber(value)
}

// history examines what a new client receives: nothing, the message as it was emitted, or
// all messages in one event.
func (b *bystander) history(ctx context.Context) {
	b.options.Doing("seeing what a new client is sent")
	p := protocol.Protocol{Namespace: b.draft.text(KeyNamespace)}
	if b.hints.AuthOffset != "" {
		p.Auth = map[string]any{b.hints.AuthOffset: "{{offset}}"}
		b.draft.set(KeyAuth, b.hints.AuthOffset, Likely, "the page's script has it in auth")
	}
	w := b.client(p)
	defer w.Close()
	if err := w.Open(ctx); err != nil {
		return
	}
	e, ok := w.await(ctx, 0, replayWithin, b.carries)
	if !ok {
		return
	}
	event, args, _ := e.event()
	if event == b.draft.text(KeyEvent) {
		b.draft.replays = true
		return
	}
	at := locate(args, b.options.Text)[0]
	if list, item, ok := at.split(); ok && item == b.draft.text(KeyText) {
		b.draft.replays = true
		b.draft.set(KeyHistory, event, Sure, "a new client received all messages in this event")
		b.draft.set(KeyList, list, Sure, "the messages were there")
	}
}

// send drafts how a client sends a message. If options.Send allows it, it sends candidates
// until one arrives.
func (b *bystander) send(ctx context.Context) {
	candidates := b.draft.sends(b.hints)
	if !b.options.Send {
		b.draft.setSend(candidates[0], Guess, "not tried: --send tries it")
		return
	}
	b.options.Doing("sending a message")
	for n, candidate := range candidates {
		if b.try(ctx, candidate, fmt.Sprintf("%s (%d)", b.options.Text, n+1)) {
			return
		}
	}
	b.draft.setSend(candidates[0], Guess, "no message that redial sent arrived")
}

// try sends a message, and observes whether it arrives, whether the sender receives it too,
// and whether the server acknowledges it.
func (b *bystander) try(ctx context.Context, candidate Emitted, text string) bool {
	p := protocol.Protocol{
		Namespace: b.draft.text(KeyNamespace), Send: &protocol.Send{Event: candidate.Event, Args: candidate.Args},
		Receive: protocol.Receive{Event: b.draft.text(KeyEvent), Text: protocol.Path(b.draft.text(KeyText))},
	}
	other, sender := b.client(p), b.client(p)
	defer other.Close()
	defer sender.Close()
	for _, w := range []*witness{other, sender} {
		if err := w.Open(ctx); err != nil {
			return false
		}
		if _, ok := w.await(ctx, 0, answerWithin, is(history.Connected)); !ok {
			return false
		}
	}
	if err := sender.Send(text); err != nil {
		return false
	}
	arrived, ok := other.await(ctx, 0, answerWithin, other.brings(text))
	if !ok {
		return false
	}
	b.draft.setSend(candidate, Sure, "a message that redial sent so arrived")
	if _, ok := sender.await(ctx, 0, replayWithin, sender.brings(text)); !ok {
		b.draft.set(KeyEcho, "false", Sure, "it did not come back to its sender")
	}
	if _, ok := sender.await(ctx, 0, replayWithin, is(history.Acknowledged)); !ok {
		b.draft.set(KeyAck, "false", Sure, "it was not acknowledged")
	}
	b.confirm(arrived)
	return true
}

// confirm compares the offsets of the first and the second message.
func (b *bystander) confirm(second entry) {
	offset := protocol.Path(b.draft.text(KeyOffset))
	if offset == "" {
		return
	}
	_, args, _ := second.event()
	value, _ := offset.First(args)
	if number, whole := protocol.WholeNumber(value); whole && number > b.number {
		b.draft.set(KeyOffset, string(offset), Likely, "a whole number beside the text that grew with the next message")
		return
	}
	b.draft.unset(KeyOffset)
}
