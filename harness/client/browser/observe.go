package browser

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/css"
	"github.com/chromedp/cdproto/debugger"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"

	"redial/harness/client/internal/views"
	"redial/harness/history"
)

//go:embed hook.js
var hook string

// binding is the name of the function that hook.js calls to report.
const binding = "redialReport"

// longestNote bounds the length of a note.
const longestNote = 500

// mostDialogs is how many dialogs a document may open. A script that opens more does not end, or
// leaves a user no time between them.
const mostDialogs = 100

var errDialogs = fmt.Errorf("the page opens one dialog after the other, %d so far", mostDialogs)

// A report is a report of hook.js.
type report struct {
	Document  string   `json:"document"`
	Kind      string   `json:"kind"`
	Status    int      `json:"status"`
	Dropped   int      `json:"dropped"`
	From      int      `json:"from"`
	Texts     []string `json:"texts"`
	Recovered bool     `json:"recovered"`
	Reason    string   `json:"reason"`
}

// prepare makes hook.js run first in every document of the tab. link is the address of the
// client's link to the server under test.
func (t *tab) prepare(spec Spec, link string) error {
	ctx, cancel := t.bounded(actBound)
	defer cancel()
	if !spec.elsewhere() {
		link = ""
	}
	arguments, err := json.Marshal([]any{spec.Messages, spec.Without, spec.NewestFirst, link})
	if err != nil {
		return err
	}
	steps := []struct {
		method string
		params any
	}{
		{runtime.AddBinding.Method, runtime.AddBindingParams{Name: binding}},
		{page.AddScriptToEvaluateOnNewDocument.Method, page.AddScriptToEvaluateOnNewDocumentParams{Source: hook + fmt.Sprintf("(...%s)", arguments)}},
		// Each tab behaves as if it had the focus.
		{emulation.SetFocusEmulationEnabled.Method, emulation.SetFocusEmulationEnabledParams{Enabled: true}},
		// chromedp enables these, and the client does not need them.
		{css.Disable.Method, cdp.Empty{}},
		{dom.Disable.Method, cdp.Empty{}},
	}
	for _, step := range steps {
		if err := t.target.Call(ctx, step.method, step.params, nil); err != nil {
			return fmt.Errorf("%s: %w", step.method, err)
		}
	}
	return nil
}

