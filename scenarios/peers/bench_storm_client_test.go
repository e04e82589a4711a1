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

	"redial/harness/client/wire"
	"redial/harness/history"
)

// A stormClient is a wire client, or else one that only listens, and costs little.
type stormClient struct {
	address   string
	wire      *wire.Client
	connected atomic.Bool
	refresh   atomic.Bool  // when the connection ends
	shown     atomic.Int64 // in the view that it has now
	offset    atomic.Int64
	at        atomic.Int64 // when the last message was shown, in Unix nanoseconds
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

// note takes what a wire client tells. It is called with that one's lock.
func (c *stormClient) note(e history.Event) {
	switch e.Kind {
	case history.Connected:
		c.connected.Store(true)
	case history.Disconnected:
		c.connected.Store(false)
	case history.Shown:
		c.show(e.Offset)
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

func (c *stormClient) show(offset int64) {
	c.shown.Add(1)
	c.offset.Store(offset)
	c.at.Store(time.Now().UnixNano())
}

// listen listens over one connection after another, as a page would.
func (c *stormClient) listen(ctx context.Context) {
	defer close(c.stopped)
	for ctx.Err() == nil {
		_ = converse(ctx, c.address, c.take) // it is cut: that is the point
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

// take looks at one Engine.IO packet. It shows a message that is newer than the last.
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

// idIn is the id behind the text of a chat message, which has no quotation marks.
func idIn(packet []byte) (id int64) {
	_, behind, _ := bytes.Cut(packet, []byte(`",`)) // behind the event's name
	_, behind, _ = bytes.Cut(behind, []byte(`",`))
	for _, digit := range behind {
		if digit < '0' || digit > '9' {
			break
		}
		id = 10*id + int64(digit-'0')
	}
	return id
}

// The storm has a client of its own, which is cheaper: it has to count as a page does.
func TestStormClientCountsEachNewMessageOnce(t *testing.T) {
	c := new(stormClient)
	for _, step := range []struct {
		packet        string
		shown, offset int64
	}{
		{`40{"sid":"a","pid":"b"}`, 0, 0},
		{`42["chat message","message 1, said",1]`, 1, 1},
		{`42["chat message","message 2, said",12,"an offset"]`, 2, 12},
		{`42["chat message","message 3, said",12]`, 2, 12}, // twice
		{`42["chat message","message 4, said",7]`, 2, 12},  // too late to be shown
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
