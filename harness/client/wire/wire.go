// Package wire is the client without a page: it exchanges Socket.IO packets only.
//
// Read [Client] first. [ReadLog] reads the server's whole log as a new client.
package wire

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"sync"
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"

	"redial/harness/client"
	"redial/harness/history"
	"redial/harness/protocol"
)

// A Client is a client without a page: packets and nothing else, two goroutines a
// connection, so that thousands fit into a run. It does what the official client
// (socket.io-client 4.8) and a right page together do: it answers pings, notices
// a ping timeout, reconnects with the official backoff, asks for connection state
// recovery, buffers what is sent while offline, and shows only what is newer than
// the last offset that it has shown. A message goes out once: a send whose
// connection dies is not repeated, unless Options.Retries asks for it. Which events
// and fields it uses is Options.Protocol's.
//
// Layers, from the top: this file is the client and its page loads, show.go what a
// page does with an event, retries.go what sends again, enter.go what comes between
// the connect packet and the first message, socket.go the Socket.IO protocol
// (revision 5), codec.go its two encodings, engine.go Engine.IO (revision 4) over one
// connection, websocket.go and polling.go the transports.
//
// The exported fields are set before Open. Options.Record is called with the
// client's lock held, so that events are in order: it must not call the client.
type Client struct {
	// Raw shows everything that the server sends, without dropping what is not
	// newer: for reading what a server really does.
	Raw bool
	// Keys makes Say send a random idempotency key with each message, as pages do
	// from level client-delivery on. It is for the tutorial's chat: where
	// Options.Protocol has a key, one is sent.
	Keys bool
	// Handshake, when not nil, is the auth payload in place of the protocol's.
	Handshake map[string]any
	// Backoff is how long it waits before it connects again.
	Backoff Backoff
	// OnPacket, when not nil, is given every packet of the namespace that arrives, in
	// order, for whoever does not know yet which events a server emits. It is called with
	// the client's lock held: it must not call the client.
	OnPacket func(*parser.Packet)

	options client.Options
	speaks  protocol.Protocol
	cookies http.CookieJar // over all views, as a browser keeps them

	// lifecycle is held by Open, Refresh and Close, one at a time. It is a channel
	// and no mutex because closing takes time, and under a fake clock only waiting on
	// channels lets time pass.
	lifecycle chan struct{}

	mu     sync.Mutex
	view   *view // nil when closed
	views  int
	random *mathrand.Rand
	saved  protocol.Values // by Protocol.Enter, over all views
}

// connectDelay is how long CONNECT comes after the open packet: about as long as a
// browser takes.
const connectDelay = 5 * time.Millisecond

// New makes a client, closed: nothing is dialled before Open. It goes over
// WebSocket, unless Options.Transports names only "polling".
func New(options client.Options) *Client {
	name := fnv.New64()
	name.Write([]byte(options.Name)) // clients of one run do not move in step
	speaks := protocol.Tutorial()
	if options.Protocol != nil {
		speaks = *options.Protocol
	}
	cookies, _ := cookiejar.New(nil) // fails for options only
	return &Client{
		cookies:   cookies,
		Backoff:   Backoff{Min: options.ReconnectDelay},
		options:   options,
		speaks:    speaks,
		saved:     protocol.Values{},
		lifecycle: make(chan struct{}, 1),
		random:    mathrand.New(mathrand.NewPCG(options.Seed, name.Sum64())),
	}
}

// Backoff is the official client's: the n-th wait is Min doubled n times, give or
// take Jitter, and never longer than Max. Zero values are the official ones.
type Backoff struct {
	// Min is the first wait; zero means 1 s.
	Min time.Duration
	// Max bounds every wait; zero means 5 s, or Min where that is longer.
	Max time.Duration
	// Jitter is the part of the wait that is drawn, from 0 to 1; zero means 0.5,
	// and less than zero means none.
	Jitter float64
}

// Delay is the wait after attempt failures (from 0), with drawn from [0,1).
func (b Backoff) Delay(attempt int, drawn float64) time.Duration {
	if b.Min <= 0 {
		b.Min = time.Second
	}
	if b.Max <= 0 {
		b.Max = max(b.Min, 5*time.Second)
	}
	if b.Jitter == 0 {
		b.Jitter = 0.5
	}
	wait := float64(b.Min) * math.Pow(2, float64(attempt))
	if deviation := drawn * b.Jitter * wait; b.Jitter > 0 {
		if int(drawn*10)%2 == 0 {
			deviation = -deviation
		}
		wait += deviation
	}
	return time.Duration(min(wait, float64(b.Max)))
}

var errNoView = errors.New("the client is closed: open it first")

// Open begins a view and starts to connect; it does not wait for that.
func (w *Client) Open(ctx context.Context) error {
	w.lifecycle <- struct{}{}
	defer func() { <-w.lifecycle }()
	return w.open(ctx)
}

func (w *Client) open(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("the client was not opened: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.view != nil {
		return client.ErrOpen
	}
	w.views++
	w.view = newView(w, w.views)
	w.view.record(history.Event{Kind: history.Opened})
	w.view.connect()
	return nil
}

// Refresh closes the view and opens the next, which begins with
// Options.ServerOffset again: there is no storage.
func (w *Client) Refresh(ctx context.Context, left func()) error {
	w.lifecycle <- struct{}{}
	defer func() { <-w.lifecycle }()
	w.close(left)
	return w.open(ctx)
}

