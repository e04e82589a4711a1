// Package lab plays a plan: it starts the server, opens the clients, does what
// the script says, injects the faults, and hands back the history.
//
// Read [Real] first, the lab of real processes and real TCP. player.go is the
// interpreter of scripts; it waits for conditions, never for a time to pass,
// except where the script is about time itself.
//
// lab brings together what does not know each other: packages target, network
// and client. It does not judge: what a history comes to is for package check.
package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"redial/harness/client"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/network"
	"redial/harness/plan"
	"redial/harness/target"
)

// Config says what a plan is played against.
type Config struct {
	// Target is the server. The lab starts it, and closes nothing that it did not
	// make: closing the target is the caller's.
	Target target.Target
	// Level is the promise that the history will be judged by.
	Level contract.Level
	// KeepsLog tells that a fresh reader of this server is given everything that
	// was ever stored; the lab reads it at the end. Meant for a target at level
	// server-delivery or above.
	KeepsLog bool
	// Shared tells that the server may hold messages of earlier runs, and will be
	// used by later ones: texts get a suffix of their own, and what is there
	// beforehand is read first.
	Shared bool
	// HTML, when not empty, is the page to use instead of the target's own.
	HTML []byte
	// Bundle is the client library for a target that serves none.
	Bundle []byte
	// Bound is how long anything awaited may take. Zero means DefaultBound.
	Bound time.Duration
	// ShownBound is the same for what was said to be shown. Zero means Bound. It
	// is there for servers that are known to show nothing, such as step 3's.
	ShownBound time.Duration
	// OwnRecovery is for the virtual lab only. It says that the server does without
	// the connection state recovery that comes with the zishang520 library (its session
	// adapter): it has none, or brings its own adapter. Then any number of runs may be
	// under way at once, and a server's memory is given back after its run.
	//
	// The library's adapter allows neither. A timer of it is stopped when it is
	// collected, outside of the bubble that it belongs to, for which the runtime ends
	// the process: so every server is kept until the process ends. And its offsets
	// come from one generator for the whole process, which takes the clock's
	// millisecond: two runs on two clocks would make it repeat itself. So the runs
	// wait for each other.
	OwnRecovery bool
	// CountLeaks is for the virtual lab only. It looks up the goroutines that a run
	// has left behind. To do so the process is stopped and all its goroutines are
	// printed, so it is not for thousands of runs; their sum is the growth of
	// runtime.NumGoroutine.
	CountLeaks bool
}

// DefaultBound is above twice what an official client needs at worst to come
// back (5 s backoff, randomised by half) on a loaded machine.
const DefaultBound = 20 * time.Second

func (c Config) withBounds(bound time.Duration) Config {
	if c.Bound == 0 {
		c.Bound = bound
	}
	if c.ShownBound == 0 {
		c.ShownBound = c.Bound
	}
	return c
}

// Real plays p on real TCP and returns what was observed. The error says why the
// run could not be played to its end; the events until then are returned with it.
func Real(ctx context.Context, config Config, p plan.Plan) (events []history.Event, err error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	config = config.withBounds(DefaultBound)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	l := newPlayer(ctx, config, p)
	defer func() { events = l.finish() }()
	if err := l.power.start(func() error { return l.startServer(ctx) }); err != nil {
		return nil, err
	}
	proxy, err := network.NewProxy(config.Target.Address(), network.Events{Fired: l.fired, Act: l.act})
	if err != nil {
		return nil, fmt.Errorf("the proxy between clients and server: %w", err)
	}
	defer proxy.Close()
	l.world = world{link: proxy.Link}
	return nil, l.playWithClients()
}

// A world is what differs between the labs, seen from a player.
type world struct {
	// link gives a client its way to the server.
	link func(name string) (network.Link, error)
	// dial opens connections; nil means TCP.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	// rest, if not nil, returns when nothing happens any more but for the passing
	// of time. A fault comes to rest before the script does, where both wait for the
	// same instant to end.
	rest func(fault bool)
	// last, if not nil, is called when the story is over, before the clients are
	// closed.
	last func()
	// bare tells that the server begins with nothing, so that clients may draw
	// their keys from the seed too.
	bare bool
}

// rest lets what happens at this instant come to its end, where instants have one.
func (l *player) rest() {
	if l.world.rest != nil {
		l.world.rest(false)
	}
}

// playWithClients puts the clients at the ends of their links, plays, and closes
// them.
func (l *player) playWithClients() error {
	defer l.closeClients()
	for _, c := range l.plan.Clients {
		link, err := l.world.link(c.Name)
		if err != nil {
			return fmt.Errorf("the link of %s: %w", c.Name, err)
		}
		if err := l.join(c, link); err != nil {
			return err
		}
	}
	return l.play()
}

// ErrUnreachable says that the target never answered at all.
var ErrUnreachable = errors.New("the target never came up")

func (l *player) startServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.config.Bound)
	defer cancel()
	if err := l.config.Target.Start(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	l.recordServer(history.Event{Kind: history.ServerStarted, Detail: l.config.Target.Address()})
	return nil
}

// recordServer records an event of the server's: in a cluster, of each of its servers,
// whose switches follow.
func (l *player) recordServer(e history.Event) {
	cluster, ok := l.config.Target.(*target.Cluster)
	if !ok || e.Node != "" {
		l.record(e)
		return
	}
	for _, e.Node = range cluster.Nodes() {
		if e.Kind == history.ServerStarted {
			e.Detail = cluster.NodeAddress(e.Node)
		}
		_, kept := l.power.is()
		l.powerOf(e.Node).set(e.Kind == history.ServerStarted, kept)
		l.record(e)
	}
}

func (l *player) killServer() error { return l.stopServer("killed", l.config.Target.Kill) }

// askServerToStop gives the server the bound to end by itself.
func (l *player) askServerToStop() error {
	ctx, cancel := context.WithTimeout(l.ctx, l.config.Bound)
	defer cancel()
	return l.stopServer("stopped", func() error { return l.config.Target.Stop(ctx) })
}

func (l *player) stopServer(how string, stop func() error) error {
	err := stop()
	if errors.Is(err, target.ErrUnsupported) {
		return err
	}
	if err != nil {
		l.record(history.Event{Kind: history.Note, Detail: "stopping the server: " + err.Error()})
	}
	l.recordServer(history.Event{Kind: history.ServerStopped, Detail: how})
	return nil
}

// join puts a client at the end of its link.
func (l *player) join(c plan.Client, link network.Link) error {
	profile := client.NewProfile()
	if c.TabOf != "" {
		profile = l.clients[c.TabOf].profile
	}
	made, err := client.New(c.Kind, client.Options{
		Profile:        profile,
		Name:           c.Name,
		URL:            "http://" + link.Address(),
		Transports:     c.Transports,
		ReconnectDelay: time.Duration(c.ReconnectDelay),
		Retries:        c.Retries,
		EagerConnect:   c.Eager,
		Record:         l.record,
		HTML:           l.config.HTML,
		Bundle:         l.config.Bundle,
		Dial:           l.world.dial,
		Seed:           l.plan.Seed,
		SeedKeys:       l.world.bare,
	})
	if err != nil {
		return fmt.Errorf("client %s: %w", c.Name, err)
	}
	l.clients[c.Name] = &participant{Client: made, name: c.Name, link: link, profile: profile}
	l.names = append(l.names, c.Name)
	if c.Node == "" {
		return nil
	}
	return l.move(l.clients[c.Name], c.Node)
}
