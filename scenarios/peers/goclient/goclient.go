// Package goclient is the page of the kit's steps as a program on the Go library's own
// client, github.com/zishang520/socket.io/clients/socket/v3, for levels up to
// client-delivery.
//
// Read [Become] first; package redial/harness/client/process describes the commands and
// events. goclient must not know the server or judge a run.
//
// The library is a port of socket.io-client and recovers sessions, but this package works
// around three of its defects: it sends nothing if it is configured to retry (see deliver),
// it detects a refused connection only at its timeout (see open), and its auth payload is a
// single map, which it reads and writes while it connects (see open). A fourth defect has no
// workaround: the library handles packets on a separate queue, so it may report a connection
// that has ended already, and then appears connected until it reconnects. This was observed
// once in 25 runs of cut-before-connect-packet. Version 3.0.1 is the newest on the module
// proxy that matches version 3.0.2 of the server.
package goclient

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/zishang520/socket.io/clients/engine/v3/transports"
	"github.com/zishang520/socket.io/clients/socket/v3"
	server "github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"redial/harness/client/process"
	"redial/harness/contract"
)

// Argument makes a program that called [Become] this client instead.
const Argument = "go-client"

// Become turns this process into the client if the process was started as one, and then
// never returns. A main function (or TestMain) calls it first.
func Become() {
	if len(os.Args) == 2 && os.Args[1] == Argument {
		run(os.Stdin, os.Stdout)
		os.Exit(0) // like a closed tab: the connection ends without a disconnect packet
	}
}

// A chat is a run of the client.
type chat struct {
	out    *json.Encoder
	socket *socket.Socket
	level  contract.Level
	// changed receives a value after a connection was made or lost, and when there is a
	// message to send.
	changed chan struct{}

	mu     sync.Mutex // also held during writes
	offset int64      // of the last message that was shown
	queue  []*message // not acknowledged yet, from level client-delivery on
}

// A message is resent until it is acknowledged.
type message struct {
	text, key string
	answered  chan struct{} // closed
	once      sync.Once
}

func run(in io.Reader, out io.Writer) {
	c := &chat{out: json.NewEncoder(out), changed: make(chan struct{}, 1)}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 2<<20)
	for lines.Scan() {
		var command process.Command
		err := json.Unmarshal(lines.Bytes(), &command)
		if err == nil {
			err = c.do(command)
		}
		if err != nil {
			c.write(process.Event{Kind: "failed", Detail: err.Error()})
		} else {
			c.write(process.Event{Kind: "done"})
		}
		if command.Do == "open" && err == nil {
			c.socket.Connect()
		}
		if command.Do == "close" {
			return
		}
	}
}

func (c *chat) write(e process.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.out.Encode(e)
}

func (c *chat) do(command process.Command) error {
	switch command.Do {
	case "open":
		return c.open(command)
	case "send":
		return c.send(command.Text)
	case "disconnect":
		c.socket.Disconnect()
	case "connect":
		c.socket.Connect()
	case "close":
	default:
		return fmt.Errorf("there is no command %q", command.Do)
	}
	return nil
}

func (c *chat) open(command process.Command) error {
	if command.Level == contract.DurableDelivery {
		return errors.New("this client does not offer durable-delivery: a program has no localStorage")
	}
	c.level = command.Level
	options := socket.DefaultOptions()
	options.SetAutoConnect(false) // otherwise it would connect before the handlers are registered
	options.SetMultiplex(false)
	options.SetTimeout(2 * time.Second) // the delay before it detects a refused connection
	options.SetTransports(transportsOf(command.Transports))
	auth := map[string]any{}
	options.SetAuth(auth)
	io, err := socket.Connect(command.URL, options)
	if err != nil {
		return err
	}
	c.socket = io
	// This is the only moment before a connection at which the library does not use the map.
	if err := io.Io().On("reconnect_attempt", func(...any) { c.putOffset(auth) }); err != nil {
		return err
	}
	// As on the page of step 6, recovered messages that were not shown yet are sent again, so
	// the buffer must be dropped. That page drops it at "close". This library handles packets
	// on a queue that may still hold some at that time, but is empty when the next connection
	// opens.
	if err := io.Io().On("open", func(...any) { io.ReceiveBuffer().Clear() }); err != nil {
		return err
	}
	c.putOffset(auth)
	for event, listener := range map[string]func(...any){
		"connect": func(...any) {
			c.write(process.Event{Kind: "connected", Recovered: io.Recovered()})
			c.wake()
		},
		"disconnect": func(why ...any) {
			c.write(process.Event{Kind: "disconnected", Detail: fmt.Sprint(first(why))})
			c.wake()
		},
		"connect_error":    func(why ...any) { c.note("connect_error: %v", first(why)) },
		contract.ChatEvent: c.receive,
		"reset": func(...any) {
			c.note("the list was cleared: the server has another log")
			c.mu.Lock()
			c.offset = 0
			c.mu.Unlock()
		},
	} {
		if err := io.On(types.EventName(event), listener); err != nil {
			return err
		}
	}
	if c.level.AtLeast(contract.ClientDelivery) {
		go c.deliver()
	}
	return nil
}