// Close ends the view and everything that belongs to it.
func (w *Client) Close() error {
	w.lifecycle <- struct{}{}
	defer func() { <-w.lifecycle }()
	w.close(nil)
	return nil
}

func (w *Client) close(left func()) {
	w.mu.Lock()
	v := w.view
	if v != nil {
		v.record(history.Event{Kind: history.Closed})
		v.leave()
		w.view = nil
	}
	w.mu.Unlock()
	if left != nil {
		left()
	}
	if v != nil {
		v.running.Wait()
	}
}

// Disconnect says goodbye to the server and does not reconnect.
func (w *Client) Disconnect() error {
	return w.withView(func(v *view) error { v.disconnect(); return nil })
}

// Connect connects again after a Disconnect, or after the server's.
func (w *Client) Connect() error {
	return w.withView(func(v *view) error { v.connect(); return nil })
}

var errNoPage = errors.New("a wire client has no page")

// Suspend, Resume and Throw are for pages.
func (w *Client) Suspend() error { return errNoPage }
func (w *Client) Resume() error  { return errNoPage }
func (w *Client) Throw() error   { return errNoPage }

var errSendsNothing = errors.New("the protocol has no send: clients of this application send no messages")

// Send emits a chat event and asks for its acknowledgement, if the server sends any.
func (w *Client) Send(text string) error {
	send := w.speaks.Send
	if send == nil {
		return errSendsNothing
	}
	return w.withView(func(v *view) error {
		v.record(history.Event{Kind: history.Sent, Message: text})
		if w.speaks.NoEcho {
			v.showOwn(text)
		}
		m := message{text: text}
		if w.sendsKeys() {
			m.key = w.key()
		}
		switch {
		case send.NoAck:
			v.emit(&parser.Packet{Type: parser.EVENT, Data: m})
		case w.options.Retries:
			v.enqueue(m)
		default:
			id := v.await(text)
			v.emit(&parser.Packet{Type: parser.EVENT, Data: m, Id: &id})
		}
		return nil
	})
}

// sendsKeys tells whether a message has a key. In the tutorial's chat that depends on
// the step.
func (w *Client) sendsKeys() bool {
	return w.speaks.SendsKeys() && (w.options.Protocol != nil || w.Keys || w.options.Retries)
}

// key names a message. The caller holds the lock.
func (w *Client) key() string {
	if w.options.SeedKeys {
		return fmt.Sprintf("%016x%016x", w.random.Uint64(), w.random.Uint64())
	}
	return rand.Text()
}

// Emit emits any event, without an acknowledgement and without a record in the
// history. Arguments are what package json can write; a []byte as an argument, in
// a []any or in a map[string]any goes as a binary attachment.
func (w *Client) Emit(event string, args ...any) error {
	if _, err := json.Marshal(args); err != nil {
		return fmt.Errorf("the event %q cannot be written as JSON: %w", event, err)
	}
	return w.withView(func(v *view) error {
		v.emit(&parser.Packet{Type: parser.EVENT, Data: append([]any{event}, args...)})
		return nil
	})
}

// SendPacket sends an Engine.IO packet as it stands, right or wrong, for instance
// `42["chat message"]`. It needs a connection, but no answer to CONNECT.
func (w *Client) SendPacket(text string) error {
	return w.withView(func(v *view) error {
		if v.link == nil || v.link.engine == nil {
			return errors.New("there is no connection to send the packet on")
		}
		v.link.engine.send(packet{text: text})
		return nil
	})
}

// Status is a snapshot. A message is pending until it is acknowledged, refused,
// or shown here (a server that never acknowledges is within its rights), and no
// longer when its connection is lost: nothing more will come of it. With Retries it is
// pending until it is acknowledged or refused.
func (w *Client) Status() client.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	status := client.Status{View: w.views}
	if v := w.view; v != nil {
		status.Open, status.Connected = true, v.connected
		status.Shown, status.Pending = v.shown, len(v.pending)+len(v.queue.messages)
	}
	return status
}

func (w *Client) withView(do func(*view) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.view == nil {
		return errNoView
	}
	return do(w.view)
}

// knows tells whether everything is known that a message has to contain. The caller holds
// the lock.
func (w *Client) knows() bool {
	for _, name := range w.speaks.Awaited() {
		if _, known := w.saved[name]; !known {
			return false
		}
	}
	return true
}

// values are what the protocol's templates can name. The caller holds the lock.
func (v *view) values() protocol.Values {
	w := v.wire
	values := maps.Clone(w.saved)
	values[protocol.Client] = w.options.Name
	values[protocol.Offset] = v.offset
	if w.speaks.Receive.Opaque {
		v.cursors.Offset(values, v.offset)
	}
	if w.options.Other != "" {
		values[protocol.Other] = w.options.Other
	}
	return values
}

// auth is the payload of the handshake, before what recovery adds to it: nil for none.
func (v *view) auth() map[string]any {
	switch w := v.wire; {
	case w.Handshake != nil:
		return maps.Clone(w.Handshake)
	case w.speaks.Auth == nil:
		return nil
	}
	return protocol.Fill(v.wire.speaks.Auth, v.values()).(map[string]any)
}
