package lab

import "sync"

// A turn is held by whoever starts or ends something. It is a channel, and no mutex,
// because that takes virtual time.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take() (letGo func()) {
	t <- struct{}{}
	return func() { <-t }
}

// A power is the switch of one server. The script and the faults all reach for it: the
// script ends the server and keeps it down until it starts it; a fault ends it and
// starts it again at once. What they want at the same time is put in order here, so
// that a fault never starts what the script keeps down, nor what runs already.
type power struct {
	turn

	mu sync.Mutex
	// up is true from when a start begins until an end does.
	up bool
	// kept is true while the script keeps the server down.
	kept bool
}

// powerOf is the switch of a part of a cluster. The parts are up to begin with, since
// the whole is.
func (l *player) powerOf(part string) *power {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.powers[part]
	if p == nil {
		p = newPower()
		p.up = true
		l.powers[part] = p
	}
	return p
}

// isKeptApart tells whether the script keeps the client from its server, and how: the
// server is down that the client's link leads to, or the link lets nothing through.
func (l *player) isKeptApart(c *participant) (how string, is bool) {
	if l.ctx.Err() != nil {
		return "", false
	}
	_, down := l.power.is()
	if node := c.node.Load(); node != nil && !down {
		_, down = l.powerOf(node.(string)).is()
	}
	if down {
		return "the server is down", true
	}
	return "the link is out", c.unhealed.Load() > 0
}

func newPower() *power { return &power{turn: newTurn()} }

func (p *power) set(up, kept bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.kept = up, kept
}

func (p *power) is() (up, kept bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up, p.kept
}

// end is the script's: the server is down from now on.
func (p *power) end(end func() error) error {
	defer p.take()()
	p.set(false, true)
	return end()
}

// start is the script's. What runs already, start refuses.
func (p *power) start(start func() error) error {
	defer p.take()()
	return p.turnOn(start)
}

// turnOn starts the server. The caller has the turn.
func (p *power) turnOn(start func() error) error {
	before, kept := p.is()
	p.set(true, false)
	err := start()
	if err != nil {
		p.set(before, kept)
	}
	return err
}

// interrupt is a fault's. It returns false, and does nothing, where the server is
// down already. Where it is being started, and may have answered a client although
// start does not know it yet, it is ended when start is done.
func (p *power) interrupt(end func() error) (ended bool, err error) {
	if up, _ := p.is(); !up {
		return false, nil
	}
	defer p.take()()
	if up, _ := p.is(); !up {
		return false, nil
	}
	p.set(false, false)
	return true, end()
}

// resume is a fault's, after interrupt: it starts the server unless the script keeps
// it down or has started it meanwhile.
func (p *power) resume(start func() error) error {
	defer p.take()()
	if up, kept := p.is(); up || kept {
		return nil
	}
	return p.turnOn(start)
}
