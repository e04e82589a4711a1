// Package browser is the client that runs the application's own page in a real Chromium.
//
// Read [Spec] first, which describes how a user operates the page; then [Client] and
// load.go, which loads and leaves a page; then observe.go and hook.js, which observe it.
// chromium.go starts and ends the Chromium of the process, and that of each client with a
// separate network.
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
	"sync"
	"syscall"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/debugger"
	"github.com/chromedp/chromedp"

	"redial/harness/client"
	"redial/harness/client/internal/views"
	"redial/harness/history"
	"redial/harness/internal/words"
)

const (
	// actBound bounds an action of the user, loadBound a page load.
	actBound  = 10 * time.Second
	loadBound = time.Minute
	// optionalBound bounds the wait for the element of an optional step.
	optionalBound = 2 * time.Second
)

// A Client is one tab of a browser. See client.Client.
type Client struct {
	options client.Options
	spec    Spec
	profile *Profile
	// elementBound bounds the wait for an element of the page.
	elementBound time.Duration
	loads        *views.Loads
	notes        views.Notes
	// input is held while text is typed, an element is clicked or the page is reloaded, since
	// a user does these one after the other.
	input sync.Mutex

	// recording is held while events are recorded, so that they are in the order in which the
	// status changes.
	recording sync.Mutex

	mu     sync.Mutex
	tab    *tab // nil while the tab is closed
	status client.Status
	shown  views.List
	frozen bool
	// sessions counts the page's Engine.IO connections with a Socket.IO connection on them.
	sessions int
	loading  *loading // the load that has the turn
}

// A tab is a tab of Chromium.
type tab struct {
	ctx    context.Context
	close  context.CancelFunc
	target cdp.Session
	// loaded is true after the tab has shown the application's page, so that it can reload it.
	loaded bool
	// document is the page's id in the reports of hook.js; empty after the page was left.
	document string
	// ready is true when its scripts have run, up to DOMContentLoaded.
	ready bool
	// failure is Chromium's error for the last document that it could not load.
	failure string
	// blocked is true after the browser has blocked a request by CORS. Only observe uses it.
	blocked bool
	// dialogs counts the dialogs of the document.
	dialogs int
	// paused receives a value when the page's JavaScript has stopped.
	paused chan struct{}
}

// New makes a closed client. It shares the profile with other tabs; nil means a new one.
func New(options client.Options, spec Spec, profile *Profile) *Client {
	if profile == nil {
		profile = NewProfile()
	}
	return &Client{options: options, spec: spec, profile: profile, elementBound: actBound, loads: views.NewLoads()}
}

func errUnsupported(what string) error {
	return fmt.Errorf("cannot %s: %w: the application's own page has no such switch", what, client.ErrUnsupported)
}

// Disconnect returns client.ErrUnsupported, as do Connect and Throw.
func (c *Client) Disconnect() error { return errUnsupported("disconnect") }

// Connect returns client.ErrUnsupported.
func (c *Client) Connect() error { return errUnsupported("connect") }

// Throw returns client.ErrUnsupported.
func (c *Client) Throw() error { return errUnsupported("throw") }

// Status is a snapshot.
func (c *Client) Status() client.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Removed has the messages that were removed from the list; see client.Removed.
func (c *Client) Removed() (view int, texts []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status.View, c.shown.Removed()
}

// Send types the text and submits it. It returns when the page has handled the input.
func (c *Client) Send(text string) error {
	c.input.Lock()
	defer c.input.Unlock()
	t, err := c.current()
	if err == nil {
		err = c.typeAndSubmit(t, text)
	}
	if err != nil {
		return fmt.Errorf("cannot send %s: %w", words.Quoted(text), err)
	}
	return nil
}

func (c *Client) typeAndSubmit(t *tab, text string) error {
	if c.spec.Input == "" {
		return errors.New("redial.yaml has no page.input; if only the server sends messages, it needs a section socket without send")
	}
	ctx, cancel := t.bounded(actBound)
	defer cancel()
	if err := c.openConversation(ctx, t); err != nil {
		return err
	}
	field, button := element{selector: c.spec.Input}, element{selector: c.spec.Submit}
	if err := t.visible(ctx, field, c.elementBound); err != nil {
		return err
	}
	for has := false; !has; { // a page may empty the input while the button is disabled
		if err := t.fill(ctx, field, text); err != nil {
			return err
		}
		if c.spec.Submit != "" { // which many pages disable while there is no text
			if err := t.visible(ctx, button, c.elementBound); err != nil {
				return err
			}
		}
		content, err := t.content(ctx, field)
		if err != nil {
			return err
		}
		has = content == text
	}
	if err := c.record(history.Event{Kind: history.Sent, Message: text}); err != nil {
		return err
	}
	if c.spec.Press != "" {
		return t.press(ctx, c.spec.Press)
	}
	return t.click(ctx, button)
}

