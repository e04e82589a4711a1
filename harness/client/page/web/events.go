package web

import (
	"slices"
	"time"

	"github.com/dop251/goja"
)

// An event is the state of an Event object.
type event struct {
	kind                              string
	bubbles, cancelable               bool
	target, current                   *object
	phase                             int
	prevented, stopped, stoppedAtOnce bool
	trusted                           bool
	at                                float64
	fields                            []field
}

// A field is a field that a kind of event has in addition to those of Event.
type field struct {
	name  string
	value goja.Value
}

func (o *object) orNull() goja.Value {
	if o == nil {
		return goja.Null()
	}
	return o.value
}

var eventClass = newClass("Event", nil, func(o *object, arguments []goja.Value) { o.beEvent(nil, arguments) }, members{
	"type":             of(func(e *event) any { return e.kind }),
	"bubbles":          of(func(e *event) any { return e.bubbles }),
	"cancelable":       of(func(e *event) any { return e.cancelable }),
	"defaultPrevented": of(func(e *event) any { return e.prevented }),
	"isTrusted":        of(func(e *event) any { return e.trusted }),
	"target":           of(func(e *event) any { return e.target.orNull() }),
	"currentTarget":    of(func(e *event) any { return e.current.orNull() }),
	"eventPhase":       of(func(e *event) any { return e.phase }),
	"timeStamp":        of(func(e *event) any { return e.at }),
	"preventDefault":   does(func(e *event, _ arguments) any { e.prevented = e.prevented || e.cancelable; return nil }),
	"stopPropagation":  does(func(e *event, _ arguments) any { e.stopped = true; return nil }),
	"stopImmediatePropagation": does(func(e *event, _ arguments) any {
		e.stopped, e.stoppedAtOnce = true, true
		return nil
	}),
})

// beEvent initialises the object as an event, from the arguments of its constructor.
func (o *object) beEvent(fields []field, arguments []goja.Value) {
	w := o.window
	if len(arguments) == 0 {
		panic(w.vm.NewTypeError("an Event needs a type"))
	}
	e := &event{kind: text(arguments[0]), at: w.now()}
	o.state = e
	if len(fields) > 0 {
		e.fields = slices.Clone(fields)
	}
	if len(arguments) < 2 {
		return
	}
	e.bubbles, e.cancelable = w.flag(arguments[1], "bubbles"), w.flag(arguments[1], "cancelable")
	for i := range e.fields {
		if value := w.given(arguments[1], e.fields[i].name); value != nil {
			e.fields[i].value = value
		}
	}
}

// kind makes a class of events with additional fields.
func kind(name string, fields ...field) *class {
	table := members{}
	for i, f := range fields {
		table[f.name] = of(func(e *event) any { return e.fields[i].value })
	}
	c := newClass(name, eventClass, func(o *object, arguments []goja.Value) { o.beEvent(fields, arguments) }, table)
	c.fields = fields
	return c
}

// plain makes values that belong to no window's VM, so that all windows can share them.
var plain = goja.New()

// value makes a value for all VMs. At the first use of a long string, goja scans it and stores the
// result, which would be a race between two VMs. So value uses it once.
func value(v any) goja.Value {
	shared := plain.ToValue(v)
	shared.ToInteger()
	return shared
}

