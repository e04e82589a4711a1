package web

import (
	"slices"
	"strings"

	"github.com/dop251/goja"
)

// The values of Node.nodeType.
const (
	elementNode  = 1
	textNode     = 3
	documentNode = 9
	fragmentNode = 11
)

// A node is a node of the document. Its JavaScript object is made when a script first reads it,
// because scripts never read most nodes of a page.
type node struct {
	window   *Window
	kind     int
	parent   *node
	children []*node
	// object is its JavaScript object; nil until a script reads it.
	object *object

	// data is the text of a text node.
	data goja.Value
	// The fields below are those of an element. tag is in capitals; value and checked are nil
	// until they are set.
	tag        string
	attributes []nodeAttribute
	value      goja.Value
	checked    *bool
	style      *object
}

type nodeAttribute struct{ name, value string }

func (w *Window) newElement(tag string) *node {
	return &node{window: w, kind: elementNode, tag: strings.ToUpper(tag)}
}

func (w *Window) newText(data goja.Value) *node {
	return &node{window: w, kind: textNode, data: data}
}

// script is the node's JavaScript object, or null.
func (n *node) script() goja.Value {
	if n == nil {
		return goja.Null()
	}
	return n.toObject().value
}

func (n *node) toObject() *object {
	if n.object == nil {
		n.object = n.window.newObject(classOfNode[n.kind], n)
	}
	return n.object
}

func scripts(w *Window, nodes []*node) goja.Value {
	all := make([]any, len(nodes))
	for i, n := range nodes {
		all[i] = n.script()
	}
	return w.vm.NewArray(all...)
}

func (n *node) contains(other *node) bool {
	for at := other; at != nil; at = at.parent {
		if at == n {
			return true
		}
	}
	return false
}

func (n *node) isConnected() bool { return n.window.document.contains(n) }

func (n *node) attribute(name string) (string, bool) {
	for _, a := range n.attributes {
		if a.name == name {
			return a.value, true
		}
	}
	return "", false
}

func (n *node) has(name string) bool {
	_, has := n.attribute(name)
	return has
}

func (n *node) id() string {
	id, _ := n.attribute("id")
	return id
}

func (n *node) setAttribute(name, value string) {
	name = strings.ToLower(name)
	i := slices.IndexFunc(n.attributes, func(a nodeAttribute) bool { return a.name == name })
	if i < 0 {
		n.attributes = append(n.attributes, nodeAttribute{name, value})
	} else {
		n.attributes[i].value = value
	}
	if name == "id" && n.isConnected() {
		n.window.touched(n.window.document, 0, n)
	}
}

func (n *node) removeAttribute(name string) {
	name = strings.ToLower(name)
	n.attributes = slices.DeleteFunc(n.attributes, func(a nodeAttribute) bool { return a.name == name })
}

// elements are the children that are elements.
func (n *node) elements() (all []*node) {
	for _, child := range n.children {
		if child.kind == elementNode {
			all = append(all, child)
		}
	}
	return all
}

func (n *node) sibling(step int) *node {
	if n.parent == nil {
		return nil
	}
	i := slices.Index(n.parent.children, n) + step
	if i < 0 || i >= len(n.parent.children) {
		return nil
	}
	return n.parent.children[i]
}

// text is the textContent.
func (n *node) text() goja.Value {
	switch {
	case n.kind == textNode:
		return n.data
	case len(n.children) == 0:
		return value("")
	case len(n.children) == 1:
		return n.children[0].text()
	}
	var all strings.Builder
	for _, child := range n.children {
		all.WriteString(child.text().String())
	}
	return n.window.vm.ToValue(all.String())
}

func (n *node) setText(to goja.Value) {
	if n.kind == textNode {
		n.data = to
		if n.parent != nil {
			n.window.touched(n.parent, -1, n)
		}
		return
	}
	n.clear()
	if to.String() != "" {
		n.insert(n.window.newText(to), nil)
	}
}

