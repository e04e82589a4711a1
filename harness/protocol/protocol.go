// Package protocol describes how a chat application uses Socket.IO: the events that it sends
// and receives, and where in them the text and the offset are.
//
// Read [Protocol] first: its fields are the section "socket" of a redial.yaml. Then read
// [Values], the values that its templates can use, and read.go, which turns an event from
// the server into messages.
//
// A path into an event is a JSONPath (RFC 9535), by github.com/theory/jsonpath, which passes
// the RFC's own test suite. The package connects to nothing and must not know a client:
// clients ask it for the event to send, and give it the events that they receive.
package protocol

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"redial/harness/contract"
)

// A Protocol describes the Socket.IO events of an application. The zero value of most fields
// is the tutorial chat's choice; [Tutorial] has all of them filled in. The tags describe the
// fields.
//
// Auth, Query and the arguments of events are templates: names in braces such as {{client}} and
// {{text}} are replaced by [Values]. A string that is only a name in braces becomes the value
// with its type, such as a number for {{offset}}. In a map, a field whose value is not known yet
// is left out.
type Protocol struct {
	Path      string `json:"path,omitempty" jsonschema_description:"The path that the server takes Socket.IO connections at (default /socket.io/)"`
	Namespace string `json:"namespace,omitempty" jsonschema_description:"The Socket.IO namespace (default /)"`
	// In scenarios about polling, clients use polling even if the server accepts both.
	Transports []string          `json:"transports,omitempty" jsonschema:"enum=websocket,enum=polling" jsonschema_description:"The transports that the server takes: websocket, polling (default both, and clients use websocket)"`
	Parser     Parser            `json:"parser,omitempty" jsonschema:"enum=json,enum=msgpack" jsonschema_description:"How packets are written: json (default) or msgpack (socket.io-msgpack-parser)"`
	Auth       map[string]any    `json:"auth,omitempty" jsonschema_description:"The auth payload of every connect; may contain {{client}} and {{offset}}, and ${NAME} is the environment variable NAME, as in every text of the file"`
	Query      map[string]string `json:"query,omitempty" jsonschema_description:"The query string of every connection"`
	Headers    map[string]string `json:"headers,omitempty" jsonschema_description:"HTTP headers of every request; clients in a browser cannot set them on a WebSocket"`
	// The library does not reconnect by itself after a DISCONNECT packet.
	Reconnects bool `json:"reconnects,omitempty" jsonschema_description:"Whether clients call connect() again when the server has disconnected them, as with io.disconnectSockets() (default false)"`
	// A page shows its client as connected only after the last step of Enter.
	Enter []EnterStep `json:"enter,omitempty" jsonschema_description:"What a client does after every connect before it may send a message"`
	Learn []Learn     `json:"learn,omitempty" jsonschema_description:"Values to remember from events that may arrive at any time, such as the other user's ID"`
	// Send is how a message is sent. With nil, clients send none: only the server does.
	Send    *Send   `yaml:"-" json:"-"`
	Receive Receive `json:"receive" jsonschema_description:"How a message arrives at a client"`
	// NoEcho means that the server does not send a message back to its sender, so the
	// sender's page shows it without waiting. In a redial.yaml this is "echo: false".
	NoEcho  bool     `yaml:"-" json:"-"`
	History *History `json:"history,omitempty" jsonschema_description:"The event in which the server sends all messages that there are"`
}

// A Parser is an encoding of Socket.IO packets.
type Parser string

// JSON is Socket.IO's default encoding, MessagePack that of socket.io-msgpack-parser.
const (
	JSON        Parser = "json"
	MessagePack Parser = "msgpack"
)

// WebSocket and Polling are the transports of Engine.IO.
const (
	WebSocket = "websocket"
	Polling   = "polling"
)

// An EnterStep emits an event, awaits one, or both in this order.
type EnterStep struct {
	Emit  []any  `json:"emit,omitempty" jsonschema_description:"An event to emit: its name and then its arguments"`
	Ack   bool   `json:"ack,omitempty" jsonschema_description:"Wait for the acknowledgement of the emitted event"`
	Await string `json:"await,omitempty" jsonschema_description:"The name of an event to wait for"`
	// Save names values of the awaited event, or else of the acknowledgement, by their
	// paths: templates can use them from then on, also after a page refresh.
	Save map[string]Path `json:"save,omitempty" jsonschema_description:"Values to remember from the awaited event or the acknowledgement: a name and a path for each"`
	// A recovered session is still in its rooms.
	Unrecovered bool `json:"unrecovered,omitempty" jsonschema_description:"Whether to leave the step out where the session was recovered, as a page does that checks socket.recovered (default false)"`
}

// Send is how a message is sent.
type Send struct {
	Event string `json:"event" jsonschema_description:"The event's name"`
	// Args are the templates of the event's arguments.
	Args []any `json:"args" jsonschema_description:"The arguments: {{text}} is the message and {{key}} its idempotency key"`
	// NoAck means that the server sends no acknowledgement. In a redial.yaml: "ack: false".
	NoAck bool `yaml:"-" json:"-"`
	// TextsOnly means that a message can only be a text: what is sent is neither an object
	// nor bytes.
	TextsOnly bool `json:"textsOnly,omitempty" jsonschema_description:"Whether a message can only be a text, as where a server validates its type: no objects and no bytes are sent then (default false)"`
	// Refused is the path to the reason in an acknowledgement that refuses the message;
	// empty means $.error.
	Refused Path `json:"refused,omitempty" jsonschema_description:"Where an acknowledgement says that the message was refused (default $.error)"`
	// Accepted is the path to a value that an acknowledgement has only if the message was
	// accepted: it is missing, null, false or empty if not. An empty path is none.
	Accepted Path `json:"accepted,omitempty" jsonschema_description:"Where an acknowledgement says that the message was accepted, such as $.ok: without a value there, or with null, false or an empty text, it was refused"`
}

