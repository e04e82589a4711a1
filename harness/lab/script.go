package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"time"

	"redial/harness/client"
	"redial/harness/history"
	"redial/harness/plan"
)

func (l *player) do(s plan.Step) error {
	if err := l.alive(); err != nil {
		return err
	}
	l.quiesce()
	c := l.clients[s.Client]
	if s.Do.Disconnects() {
		for _, c := range l.clients {
			c.wasConnected = c.Status().Connected
			c.leftBefore = l.state.disconnections(c.name)
		}
	}
	switch s.Do {
	case plan.Open:
		c.opened = true
		return l.load(c.Open)
	case plan.Refresh:
		return l.load(func(ctx context.Context) error { return c.Refresh(ctx, nil) })
	case plan.Send:
		return l.send(c, s)
	case plan.StartSending:
		return l.startSending(c, s)
	case plan.StopSending:
		return l.stopSending(c)
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
		l.record(history.Event{Kind: history.Note, Detail: c.name + " is suspended, like a laptop whose lid is closed"})
		return c.Suspend()
	case plan.Resume:
		l.record(history.Event{Kind: history.Note, Detail: c.name + " wakes"})
		return c.Resume()
	case plan.Throw:
		return c.Throw()
	case plan.Break:
		return l.breakNow(*s.Fault)
	case plan.Arm:
		return l.arm(*s.Fault)
	case plan.StartServer, plan.StopServer, plan.KillServer, plan.PauseServer, plan.ContinueServer:
		return l.serverStep(s.Do, s.Node)
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
	case plan.Barrier:
		return l.barrier()
	default:
		return l.awaitStep(s)
	}
}

// load loads a page. If the server cannot be reached, a user would press reload, so load
// repeats the attempt within the bound. If a fault has made the page load again, load leaves
// that to the fault.
func (l *player) load(once func(context.Context) error) error {
	// A fault's restart of the server may last as long as StartBound.
	ctx, cancel := context.WithTimeout(l.ctx, l.config.Bound+l.config.StartBound)
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

// reloadTime is how long a user takes to press reload.
const reloadTime = time.Second

// isUnreachable reports whether the connection failed, and not the page.
func isUnreachable(err error) bool {
	for _, reason := range []error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// awaitPage waits until a client has a page, if a fault has made it load again. gone is the
// view that is closing, if any; the client then needs a later one. awaitPage returns false,
// with a note, if the page was loaded while the script keeps it from the server: the browser
// then shows an error page, into which no user can type.
func (l *player) awaitPage(c *participant, s plan.Step, gone int) (bool, error) {
	has := func() bool { now := c.Status(); return now.Open && now.View != gone }
	if !c.opened || has() {
		return true, nil // the client itself refuses to send from a page that was never opened
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

func (l *player) send(c *participant, s plan.Step) error {
	if l.streamOf() != nil {
		_, err := l.awaitStream(max(1, s.Count))
		return err
	}
	if s.Count <= 1 {
		return l.sendOnce(c, s, l.text(s.Text))
	}
	for n := 1; n <= s.Count; n++ {
		if err := l.sendOnce(c, s, l.text(s.Text+" "+strconv.Itoa(n))); err != nil {
			return err
		}
	}
	return nil
}

// sendOnce sends one message. If a fault refreshes the page at this moment, it sends from the
// new page, as a user would.
func (l *player) sendOnce(c *participant, s plan.Step, text string) error {
	gone := 0
	for {
		if has, err := l.awaitPage(c, s, gone); err != nil || !has {
			return err
		}
		view := c.Status().View
		err := c.Send(text)
		if !c.opened || view == gone || !errors.Is(err, client.ErrNotOpen) {
			return err
		}
		gone = view
	}
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

func (l *player) text(text string) string {
	if strings.Contains(text, RunMark) {
		return strings.ReplaceAll(text, RunMark, fmt.Sprintf("%08s", l.token))
	}
	if l.config.Shared {
		return text + " " + l.token
	}
	return text
}

func (l *player) startSending(c *participant, s plan.Step) error {
	if c.stopSending != nil {
		return fmt.Errorf("it already sends in the background")
	}
	if l.streamOf() != nil {
		c.stopSending, c.stopped = silence()
		return nil
	}
	every := max(time.Duration(s.Every), 50*time.Microsecond)
	ctx, cancel := context.WithCancel(l.ctx)
	c.stopSending, c.stopped = cancel, make(chan struct{})
	l.background.Go(func() {
		defer close(c.stopped)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for n := 1; s.Count == 0 || n <= s.Count; n++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if err := l.sendOnce(c, s, l.text(s.Text+" "+strconv.Itoa(n))); err != nil {
				l.fail(fmt.Errorf("%s sends in the background: %w", c.name, err))
				return
			}
		}
	})
	return nil
}

func (l *player) stopSending(c *participant) error {
	if c.stopSending == nil {
		return fmt.Errorf("it does not send in the background")
	}
	c.stopSending()
	<-c.stopped
	c.stopSending = nil
	return nil
}
