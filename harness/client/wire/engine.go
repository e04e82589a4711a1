package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"redial/harness/client"
	"redial/harness/protocol"
)

// The Engine.IO packet types that the client uses; each is the first character of a packet.
const (
	openPacket    = "0"
	closePacket   = "1"
	pingPacket    = "2"
	pongPacket    = "3"
	messagePacket = "4"
	noopPacket    = "6"
)

const (
	// connectBound is the official client's bound on a connection attempt, from
	// dialling to the open packet.
	connectBound = 20 * time.Second
	// gatherTime is how long a polling client waits for more packets before a request,
	// because the packets that a page sends at one instant go in one payload.
	gatherTime = 2 * time.Microsecond
	// leaveBound is how long a connection may take to write the queued packets and end.
	leaveBound = time.Second
	// messageBound is the largest message or polling answer that is read, in bytes.
	messageBound = 8 << 20
	// queueBound is how many packets may wait for a server that does not read.
	queueBound = 100_000
	// controlBound is how many WebSocket pings or pongs may come between two messages. A
	// server that sends nothing else would keep the client busy for as long as it likes.
	controlBound = 10_000
	// longestTimer is the longest timeout of a browser's timer, in milliseconds. With a
	// longer one the timer fires at once.
	longestTimer = 1<<31 - 1
)

// A packet is one Engine.IO packet: a text that begins with the packet type or, if binary is not
// nil, a message that is a binary attachment.
type packet struct {
	text   string
	binary []byte
}

// A transport carries packets over one connection. One goroutine reads and another one writes.
type transport interface {
	// read waits for the next packets.
	read() ([]packet, error)
	// write sends packets. An error ends the connection. A transport whose read also
	// reports the end of the connection returns no error.
	write([]packet) error
	// farewell sends a close packet or frame.
	farewell()
	// close ends the connection, and with it read and write.
	close()
}

// An engine is one Engine.IO connection, from the open packet to its end.
type engine struct {
	transport transport
	early     []packet // came in one payload with the open packet
	heartbeat time.Duration
	gather    time.Duration // how long the writer waits for more packets
	silence   *time.Timer   // fires when no ping has come for a heartbeat
	writing   sync.WaitGroup

	mu      sync.Mutex
	queue   []packet
	leaving *time.Timer   // not nil after leave was called
	reason  string        // why it ended; empty until then
	wake    chan struct{} // wakes the writer
	ended   chan struct{}
}

// dial opens a connection and reads the open packet.
func (w *Client) dial(ctx context.Context, to endpoint) (*engine, error) {
	ctx, cancel := context.WithTimeout(ctx, connectBound)
	defer cancel()
	transport, err := w.dialTransport(ctx, to)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, transport.close)
	packets, err := transport.read()
	if !stop() { // ctx has ended and closed the connection
		return nil, errors.New("timeout")
	}
	if err == nil {
		var engine *engine
		if engine, err = newEngine(transport, packets); err == nil {
			return engine, nil
		}
	}
	transport.close()
	return nil, err
}

// Heartbeat opens one connection as a client with the options does, and returns after how long
// without a packet the server takes it for dead: the sum of pingInterval and pingTimeout.
func Heartbeat(ctx context.Context, options client.Options) (time.Duration, error) {
	w := New(options)
	engine, err := w.dial(ctx, newView(w, 1).endpoint())
	if err != nil {
		return 0, err
	}
	engine.leave()
	engine.wait()
	return engine.heartbeat, nil
}

func (w *Client) dialTransport(ctx context.Context, to endpoint) (transport, error) {
	if t := w.options.Over(); len(t) == 1 && t[0] == protocol.Polling {
		return dialPolling(w.options.Dial, to), nil
	}
	return dialWebSocket(ctx, w.options.Dial, to)
}

