package peers_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"

	"redial/harness/client/wire"
	"redial/harness/history"
)

// A stormClient is a wire client, or a cheaper client that only receives.
type stormClient struct {
	address   string
	wire      *wire.Client
	connected atomic.Bool
	refresh   atomic.Bool  // whether the page is refreshed when the connection ends
	shown     atomic.Int64 // in the current view
	offset    atomic.Int64
	at        atomic.Int64 // when the last message was shown, in Unix nanoseconds
	waits     atomic.Value // a string: the message that has no result yet, empty for none
	changed   chan struct{}

	stop    context.CancelFunc
	stopped chan struct{}
}

func (c *stormClient) open(ctx context.Context) error {
	if c.wire != nil {
		return c.wire.Open(ctx)
	}
	ctx, c.stop = context.WithCancel(ctx)
	c.stopped = make(chan struct{})
	go c.listen(ctx)
	return nil
}

func (c *stormClient) close() {
	switch {
	case c.wire != nil:
		_ = c.wire.Close()
	case c.stop != nil:
		c.stop()
		<-c.stopped
	}
}

// note receives a wire client's events. The caller holds that client's lock.
func (c *stormClient) note(e history.Event) {
	switch e.Kind {
	case history.Connected:
		c.connected.Store(true)
	case history.Disconnected:
		if c.connected.Swap(false) {
			c.waits.Store("")
		}
	case history.Acknowledged, history.Refused:
		c.waits.CompareAndSwap(e.Message, "")
	case history.Shown:
		c.show(e.Offset)
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// returned receives a wire client's packets. A message that comes back has its result, also on a
// server that acknowledges nothing.
func (c *stormClient) returned(p *parser.Packet) {
	if args, _ := p.Data.([]any); p.Type == parser.EVENT && len(args) > 1 {
		if text, ok := args[1].(string); ok {
			c.waits.CompareAndSwap(text, "")
		}
	}
}

func (c *stormClient) show(offset int64) {
	c.shown.Add(1)
	c.offset.Store(offset)
	c.at.Store(time.Now().UnixNano())
}

// listen receives over one connection after another, as a page does.
func (c *stormClient) listen(ctx context.Context) {
	defer close(c.stopped)
	for ctx.Err() == nil {
		_ = converse(ctx, c.address, c.take) // the error is the cut, which is expected
		c.connected.Store(false)
		if c.refresh.CompareAndSwap(true, false) {
			c.shown.Store(0)
			c.offset.Store(0)
		}
		select {
		case <-time.After(stormDelay/2 + rand.N(stormDelay)):
		case <-ctx.Done():
		}
	}
}

// take parses an Engine.IO packet, and shows a message that is newer than the last one.
func (c *stormClient) take(conn net.Conn, packet []byte) error {
	switch {
	case bytes.HasPrefix(packet, []byte(`42["chat message",`)):
		if id := idIn(packet); id > c.offset.Load() {
			c.show(id)
		}
	case bytes.HasPrefix(packet, []byte("40")):
		c.connected.Store(true)
	case packet[0] == '0':
		return send(conn, fmt.Sprintf(`40{"serverOffset":%d}`, c.offset.Load()))
	case packet[0] == '2':
		return send(conn, "3")
	}
	return nil
}

// idIn returns the id after the text of a chat message. The text has no quotation marks.
func idIn(packet []byte) (id int64) {
	_, behind, _ := bytes.Cut(packet, []byte(`",`)) // after the event's name
	_, behind, _ = bytes.Cut(behind, []byte(`",`))
	for _, digit := range behind {
		if digit < '0' || digit > '9' {
			break
		}
		id = 10*id + int64(digit-'0')
	}
	return id
}

// The storm's own client is cheaper than a wire client, and must count messages as a page
// does.
func TestStormClientCountsEachNewMessageOnce(t *testing.T) {
	c := new(stormClient)
	for _, step := range []struct {
		packet        string
		shown, offset int64
	}{
		{`40{"sid":"a","pid":"b"}`, 0, 0},
		{`42["chat message","message 1, said",1]`, 1, 1},
		{`42["chat message","message 2, said",12,"an offset"]`, 2, 12},
		{`42["chat message","message 3, said",12]`, 2, 12}, // a duplicate
		{`42["chat message","message 4, said",7]`, 2, 12},  // too old to be shown
		{`42["other","message 5, said",20]`, 2, 12},
	} {
		if err := c.take(nil, []byte(step.packet)); err != nil || c.shown.Load() != step.shown || c.offset.Load() != step.offset {
			t.Errorf("after %s it shows %d up to %d (%v), want %d up to %d",
				step.packet, c.shown.Load(), c.offset.Load(), err, step.shown, step.offset)
		}
	}
	if !c.connected.Load() {
		t.Error("it is not connected")
	}
}
