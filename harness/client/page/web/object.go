package web

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/dop251/goja"
)

// A class is an interface of the web: what its objects have, and how a script makes one.
// A class is shared by all windows; what a window makes of it is in realm.
type class struct {
	name   string
	parent *class
	// members has those of the parent too.
	members map[string]*member
	// construct fills a new object; nil where scripts make none.
	construct func(o *object, arguments []goja.Value)
	// fields are what a kind of event has more than an Event.
	fields []field
	// constants are on the constructor and on the prototype.
	constants []string
}

// A member is an attribute (get, and set where it can be set) or a method (call).
type member struct {
	name string
	get  func(o *object) goja.Value
	set  func(o *object, value goja.Value)
	call func(o *object, call goja.FunctionCall) goja.Value
}

type members map[string]*member

// newClass makes a class of the members and its parent's. The members of several tables
// may be given, of which a later one prevails.
func newClass(name string, parent *class, construct func(o *object, arguments []goja.Value), own ...members) *class {
	c := &class{name: name, parent: parent, construct: construct, members: members{}}
	if parent != nil {
		for key, m := range parent.members {
			c.members[key] = m
		}
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

// missing makes names of the web's that are not implemented fail on use instead of being
// undefined without a word.
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

// An object is what a script has of something that is kept in Go. It answers for its
// members itself, so that neither the prototypes nor the methods of a class are made
// before a script asks for them: a window is made for every page load, and most of what
// the web has is never used by a page.
type object struct {
	window *Window
	class  *class
	value  *goja.Object
	// state is what the class keeps: a *node, an *event, a *socket.
	state any
	// listeners are an EventTarget's, in the order in which they came.
	listeners []*listener
	// extra is what the script itself has put there, keys in their order.
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
		return true // what cannot be set stays, as in a sloppy script
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

// realm is what a window has made of the classes so far.
type realm struct {
	prototypes   map[*class]*goja.Object
	populated    map[*class]bool
	constructors map[*class]*goja.Object
	methods      map[*member]*goja.Object
	// inner is where an object of a script's own class has the one of ours.
	inner *goja.Symbol
	// blob is where a Blob has its bytes.
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
	_ = o.value.SetPrototype(w.prototype(c)) // fails for loops only
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

// populate puts the members on the prototypes, for objects of a script's own class.
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

// constructor is the class as a script sees it.
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
		// A script's own class: its object is an ordinary one, with ours within.
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

// within is how an ordinary object holds one of ours: a value that no script sees.
type within struct {
	goja.Value
	object *object
}

// objectOf returns our object of a value, or nil. The global object is the window's.
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

// this is the object that a member is used on. Without one it is the window, as in
// addEventListener(…).
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

// is tells whether the object is one of the class, or of one that extends it.
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
