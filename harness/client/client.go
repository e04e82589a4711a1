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

// A Client is one participant of a run, over all its page loads. Its methods
// return at once, with what they begin still under way, unless they say
// otherwise; what comes of it arrives in the history. They are safe for
// concurrent use.
type Client interface {
	// Open loads the page and starts to connect. It returns when the page's
	// script has run, or with the reason why the page could not be loaded.
	Open(ctx context.Context) error
	// Send types text and submits it. It records Sent before anything leaves.
	Send(text string) error
	// Refresh closes the view and opens the next one, with the same localStorage. An
	// Open or Refresh that is under way is given up, and returns ErrReloaded. left, if
	// not nil, is called when the view that was there has had its last word.
	Refresh(ctx context.Context, left func()) error
	// Disconnect and Connect are the page's own socket.disconnect() and connect().
	Disconnect() error
	Connect() error
	// Suspend closes the lid of the laptop: nothing of the page runs, while the clock
	// and the server go on. Resume opens it; what fell due meanwhile happens then.
	// Clients that are no page cannot.
	Suspend() error
	Resume() error
	// Throw adds a handler that throws at the next chat message, once, after those that
	// the page has. Clients that are no page cannot.
	Throw() error
	// Status is what the client believes about itself now.
	Status() Status
	// Close closes the tab: every connection, timer and goroutine of the client is
	// gone when it returns. Closing twice is harmless.
	Close() error
}

// ErrOpen is what Open answers where the client is open already. Nothing was done.
var ErrOpen = errors.New("it is open already: refresh it instead")

// ErrNotOpen is what a page without a view answers. Nothing was done.
var ErrNotOpen = errors.New("the page is not open")

// ErrReloaded says that the page was loaded again before it was there.
var ErrReloaded = errors.New("the page was loaded again meanwhile")

// ErrUnsupported is wrapped by the errors of what a kind of client does not offer. A
// scenario that needs it is unsupported, not failed.
var ErrUnsupported = errors.New("not possible with this client")

// Status is a snapshot of a client.
type Status struct {
	// View is the number of page loads so far.
	View int
	// Open tells whether there is a view now whose script has run.
	Open bool
	// Connected is what the client's socket says.
	Connected bool
	// Shown counts the messages in the current view.
	Shown int
	// Pending counts what was said and is neither acknowledged nor refused, where
	// the page asks for acknowledgements.
	Pending int
}

// Options say who a client is and what it reaches the server through.
type Options struct {
	// Name is the client's name in the plan.
	Name string
	// URL is the server's address as the client sees it, "http://host:port"
	// without a path: in the real lab its link's, not the target's own.
	URL string
	// Transports as in plan.Client.
	Transports []string
	// Dial opens a connection; nil means real TCP. The virtual lab puts its
	// memory network here.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Within, when not empty, is the command that a client with a process of its own is
	// started with: it runs the rest of its arguments in the client's own network.
	Within []string
	// Record takes what the client observes. The client fills in Kind, Client,
	// View and what belongs to the kind.
	Record func(history.Event)
	// HTML, when not empty, is used instead of what GET / answers: the kit's
	// reference page for a target that is not ours.
	HTML []byte
	// Bundle gets the client library to fall back to when the target does not serve
	// one at contract.ClientPath, or with a Protocol on its path: then it has to be the
	// build with the protocol's parser.
	Bundle func() ([]byte, error)
	// ReconnectDelay is the first wait before a reconnection; zero means the
	// official client's own backoff. A page keeps its own whatever this says.
	ReconnectDelay time.Duration
	// Retries has a Wire client send what it says as the official client does with
	// retries: with a key, one message at a time, again and again until it is
	// acknowledged. A page does as its script says.
	Retries bool
	// EagerConnect makes a Wire client send CONNECT right after the open packet, and not
	// some milliseconds later, as a page does. The Go server now and then never answers
	// one that comes too soon.
	EagerConnect bool
	// Seed fixes what the client draws at random, but for the keys with which it
	// names messages: a server that has kept those of an earlier run would take the
	// messages for repeated ones.
	Seed uint64
	// SeedKeys draws those keys, and all of crypto, from Seed too. It is for a server
	// that begins with nothing.
	SeedKeys bool
	// ServerOffset is the offset that a Wire client begins with: a whole number, or what the
	// server sent where the protocol's offsets are opaque. Nil: none.
	ServerOffset any
	// Protocol is how the application speaks. Nil: as the tutorial's chat does, and a page's
	// script speaks for itself.
	Protocol *protocol.Protocol
	// Other is the name of the other client, where the plan has two.
	Other string
}

// Over is the transports that the client may use, in order of preference: those of Options,
// or else WebSocket, or what the server takes instead.
func (o Options) Over() []string {
	switch {
	case len(o.Transports) > 0:
		return o.Transports
	case o.Protocol != nil && !o.Protocol.Takes(protocol.WebSocket):
		return []string{protocol.Polling}
	}
	return []string{protocol.WebSocket}
}
