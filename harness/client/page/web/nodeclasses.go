package web

import (
	"strings"

	"github.com/dop251/goja"
)

func nodeOf(o *object) *node {
	if n, ok := o.state.(*node); ok {
		return n
	}
	panic(o.window.vm.NewTypeError("Illegal invocation"))
}

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

// nodeOrText makes a text node from a value that is not a node.
func (w *Window) nodeOrText(value goja.Value) *node {
	if n := w.nodeIn(value); n != nil {
		return n
	}
	return w.newText(value.ToString())
}

// related is an attribute that is a node or null.
func related(of func(n *node) *node) *member {
	return attribute(func(o *object) goja.Value { return of(nodeOf(o)).script() })
}

func nodeList(of func(n *node) []*node) *member {
	return attribute(func(o *object) goja.Value { return scripts(o.window, of(nodeOf(o))) })
}

// computed is an attribute that is computed from the node.
func computed(of func(n *node) any) *member {
	return attribute(func(o *object) goja.Value { return o.window.vm.ToValue(of(nodeOf(o))) })
}

func act(do func(n *node, call goja.FunctionCall) goja.Value) *member {
	return method(func(o *object, call goja.FunctionCall) goja.Value {
		if result := do(nodeOf(o), call); result != nil {
			return result
		}
		return goja.Undefined()
	})
}

// orEmpty converts a value to a text; null and undefined become empty.
func orEmpty(given goja.Value) goja.Value {
	if goja.IsNull(given) || goja.IsUndefined(given) {
		return value("")
	}
	return given.ToString()
}

