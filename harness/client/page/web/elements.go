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
	return settable(func(n *node) any {
		at, _ := n.attribute(name)
		return at
	}, func(n *node, given goja.Value) { n.setAttribute(name, text(given)) })
}

func reflectedFlag(name string) *member {
	return settable(func(n *node) any { return n.has(name) }, func(n *node, given goja.Value) {
		n.toggle(name, given.ToBoolean())
	})
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

// fields are the fields of a form.
func (n *node) fields() []*node {
	return n.all(func(f *node) bool { return f.tag != "OPTION" && slices.Contains(hasValue, f.tag) })
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
	made := n.window.newEvent(c, kind, fields...)
	e := stateOf[*event](made)
	e.bubbles, e.cancelable = true, true
	return n.toObject().dispatch(made, false)
}

func (n *node) click() {
	if n.has("disabled") {
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
func (n *node) styleOf() *object {
	if n.style == nil {
		n.style = n.window.newObject(styleClass, n)
	}
	return n.style
}

var styleClass = newClass("CSSStyleDeclaration", nil, nil, members{
	"setProperty": does(func(n *node, given arguments) any {
		n.style.Set(given.text(0), given.Argument(1).ToString())
		return nil
	}),
	"removeProperty": does(func(n *node, given arguments) any { n.style.Delete(given.text(0)); return nil }),
	"getPropertyValue": does(func(n *node, given arguments) any {
		if set := n.style.extra[given.text(0)]; set != nil {
			return set
		}
		return ""
	}),
})

func setText(n *node, given goja.Value) { n.setText(orEmpty(given)) }

func noScroll(*node, arguments) any { return nil }

var elementClass = newClass("Element", nodeClass, nil, parentMembers, childMembers, members{
	"tagName":   of(func(n *node) any { return n.tag }),
	"nodeName":  of(func(n *node) any { return n.tag }),
	"localName": of(func(n *node) any { return strings.ToLower(n.tag) }),
	"getAttribute": does(func(n *node, given arguments) any {
		if at, ok := n.attribute(strings.ToLower(given.text(0))); ok {
			return at
		}
		return goja.Null()
	}),
	"hasAttribute":    does(func(n *node, given arguments) any { return n.has(strings.ToLower(given.text(0))) }),
	"setAttribute":    does(func(n *node, given arguments) any { n.setAttribute(given.text(0), given.text(1)); return nil }),
	"removeAttribute": does(func(n *node, given arguments) any { n.removeAttribute(given.text(0)); return nil }),
	"toggleAttribute": does(func(n *node, given arguments) any {
		name := strings.ToLower(given.text(0))
		on := !n.has(name)
		if len(given.Arguments) > 1 {
			on = given.Argument(1).ToBoolean()
		}
		n.toggle(name, on)
		return on
	}),
	"innerText": settable(func(n *node) any { return n.text() }, setText),
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
			stateOf[*node](o).setText(given.ToString())
		},
	},
	"style": settable(func(n *node) any { return n.styleOf().value },
		func(n *node, given goja.Value) { n.styleOf().Set("cssText", given.ToString()) }),
	"classList": of(func(n *node) any { return n.window.newObject(tokenListClass, n).value }),
	"dataset":   of(func(n *node) any { return n.window.vm.NewDynamicObject(dataset{n}) }),
	"value":     settable(func(n *node) any { return n.fieldValue() }, (*node).setFieldValue),
	"checked": settable(func(n *node) any {
		if n.checked != nil {
			return *n.checked
		}
		return n.has("checked")
	}, func(n *node, given goja.Value) { on := given.ToBoolean(); n.checked = &on }),
	"form":     of(func(n *node) any { return n.closest(hasTag("FORM")) }),
	"elements": of(func(n *node) any { return n.fields() }),
	// There is no layout, so no element overflows.
	"scrollTop": constant(0), "scrollHeight": constant(0), "clientHeight": constant(0),
	"scrollIntoView": does(noScroll), "scrollTo": does(noScroll),
	"matches":   does(func(n *node, given arguments) any { return n.window.matcher(given.text(0))(n) }),
	"closest":   does(func(n *node, given arguments) any { return n.closest(n.window.matcher(given.text(0))) }),
	"cloneNode": does(func(n *node, given arguments) any { return n.clone(given.Argument(0).ToBoolean()) }),
	"focus":     does(func(n *node, _ arguments) any { n.window.state.active = n; return nil }),
	"blur": does(func(n *node, _ arguments) any {
		if n.window.state.active == n {
			n.window.state.active = nil
		}
		return nil
	}),
	"click": does(func(n *node, _ arguments) any { n.click(); return nil }),
	"requestSubmit": does(func(n *node, given arguments) any {
		submitter := given.Argument(0)
		if goja.IsUndefined(submitter) {
			submitter = goja.Null()
		}
		n.requestSubmit(submitter)
		return nil
	}),
	"reset": does(func(n *node, _ arguments) any {
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

var tokenListClass = newClass("DOMTokenList", nil, nil, members{
	"length": of(func(n *node) any { return len(n.classes()) }),
	"value":  reflected("class"),
	"item": does(func(n *node, given arguments) any {
		if all, i := n.classes(), int(given.Argument(0).ToInteger()); i >= 0 && i < len(all) {
			return all[i]
		}
		return goja.Null()
	}),
	"contains": does(func(n *node, given arguments) any { return slices.Contains(n.classes(), given.text(0)) }),
	"add":      does(func(n *node, given arguments) any { n.changeClasses(true, given.Arguments); return nil }),
	"remove":   does(func(n *node, given arguments) any { n.changeClasses(false, given.Arguments); return nil }),
	"toggle": does(func(n *node, given arguments) any {
		on := !slices.Contains(n.classes(), given.text(0))
		if len(given.Arguments) > 1 {
			on = given.Argument(1).ToBoolean()
		}
		n.changeClasses(on, given.Arguments[:min(1, len(given.Arguments))])
		return on
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
	n.setAttribute("class", strings.Join(all, " "))
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

func (d dataset) Has(key string) bool { return d.n.has(dataAttribute(key)) }

func (d dataset) Set(key string, given goja.Value) bool {
	d.n.setAttribute(dataAttribute(key), text(given))
	return true
}

func (d dataset) Delete(key string) bool {
	d.n.removeAttribute(dataAttribute(key))
	return true
}

func (dataset) Keys() []string { return nil }
