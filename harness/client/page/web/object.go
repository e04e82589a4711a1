package web

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/dop251/goja"
)

// A class is an interface of the web: the members of its objects and its constructor. All windows
// share the classes; the JavaScript objects of a window are in its realm.
type class struct {
	name   string
	parent *class
	// members includes those of the parent.
	members map[string]*member
	// construct initialises a new object; nil if scripts cannot construct one.
	construct func(o *object, arguments []goja.Value)
	// fields are those of a kind of event in addition to those of Event.
	fields []field
	// constants are properties of the constructor and of the prototype.
	constants []string
}

// A member is an attribute (get, and set if it can be set) or a method (call).
type member struct {
	name string
	get  func(o *object) goja.Value
	set  func(o *object, value goja.Value)
	call func(o *object, call goja.FunctionCall) goja.Value
}

type members map[string]*member

// newClass makes a class with the members of its parent and of the tables, of which a later one
// overrides an earlier one.
func newClass(name string, parent *class, construct func(o *object, arguments []goja.Value), own ...members) *class {
	c := &class{name: name, parent: parent, construct: construct, members: members{}}
	if parent != nil {
		maps.Copy(c.members, parent.members)
	}
	for _, table := range own {
		for key, m := range table {
			m.name = key
			c.members[key] = m
		}
	}
	return c
}

// with gives the class constants, numbered from 0.
func (c *class) with(constants ...string) *class {
	c.constants = constants
	return c
}

func attribute(get func(o *object) goja.Value) *member { return &member{get: get} }

func method(call func(o *object, call goja.FunctionCall) goja.Value) *member {
	return &member{call: call}
}

// of is a read-only attribute of the objects whose state is a T.
func of[T any](get func(state T) any) *member {
	return attribute(func(o *object) goja.Value { return o.window.give(get(stateOf[T](o))) })
}

// settable is an attribute of these objects that scripts can set.
func settable[T any](get func(state T) any, set func(state T, given goja.Value)) *member {
	m := of(get)
	m.set = func(o *object, given goja.Value) { set(stateOf[T](o), given) }
	return m
}

// does is a method of these objects. A result of nil is undefined.
func does[T any](do func(state T, given arguments) any) *member {
	return method(func(o *object, call goja.FunctionCall) goja.Value {
		if result := do(stateOf[T](o), arguments{call}); result != nil {
			return o.window.give(result)
		}
		return goja.Undefined()
	})
}

func stateOf[T any](o *object) T {
	if state, ok := o.state.(T); ok {
		return state
	}
	panic(o.window.vm.NewTypeError("Illegal invocation"))
}

// arguments are those of a call.
type arguments struct{ goja.FunctionCall }

func (a arguments) text(i int) string { return text(a.Argument(i)) }

// give converts the value of an attribute or a method for scripts; nil is null.
func (w *Window) give(result any) goja.Value {
	switch result := result.(type) {
	case *node:
		return result.script()
	case []*node:
		return scripts(w, result)
	}
	return w.vm.ToValue(result)
}

// missing makes members that are not implemented throw on use instead of being undefined.
func missing(what string, names ...string) members {
	all := members{}
	for _, name := range names {
		fail := func(o *object) {
			panic(o.window.vm.NewTypeError("%s.%s is not implemented by the harness's page", what, name))
		}
		all[name] = &member{
			get: func(o *object) goja.Value { fail(o); return nil },
			set: func(o *object, _ goja.Value) { fail(o) },
		}
	}
	return all
}

// An object is the JavaScript object of a state in Go. It looks up its members itself, so that a
// prototype or a method is made only when a script reads it: each page load needs a new window, and a
// page uses only a small part of the web's interfaces.
type object struct {
	window *Window
	class  *class
	value  *goja.Object
	// state is the state in Go: a *node, an *event, a *socket or the *Window.
	state any
	// listeners are those of an EventTarget, in the order in which they were added.
	listeners []*listener
	// extra has the properties that the script has set, and keys their order.
	extra map[string]goja.Value
	keys  []string
}

var typeOfObject = reflect.TypeFor[*object]()

func (o *object) Get(key string) goja.Value {
	if value, ok := o.extra[key]; ok {
		return value
	}
	m := o.class.members[key]
	switch {
	case m == nil && key == "constructor":
		return o.window.constructor(o.class)
	case m == nil:
		return nil
	case m.call != nil:
		return o.window.method(m)
	}
	return m.get(o)
}

func (o *object) Set(key string, value goja.Value) bool {
	if m := o.class.members[key]; m != nil && m.call == nil {
		if m.set != nil {
			m.set(o, value)
		}
		return true // a read-only attribute stays unchanged, as in sloppy mode
	}
	if _, known := o.extra[key]; !known {
		if o.extra == nil {
			o.extra = map[string]goja.Value{}
		}
		o.keys = append(o.keys, key)
	}
	o.extra[key] = value
	return true
}

func (o *object) Has(key string) bool {
	_, own := o.extra[key]
	return own || o.class.members[key] != nil
}

func (o *object) Delete(key string) bool {
	if _, own := o.extra[key]; own {
		delete(o.extra, key)
		o.keys = slices.DeleteFunc(o.keys, func(k string) bool { return k == key })
	}
	return true
}

func (o *object) Keys() []string { return o.keys }

// realm has the JavaScript objects that a window has made for the classes so far.
type realm struct {
	prototypes   map[*class]*goja.Object
	populated    map[*class]bool
	constructors map[*class]*goja.Object
	methods      map[*member]*goja.Object
	// inner is the property in which an instance of a script's subclass has its *object.
	inner *goja.Symbol
	// blob is the property in which a Blob has its bytes.
	blob *goja.Symbol
}

