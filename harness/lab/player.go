package lab

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"redial/harness/client"
	"redial/harness/history"
	"redial/harness/network"
	"redial/harness/plan"
)

// A player plays one plan. Everything it observes goes through record.
type player struct {
	ctx     context.Context
	world   world
	config  Config
	plan    plan.Plan
	token   string
	clients map[string]*participant
	names   []string
	settles int
	// readings counts how often the log was read.
	readings int

	// locks are the connections that keep the server's database locked.
	locks []*sql.DB

	// background counts what runs beside the script: chatter, and the process
	// faults that a frame has set off. Its first error ends the run.
	background sync.WaitGroup
	failed     chan error

	history *history.Recorder
	state   watcher

	// power is the whole server's switch, and powers are those of its parts.
	power  *power
	powers map[string]*power

	mu    sync.Mutex
	ended bool
}

// A participant is a client, its link, and its chatter while it chatters.
type participant struct {
	client.Client
	name string
	link network.Link
	// profile is what tabs of the client have in common with it.
	profile *client.Profile
	// node is the server of a cluster that the link leads to, a string.
	node atomic.Value
	// unhealed counts the faults of its link that let nothing through until Heal.
	unhealed atomic.Int32
	opened   bool
	// leftBefore counts its disconnections before the last step that broke
	// something, and wasConnected is what it was then.
	leftBefore   int
	wasConnected bool
	quiet        context.CancelFunc
	chatter      chan struct{} // closed when the chatter has ended
}

func newPlayer(ctx context.Context, config Config, p plan.Plan) *player {
	p = p.WithFaultIDs()
	l := &player{
		ctx: ctx, config: config, plan: p,
		token:   mark(config, p),
		clients: map[string]*participant{},
		failed:  make(chan error, 1),
		history: history.NewRecorder(),
		power:   newPower(),
		powers:  map[string]*power{},
	}
	l.state.history = l.history
	l.record(history.Event{Kind: history.Began, Level: config.Level, KeepsLog: config.KeepsLog, Plan: &p})
	return l
}

// record appends to the history, until the run has ended: what happens while
// everything is taken down is no part of the story.
func (l *player) record(e history.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.history.Add(e)
	}
}

func (l *player) finish() []history.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	return l.history.Events(0)
}

func (l *player) closeClients() {
	l.finish()
	if l.world.last != nil {
		l.world.last()
	}
	for _, name := range l.names {
		if c := l.clients[name]; c.quiet != nil {
			c.quiet()
		}
	}
	l.background.Wait()
	_ = l.unlockDatabase()
	var closing sync.WaitGroup
	for _, name := range l.names {
		closing.Go(func() { l.clients[name].Close() })
	}
	closing.Wait()
}

// play does every step of the script, brings the run to rest, reads the log, and
// closes the history.
func (l *player) play() error {
	if l.config.Shared && l.config.KeepsLog {
		rows, err := l.readLog(history.Found)
		if err = l.recordRows(history.Found, rows, err); err != nil {
			// A server that cannot do that is judged by what follows.
			l.record(history.Event{Kind: history.Note, Detail: "reading what is in the log before the run: " + err.Error()})
		}
	}
	for _, f := range l.plan.Faults {
		if err := l.arm(f); err != nil {
			return err
		}
	}
	for i, step := range l.plan.Script {
		if err := l.do(step); err != nil {
			return fmt.Errorf("step %d (%s %s): %w", i+1, step.Do, step.Client, err)
		}
	}
	if err := l.comeToRest(); err != nil {
		return err
	}
	l.record(history.Event{Kind: history.Ended})
	return nil
}

