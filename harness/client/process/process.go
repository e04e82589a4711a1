// Package process is the client that is a separate program, in any language and on any
// Socket.IO library.
//
// A run of the program is one page load. Open and Refresh start it, and no state persists after
// its end. It reads commands from stdin and writes events to stdout, a JSON object on each line;
// see [Command] and [Event] for their fields. Its stderr is only shown to the user.
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
//   - open, the first command, once: connect to the server, and reconnect whenever the
//     connection is lost or cannot be made. "level" is the server's delivery level, which
//     defines what the client has to do: see package contract.
//   - send: send a message, now or when there is a connection.
//   - disconnect: disconnect and stay disconnected. connect: connect again.
//   - close: end at once, as a tab that is closed. The end of stdin means the same.
//
// The program answers each command with the event "done", or with "failed" and a reason in
// "detail", before the events that the command causes: open before the first connection
// attempt, and send before the acknowledgement. The next command comes after the answer. The
// other events are "connected" (with "recovered" if the server has recovered the session),
// "disconnected", "shown" (each time that a user would see a message appear, with its offset if
// the server sends one), "acknowledged" and "refused" (the server's answer to a message; the
// reason of a refusal is in "detail"), and "note", whose "detail" is a text for the user.
//
// Read [Client] first, then view.go, which is one run of the program. The package must not know
// a library or a language, and the program gets no information about faults. It imports package
// target only to start and end child processes.
package process

import (
	"context"
	"fmt"
	"sync"
	"time"

	"redial/harness/client"
	"redial/harness/contract"
)

// longestLine is how many bytes a line may have, without its newline.
const longestLine = 1 << 20

// Bounds on the time of the program's answers; tests shorten them.
var (
	startBound = 20 * time.Second // from its start to its answer to "open"
	actBound   = 10 * time.Second // from any other command to its answer
)

// A Command is a command to the program.
type Command struct {
	// Do is open, send, disconnect, connect or close.
	Do string `json:"do"`
	// Text is the message of a send.
	Text string `json:"text,omitempty"`
	// Client is the client's name. It and the fields below are set in an open.
	Client string `json:"client,omitempty"`
	// URL is the server's address, without a path.
	URL string `json:"url,omitempty"`
	// Transports are those that it may use: "websocket", "polling" or both, in order of
	// preference.
	Transports []string `json:"transports,omitempty"`
	// Level is the server's delivery level.
	Level contract.Level `json:"level,omitempty"`
}

// An Event is an observation of the program, or its answer to a Command.
type Event struct {
	// Kind is done, failed, connected, disconnected, shown, acknowledged, refused or note.
	Kind string `json:"kind"`
	// Message is the text of the message that it is about.
	Message string `json:"message,omitempty"`
	// Offset is the server's id of a message that is shown.
	Offset int64 `json:"offset,omitempty"`
	// Recovered, with connected, means that the server has recovered the session.
	Recovered bool `json:"recovered,omitempty"`
	// Detail is a reason, or the text of a note.
	Detail string `json:"detail,omitempty"`
}

// A Program is the program of a client.
type Program struct {
	// Command is the program and its arguments.
	Command []string
	// Level is sent to it with open.
	Level contract.Level
}

// A Client is a client that is a program, across all its runs.
type Client struct {
	options client.Options
	program Program

	// turn is held by Open, Refresh and Close. None of them waits for the network, because
	// the program answers open before it connects.
	turn sync.Mutex
	// tab is true between Open and Close, even if the program has ended.
	tab bool

	mu    sync.Mutex
	view  *view // nil when closed
	views int
}

// New makes a closed client. It uses only the options Name, URL, Transports, Within and Record:
// the program chooses its idempotency keys and its backoff.
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

// Send sends a message. It returns when the program has answered.
func (c *Client) Send(text string) error { return c.act(Command{Do: "send", Text: text}) }

// Disconnect makes the program disconnect and stay disconnected.
func (c *Client) Disconnect() error { return c.act(Command{Do: "disconnect"}) }

// Connect makes the program connect again.
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

// Status is a snapshot.
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
