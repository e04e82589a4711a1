package web

import (
	"regexp"
	"slices"
	"strings"

	"github.com/dop251/goja"
)

var (
	tagName  = regexp.MustCompile(`^[a-zA-Z][\w-]*$`)
	newlines = strings.NewReplacer("\r", "", "\n", "")
	capital  = regexp.MustCompile(`[A-Z]`)
)

// reflected is a property that reflects an attribute of the element.
func reflected(name string) *member {
	return &member{
		get: func(o *object) goja.Value {
			if at, ok := nodeOf(o).attribute(name); ok {
				return o.window.vm.ToValue(at)
			}
			return value("")
		},
		set: func(o *object, given goja.Value) { nodeOf(o).setAttribute(name, text(given)) },
	}
}

func reflectedFlag(name string) *member {
	return &member{
		get: func(o *object) goja.Value { _, ok := nodeOf(o).attribute(name); return value(ok) },
		set: func(o *object, given goja.Value) { nodeOf(o).toggle(name, given.ToBoolean()) },
	}
}

func (n *node) toggle(name string, on bool) {
	at, has := n.attribute(name)
	switch {
	case on:
		n.setAttribute(name, at)
	case has:
		n.removeAttribute(name)
	}
}

// hasValue has the tags of elements with a value.
var hasValue = []string{"INPUT", "TEXTAREA", "SELECT", "OPTION", "BUTTON"}

func (n *node) fieldValue() goja.Value {
	switch {
	case !slices.Contains(hasValue, n.tag):
		return goja.Undefined()
	case n.value != nil:
		return n.value
	case n.tag == "TEXTAREA":
		return n.text()
	}
	at, _ := n.attribute("value")
	return n.window.vm.ToValue(at)
}

// setFieldValue removes newlines from the value of an input, as a browser does.
func (n *node) setFieldValue(given goja.Value) {
	if goja.IsNull(given) {
		given = value("")
	}
	n.value = given.ToString()
	if n.tag == "INPUT" && strings.ContainsAny(n.value.String(), "\r\n") {
		n.value = n.window.vm.ToValue(newlines.Replace(n.value.String()))
	}
}

func (n *node) closest(matches func(*node) bool) *node {
	for at := n; at != nil; at = at.parent {
		if at.kind == elementNode && matches(at) {
			return at
		}
	}
	return nil
}

func (n *node) fields() []*node {
	return n.all(func(f *node) bool { return slices.Contains([]string{"INPUT", "TEXTAREA", "SELECT", "BUTTON"}, f.tag) })
}

func (n *node) clone(deep bool) *node {
	if n.kind == textNode {
		return n.window.newText(n.data)
	}
	copied := &node{window: n.window, kind: n.kind, tag: n.tag, attributes: slices.Clone(n.attributes)}
	if deep {
		for _, child := range n.children {
			copied.insert(child.clone(true), nil)
		}
	}
	return copied
}

// scripted dispatches an event that a script has caused. It returns false if the default was
// prevented.
func (n *node) scripted(c *class, kind string, fields ...field) (goOn bool) {
	of := n.window.newEvent(c, kind, fields...)
	e := of.state.(*event)
	e.bubbles, e.cancelable = true, true
	return n.toObject().dispatch(of, false)
}

func (n *node) click() {
	if _, disabled := n.attribute("disabled"); disabled {
		return
	}
	goOn := n.scripted(mouseEvent, "click")
	kind, has := n.attribute("type")
	submits := n.tag == "BUTTON" && (!has || kind == "submit") || n.tag == "INPUT" && kind == "submit"
	if form := n.closest(hasTag("FORM")); goOn && submits && form != nil {
		form.requestSubmit(n.script())
	}
}

func (n *node) requestSubmit(submitter goja.Value) {
	if n.tag != "FORM" {
		panic(n.window.vm.NewTypeError("requestSubmit is for forms"))
	}
	if n.scripted(submitEvent, "submit", field{"submitter", submitter}) {
		n.window.Report("the form was submitted and nothing called preventDefault: a browser would leave the page")
	}
}