// do performs one step.
func (l *player) do(s plan.Step) error {
	if err := l.alive(); err != nil {
		return err
	}
	l.rest()
	c := l.clients[s.Client]
	switch s.Do {
	case plan.Break, plan.Arm, plan.Suspend, plan.Disconnect, plan.StopServer, plan.KillServer, plan.PauseServer, plan.Refresh:
		for _, c := range l.clients {
			c.wasConnected = c.Status().Connected
			c.leftBefore = l.state.disconnections(c.name)
		}
	}
	if s.Node != "" && s.Client == "" {
		return l.turnPart(s.Do, s.Node)
	}
	switch s.Do {
	case plan.Open:
		c.opened = true
		return l.load(c.Open)
	case plan.Refresh:
		return l.load(func(ctx context.Context) error { return c.Refresh(ctx, nil) })
	case plan.Say:
		return l.say(c, s)
	case plan.Chatter:
		return l.startChatter(c, s)
	case plan.Quiet:
		return l.endChatter(c)
	case plan.Close:
		c.opened = false
		return c.Close()
	case plan.Disconnect:
		if has, err := l.awaitPage(c, s, 0); err != nil || !has {
			return err
		}
		return c.Disconnect()
	case plan.Connect:
		if has, err := l.awaitPage(c, s, 0); err != nil || !has {
			return err
		}
		return c.Connect()
	case plan.Suspend:
		return c.Suspend()
	case plan.Resume:
		return c.Resume()
	case plan.Throw:
		return c.Throw()
	case plan.Break:
		return l.breakNow(*s.Fault)
	case plan.Arm:
		return l.arm(*s.Fault)
	case plan.StopServer:
		return l.power.end(l.askServerToStop)
	case plan.KillServer:
		return l.power.end(l.killServer)
	case plan.StartServer:
		return l.power.start(func() error { return l.startServer(l.ctx) })
	case plan.PauseServer, plan.ContinueServer:
		return l.turnWhole(s.Do)
	case plan.Move:
		return l.move(c, s.Node)
	case plan.LockDatabase:
		return l.lockDatabase()
	case plan.UnlockDatabase:
		return l.unlockDatabase()
	case plan.ReplaceData:
		return l.replaceData()
	case plan.Wait:
		return l.wait(time.Duration(s.For))
	case plan.Settle:
		return l.settle()
	default:
		return l.awaitStep(s)
	}
}

// load loads a page. Where it cannot be reached, a person would press reload: it is
// tried again within the bound. Where a fault has made it load again, that goes on, or has
// been done.
func (l *player) load(once func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(l.ctx, l.config.Bound)
	defer cancel()
	for again := false; ; again = true {
		err := once(ctx)
		if errors.Is(err, client.ErrReloaded) || again && errors.Is(err, client.ErrOpen) {
			return nil
		}
		if err == nil || ctx.Err() != nil || !isUnreachable(err) || l.wait(reloadTime) != nil {
			return err
		}
	}
}

// reloadTime is how long a person takes to press reload.
const reloadTime = time.Second

// isUnreachable tells whether the connection failed, and not the page.
func isUnreachable(err error) bool {
	for _, reason := range []error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// awaitPage waits until a client has a page (a next one, where the view gone is on its
// way out), if a fault has made it load again. It returns false, with a note, where that
// cannot come about: what was to be loaded while the script keeps the page from the server
// is an error page, and nobody can type into that.
func (l *player) awaitPage(c *participant, s plan.Step, gone int) (bool, error) {
	has := func() bool { now := c.Status(); return now.Open && now.View != gone }
	if !c.opened || has() {
		return true, nil // where it was not opened, the client says so
	}
	var how string
	var apart bool
	_, err := l.await(l.config.Bound, func() bool {
		how, apart = l.isKeptApart(c)
		return has() || apart
	})
	if err != nil || has() || !apart {
		return true, err
	}
	l.record(history.Event{Kind: history.Note, Client: c.name, Detail: fmt.Sprintf("no %s: the page could not be loaded, as %s", s.Do, how)})
	return false, nil
}

// say says a step's messages.
func (l *player) say(c *participant, s plan.Step) error {
	if s.Count <= 1 {
		return l.sayOnce(c, s, l.text(s.Text))
	}
	for n := 1; n <= s.Count; n++ {
		if err := l.sayOnce(c, s, l.text(s.Text+" "+strconv.Itoa(n))); err != nil {
			return err
		}
	}
	return nil
}

// sayOnce says it on the next page where a fault loads the page again at this moment, as
// a person would.
func (l *player) sayOnce(c *participant, s plan.Step, text string) error {
	gone := 0
	for {
		if has, err := l.awaitPage(c, s, gone); err != nil || !has {
			return err
		}
		view := c.Status().View
		err := c.Say(text)
		if !c.opened || view == gone || !errors.Is(err, client.ErrNotOpen) {
			return err
		}
		gone = view
	}
}

// mark is what makes the run's texts its own. On a server that other runs meet too it
// must differ between two runs of one seed, so it is drawn.
func mark(config Config, p plan.Plan) string {
	number := p.Seed
	if config.Shared {
		number = rand.Uint64()
	}
	return strconv.FormatUint(number&0xffffffff, 16)
}

// RunMark, in a text, is replaced by a mark of the run, so that the texts of two
// runs on one server differ.
const RunMark = "$RUN"

func (l *player) text(text string) string {
	if strings.Contains(text, RunMark) {
		return strings.ReplaceAll(text, RunMark, fmt.Sprintf("%08s", l.token))
	}
	if l.config.Shared {
		return text + " " + l.token
	}
	return text
}

// startChatter says messages in the background, at the pace that the step names.
func (l *player) startChatter(c *participant, s plan.Step) error {
	if c.quiet != nil {
		return fmt.Errorf("it chatters already")
	}
	every := max(time.Duration(s.Every), 50*time.Microsecond)
	ctx, cancel := context.WithCancel(l.ctx)
	c.quiet, c.chatter = cancel, make(chan struct{})
	l.background.Go(func() {
		defer close(c.chatter)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for n := 1; s.Count == 0 || n <= s.Count; n++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if err := l.sayOnce(c, s, l.text(s.Text+" "+strconv.Itoa(n))); err != nil {
				l.fail(fmt.Errorf("%s chattering: %w", c.name, err))
				return
			}
		}
	})
	return nil
}