func parentElement(n *node) *node {
	if n.parent == nil || n.parent.kind != elementNode {
		return nil
	}
	return n.parent
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

func before(n *node, call goja.FunctionCall) *node {
	if given := call.Argument(1); !goja.IsNull(given) && !goja.IsUndefined(given) {
		return n.window.nodeArgument(given)
	}
	return nil
}

var nodeClass = newClass("Node", targetClass, nil, members{
	"nodeType":        computed(func(n *node) any { return n.kind }),
	"parentNode":      related(func(n *node) *node { return n.parent }),
	"parentElement":   related(parentElement),
	"childNodes":      nodeList(func(n *node) []*node { return n.children }),
	"firstChild":      related(func(n *node) *node { return at(n.children, 0) }),
	"lastChild":       related(func(n *node) *node { return at(n.children, -1) }),
	"nextSibling":     related(func(n *node) *node { return n.sibling(1) }),
	"previousSibling": related(func(n *node) *node { return n.sibling(-1) }),
	"isConnected":     computed(func(n *node) any { return n.isConnected() }),
	"nodeValue":       attribute(func(*object) goja.Value { return goja.Null() }),
	"ownerDocument": related(func(n *node) *node {
		if n.kind == documentNode {
			return nil
		}
		return n.window.document
	}),
	"textContent": {
		get: func(o *object) goja.Value {
			if n := nodeOf(o); n.kind != documentNode {
				return n.text()
			}
			return goja.Null()
		},
		set: func(o *object, given goja.Value) { nodeOf(o).setText(orEmpty(given)) },
	},
	"hasChildNodes": act(func(n *node, _ goja.FunctionCall) goja.Value { return value(len(n.children) > 0) }),
	"contains": act(func(n *node, call goja.FunctionCall) goja.Value {
		if goja.IsNull(call.Argument(0)) {
			return value(false)
		}
		return value(n.contains(n.window.nodeArgument(call.Argument(0))))
	}),
	"appendChild": act(func(n *node, call goja.FunctionCall) goja.Value {
		n.insert(n.window.nodeArgument(call.Argument(0)), nil)
		return call.Argument(0)
	}),
	"insertBefore": act(func(n *node, call goja.FunctionCall) goja.Value {
		n.insert(n.window.nodeArgument(call.Argument(0)), before(n, call))
		return call.Argument(0)
	}),
	"removeChild": act(func(n *node, call goja.FunctionCall) goja.Value {
		n.removeChild(n.window.nodeArgument(call.Argument(0)))
		return call.Argument(0)
	}),
	"replaceChild": act(func(n *node, call goja.FunctionCall) goja.Value {
		n.insert(n.window.nodeArgument(call.Argument(0)), before(n, call))
		n.removeChild(n.window.nodeArgument(call.Argument(1)))
		return call.Argument(1)
	}),
})

func (n *node) removeChild(child *node) {
	if child.parent != n {
		n.window.throw("NotFoundError", "the node is no child of this one")
	}
	child.detach()
}

var textData = &member{
	get: func(o *object) goja.Value { return nodeOf(o).data },
	set: func(o *object, given goja.Value) { nodeOf(o).setText(given.ToString()) },
}

// childMembers are the members of nodes that can be removed and replaced.
var childMembers = members{
	"remove": act(func(n *node, _ goja.FunctionCall) goja.Value {
		if n.parent != nil {
			n.detach()
		}
		return nil
	}),
	"before": act(func(n *node, call goja.FunctionCall) goja.Value { n.putBeside(n, call.Arguments); return nil }),
	"after": act(func(n *node, call goja.FunctionCall) goja.Value {
		n.putBeside(n.sibling(1), call.Arguments)
		return nil
	}),
	"replaceWith": act(func(n *node, call goja.FunctionCall) goja.Value {
		n.putBeside(n, call.Arguments)
		if n.parent != nil {
			n.detach()
		}
		return nil
	}),
}

func (n *node) putBeside(before *node, nodes []goja.Value) {
	if n.parent != nil {
		n.parent.put(before, nodes)
	}
}

var textClass = newClass("Text", nodeClass, func(o *object, arguments []goja.Value) {
	data := value("")
	if len(arguments) > 0 && !goja.IsUndefined(arguments[0]) {
		data = arguments[0].ToString()
	}
	o.be(o.window.newText(data))
}, childMembers, members{
	"nodeName":  attribute(func(*object) goja.Value { return value("#text") }),
	"data":      textData,
	"nodeValue": {get: textData.get, set: func(o *object, given goja.Value) { nodeOf(o).setText(orEmpty(given)) }},
})

// be makes an object that a script has constructed the object of the node.
func (o *object) be(n *node) {
	o.state, n.object = n, o
}

// parentMembers are the members that documents, fragments and elements share.
var parentMembers = members{
	"children":          nodeList((*node).elements),
	"childElementCount": computed(func(n *node) any { return len(n.elements()) }),
	"firstElementChild": related(func(n *node) *node { return at(n.elements(), 0) }),
	"lastElementChild":  related(func(n *node) *node { return at(n.elements(), -1) }),
	"append":            act(func(n *node, call goja.FunctionCall) goja.Value { n.put(nil, call.Arguments); return nil }),
	"prepend": act(func(n *node, call goja.FunctionCall) goja.Value {
		n.put(at(n.children, 0), call.Arguments)
		return nil
	}),
	"replaceChildren": act(func(n *node, call goja.FunctionCall) goja.Value {
		n.clear()
		n.put(nil, call.Arguments)
		return nil
	}),
	"querySelector": act(func(n *node, call goja.FunctionCall) goja.Value {
		return n.first(n.window.matcher(text(call.Argument(0)))).script()
	}),
	"querySelectorAll":       listing(func(w *Window, s string) func(*node) bool { return w.matcher(s) }),
	"getElementsByTagName":   listing(func(w *Window, s string) func(*node) bool { return w.matcher(s) }),
	"getElementsByClassName": listing(func(w *Window, s string) func(*node) bool { return w.matcher("." + s) }),
}

func (n *node) put(before *node, nodes []goja.Value) {
	for _, given := range nodes {
		n.insert(n.window.nodeOrText(given), before)
	}
}

func listing(matcher func(w *Window, argument string) func(*node) bool) *member {
	return act(func(n *node, call goja.FunctionCall) goja.Value {
		return scripts(n.window, n.all(matcher(n.window, text(call.Argument(0)))))
	})
}

var fragmentClass = newClass("DocumentFragment", nodeClass, func(o *object, _ []goja.Value) {
	o.be(&node{window: o.window, kind: fragmentNode})
}, parentMembers, members{
	"nodeName": attribute(func(*object) goja.Value { return value("#document-fragment") }),
})

// documentState is the state of the document in addition to its node.
type documentState struct {
	ready  string
	active *node
}

func documentWide(of func(w *Window) goja.Value) *member {
	return attribute(func(o *object) goja.Value { return of(o.window) })
}

func constant(v any) *member {
	fixed := value(v)
	return attribute(func(*object) goja.Value { return fixed })
}

func (w *Window) title(make bool) *node {
	title := w.document.first(hasTag("TITLE"))
	if head := w.document.first(hasTag("HEAD")); title == nil && make && head != nil {
		title = w.newElement("title")
		head.insert(title, nil)
	}
	return title
}

var documentClass = newClass("Document", nodeClass, nil, parentMembers, members{
	"nodeName":        constant("#document"),
	"documentElement": related(func(n *node) *node { return at(n.elements(), 0) }),
	"head":            related(func(n *node) *node { return n.first(hasTag("HEAD")) }),
	"body":            related(func(n *node) *node { return n.first(hasTag("BODY")) }),
	"forms":           nodeList(func(n *node) []*node { return n.all(hasTag("FORM")) }),
	"title": {
		get: func(o *object) goja.Value {
			if title := o.window.title(false); title != nil {
				return title.text()
			}
			return value("")
		},
		set: func(o *object, given goja.Value) {
			if title := o.window.title(true); title != nil {
				title.setText(given.ToString())
			}
		},
	},
	"readyState":      documentWide(func(w *Window) goja.Value { return w.vm.ToValue(w.state.ready) }),
	"hidden":          constant(false),
	"visibilityState": constant("visible"),
	"activeElement": documentWide(func(w *Window) goja.Value {
		if w.state.active != nil {
			return w.state.active.script()
		}
		return w.document.first(hasTag("BODY")).script()
	}),
	"location":      documentWide(func(w *Window) goja.Value { return w.Global("location") }),
	"defaultView":   documentWide(func(w *Window) goja.Value { return w.vm.GlobalObject() }),
	"URL":           documentWide(func(w *Window) goja.Value { return w.vm.ToValue(w.base.String()) }),
	"currentScript": attribute(func(*object) goja.Value { return goja.Null() }),
	"hasFocus":      act(func(*node, goja.FunctionCall) goja.Value { return value(true) }),
	"getElementById": act(func(n *node, call goja.FunctionCall) goja.Value {
		return n.window.byID(text(call.Argument(0))).script()
	}),
	"createElement": act(func(n *node, call goja.FunctionCall) goja.Value {
		tag := text(call.Argument(0))
		if !tagName.MatchString(tag) {
			n.window.throw("InvalidCharacterError", strings.TrimSpace(tag+" is no tag name"))
		}
		return n.window.newElement(tag).script()
	}),
	"createTextNode": act(func(n *node, call goja.FunctionCall) goja.Value {
		return n.window.newText(call.Argument(0).ToString()).script()
	}),
	"createDocumentFragment": act(func(n *node, _ goja.FunctionCall) goja.Value {
		return (&node{window: n.window, kind: fragmentNode}).script()
	}),
}, handlers("DOMContentLoaded", "readystatechange", "visibilitychange", "click", "keydown", "keyup", "submit", "input"),
	missing("document", "cookie", "write", "writeln", "open", "close", "execCommand", "createEvent", "implementation", "evaluate",
		"createTreeWalker", "createRange", "getSelection", "domain", "referrer", "scripts", "images", "links"))

// classOfNode has the class of each kind of node.
var classOfNode map[int]*class

func init() {
	classOfNode = map[int]*class{elementNode: elementClass, textNode: textClass, documentNode: documentClass, fragmentNode: fragmentClass}
}
