package defect

import (
	"io"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/contract"
	"redial/harness/seam"
	"redial/steps/stores/sqlite"
)

// Delays widen the race windows of "published". Each pause is drawn from 0 up to the value,
// from Seed and the time of day. The zero value pauses nowhere and leaves the races to chance.
type Delays struct {
	Seed uint64
	// BeforeEmit is between INSERT and emit. A page that connects there receives a message
	// twice, and a message whose pause is longer is overtaken.
	BeforeEmit time.Duration
	// BetweenRows is between the rows of a replay. Live messages arrive in between, and a cut
	// there loses the remaining rows.
	BetweenRows time.Duration
}

// defaultDelays are long enough that a reconnection under traffic falls into them, and short
// enough for a test.
var defaultDelays = Delays{Seed: 1, BeforeEmit: 120 * time.Millisecond, BetweenRows: 2 * time.Millisecond}

// maxParallel limits how many messages and replays are in progress at once, so that a burst
// cannot start goroutines without limit.
const maxParallel = 256

// Published makes a server that does what the published tutorial does at step 7, with recovery
// off. It stores each message and emits it to every client with no lock around the two, in
// parallel with the next message of the same sender, because in Node the handler awaits the
// INSERT. A page that connects is sent the rows one at a time while it already receives live
// messages. The server needs no key, and acknowledges a message if the client asks for it.
func Published(delays Delays) New { return publish(delays, false) }

// PublishedKeyed makes a server that does what the published tutorial does at step 8, which
// also stores the key that a message comes with. A key that is already in the log is
// acknowledged, whichever message has it, and nothing is emitted. A message that cannot be
// stored is not acknowledged. The server needs a page with [CountsKeys].
func PublishedKeyed(delays Delays) New { return publish(delays, true) }

func publish(delays Delays, keyed bool) New {
	return func(dir string, options *socket.ServerOptions) (http.Handler, io.Closer, error) {
		p := &publishedChat{delays: delays, keyed: keyed, slots: make(chan struct{}, maxParallel), closed: make(chan struct{})}
		handler, closing, err := serve(dir, options, p.attach)
		if err != nil {
			return nil, nil, err
		}
		return handler, closer(func() error {
			p.ending.Lock()
			close(p.closed)
			p.ending.Unlock()
			p.work.Wait()
			return closing.Close()
		}), nil
	}
}

type publishedChat struct {
	delays Delays
	keyed  bool
	server *socket.Server
	log    *messages
	slots  chan struct{}

	// ending guards work, so that no message begins while Close waits for it.
	ending sync.Mutex
	work   sync.WaitGroup
	closed chan struct{}
}

func (p *publishedChat) attach(server *socket.Server, log *messages) error {
	p.server, p.log = server, log
	return server.On("connection", func(args ...any) { p.connected(args[0].(*socket.Socket)) })
}

func (p *publishedChat) connected(client *socket.Socket) {
	_ = client.On(contract.ChatEvent, func(args ...any) {
		p.begin(func() { take(args, p.storeAndEmit) })
	})
	p.begin(func() {
		err := p.log.each(rightQuery, offsetOf(client), func(r row) {
			_ = client.Emit(contract.ChatEvent, r.text, r.id)
			p.pause(p.delays.BetweenRows)
		})
		if err != nil {
			log.Printf("a page did not get all that it missed: %v", err) // as published, the page stays connected without the rest
		}
	})
}

func (p *publishedChat) storeAndEmit(text, key string) (int64, error) {
	if !p.keyed {
		key = ""
	}
	id, err := p.log.insert(text, key, true)
	switch {
	case p.keyed && sqlite.IsUnique(err):
		return 0, nil // the published code takes it for a retry and acknowledges it
	case p.keyed && err != nil:
		return 0, errNoAnswer
	case err != nil:
		return 0, err
	}
	p.pause(p.delays.BeforeEmit)
	_ = p.server.Sockets().Emit(contract.ChatEvent, text, id)
	return id, nil
}

// begin runs f on a goroutine of its own, unless the server is closing.
func (p *publishedChat) begin(f func()) {
	select {
	case p.slots <- struct{}{}:
	case <-p.closed:
		return
	}
	p.ending.Lock()
	defer p.ending.Unlock()
	select {
	case <-p.closed:
		<-p.slots
		return
	default:
	}
	p.work.Go(func() {
		defer func() { <-p.slots }()
		f()
	})
}

func (p *publishedChat) pause(longest time.Duration) {
	if longest <= 0 {
		return
	}
	wait := time.NewTimer(seam.Seams{Seed: p.delays.Seed, Longest: longest}.Draw("published"))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-p.closed:
	}
}