// insert inserts child before another child, or at the end if that is nil. Only insert and detach
// change the tree.
func (n *node) insert(child, before *node) {
	w := n.window
	if child.kind == fragmentNode {
		for _, c := range slices.Clone(child.children) {
			n.insert(c, before)
		}
		return
	}
	if child.contains(n) {
		w.throw("HierarchyRequestError", "a node cannot hold itself")
	}
	if before != nil && before.parent != n {
		w.throw("NotFoundError", "the node to insert before is no child of this one")
	}
	if before == child {
		return
	}
	if child.parent != nil {
		child.detach()
	}
	at := len(n.children)
	if before != nil {
		at = slices.Index(n.children, before)
	}
	n.children = slices.Insert(n.children, at, child)
	child.parent = n
	if child.tag == "SCRIPT" && !w.building {
		w.Report("the page added a script element; the harness's page does not run it")
	}
	w.touched(n, at, child)
}

func (n *node) detach() {
	parent := n.parent
	at := slices.Index(parent.children, n)
	parent.children = slices.Delete(parent.children, at, at+1)
	n.parent = nil
	n.window.touched(parent, at, n)
}

func (n *node) clear() {
	for len(n.children) > 0 {
		n.children[len(n.children)-1].detach()
	}
}

// find walks the tree below the node in document order, until found returns true.
func (n *node) find(matches func(*node) bool, found func(*node) (enough bool)) bool {
	for _, child := range n.children {
		if child.kind != elementNode {
			continue
		}
		if matches(child) && found(child) || child.find(matches, found) {
			return true
		}
	}
	return false
}

func (n *node) first(matches func(*node) bool) (first *node) {
	n.find(matches, func(f *node) bool { first = f; return true })
	return first
}

func (n *node) all(matches func(*node) bool) (all []*node) {
	n.find(matches, func(f *node) bool { all = append(all, f); return false })
	return all
}

func hasTag(tag string) func(*node) bool { return func(n *node) bool { return n.tag == tag } }

// parentForEvents is the next target of a bubbling event, or nil. Nodes without a JavaScript object
// have no listeners and are skipped.
func (o *object) parentForEvents(e *event) *object {
	n, ok := o.state.(*node)
	if !ok {
		return nil
	}
	if n.kind == documentNode {
		if e.kind == "load" {
			return nil
		}
		return o.window.global
	}
	for n = n.parent; n != nil; n = n.parent {
		if n.object != nil {
			return n.object
		}
		if n.kind == documentNode {
			return n.toObject()
		}
	}
	return nil
}

// byID finds an element. It caches the result, because a page may look up its list with every
// message.
func (w *Window) byID(id string) *node {
	if known := w.ids[id]; known != nil && known.id() == id && known.isConnected() {
		return known
	}
	found := w.document.first(func(n *node) bool {
		own, has := n.attribute("id")
		return has && own == id
	})
	if found != nil {
		w.ids[id] = found
	}
	return found
}

// A watch has what Changes has returned so far of the children of the element with the id.
type watch struct {
	id    string
	list  *node
	nodes int // children that were returned
	items int // those of them that are elements
}

// touched is called when child, which is or was below parent at the index, has changed.
func (w *Window) touched(parent *node, index int, child *node) {
	if w.watched.id == "" {
		return
	}
	for at, below := parent, child; at != nil; at, below = at.parent, at {
		if at.kind == elementNode && at.id() == w.watched.id {
			if at != parent || index < 0 {
				index = slices.Index(at.children, below)
			}
			w.changedAt(index)
			return
		}
		if at.kind == documentNode && child.kind == elementNode {
			w.changedAt(0)
		}
	}
}

func (w *Window) changedAt(index int) {
	if index < w.watched.nodes {
		w.watched.list = nil
	}
	w.changed = true
}

// Watch starts to watch the children of the element with the id; see [Window.Changes]. It must run on
// the loop.
func (w *Window) Watch(id string) {
	w.changed = true
	w.watched.id = id
}

// Changes returns the texts of the watched element's child elements from the index from on, if they
// have changed since the last call. It must run on the loop.
func (w *Window) Changes() (from int, texts []string, changed bool) {
	if !w.changed {
		return 0, nil, false
	}
	w.changed = false
	list := w.byID(w.watched.id)
	if list != w.watched.list || list == nil {
		w.watched = watch{id: w.watched.id, list: list}
	}
	from = w.watched.items
	if list == nil {
		return from, nil, true
	}
	for _, child := range list.children[w.watched.nodes:] {
		if child.kind == elementNode {
			texts = append(texts, child.text().String())
		}
	}
	w.watched.nodes = len(list.children)
	w.watched.items += len(texts)
	return from, texts, true
}