var (
	customEvent    = kind("CustomEvent", field{"detail", goja.Null()})
	messageEvent   = kind("MessageEvent", field{"data", goja.Null()}, field{"origin", value("")}, field{"lastEventId", value("")}, field{"source", goja.Null()})
	closeEvent     = kind("CloseEvent", field{"code", value(0)}, field{"reason", value("")}, field{"wasClean", value(false)})
	progressEvent  = kind("ProgressEvent", field{"lengthComputable", value(false)}, field{"loaded", value(0)}, field{"total", value(0)})
	errorEvent     = kind("ErrorEvent", field{"message", value("")}, field{"error", goja.Null()})
	rejectionEvent = kind("PromiseRejectionEvent", field{"reason", goja.Undefined()}, field{"promise", goja.Null()})
	storageEvent   = kind("StorageEvent", field{"key", goja.Null()}, field{"oldValue", goja.Null()}, field{"newValue", goja.Null()}, field{"url", value("")}, field{"storageArea", goja.Null()})
	inputEvent     = kind("InputEvent", field{"data", goja.Null()}, field{"inputType", value("")})
	keyboardEvent  = kind("KeyboardEvent", field{"key", value("")}, field{"code", value("")}, field{"ctrlKey", value(false)}, field{"shiftKey", value(false)}, field{"altKey", value(false)}, field{"metaKey", value(false)})
	mouseEvent     = kind("MouseEvent", field{"button", value(0)}, field{"clientX", value(0)}, field{"clientY", value(0)})
	submitEvent    = kind("SubmitEvent", field{"submitter", goja.Null()})

	eventClasses = []*class{eventClass, customEvent, messageEvent, closeEvent, progressEvent, errorEvent, rejectionEvent,
		storageEvent, inputEvent, keyboardEvent, mouseEvent, submitEvent, targetClass}
)

// newEvent makes an event that the window fires. The first fields of its class may be given.
func (w *Window) newEvent(c *class, name string, fields ...field) *object {
	if len(c.fields) > len(fields) {
		fields = append(fields, c.fields[len(fields):]...)
	}
	return w.newObject(c, &event{kind: name, at: w.now(), fields: fields})
}

func (w *Window) now() float64 {
	return float64(time.Since(w.opened)) / float64(time.Millisecond)
}

// A listener is a callback for a type of event. With attribute set it is the handler of an on…
// attribute, which keeps its place in the order from when it was first set.
type listener struct {
	kind      string
	callback  goja.Value // nil for an attribute that was set to null
	call      goja.Callable
	capture   bool
	once      bool
	removed   bool
	attribute bool
}

var targetClass = newClass("EventTarget", nil, func(*object, []goja.Value) {}, targetMembers)

var targetMembers = members{
	"addEventListener":    method(addEventListener),
	"removeEventListener": method(removeEventListener),
	"dispatchEvent":       method(dispatchEvent),
}

func addEventListener(o *object, call goja.FunctionCall) goja.Value {
	w, callback, options := o.window, call.Argument(1), call.Argument(2)
	if goja.IsNull(callback) || goja.IsUndefined(callback) {
		return goja.Undefined()
	}
	l := &listener{kind: text(call.Argument(0)), callback: callback, capture: w.capture(options), once: w.flag(options, "once")}
	if w.flag(options, "signal") {
		panic(w.vm.NewTypeError("addEventListener with a signal is not implemented by the harness's page"))
	}
	l.call, _ = goja.AssertFunction(callback)
	if o.find(l.kind, callback, l.capture) < 0 {
		o.listeners = append(o.listeners, l)
	}
	return goja.Undefined()
}

func (w *Window) capture(options goja.Value) bool {
	if _, ok := options.(*goja.Object); ok {
		return w.flag(options, "capture")
	}
	return options.ToBoolean()
}

func (o *object) find(kind string, callback goja.Value, capture bool) int {
	return slices.IndexFunc(o.listeners, func(l *listener) bool {
		return !l.attribute && l.kind == kind && l.capture == capture && l.callback.SameAs(callback)
	})
}

func removeEventListener(o *object, call goja.FunctionCall) goja.Value {
	if i := o.find(text(call.Argument(0)), call.Argument(1), o.window.capture(call.Argument(2))); i >= 0 {
		o.remove(o.listeners[i])
	}
	return goja.Undefined()
}

func (o *object) remove(l *listener) {
	l.removed = true
	o.listeners = slices.DeleteFunc(o.listeners, func(other *listener) bool { return other == l })
}