// Suspend stops the page's JavaScript at once, as a debugger does: it handles no timer, message or
// click, while the clock and the server go on and packets wait in the browser.
// Page.setWebLifecycleState would not do, because Chromium does not freeze a visible tab.
func (c *Client) Suspend() error {
	c.input.Lock()
	defer c.input.Unlock()
	t, err := c.current()
	if err != nil {
		return err
	}
	ctx, cancel := t.bounded(actBound)
	defer cancel()
	if _, err := cdp.Call(ctx, t.target, debugger.Enable, debugger.EnableParams{}); err != nil {
		return fmt.Errorf("cannot suspend the page: %w", err)
	}
	go func() { _, _ = t.evaluate(t.ctx, `() => { debugger; return ""; }`) }() // returns when the page is resumed
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
	c.input.Lock()
	defer c.input.Unlock()
	return c.resume()
}

// resume resumes the page if it is suspended. The caller holds c.input.
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

// Close closes the tab, and cancels an Open or Refresh that still runs.
func (c *Client) Close() error {
	defer c.loads.Close()()
	c.input.Lock()
	defer c.input.Unlock()
	t := c.tabNow()
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

// current returns the tab if its page has been entered.
func (c *Client) current() (*tab, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.tab == nil || !c.status.Open:
		return nil, client.ErrNotOpen
	case c.frozen:
		return nil, errors.New("the page is suspended")
	case c.tab.dialogs >= mostDialogs:
		return nil, errDialogs
	}
	return c.tab, nil
}

// unreachable maps Chromium's names to the errors by which the kit recognises a server that cannot
// be reached.
var unreachable = map[string]error{
	"net::ERR_CONNECTION_REFUSED":   syscall.ECONNREFUSED,
	"net::ERR_CONNECTION_RESET":     syscall.ECONNRESET,
	"net::ERR_CONNECTION_CLOSED":    io.EOF,
	"net::ERR_EMPTY_RESPONSE":       io.EOF,
	"net::ERR_SOCKET_NOT_CONNECTED": syscall.ECONNRESET,
}

// failed is the error of a page load, from Chromium's name for it.
func failed(text string) error {
	if err := unreachable[text]; err != nil {
		return fmt.Errorf("cannot load the page: %s: %w", text, err)
	}
	return fmt.Errorf("cannot load the page: %s", text)
}

// bounded is the tab's context with a bound.
func (t *tab) bounded(bound time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.ctx, bound)
}

// open opens a tab, with hook.js in each of its documents.
func (c *Client) open() (*tab, error) {
	t := &tab{paused: make(chan struct{}, 1)}
	ctx, cancel, err := c.profile.Tab(func(event any) { c.observe(t, event) })
	if err != nil {
		return nil, err
	}
	t.ctx, t.close = ctx, cancel
	late := time.AfterFunc(actBound, cancel)
	err = chromedp.Do(ctx)
	if err == nil {
		t.target = chromedp.FromContext(ctx).Target
		err = t.prepare(c.spec, c.options.URL)
	}
	if !late.Stop() && err == nil {
		err = fmt.Errorf("it did not open within %s", actBound)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("the browser opens no tab: %w", err)
	}
	return t, nil
}

// New makes a client of the page that the spec describes, for package lab. With tabOf it is
// another tab in the browser of that client.
func (s Spec) New(options client.Options, tabOf client.Client) (client.Client, error) {
	c := New(options, s, nil)
	if len(options.Within) > 0 {
		c.profile = within(options.Within, c.address())
	}
	if other, ok := tabOf.(*Client); ok {
		c.profile = other.profile
	}
	return c, nil
}

// Discard ends the client's browser, with all of its tabs.
func (c *Client) Discard() error { return c.profile.Close() }