func newEngine(transport transport, packets []packet) (*engine, error) {
	var open struct {
		SID                       string `json:"sid"`
		PingInterval, PingTimeout int64  // milliseconds
	}
	if len(packets) == 0 || !strings.HasPrefix(packets[0].text, openPacket) {
		return nil, errors.New("the server did not begin with an open packet")
	}
	if err := json.Unmarshal([]byte(packets[0].text[1:]), &open); err != nil {
		return nil, fmt.Errorf("the server's open packet is not understood: %w", err)
	}
	if sum := open.PingInterval + open.PingTimeout; open.PingInterval <= 0 || open.PingTimeout < 0 || sum <= 0 || sum > longestTimer {
		return nil, fmt.Errorf("the server's open packet has a pingInterval of %d ms and a pingTimeout of %d ms, with which no connection lasts", open.PingInterval, open.PingTimeout)
	}
	polling, polls := transport.(*pollingTransport)
	if polls {
		polling.session = open.SID
	}
	e := &engine{
		transport: transport,
		early:     packets[1:],
		heartbeat: time.Duration(open.PingInterval+open.PingTimeout) * time.Millisecond,
		wake:      make(chan struct{}, 1),
		ended:     make(chan struct{}),
	}
	// The lock is needed because end stops the timer: with a heartbeat of a millisecond it may
	// be called before the timer is assigned.
	e.mu.Lock()
	e.silence = time.AfterFunc(e.heartbeat, func() { e.end(pingTimeout) })
	e.mu.Unlock()
	if polls {
		e.gather = gatherTime
	}
	e.writing.Go(e.write)
	return e, nil
}

// send queues packets, which the writer's goroutine writes in order.
func (e *engine) send(packets ...packet) {
	e.mu.Lock()
	e.queue = append(e.queue, packets...)
	full := len(e.queue) > queueBound
	e.mu.Unlock()
	if full {
		go e.end(transportError) // the caller may hold a lock that the reader waits for
	}
	e.wakeWriter()
}

// leave ends the connection when all queued packets are written, or after leaveBound.
func (e *engine) leave() {
	e.mu.Lock()
	if e.leaving == nil {
		e.leaving = time.AfterFunc(leaveBound, func() { e.end(clientDisconnect) })
	}
	e.mu.Unlock()
	e.wakeWriter()
}

func (e *engine) wakeWriter() {
	select {
	case e.wake <- struct{}{}:
	default: // the writer is woken already
	}
}

// write is the writer's goroutine.
func (e *engine) write() {
	for {
		select {
		case <-e.wake:
		case <-e.ended:
			return
		}
		if e.gather > 0 {
			time.Sleep(e.gather)
		}
		e.mu.Lock()
		batch, leaving := e.queue, e.leaving != nil
		e.queue = nil
		e.mu.Unlock()
		if len(batch) > 0 {
			if err := e.transport.write(batch); err != nil {
				e.end(transportError)
				return
			}
		}
		if leaving {
			e.transport.farewell()
			e.end(clientDisconnect)
			return
		}
	}
}

// end ends the connection. The first reason counts.
func (e *engine) end(reason string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.reason != "" {
		return
	}
	e.reason = reason
	close(e.ended)
	e.silence.Stop()
	if e.leaving != nil {
		e.leaving.Stop()
	}
	e.transport.close()
}

// wait returns when the connection and its writer have ended.
func (e *engine) wait() {
	<-e.ended
	e.writing.Wait()
}

// read calls take with every message until the connection ends, and returns the reason of the
// end.
func (e *engine) read(take func(packet) error) (reason string) {
	packets, err := e.early, error(nil)
	for {
		for _, p := range packets {
			if reason := e.handle(p, take); reason != "" {
				e.end(reason)
				break
			}
		}
		if packets, err = e.transport.read(); err != nil {
			e.end(endReason(err))
			break
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.reason
}

// handle handles one packet. If it returns a reason, the connection has to end.
func (e *engine) handle(p packet, take func(packet) error) (reason string) {
	if p.binary == nil && !strings.HasPrefix(p.text, messagePacket) {
		return e.control(p.text)
	}
	if p.binary == nil {
		p.text = p.text[len(messagePacket):]
	}
	if err := take(p); err != nil {
		return parseError
	}
	return ""
}

func (e *engine) control(text string) (reason string) {
	switch {
	case text == pingPacket:
		e.silence.Reset(e.heartbeat)
		e.send(packet{text: pongPacket})
	case text == closePacket:
		return transportClose
	case text == noopPacket:
	default:
		return transportError
	}
	return ""
}

// endReason distinguishes an end (a close frame or a closed connection) from a failure (a reset
// or an invalid frame), as the official client does.
func endReason(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return transportClose
	}
	return transportError
}
