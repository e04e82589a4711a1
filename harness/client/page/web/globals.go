package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"
)

// globals has the window's globals and makes each one when a script first reads it. It is the
// prototype of the global object, so a script can override its values.
type globals struct {
	window *Window
	made   map[string]goja.Value
}

// makers has the functions that make the globals, by name. It is filled in init, because some refer to
// others.
var makers map[string]func(w *Window) goja.Value

func (g *globals) Get(key string) goja.Value {
	if made := g.made[key]; made != nil {
		return made
	}
	maker := makers[key]
	if maker == nil {
		return nil
	}
	made := maker(g.window)
	g.made[key] = made
	return made
}

func (g *globals) Has(key string) bool               { return makers[key] != nil }
func (g *globals) Set(key string, _ goja.Value) bool { return false }
func (g *globals) Delete(key string) bool            { return true }
func (g *globals) Keys() []string                    { return nil }

// Global is the global with the name, unless a script has overridden it.
func (w *Window) Global(name string) goja.Value { return w.globals.Get(name) }

var windowHandlers = []string{"load", "error", "beforeunload", "pagehide", "pageshow", "unload", "online", "offline", "storage",
	"unhandledrejection", "message", "focus", "blur"}

// windowClass is the class of the global object as an EventTarget.
var windowClass = newClass("Window", targetClass, nil)

// installGlobals makes the VM's global object a window.
func (w *Window) installGlobals() {
	global := w.vm.GlobalObject()
	w.global = &object{window: w, class: windowClass, value: global}
	w.globals = &globals{window: w, made: map[string]goja.Value{}}
	_ = global.SetPrototype(w.vm.NewDynamicObject(w.globals)) // fails only for cycles
	for _, kind := range windowHandlers {
		w.defineHandler(global, kind)
	}
}

// defineHandler defines the on… attribute of a JavaScript object or prototype.
func (w *Window) defineHandler(on *goja.Object, kind string) {
	get := w.vm.ToValue(func(call goja.FunctionCall) goja.Value { return w.this(call.This).handler(kind) })
	set := w.vm.ToValue(func(call goja.FunctionCall) goja.Value {
		w.this(call.This).setHandler(kind, call.Argument(0))
		return goja.Undefined()
	})
	_ = on.DefineAccessorProperty("on"+kind, get, set, goja.FLAG_TRUE, goja.FLAG_TRUE) // fails only for frozen objects
}

func init() {
	makers = map[string]func(w *Window) goja.Value{
		"document":        func(w *Window) goja.Value { return w.document.script() },
		"location":        func(w *Window) goja.Value { return w.newObject(locationClass, w).value },
		"navigator":       func(w *Window) goja.Value { return w.newObject(navigatorClass, w).value },
		"performance":     func(w *Window) goja.Value { return w.newObject(performanceClass, w).value },
		"crypto":          func(w *Window) goja.Value { return w.newObject(cryptoClass, w).value },
		"console":         (*Window).console,
		"localStorage":    func(w *Window) goja.Value { return w.storageOf(w.options.Local) },
		"sessionStorage":  func(w *Window) goja.Value { return w.storageOf(w.options.Session) },
		"isSecureContext": fixed(true), "innerWidth": fixed(1024), "innerHeight": fixed(768), "scrollX": fixed(0), "scrollY": fixed(0),
	}
	for _, name := range []string{"window", "self", "top", "parent", "frames"} {
		makers[name] = func(w *Window) goja.Value { return w.vm.GlobalObject() }
	}
	for _, c := range append(eventClasses, nodeClass, textClass, elementClass, documentClass, fragmentClass, socketClass) {
		makers[c.name] = func(w *Window) goja.Value { return w.constructor(c) }
	}
	makers["HTMLElement"] = makers["Element"]
	for key, m := range targetMembers {
		makers[key] = func(w *Window) goja.Value { return w.method(m) }
	}
	for name, f := range windowFunctions {
		makers[name] = func(w *Window) goja.Value {
			return w.function(name, func(call goja.FunctionCall) goja.Value { return f(w, call) })
		}
	}
	for file, names := range scriptedGlobals {
		for _, name := range names {
			makers[name] = func(w *Window) goja.Value { return w.scripted(file).Get(name) }
		}
	}
}

