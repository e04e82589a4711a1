package lab

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"redial/harness/client"
	"redial/harness/client/page"
	"redial/harness/client/wire"
	"redial/harness/history"
	"redial/harness/network"
	"redial/harness/plan"
	"redial/harness/target"
)

// A player plays one plan. Every observation goes through record, which filters it and
// enforces the limits.
type player struct {
	ctx      context.Context
	env      environment
	config   Config
	target   target.Target
	plan     plan.Plan
	token    string
	clients  map[string]*participant
	names    []string
	barriers int
	// began has the time at which each step of the script began, and at which the script
	// ended.
	began []plan.Duration
	// readings counts the readings of the log, because each one needs a client view of its
	// own.
	readings int

	// starting counts the starts of servers under way; see await.
	starting atomic.Int32

	// locks are the connections that keep the server's database locked.
	locks []*sql.DB

	// background counts the work beside the script: messages sent in the background, and the
	// server faults that a frame has triggered. Its first error ends the run.
	background sync.WaitGroup
	failed     chan error

	history *history.Recorder
	state   watcher
	// giveUp, if not nil, ends the run when it exceeds one of the limits.
	giveUp context.CancelCauseFunc
	limits limits

	mu          sync.Mutex
	filter      filter                 // nil means that everything is recorded
	supervisors map[string]*supervisor // by node; see supervisorOf
	ended       bool
}

// A participant is a client, its link, and what it sends in the background.
type participant struct {
	client.Client
	name string
	link network.Link
	// profile is the state that tabs of the client share with it, such as localStorage.
	profile *page.Profile
	// node is the name of the server of a cluster that the link leads to. It holds a string.
	node atomic.Value
	// unhealed counts the faults of its link that let nothing through until Heal.
	unhealed atomic.Int32
	opened   bool
	// leftBefore counts the client's disconnections before the last step that broke something,
	// and wasConnected is whether it was connected at that time.
	leftBefore   int
	wasConnected bool
	stopSending  context.CancelFunc // nil while it does not send in the background
	stopped      chan struct{}      // closed when the background sending has ended
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

func newPlayer(ctx context.Context, config Config, p plan.Plan, under target.Target) *player {
	p = p.WithFaultIDs()
	l := &player{
		ctx: ctx, config: config, target: under, plan: p,
		token:       mark(config, p),
		clients:     map[string]*participant{},
		failed:      make(chan error, 1),
		history:     history.NewRecorder(),
		limits:      newLimits(),
		filter:      newFilter(config),
		supervisors: map[string]*supervisor{},
	}
	l.state.history = l.history
	if l.filter != nil {
		l.limits.known = nil
	}
	_, l.state.noEcho = l.filter.(*noEcho)
	l.record(history.Event{Kind: history.Began, Level: config.Level, KeepsLog: config.KeepsLog, NoEcho: l.state.noEcho, Plan: &p})
	return l
}

// record appends to the history until the run has ended, because disconnections while the lab
// closes everything are no part of the run.
func (l *player) record(e history.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	recorded := []history.Event{e}
	if l.filter != nil {
		recorded = l.filter.record(e)
	}
	for _, one := range recorded {
		l.history.Add(one)
	}
	if l.giveUp == nil {
		return
	}
	if err := l.limits.exceeded(e); err != nil {
		l.ended = true
		l.giveUp(err)
	}
}

func (l *player) finish() []history.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	return l.history.Events(0)
}

// quiesce waits until the events of this instant are over, in a lab whose clock has instants.
func (l *player) quiesce() {
	if l.env.quiesce != nil {
		l.env.quiesce(false)
	}
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
	made := &participant{name: c.Name, link: link, profile: page.NewProfile()}
	if c.TabOf != "" {
		made.profile = l.clients[c.TabOf].profile
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
		var tabOf client.Client
		if c.TabOf != "" {
			tabOf = l.clients[c.TabOf].Client
		}
		var err error
		if made.Client, err = l.config.NewPage(options, tabOf); err != nil {
			return fmt.Errorf("client %s: %w", c.Name, err)
		}
	default:
		return fmt.Errorf("client %s: there is no client of the kind %q yet; there are %s and %s", c.Name, c.Kind, plan.Page, plan.Wire)
	}
	l.clients[c.Name] = made
	l.names = append(l.names, c.Name)
	if c.Node == "" {
		return nil
	}
	return l.move(l.clients[c.Name], c.Node)
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
	if l.config.Shared && l.config.KeepsLog {
		rows, err := l.readLog(history.Found)
		if err = l.recordRows(history.Found, rows, err); err != nil {
			// A server whose log cannot be read is judged by the rest of the run.
			l.record(history.Event{Kind: history.Note, Detail: "reading what is in the log before the run: " + err.Error()})
		}
	}
	for _, f := range l.plan.Faults {
		if err := l.arm(f); err != nil {
			return err
		}
	}
	if l.streamOf() != nil {
		witness, err := l.watchStream()
		if err != nil {
			return err
		}
		defer witness.Close()
	}
	for i, step := range l.plan.Script {
		l.began = append(l.began, l.history.Since(time.Now()))
		if err := l.do(step); err != nil {
			return fmt.Errorf("step %d (%s %s): %w", i+1, step.Do, step.Client, err)
		}
	}
	l.began = append(l.began, l.history.Since(time.Now()))
	if err := l.finishStory(); err != nil {
		return err
	}
	l.record(history.Event{Kind: history.Ended})
	return nil
}

func (l *player) closeClients() {
	l.finish()
	if l.env.last != nil {
		l.env.last()
	}
	for _, name := range l.names {
		if c := l.clients[name]; c.stopSending != nil {
			c.stopSending()
		}
	}
	l.background.Wait()
	_ = l.unlockDatabase()
	var closing sync.WaitGroup
	for _, name := range l.names {
		closing.Go(func() { l.clients[name].Close() })
	}
	closing.Wait()
	for _, c := range l.clients {
		client.Discard(c.Client)
	}
}

// fail keeps the first error of the background work, because later ones are mostly its
// consequences.
func (l *player) fail(err error) {
	if l.ctx.Err() != nil {
		return
	}
	select {
	case l.failed <- err:
	default:
	}
}

// alive returns the reason why the run cannot continue, or nil.
func (l *player) alive() error {
	select {
	case err := <-l.failed:
		return err
	default:
		return l.ctx.Err()
	}
}

func (l *player) wait(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-l.ctx.Done():
		return l.ctx.Err()
	}
}
