// Package process is the client that is a program of its own, in any language and on any
// Socket.IO library.
//
// The program stands for one load of a page. It is started by Open and by Refresh, and
// keeps nothing when it ends. It reads commands from stdin and writes events to stdout, a
// JSON object on each line; see [Command] and [Event] for their fields. What it writes to
// stderr is for people.
//
//	→ {"do":"open","client":"bob","url":"http://127.0.0.1:4000","transports":["websocket"],"level":"server-delivery"}
//	← {"kind":"done"}
//	← {"kind":"connected"}
//	← {"kind":"shown","message":"hello","offset":1}
//	→ {"do":"send","text":"hello, too"}
//	← {"kind":"done"}
//	← {"kind":"acknowledged","message":"hello, too"}
//	← {"kind":"shown","message":"hello, too","offset":2}
//	← {"kind":"disconnected","detail":"transport close"}
//	→ {"do":"close"}
//	← {"kind":"done"}
//
// The commands are:
//
//   - open, the first, once: connect to the server, and again whenever the connection is
//     lost or cannot be made. "level" is the promise that the server keeps, and so what the
//     client has to do for its part: see package contract.
//   - send: send a message, now or when there is a connection.
//   - disconnect: disconnect and stay disconnected. connect: connect again.
//   - close: end at once, as a tab that is closed. The end of stdin means the same.
//
// Each is answered by the event "done", or by "failed" with a reason in "detail", before
// what comes of it: open before the first connection attempt, and send before the
// acknowledgement. The next command comes after the answer. The other events are
// "connected" (with "recovered" where the server has recovered the session),
// "disconnected", "shown" (a message that a user would see now, once each time that they
// would see it, with its offset where the server sends one), "acknowledged" and "refused"
// (the server's answer to a message; the reason of a refusal is in "detail"), and "note",
// whose "detail" is for people.
//
// Read [Client] first, then view.go, which is one run of the program. The package knows no
// library and no language, and the program knows nothing of faults. It imports package
// target only for its care of child processes.
package process

import (
	"context"
	"fmt"
	"sync"
	"time"

	"redial/harness/client"
	"redial/harness/contract"
)

// longestLine is how many bytes a line may have, without its end.
const longestLine = 1 << 20

// Bounds on the time that the program takes; tests have shorter ones.
var (
	startBound = 20 * time.Second // from its start to its answer to "open"
	actBound   = 10 * time.Second // from any other command to its answer
)

// A Command is what the program is asked to do.
type Command struct {
	// Do is open, send, disconnect, connect or close.
	Do string `json:"do"`
	// Text is the message of a send.
	Text string `json:"text,omitempty"`
	// Client is its own name, with an open; and so are the others.
	Client string `json:"client,omitempty"`
	// URL is the server's address, without a path.
	URL string `json:"url,omitempty"`
	// Transports are those that it may use: "websocket", "polling" or both, in the order in
	// which they are tried.
	Transports []string `json:"transports,omitempty"`
	// Level is the promise that the server keeps.
	Level contract.Level `json:"level,omitempty"`
}

// An Event is what the program has observed, or the answer to a Command.
type Event struct {
	// Kind is done, failed, connected, disconnected, shown, acknowledged, refused or note.
	Kind string `json:"kind"`
	// Message is the text of the message that it is about.
	Message string `json:"message,omitempty"`
	// Offset is the server's id of a message that is shown.
	Offset int64 `json:"offset,omitempty"`
	// Recovered, with connected, tells that the server has recovered the session.
	Recovered bool `json:"recovered,omitempty"`
	// Detail is a reason, or what a note says.
	Detail string `json:"detail,omitempty"`
}

// A Program is how a client's program is started.
type Program struct {
	// Command is the program and its arguments.
	Command []string
	// Level is sent to it.
	Level contract.Level
}

// A Client is a program that is a client, over all its starts.
type Client struct {
	options client.Options
	program Program

	// turn is held by Open, Refresh and Close. None of them waits for the network: the
	// program answers to open before it connects.
	turn sync.Mutex
	// tab tells that it was opened, and not closed since, though its program may be gone.
	tab bool

	mu    sync.Mutex
	view  *view // nil when closed
	views int
}

// New makes a client, closed. The options that it uses are Name, URL, Transports and
// Record: an idempotency key and a backoff are the program's affair.
func New(options client.Options, program Program) *Client {
	return &Client{options: options, program: program}
}

// Open starts the program. See client.Client.
func (c *Client) Open(ctx context.Context) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	if _, err := c.current(); err == nil {
		return client.ErrOpen
	}
	c.tab = true
	return c.open(ctx)
}

// Refresh ends the program and starts it again.
func (c *Client) Refresh(ctx context.Context, left func()) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	if !c.tab {
		return client.ErrNotOpen
	}
	err := c.leave()
	if left != nil {
		left()
	}
	if err != nil {
		return err
	}
	return c.open(ctx)
}

// Close ends the program.
func (c *Client) Close() error {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.tab = false
	return c.leave()
}

// open starts the program. The caller has the turn, and there is no view.
func (c *Client) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startBound, fmt.Errorf("it did not answer within %s", startBound))
	defer cancel()
	v, err := newView(c.options, c.program, c.views+1)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.views++
	c.view = v
	c.mu.Unlock()
	if err := v.open(ctx, c.program.Level); err != nil {
		_ = c.leave()
		return fmt.Errorf("cannot open the client: %w", err)
	}
	return nil
}

func (c *Client) leave() error {
	c.mu.Lock()
	v := c.view
	c.view = nil
	c.mu.Unlock()
	if v == nil {
		return nil
	}
	return v.close()
}

func (c *Client) current() (*view, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.view == nil {
		return nil, client.ErrNotOpen
	}
	return c.view, nil
}

// Send has the program send a message. It returns when the program has taken it.
func (c *Client) Send(text string) error { return c.act(Command{Do: "send", Text: text}) }

// Disconnect has the program disconnect, and stay so.
func (c *Client) Disconnect() error { return c.act(Command{Do: "disconnect"}) }

// Connect has it connect again.
func (c *Client) Connect() error { return c.act(Command{Do: "connect"}) }

func (c *Client) act(command Command) error {
	v, err := c.current()
	if err == nil {
		ctx, cancel := context.WithTimeoutCause(context.Background(), actBound, fmt.Errorf("it did not answer within %s", actBound))
		defer cancel()
		err = v.act(ctx, command)
	}
	if err != nil {
		return fmt.Errorf("cannot %s: %w", command.Do, err)
	}
	return nil
}

var errNoPage = fmt.Errorf("%w: it is a program, and no page in a browser", client.ErrUnsupported)

// Suspend, Resume and Throw are for pages.
func (c *Client) Suspend() error { return errNoPage }
func (c *Client) Resume() error  { return errNoPage }
func (c *Client) Throw() error   { return errNoPage }

// Status is a snapshot. See client.Client.
func (c *Client) Status() client.Status {
	c.mu.Lock()
	v, views := c.view, c.views
	c.mu.Unlock()
	status := client.Status{View: views}
	if v != nil {
		v.status(&status)
	}
	return status
}