// observe handles the tab's events in order, on the goroutine that reads them.
func (c *Client) observe(t *tab, event any) {
	switch e := event.(type) {
	case *runtime.EventBindingCalled:
		var r report
		if e.Name == binding && json.Unmarshal([]byte(e.Payload), &r) == nil {
			c.take(t, r)
		}
	case *network.EventLoadingFailed:
		if e.ErrorText == networkChanged {
			c.note("Chromium dropped a request (" + networkChanged + "): a network interface or an address of this machine came or went")
		}
		if e.CorsErrorStatus != nil && !t.blocked {
			t.blocked = true // once: a client library tries again without end
			c.note(fmt.Sprintf("the browser blocked a request of the page by CORS (%s): does the server under test allow the page's origin?", e.CorsErrorStatus.CorsError))
		}
		if e.Type == network.ResourceTypeDocument && !e.Canceled {
			c.mu.Lock()
			t.failure = e.ErrorText
			c.mu.Unlock()
		}
	case *page.EventFrameNavigated:
		if e.Frame.ParentID == "" && (e.Frame.UnreachableURL != "" || e.Frame.URL == blank) {
			c.left(t)
			if e.Frame.UnreachableURL != "" {
				c.mu.Lock()
				failure := t.failure
				c.mu.Unlock()
				c.arrive(failed(failure))
			}
		}
	case *debugger.EventPaused:
		select {
		case t.paused <- struct{}{}:
		default:
		}
	case *inspector.EventTargetCrashed:
		c.note("the page has crashed")
		c.left(t)
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil && thrown.Description != "" {
			text += " " + thrown.Description
		}
		c.note(text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			c.note("console.error: " + printed(e.Args))
		}
	case *page.EventJavascriptDialogOpening:
		c.note(fmt.Sprintf("the page opened a dialog (%s), which was accepted: %s", e.Type, e.Message))
		c.mu.Lock()
		t.dialogs++
		many := t.dialogs >= mostDialogs
		c.mu.Unlock()
		if many {
			c.arrive(errDialogs)
		}
		go func() { // the answer arrives on this goroutine, so waiting here would block it for ever
			ctx, cancel := t.bounded(actBound)
			defer cancel()
			_, _ = cdp.Call(ctx, t.target, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}()
	}
}

const blank = "about:blank"

// networkChanged is Chromium's error for requests that are about to connect when an address of the
// machine comes or goes, even one that they do not use. Each container that Docker starts or stops
// is such a change.
const networkChanged = "net::ERR_NETWORK_CHANGED"

// take handles a report of hook.js, unless it is about a document that was left.
func (c *Client) take(t *tab, r report) {
	c.mu.Lock()
	mine := r.Document == t.document
	c.mu.Unlock()
	switch {
	case r.Kind == "document":
		c.left(t)
		c.begun(t, r)
	case !mine:
	case r.Kind == "ready":
		c.mu.Lock()
		t.ready = true
		c.mu.Unlock()
		c.arrive(nil)
	case r.Kind == "missing":
		c.note("the page could not load its script " + r.Reason)
	case r.Kind == "refused":
		c.note("connect_error: " + r.Reason)
	case r.Kind == "list":
		c.show(r)
	case r.Kind == "connected":
		c.observed(history.Event{Kind: history.Connected, Recovered: r.Recovered}, func() { c.sessions++ })
	case r.Kind == "disconnected":
		c.observed(history.Event{Kind: history.Disconnected, Detail: r.Reason}, func() { c.sessions-- })
	}
}

// begun handles a new document. If the page has reloaded itself, it is entered in the background.
func (c *Client) begun(t *tab, r report) {
	if r.Status >= 400 {
		c.arrive(fmt.Errorf("cannot load the page: GET %s answers %d", c.path(), r.Status))
		return
	}
	c.observed(history.Event{Kind: history.Opened}, func() {
		t.document, t.ready, t.loaded, t.failure, t.dialogs = r.Document, false, true, "", 0
		c.notes.Reset()
		c.sessions = 0
		c.status.View++
		c.status.Shown, c.shown = 0, views.List{}
	})
	if c.currentLoad() != nil {
		return
	}
	go func() {
		begin := func(context.Context, *tab) error {
			c.mu.Lock()
			ready := t.ready
			c.mu.Unlock()
			if ready {
				c.arrive(nil)
			}
			return nil
		}
		if err := c.load(t.ctx, nil, c.opened, begin); err != nil && t.ctx.Err() == nil {
			c.note("the page has loaded itself again, and then: " + err.Error())
		}
	}()
}

// left records, once, that the document has been left.
func (c *Client) left(t *tab) {
	c.recording.Lock()
	defer c.recording.Unlock()
	c.mu.Lock()
	gone := func() {}
	if c.loading != nil {
		gone = c.loading.gone
	}
	was := t.document != ""
	t.document, c.shown = "", views.List{}
	c.status.Open, c.status.Connected, c.sessions = false, false, 0
	c.mu.Unlock()
	if was {
		c.add(history.Event{Kind: history.Closed})
	}
	gone()
}

// show records the new messages of the list.
func (c *Client) show(r report) {
	c.mu.Lock()
	fresh, rewritten := c.shown.Change(r.Dropped, r.From, r.Texts)
	c.mu.Unlock()
	if rewritten {
		c.note("the list was rewritten")
	}
	c.recording.Lock()
	defer c.recording.Unlock()
	// The status changes before the history, as in all clients.
	c.mu.Lock()
	c.status.Shown = c.shown.Len()
	c.mu.Unlock()
	for _, text := range fresh {
		c.add(history.Event{Kind: history.Shown, Message: text})
	}
}

// observed changes the status, and then records the event.
func (c *Client) observed(e history.Event, change func()) {
	c.recording.Lock()
	defer c.recording.Unlock()
	c.mu.Lock()
	change()
	c.status.Connected = c.sessions > 0
	c.mu.Unlock()
	c.add(e)
}

// record records an action of the user, unless the page cannot be used.
func (c *Client) record(e history.Event) error {
	c.recording.Lock()
	defer c.recording.Unlock()
	_, err := c.current()
	if err == nil {
		c.add(e)
	}
	return err
}

// add records an event of the current view. The caller holds c.recording.
func (c *Client) add(e history.Event) {
	e.Client, e.View = c.options.Name, c.Status().View
	if c.options.Record != nil {
		c.options.Record(e)
	}
}

// note records a note for the user on one line, up to a bound.
func (c *Client) note(text string) {
	text, ok := c.notes.Next(text)
	if !ok {
		return
	}
	if runes := []rune(text); len(runes) > longestNote {
		text = string(runes[:longestNote]) + "…"
	}
	c.recording.Lock()
	defer c.recording.Unlock()
	c.add(history.Event{Kind: history.Note, Detail: text})
}

// printed is about the text that the console prints.
func printed(args []*runtime.RemoteObject) string {
	var texts []string
	for _, arg := range args {
		texts = append(texts, cmp.Or(arg.Description, strings.Trim(string(arg.Value), `"`)))
	}
	return strings.Join(texts, " ")
}
