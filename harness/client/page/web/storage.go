package web

import (
	"slices"
	"sync"
	"unicode/utf16"

	"github.com/dop251/goja"
)

// storageLimit is the limit of browsers for an origin, in UTF-16 code units.
const storageLimit = 5 << 20

// A Storage is a localStorage or a sessionStorage: texts by key, in the order in which the keys were
// added. Windows of the same origin may share one; a change by one window is a storage event in the
// others. It is safe for concurrent use.
type Storage struct {
	mu       sync.Mutex
	keys     []string
	values   map[string]string
	size     int
	watchers map[*Window]bool
}

// A storageChange has the values of a storage event. key is nil if the storage was cleared; old and new
// are nil if there was or is no value.
type storageChange struct{ key, old, new *string }

// NewStorage returns an empty storage.
func NewStorage() *Storage {
	return &Storage{values: map[string]string{}, watchers: map[*Window]bool{}}
}

// watch tells the window each change by another window, until drop is called.
func (s *Storage) watch(w *Window) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[w] = true
}

func (s *Storage) drop(w *Window) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watchers, w)
}

// tell is called with the lock held; storageChanged only queues a task.
func (s *Storage) tell(from *Window, change storageChange) {
	for w := range s.watchers {
		if w != from {
			w.storageChanged(change)
		}
	}
}

func (s *Storage) get(key string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.values[key]
	return value, ok
}

func (s *Storage) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys)
}

// set returns false if the storage is full.
func (s *Storage) set(from *Window, key, value string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.values[key]
	size := s.size + units(value) - units(old)
	if !known {
		size += units(key)
	}
	if size > storageLimit {
		return false
	}
	s.size, s.values[key] = size, value
	change := storageChange{key: &key, new: &value}
	if known {
		change.old = &old
	} else {
		s.keys = append(s.keys, key)
	}
	if !known || old != value {
		s.tell(from, change)
	}
	return true
}

func (s *Storage) remove(from *Window, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.values[key]
	if !known {
		return
	}
	delete(s.values, key)
	s.keys = slices.DeleteFunc(s.keys, func(k string) bool { return k == key })
	s.size -= units(key) + units(old)
	s.tell(from, storageChange{key: &key, old: &old})
}

func (s *Storage) clear(from *Window) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.keys) == 0 {
		return
	}
	s.keys, s.values, s.size = nil, map[string]string{}, 0
	s.tell(from, storageChange{})
}

func units(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// storageChanged fires the storage event.
func (w *Window) storageChanged(change storageChange) {
	value := func(text *string) goja.Value {
		if text == nil {
			return goja.Null()
		}
		return w.vm.ToValue(*text)
	}
	w.loop.Post(func() {
		w.fire(storageEvent, "storage", field{"key", value(change.key)}, field{"oldValue", value(change.old)}, field{"newValue", value(change.new)},
			field{"url", w.vm.ToValue(w.base.String())}, field{"storageArea", w.Global("localStorage")})
	})
}

// storageObject is the JavaScript object of a Storage, whose keys are its properties.
type storageObject struct {
	window  *Window
	storage *Storage
	methods *goja.Object
}

func (o storageObject) Get(key string) goja.Value {
	if o.methods.Get(key) == nil {
		if value, ok := o.storage.get(key); ok {
			return o.window.vm.ToValue(value)
		}
	}
	return nil
}

func (o storageObject) Set(key string, value goja.Value) bool {
	if !o.storage.set(o.window, key, value.String()) {
		o.window.throw("QuotaExceededError", "the storage is full")
	}
	return true
}

func (o storageObject) Has(key string) bool {
	_, ok := o.storage.get(key)
	return ok && o.methods.Get(key) == nil
}

func (o storageObject) Delete(key string) bool {
	o.storage.remove(o.window, key)
	return true
}

func (o storageObject) Keys() []string { return o.storage.list() }

func (w *Window) storageOf(storage *Storage) goja.Value {
	methods := w.vm.NewObject()
	for name, method := range map[string]any{
		"getItem": func(key string) goja.Value {
			if value, ok := storage.get(key); ok {
				return w.vm.ToValue(value)
			}
			return goja.Null()
		},
		"setItem": func(key, value string) {
			if !storage.set(w, key, value) {
				w.throw("QuotaExceededError", "the storage is full")
			}
		},
		"removeItem": func(key string) { storage.remove(w, key) },
		"clear":      func() { storage.clear(w) },
		"key": func(i int) goja.Value {
			if keys := storage.list(); i >= 0 && i < len(keys) {
				return w.vm.ToValue(keys[i])
			}
			return goja.Null()
		},
	} {
		_ = methods.Set(name, method) // fails only for frozen objects, as do the next two
	}
	length := w.vm.ToValue(func(goja.FunctionCall) goja.Value { return w.vm.ToValue(len(storage.list())) })
	_ = methods.DefineAccessorProperty("length", length, nil, goja.FLAG_TRUE, goja.FLAG_FALSE)
	object := w.vm.NewDynamicObject(storageObject{window: w, storage: storage, methods: methods})
	_ = object.SetPrototype(methods)
	return object
}
