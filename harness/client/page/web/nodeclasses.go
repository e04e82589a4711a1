package web

import (
	"strings"

	"github.com/dop251/goja"
)

// nodeArgument returns an argument that must be a node.
func (w *Window) nodeArgument(value goja.Value) *node {
	if n := w.nodeIn(value); n != nil {
		return n
	}
	panic(w.vm.NewTypeError("the argument is not a Node"))
}

// nodeIn returns the node of a value, or nil.
func (w *Window) nodeIn(value goja.Value) *node {
	if o := w.objectOf(value); o != nil {
		n, _ := o.state.(*node)
		return n
	}
	return nil
}

// orEmpty converts a value to a text; null and undefined become empty.
func orEmpty(given goja.Value) goja.Value {
	if goja.IsNull(given) || goja.IsUndefined(given) {
		return value("")
	}
	return given.ToString()
}

func at(nodes []*node, i int) *node {
	if i < 0 {
		i += len(nodes)
	}
	if i < 0 || i >= len(nodes) {
		return nil
	}
	return nodes[i]
}

var nodeClass = newClass("Node", targetClass, nil, members{
	"nodeType":   of(func(n *node) any { return n.kind }),
	"parentNode": of(func(n *node) any { return n.parent }),
	"parentElement": of(func(n *node) any {
		if n.parent == nil || n.parent.kind != elementNode {
			return nil
		}
		return n.parent
	}),
	"childNodes":      of(func(n *node) any { return n.children }),
	"firstChild":      of(func(n *node) any { return at(n.children, 0) }),
	"lastChild":       of(func(n *node) any { return at(n.children, -1) }),
	"nextSibling":     of(func(n *node) any { return n.sibling(1) }),
	"previousSibling": of(func(n *node) any { return n.sibling(-1) }),
	"isConnected":     of(func(n *node) any { return n.isConnected() }),
	"nodeValue":       constant(nil),
	"ownerDocument": of(func(n *node) any {
		if n.kind == documentNode {
			return nil
		}
		return n.window.document
	}),
	"textContent": settable(func(n *node) any {
		if n.kind == documentNode {
			return nil
		}
		return n.text()
	}, func(n *node, given goja.Value) { n.setText(orEmpty(given)) }),
	"hasChildNodes": does(func(n *node, _ arguments) any { return len(n.children) > 0 }),
	"contains": does(func(n *node, given arguments) any {
		other := given.Argument(0)
		return !goja.IsNull(other) && n.contains(n.window.nodeArgument(other))
	}),
	"appendChild": does(func(n *node, given arguments) any {
		n.insert(n.window.nodeArgument(given.Argument(0)), nil)
		return given.Argument(0)
	}),
	"insertBefore": does(func(n *node, given arguments) any {
		n.insert(n.window.nodeArgument(given.Argument(0)), before(n, given))
		return given.Argument(0)
	}),
	"removeChild": does(func(n *node, given arguments) any { return n.removeChild(given.Argument(0)) }),
	"replaceChild": does(func(n *node, given arguments) any {
		n.insert(n.window.nodeArgument(given.Argument(0)), before(n, given))
		return n.removeChild(given.Argument(1))
	}),
})

// before is the second argument, the child before which to insert; nil is the end.
func before(n *node, given arguments) *node {
	if next := given.Argument(1); !goja.IsNull(next) && !goja.IsUndefined(next) {
		return n.window.nodeArgument(next)
	}
	return nil
}

func (n *node) removeChild(given goja.Value) *node {
	child := n.window.nodeArgument(given)
	if child.parent != n {
		n.window.throw("NotFoundError", "the node is no child of this one")
	}
	child.detach()
	return child
}

// childMembers are the members of nodes that can be removed and replaced.
var childMembers = members{
	"remove":      does(func(n *node, _ arguments) any { n.leave(); return nil }),
	"before":      does(func(n *node, given arguments) any { n.putBeside(n, given); return nil }),
	"after":       does(func(n *node, given arguments) any { n.putBeside(n.sibling(1), given); return nil }),
	"replaceWith": does(func(n *node, given arguments) any { n.putBeside(n, given); n.leave(); return nil }),
}

func (n *node) leave() {
	if n.parent != nil {
		n.detach()
	}
}

func (n *node) putBeside(before *node, given arguments) {
	if n.parent != nil {
		n.parent.put(before, given)
	}
}

func dataOf(n *node) any { return n.data }

var textClass = newClass("Text", nodeClass, func(o *object, arguments []goja.Value) {
	data := value("")
	if len(arguments) > 0 && !goja.IsUndefined(arguments[0]) {
		data = arguments[0].ToString()
	}
	o.be(o.window.newText(data))
}, childMembers, members{
	"nodeName":  constant("#text"),
	"data":      settable(dataOf, func(n *node, given goja.Value) { n.setText(given.ToString()) }),
	"nodeValue": settable(dataOf, setText),
})

