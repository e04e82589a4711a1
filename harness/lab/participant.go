package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"redial/harness/client"
	"redial/harness/client/page"
	"redial/harness/history"
	"redial/harness/network"
	"redial/harness/plan"
	"redial/harness/target"
)

// A participant does with a client what its user would do. It has the client, its link, and
// what it sends in the background.
type participant struct {
	client.Client
	*awaits
	name string
	link network.Link
	// profile is the state that tabs of the client share with it, such as localStorage.
	profile *page.Profile
	// node is the name of the server of a cluster that the link leads to. It holds a string.
	node atomic.Value
	// unhealed counts the faults of its link that let nothing through until Heal.
	unhealed atomic.Int32
	// opened is whether the script has opened the page and not closed it. What sends in the
	// background reads it, too.
	opened atomic.Bool
	// leftBefore counts the client's disconnections before the last step that broke something,
	// and wasConnected is whether it was connected at that time.
	leftBefore   int
	wasConnected bool
	stopSending  func() // waits until the background sending has ended; nil if there is none
}

func (c *participant) isConnected() bool { return c.Status().Connected }

// hasLeft reports whether the client has lost its connection since the last step that broke
// something. It may be connected again.
func (c *participant) hasLeft() bool {
	return c.disconnections(c.name) > c.leftBefore || !c.wasConnected && !c.isConnected()
}

// load loads a page. If the server cannot be reached, a user would press reload, so load
// repeats the attempt within the bound. If a fault has made the page load again, load leaves
// that to the fault.
func (c *participant) load(once func(context.Context) error) error {
	// A fault's restart of the server may last as long as StartBound.
	ctx, cancel := context.WithTimeout(c.ctx, c.config.Bound+c.config.StartBound)
	defer cancel()
	for again := false; ; again = true {
		err := once(ctx)
		if errors.Is(err, client.ErrReloaded) || again && errors.Is(err, client.ErrOpen) {
			return nil
		}
		if err == nil || ctx.Err() != nil || c.over() || !isUnreachable(err) || c.wait(reloadTime) != nil {
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

// awaitPage waits until the client has a page, if a fault has made it load again. gone is the
// view that is closing, if any; the client then needs a later one. awaitPage returns false,
// with a note, if the page was loaded while the script keeps it from the server: the browser
// then shows an error page, into which no user can type.
func (c *participant) awaitPage(do plan.Action, gone int) (bool, error) {
	has := func() bool { now := c.Status(); return now.Open && now.View != gone }
	if !c.opened.Load() || has() {
		return true, nil // the client itself refuses to send from a page that was never opened
	}
	var how string
	var apart bool
	_, err := c.await(c.config.Bound, func() bool {
		how, apart = c.isKeptApart()
		return has() || apart
	})
	if err != nil || has() || !apart {
		return true, err
	}
	c.record(history.Event{Kind: history.Note, Client: c.name, Detail: fmt.Sprintf("no %s: the page could not be loaded, as %s", do, how)})
	return false, nil
}

// isKeptApart reports whether the script keeps the client from its server, and how: the server
// that the client's link leads to is down, or the link passes no frame.
func (c *participant) isKeptApart() (how string, is bool) {
	if c.ctx.Err() != nil {
		return "", false
	}
	if node, _ := c.node.Load().(string); c.servers.areKeptDown(node) {
		return "the server is down", true
	}
	return "the link is out", c.unhealed.Load() > 0
}

// send sends one message. If a fault refreshes the page at this moment, it sends from the new
// page, as a user would.
func (c *participant) send(do plan.Action, text string) error {
	gone := 0
	for {
		if has, err := c.awaitPage(do, gone); err != nil || !has {
			return err
		}
		view := c.Status().View
		err := c.Send(text)
		if !c.opened.Load() || view == gone || !errors.Is(err, client.ErrNotOpen) {
			return err
		}
		gone = view
	}
}

// sendAll performs a Send step.
func (c *participant) sendAll(s plan.Step) error {
	if c.stream != nil {
		_, err := c.awaitStream(max(1, s.Count))
		return err
	}
	if s.Count <= 1 {
		return c.send(s.Do, c.text(s.Text))
	}
	for n := 1; n <= s.Count; n++ {
		if err := c.send(s.Do, c.text(s.Text+" "+strconv.Itoa(n))); err != nil {
			return err
		}
	}
	return nil
}

func (c *participant) startSending(s plan.Step) error {
	if c.stopSending != nil {
		return fmt.Errorf("it already sends in the background")
	}
	if c.stream != nil {
		c.stopSending = func() {} // the server emits the messages by itself
		return nil
	}
	every := max(time.Duration(s.Every), 50*time.Microsecond)
	ctx, cancel := context.WithCancel(c.ctx)
	stopped := make(chan struct{})
	c.stopSending = func() { cancel(); <-stopped }
	c.background.Go(func() {
		defer close(stopped)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for n := 1; s.Count == 0 || n <= s.Count; n++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if err := c.send(s.Do, c.text(s.Text+" "+strconv.Itoa(n))); err != nil {
				c.fail(fmt.Errorf("%s sends in the background: %w", c.name, err))
				return
			}
		}
	})
	return nil
}

// move makes the client's next connections lead to another server.
func (c *participant) move(node string) error {
	if _, err := c.target.Part(node); err != nil {
		return err
	}
	leader, ok := c.link.(network.Leader)
	address := c.target.NodeAddress(node)
	if !ok || address == "" {
		return fmt.Errorf("%w: no link can lead to the server %q here", target.ErrUnsupported, node)
	}
	leader.Lead(address)
	c.node.Store(node)
	c.record(history.Event{Kind: history.Note, Client: c.name, Node: node, Detail: "the link leads to server " + node + " from now on"})
	return nil
}
