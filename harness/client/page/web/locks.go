package web

import (
	"slices"
	"sync"

	"github.com/dop251/goja"
)

// Locks are what navigator.locks gives out: each name to one window at a time, in the
// order in which they asked. Windows of the same origin share one. It is safe for
// concurrent use.
type Locks struct {
	mu sync.Mutex
	// queues has, by name, the request that holds the lock and, behind it, those that
	// wait.
	queues map[string][]*lockRequest
}

// A lockRequest is one window's, for one name.
type lockRequest struct {
	window  *Window
	granted goja.Callable
}

// NewLocks returns locks that nobody holds.
func NewLocks() *Locks { return &Locks{queues: map[string][]*lockRequest{}} }

func (l *Locks) request(name string, r *lockRequest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queues[name] = append(l.queues[name], r)
	if len(l.queues[name]) == 1 {
		l.grant(name)
	}
}

// grant tells whoever is first now, and passes over windows that are closed. The lock
// of l is held; telling only queues a task.
func (l *Locks) grant(name string) {
	for len(l.queues[name]) > 0 {
		first := l.queues[name][0]
		if first.window.loop.Post(func() { _, _ = first.window.Call(first.granted) }) {
			return
		}
		l.queues[name] = l.queues[name][1:]
	}
	delete(l.queues, name)
}

func (l *Locks) release(name string, r *lockRequest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if queue := l.queues[name]; len(queue) > 0 && queue[0] == r {
		l.queues[name] = queue[1:]
		l.grant(name)
	}
}

// drop takes back what the window holds and waits for: it is closed.
func (l *Locks) drop(w *Window) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, queue := range l.queues {
		first := queue[0]
		l.queues[name] = slices.DeleteFunc(queue, func(r *lockRequest) bool { return r.window == w })
		if first.window == w {
			l.grant(name)
		}
	}
}

// hostLock asks for a lock by name and calls the function when it is there. It returns
// what gives it back.
func (w *Window) hostLock(call goja.FunctionCall) goja.Value {
	name := call.Argument(0).String()
	granted, _ := goja.AssertFunction(call.Argument(1))
	r := &lockRequest{w, granted}
	w.options.Locks.request(name, r)
	return w.vm.ToValue(func() { w.options.Locks.release(name, r) })
}