func transportsOf(names []string) *types.Set[transports.TransportCtor] {
	set := types.NewSet[transports.TransportCtor]()
	for _, name := range names {
		if name == "polling" {
			set.Add(transports.Polling)
		} else {
			set.Add(transports.WebSocket)
		}
	}
	return set
}

func first(values []any) any {
	if len(values) == 0 {
		return nil
	}
	return values[0]
}

func (c *chat) note(format string, args ...any) {
	c.write(process.Event{Kind: "note", Detail: fmt.Sprintf(format, args...)})
}

func (c *chat) putOffset(auth map[string]any) {
	if c.level.AtLeast(contract.ServerDelivery) {
		c.mu.Lock()
		defer c.mu.Unlock()
		auth[contract.AuthOffset] = c.offset
	}
}

// receive shows a message. A recovered or replayed message can be a duplicate; ids only
// grow, so a message that is not newer was shown already.
func (c *chat) receive(args ...any) {
	if !c.level.AtLeast(contract.ServerDelivery) {
		c.write(process.Event{Kind: "shown", Message: typedOf(first(args))})
		return
	}
	if len(args) < 2 {
		c.note("a message without an offset: %v", args)
		return
	}
	offset, ok := args[1].(float64)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok || int64(offset) <= c.offset {
		return
	}
	_ = c.out.Encode(process.Event{Kind: "shown", Message: typedOf(args[0]), Offset: int64(offset)})
	c.offset = int64(offset)
}

func (c *chat) send(text string) error {
	if c.level.AtLeast(contract.ClientDelivery) {
		c.mu.Lock()
		c.queue = append(c.queue, &message{text: text, key: rand.Text(), answered: make(chan struct{})})
		c.mu.Unlock()
		c.wake()
		return nil
	}
	value := any(text)
	if !c.level.AtLeast(contract.ServerDelivery) {
		value = valueOf(text)
	}
	return c.socket.Emit(contract.ChatEvent, value, c.answer(text, func() bool { return true }))
}

// answer handles the acknowledgement of a message, which counts only if first returns true.
// An error comes from the library: the server did not answer.
func (c *chat) answer(text string, first func() bool) server.Ack {
	return func(values []any, err error) {
		if err != nil || !first() {
			return
		}
		if len(values) > 0 {
			if fields, ok := values[0].(map[string]any); ok && fields[contract.RefusalField] != nil {
				c.write(process.Event{Kind: "refused", Message: text, Detail: fmt.Sprint(fields[contract.RefusalField])})
				return
			}
		}
		c.write(process.Event{Kind: "acknowledged", Message: text})
	}
}

func (c *chat) wake() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// deliver sends one message after the other, and resends each until it is acknowledged. The
// idempotency key lets the server store a resent message only once.
func (c *chat) deliver() {
	for {
		c.mu.Lock()
		var next *message
		if len(c.queue) > 0 {
			next = c.queue[0]
		}
		c.mu.Unlock()
		if next == nil || !c.socket.Connected() {
			<-c.changed
			continue
		}
		ack := c.answer(next.text, func() (first bool) {
			next.once.Do(func() { first = true; close(next.answered) })
			return first
		})
		if err := c.socket.Emit(contract.ChatEvent, next.text, next.key, ack); err != nil {
			c.note("emit: %v", err)
		}
		if !c.awaitAnswer(next) {
			continue
		}
		c.mu.Lock()
		c.queue = c.queue[1:]
		c.mu.Unlock()
	}
}

// awaitAnswer waits as long as the page of step 8 does, or until the connection is lost.
func (c *chat) awaitAnswer(m *message) bool {
	late := time.NewTimer(3*time.Second + time.Duration(len(m.text))*time.Millisecond)
	defer late.Stop()
	id := c.socket.Id()
	for {
		select {
		case <-m.answered:
			return true
		case <-late.C:
			return false
		case <-c.changed:
			if c.socket.Id() != id {
				return false
			}
		}
	}
}

// valueOf converts typed text to the value to send, as the pages of steps 4 to 6 do: JSON if
// the text looks like it, bytes after /binary, and otherwise the text itself.
func valueOf(typed string) any {
	if strings.HasPrefix(typed, "{") || strings.HasPrefix(typed, "[") {
		var value any
		if json.Unmarshal([]byte(typed), &value) == nil {
			return value
		}
	}
	if digits, ok := strings.CutPrefix(typed, "/binary "); ok {
		if value, err := hex.DecodeString(digits); err == nil {
			return value
		}
	}
	return typed
}

// typedOf is the inverse of valueOf: the text to type in order to send this value.
func typedOf(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case []byte:
		return "/binary " + hex.EncodeToString(value)
	case interface{ Bytes() []byte }:
		return "/binary " + hex.EncodeToString(value.Bytes())
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)
	return strings.TrimSuffix(text.String(), "\n")
}