// styleOf is an object that accepts any property, since nothing is painted.
func (n *node) styleOf() *goja.Object {
	if n.style == nil {
		vm := n.window.vm
		proto := vm.NewObject()
		name := func(call goja.FunctionCall) string { return text(call.Argument(0)) }
		for method, does := range map[string]func(on *goja.Object, call goja.FunctionCall) goja.Value{
			"setProperty": func(on *goja.Object, call goja.FunctionCall) goja.Value {
				return whether(on.Set(name(call), call.Argument(1).ToString()))
			},
			"removeProperty": func(on *goja.Object, call goja.FunctionCall) goja.Value { return whether(on.Delete(name(call))) },
			"getPropertyValue": func(on *goja.Object, call goja.FunctionCall) goja.Value {
				if set := on.Get(name(call)); set != nil {
					return set
				}
				return value("")
			},
		} {
			_ = proto.Set(method, func(call goja.FunctionCall) goja.Value { return does(call.This.ToObject(vm), call) })
		}
		n.style = vm.CreateObject(proto)
	}
	return n.style
}

func whether(err error) goja.Value {
	if err != nil {
		panic(err)
	}
	return goja.Undefined()
}

var elementClass = newClass("Element", nodeClass, nil, parentMembers, childMembers, members{
	"tagName":   computed(func(n *node) any { return n.tag }),
	"nodeName":  computed(func(n *node) any { return n.tag }),
	"localName": computed(func(n *node) any { return strings.ToLower(n.tag) }),
	"getAttribute": act(func(n *node, call goja.FunctionCall) goja.Value {
		if at, ok := n.attribute(strings.ToLower(text(call.Argument(0)))); ok {
			return n.window.vm.ToValue(at)
		}
		return goja.Null()
	}),
	"hasAttribute": act(func(n *node, call goja.FunctionCall) goja.Value {
		_, ok := n.attribute(strings.ToLower(text(call.Argument(0))))
		return value(ok)
	}),
	"setAttribute": act(func(n *node, call goja.FunctionCall) goja.Value {
		n.setAttribute(text(call.Argument(0)), text(call.Argument(1)))
		return nil
	}),
	"removeAttribute": act(func(n *node, call goja.FunctionCall) goja.Value {
		n.removeAttribute(text(call.Argument(0)))
		return nil
	}),
	"toggleAttribute": act(func(n *node, call goja.FunctionCall) goja.Value {
		name := strings.ToLower(text(call.Argument(0)))
		_, has := n.attribute(name)
		on := !has
		if len(call.Arguments) > 1 {
			on = call.Argument(1).ToBoolean()
		}
		n.toggle(name, on)
		return value(on)
	}),
	"innerText": {get: func(o *object) goja.Value { return nodeOf(o).text() }, set: func(o *object, given goja.Value) { nodeOf(o).setText(orEmpty(given)) }},
	// HTML is not parsed: it becomes text, and a note reports that.
	"innerHTML": {
		get: missing("reading element", "innerHTML")["innerHTML"].get,
		set: func(o *object, given goja.Value) {
			if goja.IsNull(given) {
				given = value("")
			}
			if text(given) != "" {
				o.window.Report("page used innerHTML")
			}
			nodeOf(o).setText(given.ToString())
		},
	},
	"style": {
		get: func(o *object) goja.Value { return nodeOf(o).styleOf() },
		set: func(o *object, given goja.Value) { _ = nodeOf(o).styleOf().Set("cssText", given.ToString()) },
	},
	"classList": attribute(func(o *object) goja.Value { return o.window.newObject(tokenListClass, nodeOf(o)).value }),
	"dataset":   attribute(func(o *object) goja.Value { return o.window.vm.NewDynamicObject(dataset{nodeOf(o)}) }),
	"value": {
		get: func(o *object) goja.Value { return nodeOf(o).fieldValue() },
		set: func(o *object, given goja.Value) { nodeOf(o).setFieldValue(given) },
	},
	"checked": {
		get: func(o *object) goja.Value {
			n := nodeOf(o)
			if n.checked != nil {
				return value(*n.checked)
			}
			_, has := n.attribute("checked")
			return value(has)
		},
		set: func(o *object, given goja.Value) { on := given.ToBoolean(); nodeOf(o).checked = &on },
	},
	"form":     related(func(n *node) *node { return n.closest(hasTag("FORM")) }),
	"elements": nodeList((*node).fields),
	// There is no layout, so no element overflows.
	"scrollTop":      constant(0),
	"scrollHeight":   constant(0),
	"clientHeight":   constant(0),
	"scrollIntoView": act(func(*node, goja.FunctionCall) goja.Value { return nil }),
	"scrollTo":       act(func(*node, goja.FunctionCall) goja.Value { return nil }),
	"matches": act(func(n *node, call goja.FunctionCall) goja.Value {
		return value(n.window.matcher(text(call.Argument(0)))(n))
	}),
	"closest": act(func(n *node, call goja.FunctionCall) goja.Value {
		return n.closest(n.window.matcher(text(call.Argument(0)))).script()
	}),
	"cloneNode": act(func(n *node, call goja.FunctionCall) goja.Value {
		return n.clone(call.Argument(0).ToBoolean()).script()
	}),
	"focus": act(func(n *node, _ goja.FunctionCall) goja.Value { n.window.state.active = n; return nil }),
	"blur": act(func(n *node, _ goja.FunctionCall) goja.Value {
		if n.window.state.active == n {
			n.window.state.active = nil
		}
		return nil
	}),
	"click": act(func(n *node, _ goja.FunctionCall) goja.Value { n.click(); return nil }),
	"requestSubmit": act(func(n *node, call goja.FunctionCall) goja.Value {
		submitter := call.Argument(0)
		if goja.IsUndefined(submitter) {
			submitter = goja.Null()
		}
		n.requestSubmit(submitter)
		return nil
	}),
	"reset": act(func(n *node, _ goja.FunctionCall) goja.Value {
		for _, f := range n.fields() {
			f.value, f.checked = nil, nil
		}
		return nil
	}),
	"id": reflected("id"), "className": reflected("class"), "title": reflected("title"), "name": reflected("name"),
	"type": reflected("type"), "placeholder": reflected("placeholder"), "href": reflected("href"), "src": reflected("src"),
	"alt": reflected("alt"), "lang": reflected("lang"), "htmlFor": reflected("for"), "role": reflected("role"),
	"hidden": reflectedFlag("hidden"), "disabled": reflectedFlag("disabled"), "required": reflectedFlag("required"),
	"autofocus": reflectedFlag("autofocus"), "readOnly": reflectedFlag("readonly"),
}, handlers("click", "submit", "input", "change", "keydown", "keyup", "keypress", "focus", "blur", "load", "error"),
	missing("element", "outerHTML", "insertAdjacentHTML", "insertAdjacentElement", "insertAdjacentText", "attributes",
		"offsetHeight", "offsetWidth", "offsetTop", "offsetLeft", "clientWidth", "getBoundingClientRect", "getClientRects", "animate",
		"attachShadow", "shadowRoot", "submit", "setHTML", "setHTMLUnsafe", "checkValidity", "reportValidity", "selectionStart", "showModal"))

