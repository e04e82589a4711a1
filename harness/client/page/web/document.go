package web

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/dop251/goja"
	"golang.org/x/net/html"
)

// A Script is a script's text and its name in errors.
type Script struct {
	Name   string
	Source []byte
}

// Load builds the document from page and runs its scripts as a browser's parser does: each one
// after the elements before it, deferred ones at the end, then DOMContentLoaded and load. A script
// with data-for="people" is left out, because it only explains the page to its reader and would
// slow down many thousand loads. fetch is called on this goroutine for the src of a script; it
// returns nil for a script that must not run, and an error if the page cannot be loaded without
// it. Load returns when all scripts have run. If ctx ends before, the running script is
// interrupted.
func (w *Window) Load(ctx context.Context, page []byte, fetch func(ctx context.Context, src string) (*Script, error)) error {
	tree, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return fmt.Errorf("the page cannot be parsed: %w", err)
	}
	l := &loader{window: w, ctx: ctx, fetch: fetch, at: w.document}
	if err := l.children(tree); err != nil {
		return err
	}
	if err := l.run(nil); err != nil {
		return err
	}
	for _, src := range l.deferred {
		if err := l.external(src); err != nil {
			return err
		}
	}
	for _, state := range []string{"interactive", "complete"} {
		if err := w.Do(ctx, func(*goja.Runtime) { w.becomes(state) }); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// becomes changes the document's readyState.
func (w *Window) becomes(ready string) {
	w.state.ready = ready
	document := w.document.toObject()
	document.dispatch(w.newEvent(eventClass, "readystatechange"), true)
	if ready == "complete" {
		w.fire(eventClass, "load")
		return
	}
	loaded := w.newEvent(eventClass, "DOMContentLoaded")
	stateOf[*event](loaded).bubbles = true
	document.dispatch(loaded, true)
}

// A loader walks a parsed page. It inserts the nodes into the document before the next script, in the
// script's task.
type loader struct {
	window   *Window
	ctx      context.Context
	fetch    func(ctx context.Context, src string) (*Script, error)
	building []func()
	at       *node // the element that is open
	deferred []string
	inline   int
}

func (l *loader) children(n *html.Node) error {
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		if err := l.node(child); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) node(n *html.Node) error {
	switch n.Type {
	case html.TextNode:
		l.building = append(l.building, func() { l.at.insert(l.window.newText(l.window.vm.ToValue(n.Data)), nil) })
	case html.ElementNode:
		l.building = append(l.building, func() { l.open(n) })
		if err := l.children(n); err != nil {
			return err
		}
		l.building = append(l.building, l.close)
		if n.Data == "script" {
			return l.script(n)
		}
	}
	return nil
}

// open inserts an element into the document; the next nodes are inserted into it.
func (l *loader) open(n *html.Node) {
	e := l.window.newElement(n.Data)
	for _, given := range n.Attr {
		e.setAttribute(given.Key, given.Val)
		if strings.HasPrefix(given.Key, "on") {
			l.window.Report(fmt.Sprintf("the page has the inline handler %s, which the harness's page does not run", given.Key))
		}
	}
	l.at.insert(e, nil)
	l.at = e
}

// close returns to the parent element. An element that a script has removed has none.
func (l *loader) close() {
	if l.at = l.at.parent; l.at == nil {
		l.at = l.window.document
	}
}

// script runs a script element, unless it is data or for people.
func (l *loader) script(n *html.Node) error {
	attributes := map[string]string{}
	for _, attribute := range n.Attr {
		attributes[attribute.Key] = attribute.Val
	}
	switch kind := strings.ToLower(strings.TrimSpace(attributes["type"])); kind {
	case "", "text/javascript", "application/javascript":
	case "module":
		return l.window.Do(l.ctx, func(*goja.Runtime) {
			l.window.Report("the page has a module script, which the harness's page does not run")
		})
	default: // data, not a program
		return nil
	}
	if attributes["data-for"] == "people" {
		return nil
	}
	src, external := attributes["src"]
	_, deferred := attributes["defer"]
	switch {
	case external && deferred:
		l.deferred = append(l.deferred, src)
		return nil
	case external:
		return l.external(src)
	}
	l.inline++
	var source string
	if n.FirstChild != nil {
		source = n.FirstChild.Data
	}
	return l.run(&Script{Name: fmt.Sprintf("inline script %d", l.inline), Source: []byte(source)})
}

func (l *loader) external(src string) error {
	script, err := l.fetch(l.ctx, src)
	if err != nil || script == nil {
		return err
	}
	return l.run(script)
}

// run inserts the parsed nodes into the document and runs the script.
func (l *loader) run(script *Script) error {
	building := l.building
	l.building = nil
	var failed error
	err := l.window.Do(l.ctx, func(*goja.Runtime) {
		l.window.building = true
		for _, build := range building {
			build()
		}
		l.window.building = false
		if script != nil {
			failed = l.window.Run(script.Name, script.Source)
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("the page's script was stopped: %w", err)
	}
	return nil
}
