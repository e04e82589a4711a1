package web

import (
	"encoding/base64"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dop251/goja"
)

// host has the Go functions that the scripts in js/ can call. They run on the loop.
func (w *Window) host() *goja.Object {
	if w.hosted != nil {
		return w.hosted
	}
	w.hosted = w.vm.NewObject()
	for name, value := range map[string]any{
		"setTimer":   w.hostSetTimer,
		"clearTimer": w.clearTimer,
		"post":       w.hostPost,
		"encode":     func(text string) goja.ArrayBuffer { return w.vm.NewArrayBuffer([]byte(text)) },
		"decode":     func(data goja.ArrayBuffer) string { return decodeUTF8(data.Bytes()) },
		"base64":     func(data goja.ArrayBuffer) string { return base64.StdEncoding.EncodeToString(data.Bytes()) },
		"resolve":    w.resolve,
		"request":    w.hostRequest,
		"lock":       w.hostLock,
	} {
		_ = w.hosted.Set(name, value) // fails only for frozen objects
	}
	return w.hosted
}

// A shim gives the harness's scripts access to the window's classes.
type shim struct {
	window *Window
	made   map[string]goja.Value
}

func (s *shim) Get(key string) goja.Value {
	if makers[key] != nil {
		return s.window.Global(key)
	}
	return s.made[key]
}

func (s *shim) Has(key string) bool               { return s.Get(key) != nil }
func (s *shim) Set(key string, v goja.Value) bool { s.made[key] = v; return true }
func (s *shim) Delete(string) bool                { return false }
func (s *shim) Keys() []string                    { return nil }

func (w *Window) newShim() *goja.Object {
	vm := w.vm
	s := &shim{window: w, made: map[string]goja.Value{"blob": w.realm.blob}}
	for name, f := range map[string]func(call goja.FunctionCall) goja.Value{
		"describe": func(call goja.FunctionCall) goja.Value { return vm.ToValue(w.describe(call.Argument(0))) },
		"uncaught": func(call goja.FunctionCall) goja.Value { w.uncaught(call.Argument(0)); return goja.Undefined() },
		"bytes": func(call goja.FunctionCall) goja.Value {
			if data, ok := w.bytes(call.Argument(0)); ok {
				return vm.ToValue(vm.NewArrayBuffer(data))
			}
			return goja.Undefined()
		},
		"handlers": w.hostHandlers,
		"missing":  w.hostMissing,
	} {
		s.made[name] = vm.ToValue(f)
	}
	return vm.NewDynamicObject(s)
}

// hostHandlers(prototype, ...kinds) defines the on… attributes of a class written in JavaScript.
func (w *Window) hostHandlers(call goja.FunctionCall) goja.Value {
	prototype := call.Argument(0).ToObject(w.vm)
	for _, name := range call.Arguments[1:] {
		w.defineHandler(prototype, text(name))
	}
	return goja.Undefined()
}

// hostMissing(prototype, what, ...names) is missing for a class written in JavaScript.
func (w *Window) hostMissing(call goja.FunctionCall) goja.Value {
	prototype, what := call.Argument(0).ToObject(w.vm), text(call.Argument(1))
	for _, given := range call.Arguments[2:] {
		fail := w.vm.ToValue(func(goja.FunctionCall) goja.Value {
			panic(w.vm.NewTypeError("%s.%s is not implemented by the harness's page", what, text(given)))
		})
		_ = prototype.DefineAccessorProperty(text(given), fail, fail, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
	return goja.Undefined()
}

// scripted returns the exports of a file in js/, which runs when a script first reads one of them.
func (w *Window) scripted(file string) *goja.Object {
	if made := w.files[file]; made != nil {
		return made
	}
	source, err := shims.ReadFile("js/" + file + ".js")
	if err != nil {
		panic(err)
	}
	result, err := w.extend("js/"+file+".js", source, w.host())
	if err != nil {
		panic(w.vm.NewGoError(err))
	}
	w.files[file] = result.(*goja.Object)
	return w.files[file]
}

func (w *Window) shim() *goja.Object {
	if w.shimmed == nil {
		w.shimmed = w.newShim()
	}
	return w.shimmed
}

func (w *Window) hostSetTimer(call goja.FunctionCall) goja.Value {
	task, _ := goja.AssertFunction(call.Argument(0))
	delay := time.Duration(call.Argument(1).ToInteger()) * time.Millisecond
	return w.vm.ToValue(w.setTimer(func() { w.run(task) }, delay, false))
}

// hostPost(task, target) runs the task later, and fires the events that it returns.
func (w *Window) hostPost(call goja.FunctionCall) goja.Value {
	task, _ := goja.AssertFunction(call.Argument(0))
	target := w.this(call.Argument(1))
	w.loop.Post(func() {
		returned, err := w.Call(task)
		if err != nil || returned == nil {
			return
		}
		var events []*goja.Object
		if err := w.vm.ExportTo(returned, &events); err != nil {
			w.Report("uncaught: " + err.Error())
		}
		for _, e := range events {
			target.dispatch(w.objectOf(e), true)
		}
	})
	return goja.Undefined()
}

var typeOfArrayBuffer = reflect.TypeFor[goja.ArrayBuffer]()

// bytes returns a copy of a binary value.
func (w *Window) bytes(given goja.Value) ([]byte, bool) {
	o, ok := given.(*goja.Object)
	if !ok {
		return nil, false
	}
	if o.ExportType() == typeOfArrayBuffer {
		buffer, _ := o.Export().(goja.ArrayBuffer)
		return append([]byte{}, buffer.Bytes()...), true
	}
	if held := o.GetSymbol(w.realm.blob); held != nil {
		return w.bytes(held)
	}
	if buffer, from, length, ok := w.view(o); ok {
		return append([]byte{}, buffer[from:from+length]...), true
	}
	return nil, false
}

func (w *Window) newBlob(data []byte) goja.Value {
	made, err := w.vm.New(w.Global("Blob"), w.vm.NewArray(w.vm.NewArrayBuffer(data)))
	if err != nil {
		panic(w.vm.NewGoError(err))
	}
	return made
}

// decodeUTF8 decodes as a browser does: without a byte order mark, and with U+FFFD for invalid bytes.
func decodeUTF8(data []byte) string {
	text := strings.TrimPrefix(string(data), "\ufeff")
	if utf8.ValidString(text) {
		return text
	}
	return strings.ToValidUTF8(text, "\ufffd")
}

// throw throws a DOMException of that name into the script.
func (w *Window) throw(name, message string) {
	exception, err := w.vm.New(w.Global("DOMException"), w.vm.ToValue(message), w.vm.ToValue(name))
	if err != nil {
		panic(err)
	}
	panic(exception)
}

func (w *Window) btoa(text string) string {
	data := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			w.throw("InvalidCharacterError", "btoa: the text has characters outside of Latin1")
		}
		data = append(data, byte(r))
	}
	return base64.StdEncoding.EncodeToString(data)
}

func (w *Window) atob(text string) string {
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune("\t\n\f\r ", r) {
			return -1
		}
		return r
	}, text)
	if len(text)%4 == 0 {
		text = strings.TrimSuffix(strings.TrimSuffix(text, "="), "=")
	}
	data, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		w.throw("InvalidCharacterError", "atob: the text is not base64")
	}
	latin := make([]rune, len(data))
	for i, b := range data {
		latin[i] = rune(b)
	}
	return string(latin)
}