func (n *node) setClasses(names []string) { n.setAttribute("class", strings.Join(names, " ")) }

var tokenListClass = newClass("DOMTokenList", nil, nil, members{
	"length": computed(func(n *node) any { return len(n.classes()) }),
	"value":  reflected("class"),
	"item": act(func(n *node, call goja.FunctionCall) goja.Value {
		if all, i := n.classes(), int(call.Argument(0).ToInteger()); i >= 0 && i < len(all) {
			return n.window.vm.ToValue(all[i])
		}
		return goja.Null()
	}),
	"contains": act(func(n *node, call goja.FunctionCall) goja.Value {
		return value(slices.Contains(n.classes(), text(call.Argument(0))))
	}),
	"add":    act(func(n *node, call goja.FunctionCall) goja.Value { n.changeClasses(true, call.Arguments); return nil }),
	"remove": act(func(n *node, call goja.FunctionCall) goja.Value { n.changeClasses(false, call.Arguments); return nil }),
	"toggle": act(func(n *node, call goja.FunctionCall) goja.Value {
		on := !slices.Contains(n.classes(), text(call.Argument(0)))
		if len(call.Arguments) > 1 {
			on = call.Argument(1).ToBoolean()
		}
		n.changeClasses(on, call.Arguments[:min(1, len(call.Arguments))])
		return value(on)
	}),
})

func (n *node) changeClasses(add bool, named []goja.Value) {
	var all []string
	for _, name := range n.classes() {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	for _, given := range named {
		name := text(given)
		all = slices.DeleteFunc(all, func(n string) bool { return !add && n == name })
		if add && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	n.setClasses(all)
}

// dataset is an object whose properties are the element's data- attributes.
type dataset struct{ n *node }

func dataAttribute(key string) string {
	return "data-" + capital.ReplaceAllStringFunc(key, func(letter string) string { return "-" + strings.ToLower(letter) })
}

func (d dataset) Get(key string) goja.Value {
	if at, ok := d.n.attribute(dataAttribute(key)); ok {
		return d.n.window.vm.ToValue(at)
	}
	return nil
}

func (d dataset) Has(key string) bool { return d.Get(key) != nil }

func (d dataset) Set(key string, given goja.Value) bool {
	d.n.setAttribute(dataAttribute(key), text(given))
	return true
}

func (d dataset) Delete(key string) bool {
	d.n.removeAttribute(dataAttribute(key))
	return true
}

func (dataset) Keys() []string { return nil }