// scriptedGlobals has the globals that are written in JavaScript, by their file in js/.
var scriptedGlobals = map[string][]string{
	"errors": {"DOMException"},
	"blob":   {"Blob", "FileReader"},
	"text":   {"TextEncoder", "TextDecoder"},
	"xhr":    {"XMLHttpRequest"},
}

func fixed(v any) func(*Window) goja.Value {
	made := value(v)
	return func(*Window) goja.Value { return made }
}

var windowFunctions = map[string]func(w *Window, call goja.FunctionCall) goja.Value{
	"setTimeout":    func(w *Window, call goja.FunctionCall) goja.Value { return w.timer(call, false) },
	"setInterval":   func(w *Window, call goja.FunctionCall) goja.Value { return w.timer(call, true) },
	"clearTimeout":  (*Window).stopTimer,
	"clearInterval": (*Window).stopTimer,
	// Nothing is painted, so a frame is a timer at about 60 Hz.
	"requestAnimationFrame": func(w *Window, call goja.FunctionCall) goja.Value {
		callback := w.functionArgument(call, "requestAnimationFrame")
		return w.vm.ToValue(w.setTimer(func() { w.run(callback, w.vm.ToValue(w.now())) }, 16*time.Millisecond, false))
	},
	"cancelAnimationFrame": (*Window).stopTimer,
	"queueMicrotask": func(w *Window, call goja.FunctionCall) goja.Value {
		callback := w.functionArgument(call, "queueMicrotask")
		promise, resolve, _ := w.vm.NewPromise()
		_ = resolve(goja.Undefined())
		settled := w.vm.ToValue(promise).(*goja.Object)
		then, _ := goja.AssertFunction(settled.Get("then"))
		_, _ = then(settled, w.vm.ToValue(func(goja.FunctionCall) goja.Value {
			w.run(callback)
			return goja.Undefined()
		}))
		return goja.Undefined()
	},
	"scrollTo": nothing,
	"scrollBy": nothing,
	"scroll":   nothing,
	"btoa": func(w *Window, call goja.FunctionCall) goja.Value {
		return w.vm.ToValue(w.btoa(text(call.Argument(0))))
	},
	"atob": func(w *Window, call goja.FunctionCall) goja.Value {
		return w.vm.ToValue(w.atob(text(call.Argument(0))))
	},
}

func nothing(*Window, goja.FunctionCall) goja.Value { return goja.Undefined() }

func (w *Window) functionArgument(call goja.FunctionCall, who string) goja.Callable {
	callback, ok := goja.AssertFunction(call.Argument(0))
	if !ok {
		panic(w.vm.NewTypeError("%s needs a function", who))
	}
	return callback
}

// run calls a callback of the page with the window as this.
func (w *Window) run(callback goja.Callable, arguments ...goja.Value) {
	if _, err := callback(w.vm.GlobalObject(), arguments...); err != nil {
		w.failed(err)
	}
}

// timer converts the delay, as a browser does, to a signed 32-bit number of milliseconds.
func (w *Window) timer(call goja.FunctionCall, repeat bool) goja.Value {
	callback, ok := goja.AssertFunction(call.Argument(0))
	if !ok {
		panic(w.vm.NewTypeError("a timer needs a function; text is not run by the harness's page"))
	}
	delay := time.Duration(max(0, int32(call.Argument(1).ToInteger()))) * time.Millisecond
	arguments := slices.Clone(call.Arguments[min(2, len(call.Arguments)):])
	return w.vm.ToValue(w.setTimer(func() { w.run(callback, arguments...) }, delay, repeat))
}

func (w *Window) stopTimer(call goja.FunctionCall) goja.Value {
	w.clearTimer(call.Argument(0).ToInteger())
	return goja.Undefined()
}

// locationPart cannot be set, because a window cannot go to another page.
func locationPart(of func(w *Window) any) *member {
	return settable(of, func(w *Window, _ goja.Value) {
		panic(w.vm.NewTypeError("setting a part of location is not implemented by the harness's page"))
	})
}