func newRealm() realm {
	return realm{
		prototypes:   map[*class]*goja.Object{},
		populated:    map[*class]bool{},
		constructors: map[*class]*goja.Object{},
		methods:      map[*member]*goja.Object{},
		inner:        goja.NewSymbol("inner"),
		blob:         goja.NewSymbol("blob"),
	}
}

// newObject makes an object of the class.
func (w *Window) newObject(c *class, state any) *object {
	o := &object{window: w, class: c, state: state}
	o.value = w.vm.NewDynamicObject(o)
	_ = o.value.SetPrototype(w.prototype(c)) // fails only for cycles
	return o
}

func (w *Window) prototype(c *class) *goja.Object {
	p := w.realm.prototypes[c]
	if p != nil {
		return p
	}
	if c.parent == nil {
		p = w.vm.NewObject()
	} else {
		p = w.vm.CreateObject(w.prototype(c.parent))
	}
	w.realm.prototypes[c] = p
	_ = p.DefineDataPropertySymbol(goja.SymToStringTag, w.vm.ToValue(c.name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	return p
}

// populate defines the members on the prototypes, for instances of a script's subclass.
func (w *Window) populate(c *class) {
	if c == nil || w.realm.populated[c] {
		return
	}
	w.realm.populated[c] = true
	w.populate(c.parent)
	p := w.prototype(c)
	for key, m := range c.members {
		switch {
		case c.parent != nil && c.parent.members[key] == m:
		case m.call != nil:
			_ = p.DefineDataProperty(key, w.method(m), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
		default:
			get := w.vm.ToValue(func(call goja.FunctionCall) goja.Value { return m.get(w.this(call.This)) })
			set := w.vm.ToValue(func(call goja.FunctionCall) goja.Value {
				w.this(call.This).Set(key, call.Argument(0))
				return goja.Undefined()
			})
			_ = p.DefineAccessorProperty(key, get, set, goja.FLAG_TRUE, goja.FLAG_TRUE)
		}
	}
}

func (w *Window) method(m *member) goja.Value {
	f := w.realm.methods[m]
	if f == nil {
		f = w.function(m.name, func(call goja.FunctionCall) goja.Value {
			return m.call(w.this(call.This), call)
		})
		w.realm.methods[m] = f
	}
	return f
}

func (w *Window) function(name string, f func(call goja.FunctionCall) goja.Value) *goja.Object {
	made := w.vm.ToValue(f).(*goja.Object)
	_ = made.DefineDataProperty("name", w.vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	return made
}

// constructor is the JavaScript constructor of the class.
func (w *Window) constructor(c *class) *goja.Object {
	if made := w.realm.constructors[c]; made != nil {
		return made
	}
	var made *goja.Object
	made = w.vm.ToValue(func(call goja.ConstructorCall) *goja.Object {
		if c.construct == nil {
			panic(w.vm.NewTypeError("Illegal constructor"))
		}
		if call.NewTarget == nil || call.NewTarget == made {
			o := w.newObject(c, nil)
			c.construct(o, call.Arguments)
			return o.value
		}
		// An instance of a script's subclass is an ordinary object with an *object within.
		w.populate(c)
		o := &object{window: w, class: c, value: call.This}
		_ = call.This.DefineDataPropertySymbol(w.realm.inner, within{goja.Undefined(), o}, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
		c.construct(o, call.Arguments)
		return nil
	}).(*goja.Object)
	w.realm.constructors[c] = made
	p := w.prototype(c)
	_ = made.DefineDataProperty("name", w.vm.ToValue(c.name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	_ = made.DefineDataProperty("prototype", p, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	_ = p.DefineDataProperty("constructor", made, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	for i, constant := range c.constants {
		for _, holder := range []*goja.Object{made, p} {
			_ = holder.DefineDataProperty(constant, w.vm.ToValue(i), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_TRUE)
		}
	}
	if c.parent != nil {
		_ = made.SetPrototype(w.constructor(c.parent))
	}
	return made
}

// within holds the *object of an ordinary object. Scripts see only undefined.
type within struct {
	goja.Value
	object *object
}

// objectOf returns the *object of a value, or nil.
func (w *Window) objectOf(value goja.Value) *object {
	v, ok := value.(*goja.Object)
	switch {
	case !ok:
		return nil
	case v == w.vm.GlobalObject():
		return w.global
	case v.ExportType() == typeOfObject:
		return v.Export().(*object)
	}
	if held, ok := v.GetSymbol(w.realm.inner).(within); ok {
		return held.object
	}
	return nil
}

// this is the object whose member is used. Without one it is the window, as in addEventListener(…).
func (w *Window) this(value goja.Value) *object {
	if value == nil || goja.IsUndefined(value) || goja.IsNull(value) {
		return w.global
	}
	o := w.objectOf(value)
	if o == nil {
		panic(w.vm.NewTypeError("Illegal invocation"))
	}
	return o
}

// is tells whether the object is an instance of the class or of a subclass.
func (o *object) is(c *class) bool {
	for at := o.class; at != nil; at = at.parent {
		if at == c {
			return true
		}
	}
	return false
}

func (o *object) String() string { return fmt.Sprintf("[object %s]", o.class.name) }

// text is String(value).
func text(value goja.Value) string { return value.String() }

// given returns a member of an options argument, or nil.
func (w *Window) given(options goja.Value, name string) goja.Value {
	if o, ok := options.(*goja.Object); ok {
		if value := o.Get(name); value != nil && !goja.IsUndefined(value) {
			return value
		}
	}
	return nil
}

func (w *Window) flag(options goja.Value, name string) bool {
	value := w.given(options, name)
	return value != nil && value.ToBoolean()
}
