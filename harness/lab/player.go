package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"redial/harness/client"
	"redial/harness/client/page"
	"redial/harness/client/wire"
	"redial/harness/history"
	"redial/harness/network"
	"redial/harness/plan"
	"redial/harness/target"
)

// A player plays one plan: its script, with the parts that inject the faults, start and stop
// the servers, wait, and end the run.
type player struct {
	*setting
	servers *servers
	awaits  *awaits
	faults  *injector
	ending  *ending
	// began has the time at which each step of the script began, and at which the script
	// ended.
	began []plan.Duration
}

func newPlayer(ctx context.Context, config Config, p plan.Plan, under target.Target) *player {
	p = p.WithFaultIDs()
	all := &setting{
		recorder: newRecorder(config), ctx: ctx, config: config, target: under, plan: p, token: mark(config, p),
		clients: map[string]*participant{}, failed: make(chan error, 1),
	}
	s := &servers{setting: all, supervisors: map[string]*supervisor{}}
	a := &awaits{all, s}
	all.record(history.Event{Kind: history.Began, Level: config.Level, KeepsLog: config.KeepsLog, NoEcho: all.noEcho, Plan: &p})
	return &player{setting: all, servers: s, awaits: a, faults: &injector{all, s}, ending: &ending{awaits: a}}
}

func (l *player) playWithClients() error {
	defer l.closeClients()
	for _, c := range l.plan.Clients {
		link, err := l.env.link(c.Name)
		if err != nil {
			return fmt.Errorf("the link of %s: %w", c.Name, err)
		}
		if err := l.join(c, link); err != nil {
			return err
		}
	}
	return l.play()
}

func (l *player) join(c plan.Client, link network.Link) error {
	options := client.Options{
		Name:           c.Name,
		URL:            "http://" + link.Address(),
		Transports:     c.Transports,
		ReconnectDelay: time.Duration(c.ReconnectDelay),
		Retries:        c.Retries,
		EagerConnect:   c.Eager,
		Record:         l.record,
		HTML:           l.config.HTML,
		Bundle:         l.config.Bundle,
		Protocol:       l.config.Protocol,
		Other:          l.other(c.Name),
		Dial:           l.env.dial,
		Seed:           l.plan.Seed,
		SeedKeys:       l.env.bare,
	}
	if l.env.within != nil {
		options.Within = l.env.within(c.Name)
	}
	made := &participant{awaits: l.awaits, name: c.Name, link: link, profile: page.NewProfile()}
	var tabOf client.Client
	if first := l.clients[c.TabOf]; first != nil {
		made.profile, tabOf = first.profile, first.Client
	}
	switch c.Kind {
	case plan.Wire:
		c := wire.New(options)
		c.Keys = l.config.Keys
		made.Client = c
	case plan.Page, "":
		if l.config.NewPage == nil {
			made.Client = page.New(options, made.profile)
			break
		}
		var err error
		if made.Client, err = l.config.NewPage(options, tabOf); err != nil {
			return fmt.Errorf("client %s: %w", c.Name, err)
		}
	default:
		return fmt.Errorf("client %s: there is no client of the kind %q yet; there are %s and %s", c.Name, c.Kind, plan.Page, plan.Wire)
	}
	l.clients[c.Name] = made
	if c.Node == "" {
		return nil
	}
	return made.move(c.Node)
}

// other returns the name of the other client if there are two, and otherwise an empty text.
func (l *player) other(name string) string {
	if len(l.plan.Clients) != 2 {
		return ""
	}
	for _, c := range l.plan.Clients {
		if c.Name != name {
			return c.Name
		}
	}
	return ""
}

// play performs every step of the script, plays the final barrier, reads the log, and
// completes the history.
func (l *player) play() error {
	if l.config.ReadsFirst {
		rows, err := l.ending.readLog(history.Found)
		if errors.Is(err, wire.ErrNoLog) {
			err = nil
		}
		if err = l.ending.recordRows(history.Found, rows, err); err != nil {
			// A server whose log cannot be read is judged by the rest of the run.
			l.record(history.Event{Kind: history.Note, Detail: "reading what is in the log before the run: " + err.Error()})
		}
	}
	for _, f := range l.plan.Faults {
		if err := l.faults.arm(f); err != nil {
			return err
		}
	}
	if l.stream != nil {
		witness, err := l.awaits.watchStream()
		if witness != nil {
			defer witness.Close()
		}
		if err != nil {
			return err
		}
	}
	for i, step := range l.plan.Script {
		l.began = append(l.began, l.history.Since(time.Now()))
		if err := l.do(step); err != nil {
			return fmt.Errorf("step %d (%s %s): %w", i+1, step.Do, step.Client, err)
		}
	}
	l.began = append(l.began, l.history.Since(time.Now()))
	if err := l.ending.finishStory(); err != nil {
		return err
	}
	for _, e := range l.ending.removed() {
		l.record(e)
	}
	l.record(history.Event{Kind: history.Ended})
	return nil
}