// Receive is how a message arrives.
type Receive struct {
	Event string `json:"event" jsonschema_description:"The event's name"`
	// Text is the path to the message's text; empty means $. A path such as $[*].text selects
	// several in an event that carries a batch of messages. Where Offset then selects another
	// number of values, none is used.
	Text Path `json:"text,omitempty" jsonschema_description:"Where the text is (default $: the first argument); a path such as $[*].text reads each message of a batch"`
	// Offset is the path to the message's offset, a whole number that grows with the log;
	// empty if the server sends none.
	Offset Path `json:"offset,omitempty" jsonschema_description:"Where the offset is: a whole number that grows with every message, or anything else where opaque is true"`
	// Opaque means that the offset is not a growing number but a UUID, a stream cursor or
	// the like. A client remembers the last one and returns it unchanged.
	Opaque bool `json:"opaque,omitempty" jsonschema_description:"Whether the offset is no whole number but an ID or a cursor that a client hands back as it came (default false)"`
}

// History is the event in which the server sends the complete message list. Each item is read
// as an event whose first argument it is.
type History struct {
	Event string `json:"event" jsonschema_description:"The event's name"`
	// List is where the messages are; empty means $, the first argument.
	List Path `json:"list,omitempty" jsonschema_description:"Where the list of messages is (default $: the first argument)"`
	// Text and Offset are paths in an item; empty means those of Receive.
	Text   Path `json:"text,omitempty" jsonschema_description:"Where the text is in an item of the list (default: as in receive)"`
	Offset Path `json:"offset,omitempty" jsonschema_description:"Where the offset is in an item of the list (default: as in receive)"`
}

// Tutorial is the protocol of the tutorial's chat: package contract as a Protocol.
func Tutorial() Protocol {
	return Protocol{
		Auth:    map[string]any{contract.AuthOffset: "{{offset}}"},
		Send:    &Send{Event: contract.ChatEvent, Args: []any{"{{text}}", "{{key}}"}, Refused: "$." + contract.RefusalField},
		Receive: Receive{Event: contract.ChatEvent, Text: "$", Offset: "$2"},
	}
}

// Validate returns an error that names each field with a wrong value, or nil. Paths were
// validated when they were read: see [Path.UnmarshalYAML].
func (p *Protocol) Validate() error {
	var wrong []error
	is := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	is(p.Path != "" && !strings.HasPrefix(p.Path, "/"), "path: %q does not begin with a slash", p.Path)
	is(p.Namespace != "" && !strings.HasPrefix(p.Namespace, "/"), "namespace: %q does not begin with a slash", p.Namespace)
	is(p.Parser != "" && p.Parser != JSON && p.Parser != MessagePack, "parser: there is no parser %q; there are json and msgpack", p.Parser)
	is(p.Receive.Event == "", "receive: event is missing: the name of the event in which a message arrives")
	is(p.Receive.Opaque && p.Receive.Offset == "", "receive: opaque is about the offset, and offset is missing")
	for _, t := range p.Transports {
		is(t != WebSocket && t != Polling, "transports: there is no transport %q; there are %s and %s", t, WebSocket, Polling)
	}
	if s := p.Send; s != nil {
		is(s.Event == "", "send: event is missing: the name of the event that carries a message")
		is(!Mentions(s.Args, Text), "send: no argument contains {{text}}, so no message would be sent")
	}
	if h := p.History; h != nil {
		is(h.Event == "", "history: event is missing")
		is(h.Text == "" && strings.Contains(string(p.Receive.Text), "*"), "history: text is missing: the text in an item of its list, since receive reads batches")
	}
	for i, l := range p.Learn {
		is(l.Event == "" || len(l.Save) == 0, "learn, entry %d: it needs event and save", i+1)
	}
	for i, s := range p.Enter {
		name := fmt.Sprintf("enter, step %d", i+1)
		is(len(s.Emit) == 0 && s.Await == "", "%s: it needs emit or await", name)
		if len(s.Emit) > 0 {
			event, _ := s.Emit[0].(string)
			is(event == "", "%s: emit begins with the event's name", name)
		}
		is(s.Ack && len(s.Emit) == 0, "%s: ack needs emit", name)
		is(len(s.Save) > 0 && s.Await == "" && !s.Ack, "%s: save needs await or ack, to have values to save", name)
	}
	return errors.Join(wrong...)
}

// EnginePath is Path as the official client requests it, with a slash at the end.
func (p *Protocol) EnginePath() string {
	return strings.TrimSuffix(cmp.Or(p.Path, "/socket.io"), "/") + "/"
}

// Takes tells whether the server accepts the transport.
func (p *Protocol) Takes(transport string) bool {
	return len(p.Transports) == 0 || slices.Contains(p.Transports, transport)
}

// SendsKeys tells whether a message is sent with an idempotency key.
func (p *Protocol) SendsKeys() bool { return p.Send != nil && Mentions(p.Send.Args, Key) }

// Pairwise tells whether a message goes to one other client only.
func (p *Protocol) Pairwise() bool {
	return p.Send != nil && (Mentions(p.Send.Args, Other) || p.sendsLearnedOfOther())
}

// NamesOffset tells whether a client sends its offset to the server.
func (p *Protocol) NamesOffset() bool {
	return Mentions(p.Auth, Offset) || Mentions(p.Query, Offset) ||
		slices.ContainsFunc(p.Enter, func(s EnterStep) bool { return Mentions(s.Emit, Offset) })
}
