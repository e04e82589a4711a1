// Package wire is the client without a page: it only exchanges Socket.IO packets, so thousands of
// clients fit into a run.
//
// Read [Client] first, then socket.go, one page load of it. [ReadLog] reads the server's complete
// log as a new client. The package must not know faults, the lab or the server's kind.
package wire

import (
	"cmp"
	"context"
	"crypto/rand"
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

// A Client is a client without a page, with two goroutines for each connection. It does what the
// official client (socket.io-client 4.8) and a correct page do together: it answers pings,
// notices a ping timeout, reconnects with the official backoff, asks for connection state
// recovery, buffers messages while it is offline, and shows only messages that are newer than
// the last offset shown. It sends a message once, even if the connection ends before the
// acknowledgement, unless Options.Retries is set. Options.Protocol defines the events.
//
// The files are layers. From the top: this file is the client and its page loads, show.go handles
// events as a page does, retries.go retries messages, enter.go performs Protocol.Enter, socket.go
// is the Socket.IO protocol (revision 5), codec.go its two encodings, engine.go is Engine.IO
// (revision 4) over one connection, and websocket.go and polling.go are the transports.
//
// The exported fields are set before Open. Options.Record is called with the client's lock held,
// so that events are in order; it must not call the client.
type Client struct {
	// Raw shows every message that the server sends, also one that is not newer.
	Raw bool
	// Keys makes Send add a random idempotency key to each message, as pages do from level
	// client-delivery on. It is for the tutorial's chat; with Options.Protocol, a key is sent
	// if the protocol contains one.
	Keys bool
	// OnPacket, if not nil, is called with every packet of the namespace that arrives, in
	// order. It is called with the client's lock held and must not call the client.
	OnPacket func(*parser.Packet)

	options client.Options
	proto   protocol.Protocol
	cookies http.CookieJar // shared by all views, as in a browser

	// lifecycle is held by Open, Refresh and Close, one at a time. It is a channel and not a
	// mutex because closing takes time, and a fake clock does not advance while a goroutine
	// waits for a mutex.
	lifecycle chan struct{}

	mu     sync.Mutex
	view   *view // nil when closed
	views  int
	random *mathrand.Rand
	saved  protocol.Values // the values of Protocol.Enter and Learn, across all views
}

// connectDelay is the time from the open packet to CONNECT, about as long as a browser takes.
const connectDelay = 5 * time.Millisecond

// New makes a closed client, which dials the server only after Open. It uses WebSocket, unless
// Options.Transports names only "polling".
func New(options client.Options) *Client {
	name := fnv.New64()
	name.Write([]byte(options.Name)) // so that clients of one run draw different backoffs
	proto := protocol.Tutorial()
	if options.Protocol != nil {
		proto = *options.Protocol
	}
	cookies, _ := cookiejar.New(nil) // can fail only with options
	return &Client{
		cookies:   cookies,
		options:   options,
		proto:     proto,
		saved:     protocol.Values{},
		lifecycle: make(chan struct{}, 1),
		random:    mathrand.New(mathrand.NewPCG(options.Seed, name.Sum64())),
	}
}

// The first and the longest wait before a reconnection, and the part of a wait that is drawn.
const (
	firstDelay   = time.Second
	longestDelay = 5 * time.Second
	jitter       = 0.5
)

// delay is how long the official client waits after attempt failures (from 0): the first wait doubled
// for each, plus or minus the jitter. The caller holds the lock.
func (w *Client) delay(attempt int) time.Duration {
	first := cmp.Or(w.options.ReconnectDelay, firstDelay)
	wait := float64(first) * math.Pow(2, float64(attempt))
	drawn := w.random.Float64()
	deviation := drawn * jitter * wait
	if int(drawn*10)%2 == 0 {
		deviation = -deviation
	}
	return time.Duration(min(wait+deviation, float64(max(first, longestDelay))))
}

// Open opens a view and starts to connect; it does not wait for the connection.
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

// Refresh closes the view and opens the next one. That starts with Options.ServerOffset again,
// because this client has no localStorage.
func (w *Client) Refresh(ctx context.Context, left func()) error {
	w.lifecycle <- struct{}{}
	defer func() { <-w.lifecycle }()
	w.close(left)
	return w.open(ctx)
}

// Close closes the view and waits until its goroutines have ended.
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

// Disconnect sends a DISCONNECT packet and does not reconnect.
func (w *Client) Disconnect() error {
	return w.withView(func(v *view) error { v.disconnect(); return nil })
}

// Connect connects again after Disconnect, or after a disconnect by the server.
func (w *Client) Connect() error {
	return w.withView(func(v *view) error { v.connect(); return nil })
}

var errNoPage = fmt.Errorf("%w: it has no page", client.ErrUnsupported)

// Suspend, Resume and Throw are for pages.
func (w *Client) Suspend() error { return errNoPage }
func (w *Client) Resume() error  { return errNoPage }
func (w *Client) Throw() error   { return errNoPage }

var errSendsNothing = errors.New("the protocol has no send: clients of this application send no messages")

// Send emits a message and asks for an acknowledgement, unless the server sends none.
func (w *Client) Send(text string) error {
	send := w.proto.Send
	if send == nil {
		return errSendsNothing
	}
	return w.withView(func(v *view) error {
		v.record(history.Event{Kind: history.Sent, Message: text})
		if w.proto.NoEcho {
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

// sendsKeys tells whether a message has a key, which in the tutorial's chat depends on the step.
func (w *Client) sendsKeys() bool {
	return w.proto.SendsKeys() && (w.options.Protocol != nil || w.Keys || w.options.Retries)
}

// key makes an idempotency key. The caller holds the lock.
func (w *Client) key() string {
	if w.options.SeedKeys {
		return fmt.Sprintf("%016x%016x", w.random.Uint64(), w.random.Uint64())
	}
	return rand.Text()
}

// Status is a snapshot.
func (w *Client) Status() client.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	status := client.Status{View: w.views}
	if v := w.view; v != nil {
		status.Open, status.Connected, status.Shown = true, v.connected, v.shown
	}
	return status
}

func (w *Client) withView(do func(*view) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.view == nil {
		return client.ErrNotOpen
	}
	return do(w.view)
}

// knowsAwaited tells whether the client knows all learned values that a message contains. The
// caller holds the lock.
func (w *Client) knowsAwaited() bool {
	for _, name := range w.proto.Awaited() {
		if _, known := w.saved[name]; !known {
			return false
		}
	}
	return true
}

// values are those that the protocol's templates can use. The caller holds the lock.
func (v *view) values() protocol.Values {
	w := v.wire
	values := maps.Clone(w.saved)
	values[protocol.Client] = w.options.Name
	values[protocol.Offset] = v.offset
	if w.proto.Receive.Opaque {
		v.cursors.Offset(values, v.offset)
	}
	if w.options.Other != "" {
		values[protocol.Other] = w.options.Other
	}
	return values
}

// auth is the payload of CONNECT without the fields of recovery, or nil.
func (v *view) auth() map[string]any {
	if v.wire.proto.Auth == nil {
		return nil
	}
	return protocol.Fill(v.wire.proto.Auth, v.values()).(map[string]any)
}
