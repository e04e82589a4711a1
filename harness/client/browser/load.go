package browser

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"

	"redial/harness/client"
	"redial/harness/client/internal/views"
)

// A loading is an Open or a Refresh.
type loading struct {
	// gone is called when the old document has been left.
	gone func()
	// document receives nil when the new document is ready, or an error.
	document chan error
}

// arrive reports that the document is ready, or an error. Only the first call counts.
func (l *loading) arrive(err error) {
	select {
	case l.document <- err:
	default:
	}
}

// Open opens a tab with the page and enters. See client.Client.
func (c *Client) Open(ctx context.Context) error {
	return c.load(ctx, nil, func() (*tab, error) {
		c.mu.Lock()
		t, has := c.tab, c.tab != nil && c.tab.document != ""
		c.mu.Unlock()
		if has {
			return nil, client.ErrOpen
		}
		if t != nil { // an earlier Open could not load the page
			return t, nil
		}
		t, err := c.open()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.tab = t
		return t, err
	}, c.reload)
}

// Refresh reloads the page and enters again. A browser keeps the old document until the server
// answers the request for the new one; left is called when the old document has been left. If the
// server does not answer, Chromium shows an error page instead.
func (c *Client) Refresh(ctx context.Context, left func()) error {
	c.loads.Cancel(client.ErrReloaded)
	return c.load(ctx, left, c.opened, c.reload)
}

func (c *Client) tabNow() *tab {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tab
}

func (c *Client) opened() (*tab, error) {
	if t := c.tabNow(); t != nil {
		return t, nil
	}
	return nil, client.ErrNotOpen
}

// load waits for its turn, calls begin to start a page load in the tab that in returns, and enters
// the page.
func (c *Client) load(ctx context.Context, left func(), in func() (*tab, error), begin func(context.Context, *tab) error) error {
	if left == nil {
		left = func() {}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, loadBound, fmt.Errorf("the page was not loaded within %s", loadBound))
	defer cancel()
	ctx, end, err := c.loads.Begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	l := &loading{gone: sync.OnceFunc(left), document: make(chan error, 1)}
	t, err := in()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(t.ctx, func() { stop(views.ErrClosed) })()
	if err = c.begin(ctx, t, l, begin); err == nil {
		select {
		case err = <-l.document:
		case <-ctx.Done():
		}
	}
	if err == nil && ctx.Err() == nil {
		err = c.enter(ctx, t)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	c.mu.Lock()
	c.loading = nil
	document := t.document
	c.status.Open = err == nil && document != ""
	c.mu.Unlock()
	if err == nil && len(c.spec.Conversation) > 0 {
		go c.awaitConversation(t, document)
	}
	if err != nil && !errors.Is(err, client.ErrReloaded) {
		c.abandon(t)
	}
	return err
}

// currentLoad is the load that waits for a document or enters it, or nil.
func (c *Client) currentLoad() *loading {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.loading
}

// arrive calls arrive of the current load, if there is one.
func (c *Client) arrive(err error) {
	if l := c.currentLoad(); l != nil {
		l.arrive(err)
	}
}

// begin starts a page load after an action of the user has ended. Reports of the page before that
// count for the old document.
func (c *Client) begin(ctx context.Context, t *tab, l *loading, begin func(context.Context, *tab) error) error {
	c.input.Lock()
	defer c.input.Unlock()
	c.mu.Lock()
	c.loading, c.status.Open = l, false
	has := t.document != ""
	c.mu.Unlock()
	if !has {
		l.gone()
	}
	if err := c.resume(); err != nil {
		return err
	}
	return begin(ctx, t)
}

// reload reloads the page, or navigates to it for the first time. The result arrives as events of
// the tab, as for every load.
func (c *Client) reload(ctx context.Context, t *tab) error {
	c.markDisconnected()
	c.mu.Lock()
	loaded := t.loaded
	c.mu.Unlock()
	if loaded {
		_, err := cdp.Call(ctx, t.target, page.Reload, page.ReloadParams{})
		return err
	}
	// Chromium ignores a navigation to an address while another one to it runs.
	_, _ = cdp.Call(ctx, t.target, page.StopLoading, cdp.Empty{})
	result, err := cdp.Call(ctx, t.target, page.Navigate, page.NavigateParams{URL: c.address()})
	if err == nil && result.ErrorText != "" {
		err = failed(result.ErrorText)
	}
	return err
}

// markDisconnected sets the status to disconnected, because a connection that the old document
// still has no longer counts.
func (c *Client) markDisconnected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions, c.status.Connected = 0, false
}

func (c *Client) path() string {
	return cmp.Or(c.spec.Path, "/")
}

func (c *Client) address() string {
	if c.spec.elsewhere() {
		return c.spec.Path
	}
	return strings.TrimSuffix(c.options.URL, "/") + c.path()
}

// enter performs the steps of Spec.Enter and waits for the input.
func (c *Client) enter(ctx context.Context, t *tab) error {
	ctx, cancel := t.with(ctx, loadBound)
	defer cancel()
	for _, selector := range []string{c.spec.Messages, c.spec.Without} {
		if err := t.selects(ctx, selector); err != nil {
			return err
		}
	}
	if err := c.perform(ctx, t, c.spec.Enter); err != nil {
		return fmt.Errorf("cannot enter the page %s, %w", c.path(), err)
	}
	if c.spec.Input == "" || len(c.spec.Conversation) > 0 { // clients send no messages, or not yet
		return nil
	}
	if err := t.visible(ctx, element{selector: c.spec.Input}, c.elementBound); err != nil {
		return fmt.Errorf("cannot use the page: %w", err)
	}
	return nil
}

// abandon leaves a page that could not be entered, so that its scripts end.
func (c *Client) abandon(t *tab) {
	c.left(t)
	c.mu.Lock()
	t.loaded = false
	c.mu.Unlock()
	ctx, cancel := t.bounded(actBound)
	defer cancel()
	_, _ = cdp.Call(ctx, t.target, page.Navigate, page.NavigateParams{URL: blank})
}

// with is a context that ends with the caller's, with the tab's, or after the bound.
func (t *tab) with(ctx context.Context, bound time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	stop := context.AfterFunc(t.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