func (l *player) closeClients() {
	l.finish()
	if l.env.last != nil {
		l.env.last()
	}
	for _, c := range l.clients {
		if c.stopSending != nil {
			l.background.Go(c.stopSending)
		}
	}
	l.background.Wait()
	_ = l.servers.unlockDatabase()
	var closing sync.WaitGroup
	for _, c := range l.clients {
		closing.Go(func() { c.Close() })
	}
	closing.Wait()
	for _, c := range l.clients {
		client.Discard(c.Client)
	}
}

// A setting has what all parts of a player share: what is played and where, the clients, and
// the record.
type setting struct {
	*recorder
	ctx     context.Context
	env     environment
	config  Config
	target  target.Target
	plan    plan.Plan
	token   string // see text
	clients map[string]*participant

	// background counts the work beside the script: messages sent in the background, and the
	// server faults that a frame has triggered. Its first error ends the run.
	background backgroundWork
	failed     chan error
}

// backgroundWork is a wait group that takes no more work once its Wait has begun: a fault may
// still fire while the run is closed.
type backgroundWork struct {
	mu      sync.Mutex
	closing bool
	group   sync.WaitGroup
}

// Go starts the work, or returns false if Wait has begun.
func (b *backgroundWork) Go(work func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closing {
		b.group.Go(work)
	}
	return !b.closing
}

func (b *backgroundWork) Wait() {
	b.mu.Lock()
	b.closing = true
	b.mu.Unlock()
	b.group.Wait()
}

// An environment has the differences between the labs, as a player needs them.
type environment struct {
	// link makes a client's link to the server.
	link func(name string) (network.Link, error)
	// within, if not nil, returns the command that runs a client in its own network.
	within func(name string) []string
	// dial opens connections; nil means TCP.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	// quiesce, if not nil, returns when every goroutine waits for time to pass. If a fault and
	// the script both call it at the same instant, the fault's call returns first.
	quiesce func(fault bool)
	// last, if not nil, is called after the script and its final barrier, before the clients
	// are closed.
	last func()
	// bare means that the server begins with no data. Then clients may draw their idempotency
	// keys from the seed too, since no earlier run can have stored the same keys.
	bare bool
}

// quiesce waits until the events of this instant are over, in a lab whose clock has instants.
func (s *setting) quiesce() {
	if s.env.quiesce != nil {
		s.env.quiesce(false)
	}
}

func (s *setting) wait(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// fail keeps the first error of the background work, because later ones are mostly its
// consequences.
func (s *setting) fail(err error) {
	if s.ctx.Err() != nil {
		return
	}
	select {
	case s.failed <- err:
	default:
	}
}

// alive returns the reason why the run cannot continue, or nil.
func (s *setting) alive() error {
	select {
	case err := <-s.failed:
		return err
	default:
		return s.ctx.Err()
	}
}

// each reports whether holds is true of the client, or of every client with an open page if
// no client is named.
func (s *setting) each(name string, holds func(*participant) bool) bool {
	if name != "" {
		return holds(s.clients[name])
	}
	for _, c := range s.clients {
		if c.opened.Load() && !holds(c) {
			return false
		}
	}
	return true
}

// mark returns the suffix of the run's texts. On a server that other runs use too, it must
// differ between two runs of one seed, so it is drawn at random.
func mark(config Config, p plan.Plan) string {
	number := p.Seed
	if config.Shared {
		number = rand.Uint64()
	}
	return strconv.FormatUint(number&0xffffffff, 16)
}

// RunMark, in a text, is replaced by the run's own suffix, so that the texts of two runs on
// one server differ.
const RunMark = "$RUN"

func (s *setting) text(text string) string {
	if strings.Contains(text, RunMark) {
		return strings.ReplaceAll(text, RunMark, fmt.Sprintf("%08s", s.token))
	}
	if s.config.Shared {
		return text + " " + s.token
	}
	return text
}