func (l *player) endChatter(c *participant) error {
	if c.quiet == nil {
		return fmt.Errorf("it does not chatter")
	}
	c.quiet()
	<-c.chatter
	c.quiet = nil
	return nil
}

func (l *player) breakNow(f plan.Fault) error {
	if !f.IsLink() {
		l.act(f)
		return nil
	}
	if err := l.clients[f.Client].link.Break(f); err != nil {
		// Not an error of the run: the fault did not happen, which the checks see.
		l.record(history.Event{Kind: history.Note, Client: f.Client, Detail: err.Error()})
	}
	return nil
}

func (l *player) arm(f plan.Fault) error {
	on := f.At.Client
	if on == "" {
		on = f.Client
	}
	c := l.clients[on]
	if c == nil {
		return fmt.Errorf("the fault %s waits for a frame, and names no client whose frame that is", f.ID)
	}
	c.link.Arm(f)
	return nil
}

// fired is told by the network that a fault of a link has happened.
func (l *player) fired(f network.Fired) {
	kind := history.FaultFired
	if f.Healed {
		kind = history.FaultHealed
	}
	if c := l.clients[f.Fault.Client]; c != nil && f.Fault.For == 0 && (f.Fault.Kind == plan.Outage || f.Fault.Kind == plan.Silence) {
		if f.Healed {
			c.unhealed.Add(-1)
		} else {
			c.unhealed.Add(1)
		}
	}
	l.record(history.Event{Kind: kind, Client: f.Fault.Client, Fault: f.Fault.ID, FaultKind: f.Fault.Kind, Detail: f.Where})
}

// act injects a fault of the server or of a page.
func (l *player) act(f plan.Fault) {
	if f.At.After && l.world.rest != nil {
		l.world.rest(true) // the frame is to be dealt with first
	}
	event := history.Event{Kind: history.FaultFired, Client: f.Client, Fault: f.ID, FaultKind: f.Kind, Node: f.Node}
	switch {
	case f.Kind == plan.RefreshPage:
		l.record(event)
		l.refreshAt(f)
	case f.Node != "":
		if err := l.restartPart(f, event); err != nil {
			l.fail(err)
		}
	default:
		l.restartServer(f, event)
	}
}

// restartServer is a Crash or a Restart of the server.
func (l *player) restartServer(f plan.Fault, event history.Event) {
	ended, err := l.power.interrupt(func() error {
		l.record(event)
		if f.Kind == plan.Crash {
			return l.killServer()
		}
		return l.askServerToStop()
	})
	if err != nil {
		l.fail(err)
		return
	}
	if !ended {
		l.noteDown(f)
		return
	}
	// Not here, where a link waits with what the dead server had sent already: that
	// comes before the next life, not after it has begun.
	l.background.Go(func() {
		if err := l.power.resume(func() error { return l.startServer(l.ctx) }); err != nil {
			l.fail(err)
		}
	})
}

// noteDown tells of a fault that found its server down already. It has not fired:
// nothing happened.
func (l *player) noteDown(f plan.Fault) {
	l.record(history.Event{Kind: history.Note, Node: f.Node, Detail: fmt.Sprintf("the fault %s (%s) had nothing to end: the server was down already", f.ID, f.Kind)})
}

// refreshAt loads a page again, in the background, and returns when the old view is
// gone. It does not wait for the new one, whose requests pass the link that waits.
func (l *player) refreshAt(f plan.Fault) {
	left := make(chan struct{})
	leave := sync.OnceFunc(func() { close(left) })
	l.background.Go(func() {
		defer leave()
		c := l.clients[f.Client]
		var err error
		for before, after := true, true; before || after; { // longer than the bound is the script's affair
			_, before = l.isKeptApart(c)
			if err = l.load(func(ctx context.Context) error { return c.Refresh(ctx, leave) }); err == nil {
				return
			}
			_, after = l.isKeptApart(c)
		}
		l.fail(fmt.Errorf("refreshing %s: %w", f.Client, err))
	})
	select {
	case <-left:
	case <-l.ctx.Done():
	}
}

// fail keeps the first error of what runs in the background.
func (l *player) fail(err error) {
	if l.ctx.Err() != nil {
		return
	}
	select {
	case l.failed <- err:
	default:
	}
}

// alive returns why the run cannot go on.
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
