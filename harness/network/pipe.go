package network

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// maxUnread is how many unread bytes an end of a pipe buffers, about as many as the buffers of
// both systems hold for a TCP connection.
const maxUnread = 256 << 10

// newPipe makes a connection in memory. Unlike net.Pipe, it has the buffers, half-close and
// resets of a TCP connection, and an end knows whether the other one has closed (see hungUp).
// It waits on sync.Cond and time.AfterFunc only, so that it runs on a fake clock.
func newPipe(a, b net.Addr) (*pipeEnd, *pipeEnd) {
	there, back := newFlow(), newFlow()
	return &pipeEnd{in: back, out: there, local: a, remote: b},
		&pipeEnd{in: there, out: back, local: b, remote: a}
}

// A pipeEnd is one end of a connection in memory.
type pipeEnd struct {
	in, out       *flow
	local, remote net.Addr
	onClose       func() // called once, if not nil
	once          sync.Once
	abrupt        atomic.Bool // SetLinger(0) was called: Close resets
	late          bool        // Close takes effect a nanosecond later
}

// flow is one direction of a pipe.
type flow struct {
	mu      sync.Mutex
	changed sync.Cond
	data    []byte
	ended   bool // nothing more will be written
	deaf    bool // nothing more will be read
	reset   bool // an end was closed with a reset
	// After vanish, the writes of the vanished end are discarded and its reads block.
	discarding, blocking bool
	reading              deadline
	writing              deadline
}

func newFlow() *flow {
	f := &flow{}
	f.changed.L = &f.mu
	return f
}

// deadline is a time at which the goroutines that wait on a flow are woken.
type deadline struct {
	timer  *time.Timer
	passed bool
}

func (p *pipeEnd) Read(into []byte) (int, error) {
	f := p.in
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.deaf && !f.blocking:
			return 0, p.failure("read", net.ErrClosed)
		case f.reading.passed:
			return 0, p.failure("read", os.ErrDeadlineExceeded)
		case len(f.data) > 0: // also after a reset: these bytes had arrived
			n := copy(into, f.data)
			if f.data = f.data[n:]; len(f.data) == 0 {
				f.data = nil
			}
			f.changed.Broadcast()
			return n, nil
		case f.reset:
			return 0, p.failure("read", syscall.ECONNRESET)
		case f.ended:
			return 0, io.EOF
		case len(into) == 0:
			return 0, nil
		}
		f.changed.Wait()
	}
}

func (p *pipeEnd) Write(data []byte) (written int, err error) {
	f := p.out
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.discarding:
			return len(data), nil
		case f.reset:
			return written, p.failure("write", syscall.ECONNRESET)
		case f.ended:
			return written, p.failure("write", net.ErrClosed)
		case f.deaf:
			return written, p.failure("write", syscall.EPIPE)
		case f.writing.passed:
			return written, p.failure("write", os.ErrDeadlineExceeded)
		case len(data) == 0:
			return written, nil
		}
		if n := min(maxUnread-len(f.data), len(data)); n > 0 {
			f.data = append(f.data, data[:n]...)
			data = data[n:]
			written += n
			f.changed.Broadcast()
			continue
		}
		f.changed.Wait()
	}
}

func (p *pipeEnd) failure(op string, err error) error {
	return &net.OpError{Op: op, Net: "memory", Source: p.local, Addr: p.remote, Err: err}
}

// CloseWrite closes this end's direction; the other one stays open.
func (p *pipeEnd) CloseWrite() error {
	p.out.change(func(f *flow) { f.ended = true })
	return nil
}

// SetLinger(0) makes Close a reset, as it does for a net.TCPConn.
func (p *pipeEnd) SetLinger(seconds int) error {
	p.abrupt.Store(seconds == 0)
	return nil
}

// Close closes both directions: the other end reads what was sent, then EOF.
//
// A server's end closes a nanosecond later. So under a fake clock, the bytes that other
// goroutines of the server write at the same instant are sent, in whatever order the scheduler
// runs the goroutines.
func (p *pipeEnd) Close() error {
	if p.late {
		time.AfterFunc(time.Nanosecond, p.close)
		return nil
	}
	p.close()
	return nil
}

// close is Close, at once.
func (p *pipeEnd) close() {
	p.once.Do(func() {
		lost := p.abrupt.Load()
		p.out.change(func(f *flow) {
			f.ended, f.discarding = true, false
			f.reset = f.reset || lost && !f.deaf
			f.stop()
		})
		p.in.change(func(f *flow) {
			f.deaf, f.blocking, f.data = true, false, nil
			f.reset = f.reset || lost && !f.ended
			f.stop()
		})
		if p.onClose != nil {
			p.onClose()
		}
	})
}

// vanish closes the connection for the other end only. Until this end closes too, its writes
// are discarded and its reads block.
func (p *pipeEnd) vanish() {
	p.out.change(func(f *flow) { f.ended, f.discarding = true, true })
	p.in.change(func(f *flow) { f.deaf, f.blocking, f.data = true, true, nil })
}

func (f *flow) change(how func(*flow)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how(f)
	f.changed.Broadcast()
}

// stop stops the timers. The caller holds f.mu.
func (f *flow) stop() {
	for _, d := range []*deadline{&f.reading, &f.writing} {
		if d.timer != nil {
			d.timer.Stop()
		}
	}
}

func (p *pipeEnd) SetReadDeadline(at time.Time) error {
	p.in.setDeadline(&p.in.reading, at)
	return nil
}

func (p *pipeEnd) SetWriteDeadline(at time.Time) error {
	p.out.setDeadline(&p.out.writing, at)
	return nil
}

func (p *pipeEnd) SetDeadline(at time.Time) error {
	_ = p.SetReadDeadline(at)
	return p.SetWriteDeadline(at)
}

func (f *flow) setDeadline(d *deadline, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.passed = false
	if at.IsZero() {
		return
	}
	wait := time.Until(at)
	if d.passed = wait <= 0; d.passed {
		f.changed.Broadcast()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		f.change(func(*flow) { d.passed = d.passed || d.timer == timer })
	})
	d.timer = timer
}

func (p *pipeEnd) LocalAddr() net.Addr  { return p.local }
func (p *pipeEnd) RemoteAddr() net.Addr { return p.remote }

// hungUp tells whether the other end has closed, even if bytes that it sent are unread.
func (p *pipeEnd) hungUp() bool {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	return p.in.ended || p.in.reset
}