// be makes an object that a script has constructed the object of the node.
func (o *object) be(n *node) {
	o.state, n.object = n, o
}

// parentMembers are the members that documents, fragments and elements share.
var parentMembers = members{
	"children":          of(func(n *node) any { return n.elements() }),
	"childElementCount": of(func(n *node) any { return len(n.elements()) }),
	"firstElementChild": of(func(n *node) any { return at(n.elements(), 0) }),
	"lastElementChild":  of(func(n *node) any { return at(n.elements(), -1) }),
	"append":            does(func(n *node, given arguments) any { n.put(nil, given); return nil }),
	"prepend":           does(func(n *node, given arguments) any { n.put(at(n.children, 0), given); return nil }),
	"replaceChildren":   does(func(n *node, given arguments) any { n.clear(); n.put(nil, given); return nil }),
	"querySelector": does(func(n *node, given arguments) any {
		return n.first(n.window.matcher(given.text(0)))
	}),
	"querySelectorAll":     does(all),
	"getElementsByTagName": does(all),
	"getElementsByClassName": does(func(n *node, given arguments) any {
		names := strings.Fields(given.text(0))
		return n.all(n.window.matcher("." + strings.Join(names, ".")))
	}),
}

func all(n *node, given arguments) any { return n.all(n.window.matcher(given.text(0))) }

// put inserts the nodes that a script has given, and other values as text.
func (n *node) put(before *node, given arguments) {
	for _, one := range given.Arguments {
		child := n.window.nodeIn(one)
		if child == nil {
			child = n.window.newText(one.ToString())
		}
		n.insert(child, before)
	}
}

var fragmentClass = newClass("DocumentFragment", nodeClass, func(o *object, _ []goja.Value) {
	o.be(&node{window: o.window, kind: fragmentNode})
}, parentMembers, members{"nodeName": constant("#document-fragment")})

// documentState is the state of the document in addition to its node.
type documentState struct {
	ready  string
	active *node
}

func constant(v any) *member {
	fixed := value(v)
	return attribute(func(*object) goja.Value { return fixed })
}

var documentClass = newClass("Document", nodeClass, nil, parentMembers, members{
	"nodeName":        constant("#document"),
	"documentElement": of(func(n *node) any { return at(n.elements(), 0) }),
	"head":            of(func(n *node) any { return n.first(hasTag("HEAD")) }),
	"body":            of(func(n *node) any { return n.first(hasTag("BODY")) }),
	"forms":           of(func(n *node) any { return n.all(hasTag("FORM")) }),
	"title": settable(func(n *node) any {
		if title := n.first(hasTag("TITLE")); title != nil {
			return title.text()
		}
		return ""
	}, func(n *node, given goja.Value) {
		title, head := n.first(hasTag("TITLE")), n.first(hasTag("HEAD"))
		if title == nil && head != nil {
			title = n.window.newElement("title")
			head.insert(title, nil)
		}
		if title != nil {
			title.setText(given.ToString())
		}
	}),
	"readyState":      of(func(n *node) any { return n.window.state.ready }),
	"hidden":          constant(false),
	"visibilityState": constant("visible"),
	"activeElement": of(func(n *node) any {
		if active := n.window.state.active; active != nil {
			return active
		}
		return n.first(hasTag("BODY"))
	}),
	"location":       of(func(n *node) any { return n.window.Global("location") }),
	"defaultView":    of(func(n *node) any { return n.window.vm.GlobalObject() }),
	"URL":            of(func(n *node) any { return n.window.base.String() }),
	"currentScript":  constant(nil),
	"hasFocus":       does(func(*node, arguments) any { return true }),
	"getElementById": does(func(n *node, given arguments) any { return n.window.byID(given.text(0)) }),
	"createElement": does(func(n *node, given arguments) any {
		tag := given.text(0)
		if !tagName.MatchString(tag) {
			n.window.throw("InvalidCharacterError", strings.TrimSpace(tag+" is no tag name"))
		}
		return n.window.newElement(tag)
	}),
	"createTextNode": does(func(n *node, given arguments) any { return n.window.newText(given.Argument(0).ToString()) }),
	"createDocumentFragment": does(func(n *node, _ arguments) any {
		return &node{window: n.window, kind: fragmentNode}
	}),
}, handlers("DOMContentLoaded", "readystatechange", "visibilitychange", "click", "keydown", "keyup", "submit", "input"),
	missing("document", "cookie", "write", "writeln", "open", "close", "execCommand", "createEvent", "implementation", "evaluate",
		"createTreeWalker", "createRange", "getSelection", "domain", "referrer", "scripts", "images", "links"))

// classOfNode has the class of each kind of node.
var classOfNode map[int]*class

func init() {
	classOfNode = map[int]*class{elementNode: elementClass, textNode: textClass, documentNode: documentClass, fragmentNode: fragmentClass}
}
