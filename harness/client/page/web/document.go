package web

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/dop251/goja"
	"golang.org/x/net/html"
)

// A Script is a script's text, and the name that errors call it by.
type Script struct {
	Name   string
	Source []byte
}

// Load builds the document from page and runs its scripts as a browser's parser
// does: each when the elements before it are there, deferred ones at the end, then
// DOMContentLoaded and load. A script that is data-for="people" is left out: it explains the
// page to its reader, and costs each of many thousand loads. fetch gets what a script's src names, on the calling
// goroutine; it returns nil for a script that is not to be run, and an error when
// the page cannot go on. Load returns when all has run; when ctx ends meanwhile,
// the script that is running is interrupted.
func (w *Window) Load(ctx context.Context, page []byte, fetch func(ctx context.Context, src string) (*Script, error)) error {
	tree, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return fmt.Errorf("the page cannot be parsed: %w", err)
	}
	l := &loader{window: w, ctx: ctx, fetch: fetch}
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
		if err := w.Do(ctx, func(vm *goja.Runtime) { w.fire("readyState", vm.ToValue(state)) }); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// A loader walks a parsed page. What it meets is put into the document when the
// next script is to run, in the same task.
type loader struct {
	window   *Window
	ctx      context.Context
	fetch    func(ctx context.Context, src string) (*Script, error)
	building []func(vm *goja.Runtime)
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
		l.build("addText", n.Data)
	case html.ElementNode:
		names, values := make([]string, len(n.Attr)), make([]string, len(n.Attr))
		for i, attribute := range n.Attr {
			names[i], values[i] = attribute.Key, attribute.Val
		}
		l.build("openElement", n.Data, names, values)
		if err := l.children(n); err != nil {
			return err
		}
		l.build("closeElement")
		if n.Data == "script" {
			return l.script(n)
		}
	}
	return nil
}

func (l *loader) build(name string, arguments ...any) {
	l.building = append(l.building, func(vm *goja.Runtime) {
		call, _ := goja.AssertFunction(l.window.shim.Get(name))
		values := make([]goja.Value, len(arguments))
		for i, argument := range arguments {
			if list, ok := argument.([]string); ok {
				argument = l.window.list(list)
			}
			values[i] = vm.ToValue(argument)
		}
		_, _ = l.window.Call(call, values...)
	})
}

// script runs a script element, if it is one to run.
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

// run puts what was parsed so far into the document and runs the script.
func (l *loader) run(script *Script) error {
	building := l.building
	l.building = nil
	var failed error
	err := l.window.Do(l.ctx, func(vm *goja.Runtime) {
		for _, build := range building {
			build(vm)
		}
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
