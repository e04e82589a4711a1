// Package browser is the client that runs the application's own page in a real Chromium.
//
// Read [Spec] first, which describes how a user operates the page; then [Client] and
// load.go, which loads and leaves a page; then observe.go and hook.js, which observe it.
// chromium.go starts and ends the Chromium of the process, and that of each client with a
// network of its own.
//
// The page and its client library run unchanged. The client observes what the page shows,
// and the packets that open and end its Socket.IO connections. It cannot observe
// acknowledgements, retries, or connections that the page opens in a worker or an iframe.
//
// The package must not import package page or wire, and knows no fault and no plan.
package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/debugger"
	"github.com/chromedp/chromedp"

	"redial/harness/client"
	"redial/harness/history"
)

const (
	// actBound is how long an act of a person may take, loadBound how long a load.
	actBound  = 10 * time.Second
	loadBound = 20 * time.Second
	// optionalBound is how long the element of an optional step is waited for.
	optionalBound = 2 * time.Second
)

// A Client is one tab of a browser. See client.Client.
type Client struct {
	options client.Options
	spec    Spec
	profile *Profile
	// patience is how long an element of the page is waited for.
	patience time.Duration

	// turn is held while a page is loaded or the tab is closed, hands while a person types,
	// clicks, or presses reload: nobody can do two of these at once.
	turn  chan struct{}
	hands sync.Mutex

	// telling is held while events are recorded, so that their order is that of the status.
	telling sync.Mutex

	mu     sync.Mutex
	tab    *tab // nil while the tab is closed
	status client.Status
	notes  int
	frozen bool
	// sessions counts the page's Engine.IO connections with a Socket.IO connection on them.
	sessions int
	// loads are under way or wait for their turn; loading has the turn. closing says that
	// Close waits for it.
	loads   map[*loading]bool
	loading *loading
	closing int
}

// A tab is a tab of Chromium.
type tab struct {
	ctx    context.Context
	close  context.CancelFunc
	target cdp.Session
	// at is true when the tab has been at the application's page, so that it can be reloaded.
	at bool
	// document is the page's mark in the reports of hook.js; empty when it was left.
	document string
	// ready is true when its scripts have run, up to DOMContentLoaded.
	ready bool
	// failure is why Chromium could not get the document that it asked for last.
	failure string
	// paused gets a value when the page's JavaScript has stopped.
	paused chan struct{}
}

// New makes a client, closed. The profile is what it has in common with other tabs; nil
// means a new one.
func New(options client.Options, spec Spec, profile *Profile) *Client {
	if profile == nil {
		profile = NewProfile()
	}
	return &Client{options: options, spec: spec, profile: profile, patience: actBound, turn: make(chan struct{}, 1), loads: map[*loading]bool{}}
}

// errUnsupported is what the application's page has no switch for.
func errUnsupported(what string) error {
	return fmt.Errorf("cannot %s: %w: the application's own page has no such switch", what, client.ErrUnsupported)
}

// Disconnect is client.ErrUnsupported, as are Connect and Throw.
func (c *Client) Disconnect() error { return errUnsupported("disconnect") }

// Connect is client.ErrUnsupported.
func (c *Client) Connect() error { return errUnsupported("connect") }

// Throw is client.ErrUnsupported.
func (c *Client) Throw() error { return errUnsupported("throw") }

// Status is a snapshot. Pending is always 0: acknowledgements cannot be seen.
func (c *Client) Status() client.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Send types the text and submits it. It returns when the page has dealt with that.
func (c *Client) Send(text string) error {
	c.hands.Lock()
	defer c.hands.Unlock()
	t, err := c.current()
	if err == nil {
		err = c.say(t, text)
	}
	if err != nil {
		return fmt.Errorf("cannot send %s: %w", quoted(text), err)
	}
	return nil
}

func (c *Client) say(t *tab, text string) error {
	if c.spec.Input == "" {
		return errors.New("redial.yaml names no input of the page")
	}
	ctx, cancel := t.bounded(actBound)
	defer cancel()
	if err := t.visible(ctx, c.spec.Input, c.patience); err != nil {
		return err
	}
	if c.spec.Submit != "" {
		if err := t.visible(ctx, c.spec.Submit, c.patience); err != nil {
			return err
		}
	}
	if !c.record(history.Event{Kind: history.Sent, Message: text}) {
		return client.ErrNotOpen
	}
	if err := t.fill(ctx, c.spec.Input, text); err != nil {
		return err
	}
	if c.spec.Press != "" {
		return t.press(ctx, c.spec.Press)
	}
	return t.click(ctx, c.spec.Submit)
}

