package rawclient

import (
	"context"
	"net"
	"sync"
)

// A Tap is a link that can be shut. Its client then reads nothing, and the server's packets
// remain in the network's buffers (some MB, which the system may resize), and after these in
// the server. Pass its Dial to DialOver. A Tap is open at first.
type Tap struct {
	mu   sync.Mutex
	open chan struct{} // closed while the tap is open
}

func NewTap() *Tap {
	open := make(chan struct{})
	close(open)
	return &Tap{open: open}
}

func (t *Tap) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &tapped{Conn: conn, tap: t, closed: make(chan struct{})}, nil
}

// Shut shuts the tap. A read in progress may still return data.
func (t *Tap) Shut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = make(chan struct{})
}

func (t *Tap) Open() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.open)
}

type tapped struct {
	net.Conn
	tap    *Tap
	once   sync.Once
	closed chan struct{}
}

func (c *tapped) Read(into []byte) (int, error) {
	c.tap.mu.Lock()
	open := c.tap.open
	c.tap.mu.Unlock()
	select {
	case <-open:
		return c.Conn.Read(into)
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *tapped) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
