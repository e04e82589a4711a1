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

// maxUnread is how much an end of a pipe takes that its owner has not read yet:
// about what a TCP connection holds in its two systems' buffers.
const maxUnread = 256 << 10

// newPipe makes a connection in memory. It is not net.Pipe because a TCP
// connection has buffers, two directions that end each on its own, and resets, and
// because a link asks its ends what only they know (see hungUp).
// Waiting is done on sync.Cond and time.AfterFunc, so it lives on a fake clock.
func newPipe(a, b net.Addr) (*pipeEnd, *pipeEnd) {
	there, back := newFlow(), newFlow()
	return &pipeEnd{in: back, out: there, local: a, remote: b},
		&pipeEnd{in: there, out: back, local: b, remote: a}
}

// A pipeEnd is one end of a connection in memory.
type pipeEnd struct {
	in, out       *flow
	local, remote net.Addr
	closed        func() // told once, if not nil
	once          sync.Once
	abrupt        atomic.Bool // SetLinger(0) was called: Close resets
	late          bool        // Close takes effect at the end of the instant
}

// flow is one direction of a pipe.
type flow struct {
	mu      sync.Mutex
	changed sync.Cond
	data    []byte
	ended   bool // nothing more will be written
	deaf    bool // nobody will read any more
	reset   bool // an end was closed the hard way
	// The end that vanished does not know it: what it writes is swallowed, and as a
	// reader it is kept waiting.
	swallowed, waiting bool
	reading            deadline
	writing            deadline
}

func newFlow() *flow {
	f := &flow{}
	f.changed.L = &f.mu
	return f
}

// deadline is a point in time at which a flow's waiters are woken.
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
		case f.deaf && !f.waiting:
			return 0, p.failure("read", net.ErrClosed)
		case f.reading.passed:
			return 0, p.failure("read", os.ErrDeadlineExceeded)
		case len(f.data) > 0: // also after a reset: it had arrived
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
		case f.swallowed:
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

// CloseWrite ends this end's direction; the other one stays.
func (p *pipeEnd) CloseWrite() error {
	p.out.change(func(f *flow) { f.ended = true })
	return nil
}

// SetLinger(0) makes Close a reset, as it does for a net.TCPConn.
func (p *pipeEnd) SetLinger(seconds int) error {
	p.abrupt.Store(seconds == 0)
	return nil
}

// Close ends both directions: the other end reads what was sent, then the end.
//
// A server's end closes when the instant is over, so that under a fake clock what the
// server's other goroutines write at that very instant is sent, whichever of them the
// scheduler lets run first.
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
			f.ended, f.swallowed = true, false
			f.reset = f.reset || lost && !f.deaf
			f.stop()
		})
		p.in.change(func(f *flow) {
			f.deaf, f.waiting, f.data = true, false, nil
			f.reset = f.reset || lost && !f.ended
			f.stop()
		})
		if p.closed != nil {
			p.closed()
		}
	})
}

// vanish closes the connection for the other end, and leaves this one in the dark:
// what it writes goes nowhere, and what it reads never comes, until it closes.
func (p *pipeEnd) vanish() {
	p.out.change(func(f *flow) { f.ended, f.swallowed = true, true })
	p.in.change(func(f *flow) { f.deaf, f.waiting, f.data = true, true, nil })
}

func (f *flow) change(how func(*flow)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how(f)
	f.changed.Broadcast()
}

// stop lets go of the timers. The caller holds f.mu.
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

// hungUp tells whether the other end has closed, unread words or not.
func (p *pipeEnd) hungUp() bool {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	return p.in.ended || p.in.reset
}