// Suspend stops the page's JavaScript as a debugger does, at once: no timer, no message and
// no click reaches it, while the clock and the server go on and packets wait in the browser.
// (Page.setWebLifecycleState would not do: Chromium does not freeze a tab that can be seen.)
func (c *Client) Suspend() error {
	c.hands.Lock()
	defer c.hands.Unlock()
	t, err := c.current()
	if err != nil {
		return err
	}
	ctx, cancel := t.bounded(actBound)
	defer cancel()
	if _, err := cdp.Call(ctx, t.target, debugger.Enable, debugger.EnableParams{}); err != nil {
		return fmt.Errorf("cannot suspend the page: %w", err)
	}
	go func() { _, _ = t.evaluate(t.ctx, `() => { debugger; return ""; }`) }() // it returns when the page goes on
	select {
	case <-t.paused:
	case <-ctx.Done():
		return fmt.Errorf("cannot suspend the page: its script did not stop within %s", actBound)
	}
	c.setFrozen(true)
	return nil
}

// Resume ends Suspend.
func (c *Client) Resume() error {
	c.hands.Lock()
	defer c.hands.Unlock()
	return c.resume()
}

// resume does so where the page is suspended. The caller has c.hands.
func (c *Client) resume() error {
	c.mu.Lock()
	t, frozen := c.tab, c.frozen
	c.mu.Unlock()
	if t == nil {
		return client.ErrNotOpen
	}
	if !frozen {
		return nil
	}
	ctx, cancel := t.bounded(actBound)
	defer cancel()
	if _, err := cdp.Call(ctx, t.target, debugger.Disable, cdp.Empty{}); err != nil {
		return fmt.Errorf("cannot resume the page: %w", err)
	}
	c.setFrozen(false)
	return nil
}

func (c *Client) setFrozen(frozen bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen = frozen
}

// Close closes the tab. An Open or Refresh that is under way is given up.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closing++
	c.mu.Unlock()
	c.giveUp(errTabClosed)
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	c.hands.Lock()
	defer c.hands.Unlock()
	c.mu.Lock()
	c.closing--
	t := c.tab
	c.mu.Unlock()
	if t == nil {
		return nil
	}
	t.flush()
	c.left(t)
	c.mu.Lock()
	c.tab, c.frozen = nil, false
	c.mu.Unlock()
	t.close()
	return nil
}

// current returns the tab where its page has been entered.
func (c *Client) current() (*tab, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.tab == nil || !c.status.Open:
		return nil, client.ErrNotOpen
	case c.frozen:
		return nil, errors.New("the page is suspended")
	}
	return c.tab, nil
}

// unreachable are Chromium's names for what the kit knows as errors of a connection.
var unreachable = map[string]error{
	"net::ERR_CONNECTION_REFUSED":   syscall.ECONNREFUSED,
	"net::ERR_CONNECTION_RESET":     syscall.ECONNRESET,
	"net::ERR_CONNECTION_CLOSED":    io.EOF,
	"net::ERR_EMPTY_RESPONSE":       io.EOF,
	"net::ERR_SOCKET_NOT_CONNECTED": syscall.ECONNRESET,
}

// failed is the error of a load, by what Chromium calls it.
func failed(text string) error {
	if err := unreachable[text]; err != nil {
		return fmt.Errorf("cannot load the page: %s: %w", text, err)
	}
	return fmt.Errorf("cannot load the page: %s", text)
}

// bounded is the tab's context for commands that may take so long.
func (t *tab) bounded(bound time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.ctx, bound)
}

// quoted keeps an error to one line of readable length.
func quoted(text string) string {
	if runes := []rune(text); len(runes) > 40 {
		text = string(runes[:40]) + "…"
	}
	return fmt.Sprintf("%q", strings.ToValidUTF8(text, "?"))
}

// open opens a tab, with hook.js in each of its documents.
func (c *Client) open() (*tab, error) {
	t := &tab{paused: make(chan struct{}, 1)}
	ctx, cancel, err := c.profile.tab(func(event any) { c.observe(t, event) })
	if err != nil {
		return nil, err
	}
	t.ctx, t.close = ctx, cancel
	late := time.AfterFunc(actBound, cancel)
	err = chromedp.Do(ctx)
	if err == nil {
		t.target = chromedp.FromContext(ctx).Target
		err = t.prepare(c.spec)
	}
	if !late.Stop() && err == nil {
		err = fmt.Errorf("it was not there within %s", actBound)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("the browser opens no tab: %w", err)
	}
	return t, nil
}

// New makes clients of the page that the spec describes, a tab of an earlier client's
// browser where there is one, as package lab asks for them.
func (s Spec) New(options client.Options, tabOf client.Client) (client.Client, error) {
	profile := NewProfile()
	if len(options.Within) > 0 {
		profile = within(options.Within)
	}
	if other, ok := tabOf.(*Client); ok {
		profile = other.profile
	}
	return New(options, s, profile), nil
}

// Discard ends the client's browser, with all of its tabs.
func (c *Client) Discard() error { return c.profile.Close() }