func dispatchEvent(o *object, call goja.FunctionCall) goja.Value {
	w := o.window
	given := w.objectOf(call.Argument(0))
	if given == nil || !given.is(eventClass) {
		panic(w.vm.NewTypeError("dispatchEvent needs an Event"))
	}
	if stateOf[*event](given).phase != 0 {
		w.throw("InvalidStateError", "the event is being dispatched already")
	}
	return w.vm.ToValue(o.dispatch(given, false))
}

// handler is the value of an on… attribute.
func (o *object) handler(kind string) goja.Value {
	if l := o.attributeListener(kind); l != nil && l.callback != nil {
		return l.callback
	}
	return goja.Null()
}

func (o *object) attributeListener(kind string) *listener {
	for _, l := range o.listeners {
		if l.attribute && l.kind == kind {
			return l
		}
	}
	return nil
}

func (o *object) setHandler(kind string, callback goja.Value) {
	call, isFunction := goja.AssertFunction(callback)
	l := o.attributeListener(kind)
	switch {
	case l == nil && !isFunction:
		return
	case l == nil:
		l = &listener{kind: kind, attribute: true}
		o.listeners = append(o.listeners, l)
	}
	l.call, l.callback = nil, nil
	if isFunction {
		l.call, l.callback = call, callback
	}
}

// handlers are on… attributes.
func handlers(kinds ...string) members {
	table := members{}
	for _, kind := range kinds {
		table["on"+kind] = &member{
			get: func(o *object) goja.Value { return o.handler(kind) },
			set: func(o *object, value goja.Value) { o.setHandler(kind, value) },
		}
	}
	return table
}

// A stage is one target on the path of an event.
type stage struct {
	at      *object
	phase   int
	capture bool
}

// stagesOf returns the path of an event: down to its target for capturing listeners, and up again for
// the others.
func (o *object) stagesOf(e *event) []stage {
	var path []*object
	for at := o.parentForEvents(e); at != nil; at = at.parentForEvents(e) {
		path = append(path, at)
	}
	stages := make([]stage, 0, 2*len(path)+2)
	for _, at := range slices.Backward(path) {
		stages = append(stages, stage{at, 1, true})
	}
	stages = append(stages, stage{o, 2, true}, stage{o, 2, false})
	if e.bubbles {
		for _, at := range path {
			stages = append(stages, stage{at, 3, false})
		}
	}
	return stages
}

// dispatch calls an event's listeners. For an event that the window fires (own), microtasks run after
// each listener, because no script is running. It returns false if the default was prevented.
func (o *object) dispatch(of *object, own bool) bool {
	e := stateOf[*event](of)
	e.target, e.phase, e.trusted = o, 1, own
	for _, s := range o.stagesOf(e) {
		if e.stopped {
			break
		}
		e.current, e.phase = s.at, s.phase
		var now []*listener // without those that a listener adds
		for _, l := range s.at.listeners {
			if l.capture == s.capture && l.kind == e.kind {
				now = append(now, l)
			}
		}
		for _, l := range now {
			if !l.removed && !e.stoppedAtOnce {
				s.at.invoke(l, of, e)
			}
		}
	}
	e.phase, e.current, e.stopped, e.stoppedAtOnce = 0, nil, false, false
	return !e.prevented
}

func (o *object) invoke(l *listener, of *object, e *event) {
	if l.once {
		o.remove(l)
	}
	call, this := l.call, goja.Value(o.value)
	if call == nil {
		if l.attribute {
			return // set to null
		}
		handler, ok := l.callback.(*goja.Object)
		if !ok {
			return
		}
		this = handler
		if call, ok = goja.AssertFunction(handler.Get("handleEvent")); !ok {
			o.window.uncaught(o.window.vm.NewTypeError("the listener has no function handleEvent"))
			return
		}
	}
	result, err := call(this, of.value)
	if err != nil {
		o.window.failed(err)
		return
	}
	if l.attribute && result != nil && result.StrictEquals(value(false)) {
		e.prevented = e.prevented || e.cancelable
	}
}