var locationClass = newClass("Location", nil, nil, members{
	"href":     locationPart(func(w *Window) any { return w.base.String() }),
	"origin":   locationPart(func(w *Window) any { return w.origin() }),
	"protocol": locationPart(func(w *Window) any { return w.base.Scheme + ":" }),
	"host":     locationPart(func(w *Window) any { return w.base.Host }),
	"hostname": locationPart(func(w *Window) any { return w.base.Hostname() }),
	"port":     locationPart(func(w *Window) any { return w.base.Port() }),
	"pathname": locationPart(func(w *Window) any { return w.base.Path }),
	"search":   locationPart(func(w *Window) any { return prefixed("?", w.base.RawQuery) }),
	"hash":     locationPart(func(w *Window) any { return prefixed("#", w.base.Fragment) }),
	"toString": does(func(w *Window, _ arguments) any { return w.base.String() }),
}, missing("location", "reload", "assign", "replace"))

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

var navigatorClass = newClass("Navigator", nil, nil, members{
	"userAgent": constant(UserAgent), "product": constant("Gecko"), "onLine": constant(true), "language": constant("en"),
	"cookieEnabled": constant(true),
	"languages":     of(func(w *Window) any { return w.vm.NewArray("en") }),
	"locks":         of(func(w *Window) any { return w.scripted("locks").Get("locks") }),
})

var performanceClass = newClass("Performance", nil, nil, members{
	"now":        does(func(w *Window, _ arguments) any { return w.now() }),
	"timeOrigin": of(func(w *Window) any { return float64(w.opened.UnixNano()) / float64(time.Millisecond) }),
})

func (w *Window) console() goja.Value {
	c := w.vm.NewObject()
	none := w.function("log", func(goja.FunctionCall) goja.Value { return goja.Undefined() })
	for _, name := range []string{"log", "info", "debug", "warn", "trace", "table", "group", "groupCollapsed", "groupEnd", "time", "timeEnd", "count", "dir"} {
		_ = c.Set(name, none)
	}
	_ = c.Set("error", func(call goja.FunctionCall) goja.Value {
		w.Report("console.error: " + w.line(call.Arguments))
		return goja.Undefined()
	})
	_ = c.Set("assert", func(call goja.FunctionCall) goja.Value {
		if !call.Argument(0).ToBoolean() {
			w.Report("console.error: " + strings.TrimSpace("assertion failed: "+w.line(call.Arguments[min(1, len(call.Arguments)):])))
		}
		return goja.Undefined()
	})
	return c
}

// line is a line of the console.
func (w *Window) line(arguments []goja.Value) string {
	words := make([]string, len(arguments))
	for i, argument := range arguments {
		o, isObject := argument.(*goja.Object)
		_, isFunction := goja.AssertFunction(argument)
		_, isError := w.isError(argument)
		switch {
		case isError:
			words[i] = w.describe(argument)
		case isObject && !isFunction:
			if data, err := o.MarshalJSON(); err == nil {
				words[i] = string(data)
				break
			}
			fallthrough
		default:
			words[i] = w.describe(argument)
		}
	}
	return strings.Join(words, " ")
}

var cryptoClass = newClass("Crypto", nil, nil, members{
	"getRandomValues": does(func(w *Window, given arguments) any {
		buffer, from, length, isView := w.view(given.Argument(0))
		switch {
		case !isView:
			panic(w.vm.NewTypeError("getRandomValues needs a typed array"))
		case length > 65536:
			w.throw("QuotaExceededError", "more than 65536 bytes")
		}
		copy(buffer[from:from+length], w.randomBytes(length))
		return given.Argument(0)
	}),
	"randomUUID": does(func(w *Window, _ arguments) any { return uuid(w.randomBytes(16)) }),
}, missing("crypto", "subtle"))

func uuid(b []byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// view returns the buffer of a typed array or a DataView, and its part of it.
func (w *Window) view(given goja.Value) (buffer []byte, from, length int, isView bool) {
	o, ok := given.(*goja.Object)
	if !ok {
		return nil, 0, 0, false
	}
	inner, ok := o.Get("buffer").(*goja.Object)
	if !ok || o.Get("byteOffset") == nil {
		return nil, 0, 0, false
	}
	held, ok := inner.Export().(goja.ArrayBuffer)
	if !ok {
		return nil, 0, 0, false
	}
	return held.Bytes(), int(o.Get("byteOffset").ToInteger()), int(o.Get("byteLength").ToInteger()), true
}
