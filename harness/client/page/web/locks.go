package web

import (
	"slices"
	"sync"

	"github.com/dop251/goja"
)

// Locks are those of navigator.locks: each name is granted to one window at a time, in the order of
// the requests. Windows of the same origin share one Locks. It is safe for concurrent use.
type Locks struct {
	mu sync.Mutex
	// queues has, by name, the request that holds the lock and behind it the waiting ones.
	queues map[string][]*lockRequest
}

// A lockRequest is a request of one window for one name.
type lockRequest struct {
	window  *Window
	granted goja.Callable
}

// NewLocks returns Locks of which none is held.
func NewLocks() *Locks { return &Locks{queues: map[string][]*lockRequest{}} }

func (l *Locks) request(name string, r *lockRequest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queues[name] = append(l.queues[name], r)
	if len(l.queues[name]) == 1 {
		l.grant(name)
	}
}

// grant grants the lock to the first request of a window that is not closed. The caller holds l.mu;
// grant only queues a task.
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

// drop removes the requests of a closed window and releases its locks.
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

// hostLock requests a lock by name and calls the function when it is granted. It returns a function
// that releases the lock.
func (w *Window) hostLock(call goja.FunctionCall) goja.Value {
	name := call.Argument(0).String()
	granted, _ := goja.AssertFunction(call.Argument(1))
	r := &lockRequest{w, granted}
	w.options.Locks.request(name, r)
	return w.vm.ToValue(func() { w.options.Locks.release(name, r) })
}
