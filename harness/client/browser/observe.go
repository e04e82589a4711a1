package browser

import (
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

	"redial/harness/history"
)

//go:embed hook.js
var hook string

// binding is the function that hook.js reports with.
const binding = "redialReport"

// notesPerView bounds what a page that goes wrong all the time writes down, and longestNote
// each of it.
const (
	notesPerView = 1000
	longestNote  = 500
)

// A report is what hook.js says.
type report struct {
	Document  string   `json:"document"`
	Kind      string   `json:"kind"`
	Status    int      `json:"status"`
	From      int      `json:"from"`
	Texts     []string `json:"texts"`
	Recovered bool     `json:"recovered"`
	Reason    string   `json:"reason"`
}

// prepare has hook.js run first in every document of the tab.
func (t *tab) prepare(spec Spec) error {
	ctx, cancel := t.bounded(actBound)
	defer cancel()
	selector, err := json.Marshal(spec.Messages)
	if err != nil {
		return err
	}
	steps := []struct {
		method string
		params any
	}{
		{runtime.AddBinding.Method, runtime.AddBindingParams{Name: binding}},
		{page.AddScriptToEvaluateOnNewDocument.Method, page.AddScriptToEvaluateOnNewDocumentParams{Source: hook + fmt.Sprintf("(%s, %t)", selector, spec.NewestFirst)}},
		// Each tab behaves as if it were the one that the person looks at.
		{emulation.SetFocusEmulationEnabled.Method, emulation.SetFocusEmulationEnabledParams{Enabled: true}},
		// chromedp turns these on; nothing here needs them.
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

// observe takes the tab's events, in their order, from the goroutine that reads them.
func (c *Client) observe(t *tab, event any) {
	switch e := event.(type) {
	case *runtime.EventBindingCalled:
		var r report
		if e.Name == binding && json.Unmarshal([]byte(e.Payload), &r) == nil {
			c.take(t, r)
		}
	case *network.EventLoadingFailed:
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
		go func() { // the page stands still until it is answered, and so would this goroutine
			ctx, cancel := t.bounded(actBound)
			defer cancel()
			_, _ = cdp.Call(ctx, t.target, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}()
	}
}

const blank = "about:blank"

// take records what hook.js reports, where it is about the document that is there.
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
	case r.Kind == "list":
		c.show(r)
	case r.Kind == "connected":
		c.observed(history.Event{Kind: history.Connected, Recovered: r.Recovered}, func() { c.sessions++ })
	case r.Kind == "disconnected":
		c.observed(history.Event{Kind: history.Disconnected, Detail: r.Reason}, func() { c.sessions-- })
	}
}

// begun is a new document. One that nobody has asked for (the page has reloaded itself) is
// entered in the background.
func (c *Client) begun(t *tab, r report) {
	if r.Status >= 400 {
		c.arrive(fmt.Errorf("cannot load the page: GET %s answers %d", c.path(), r.Status))
		return
	}
	c.observed(history.Event{Kind: history.Opened}, func() {
		t.document, t.ready, t.at, t.failure = r.Document, false, true, ""
		c.notes, c.sessions = 0, 0
		c.status.View++
		c.status.Shown = 0
	})
	if c.underWay() != nil {
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

// left records that the document is gone, once.
func (c *Client) left(t *tab) {
	c.telling.Lock()
	defer c.telling.Unlock()
	c.mu.Lock()
	gone := func() {}
	if c.loading != nil {
		gone = c.loading.gone
	}
	was := t.document != ""
	t.document = ""
	c.status.Open, c.status.Connected, c.sessions = false, false, 0
	c.mu.Unlock()
	if was {
		c.tell(history.Event{Kind: history.Closed})
	}
	gone()
}

// show records what is new in the list.
func (c *Client) show(r report) {
	c.mu.Lock()
	rewritten := r.From < c.status.Shown
	c.mu.Unlock()
	if rewritten {
		c.note("the list was rewritten")
	}
	c.telling.Lock()
	defer c.telling.Unlock()
	// The status changes before the history, as everywhere.
	c.mu.Lock()
	c.status.Shown = r.From + len(r.Texts)
	c.mu.Unlock()
	for _, text := range r.Texts {
		c.tell(history.Event{Kind: history.Shown, Message: text})
	}
}

// observed changes the status, and then records the event.
func (c *Client) observed(e history.Event, change func()) {
	c.telling.Lock()
	defer c.telling.Unlock()
	c.mu.Lock()
	change()
	c.status.Connected = c.sessions > 0
	c.mu.Unlock()
	c.tell(e)
}

// record records what the person does, unless the page is gone.
func (c *Client) record(e history.Event) bool {
	c.telling.Lock()
	defer c.telling.Unlock()
	if _, err := c.current(); err != nil {
		return false
	}
	c.tell(e)
	return true
}

// tell records an event of the current view. The caller has c.telling.
func (c *Client) tell(e history.Event) {
	e.Client, e.View = c.options.Name, c.Status().View
	if c.options.Record != nil {
		c.options.Record(e)
	}
}

// note records what a person should know, on one line, up to a bound.
func (c *Client) note(text string) {
	c.mu.Lock()
	c.notes++
	notes := c.notes
	c.mu.Unlock()
	if notes > notesPerView {
		return
	}
	if notes == notesPerView {
		text = "no more notes from this view"
	}
	text = strings.ReplaceAll(strings.TrimSpace(text), "\n", " ")
	if runes := []rune(text); len(runes) > longestNote {
		text = string(runes[:longestNote]) + "…"
	}
	c.telling.Lock()
	defer c.telling.Unlock()
	c.tell(history.Event{Kind: history.Note, Detail: text})
}

// printed is what the console prints, nearly.
func printed(args []*runtime.RemoteObject) string {
	var texts []string
	for _, arg := range args {
		text := arg.Description
		if text == "" {
			text = strings.Trim(string(arg.Value), `"`)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " ")
}
