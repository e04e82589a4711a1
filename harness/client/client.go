// Package client defines what a client of a run has to do, whatever it is made of.
//
// Read [Client] first: the lab drives every kind of client through it. Package page is the
// official client and a page's own script in a JavaScript VM; package browser is a page in
// Chromium; package wire exchanges packets without a page; package process is a program in
// any language. A client reports what it observes and judges nothing. It must not know
// faults.
package client

import (
	"context"
	"errors"
	"net"
	"time"

	"redial/harness/history"
	"redial/harness/protocol"
)

// A Client is one participant of a run, across all its page loads. Unless a method says
// otherwise, it only starts an operation and returns; the history records the result. Methods
// are safe for concurrent use.
type Client interface {
	// Open loads the page and starts to connect. It returns when the page's
	// script has run, or with the reason why the page could not be loaded.
	Open(ctx context.Context) error
	// Send types text and submits it. It records Sent before a packet leaves.
	Send(text string) error
	// Refresh closes the view and opens the next one, with the same localStorage. An Open or
	// Refresh that still runs ends with ErrReloaded. left, if not nil, is called after the
	// last event of the old view is recorded.
	Refresh(ctx context.Context, left func()) error
	// Disconnect and Connect are the page's own socket.disconnect() and connect().
	Disconnect() error
	Connect() error
	// Suspend acts as closing the lid of a laptop: no script of the page runs, while the
	// clock and the server go on. Resume opens the lid; timers and events that became due
	// meanwhile run then. Only pages support both.
	Suspend() error
	Resume() error
	// Throw adds a handler after those of the page, which throws once, at the next chat
	// message. Only pages support it.
	Throw() error
	// Status is the current state as the client knows it.
	Status() Status
	// Close closes the tab. When it returns, every connection, timer and goroutine of the
	// client has ended. It may be called twice.
	Close() error
}

// ErrOpen is returned by Open, without an effect, if the client is open already.
var ErrOpen = errors.New("it is open already: refresh it instead")

// ErrNotOpen is returned, without an effect, if the client has no view.
var ErrNotOpen = errors.New("the page is not open")

// ErrReloaded is returned by a load of the page that another load has replaced.
var ErrReloaded = errors.New("the page was loaded again meanwhile")

// Discard ends what a client keeps running after Close for a later Open: the browser of a page in
// Chromium. Other clients keep nothing.
func Discard(c Client) {
	if keeps, ok := c.(interface{ Discard() error }); ok {
		_ = keeps.Discard()
	}
}

// Removed returns the messages that the client's page has shown and no longer shows, although it was
// not loaded again, and the number of the view. Clients without a page remove none.
func Removed(c Client) (view int, texts []string) {
	if removes, ok := c.(interface{ Removed() (int, []string) }); ok {
		return removes.Removed()
	}
	return 0, nil
}

// ErrUnsupported is wrapped by the errors for what a kind of client does not support. A
// scenario that needs it is unsupported, not failed.
var ErrUnsupported = errors.New("not possible with this client")

// Status is a snapshot of a client.
type Status struct {
	// View is the number of page loads so far.
	View int
	// Open tells whether there is a view whose script has run.
	Open bool
	// Connected is the state of the client's socket.
	Connected bool
	// Shown counts the messages in the current view.
	Shown int
}

// Options are the name of a client and its way to the server.
type Options struct {
	// Name is the client's name in the plan.
	Name string
	// URL is the address at which the client reaches the server, "http://host:port" without
	// a path. In the real lab it is that of the client's link.
	URL string
	// Transports are as in plan.Client.
	Transports []string
	// Dial opens a connection; nil means real TCP. The virtual lab passes its memory
	// network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Within, if not empty, is a command in front of that of a client with its own process.
	// It runs the client in a separate network.
	Within []string
	// Record is called with each event that the client observes. The client sets Kind,
	// Client, View and the fields of the kind.
	Record func(history.Event)
	// HTML, if not empty, replaces the answer to GET /. It is the kit's reference page for a
	// target that serves none.
	HTML []byte
	// Bundle returns the client library for a target that serves none, or one that is too old, at
	// contract.ClientPath, or on the path of the Protocol. With a Protocol it must be the
	// build with that parser.
	Bundle func() ([]byte, error)
	// ReconnectDelay is the first wait before a reconnection; zero means the official
	// backoff. A page ignores it.
	ReconnectDelay time.Duration
	// Retries makes a wire client send messages as the official client does with retries:
	// with a key, one at a time, and again until it is acknowledged. A page ignores it.
	Retries bool
	// EagerConnect makes a wire client send CONNECT right after the open packet, and not
	// some milliseconds later as a page does. The Go server sometimes never answers a
	// CONNECT that comes that early.
	EagerConnect bool
	// Seed fixes the random choices of the client, except for its idempotency keys: a
	// server that has stored the keys of an earlier run would treat the messages as retries.
	Seed uint64
	// SeedKeys draws the keys, and all of crypto, from Seed too. It is for a server that
	// starts without data.
	SeedKeys bool
	// ServerOffset is the first offset of a wire client: a whole number or, if the
	// protocol's offsets are opaque, a value from the server. Nil means none.
	ServerOffset any
	// Protocol describes the application's events. Nil means those of the tutorial's chat;
	// a page's script then uses its own.
	Protocol *protocol.Protocol
	// Other is the name of the other client if the plan has two.
	Other string
}

// Over returns the transports that the client may use, in order of preference: those of the
// Options, or else WebSocket, or polling if the server does not accept WebSocket.
func (o Options) Over() []string {
	switch {
	case len(o.Transports) > 0:
		return o.Transports
	case o.Protocol != nil && !o.Protocol.Takes(protocol.WebSocket):
		return []string{protocol.Polling}
	}
	return []string{protocol.WebSocket}
}
