package web

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is returned for a task that can no longer run.
var ErrClosed = errors.New("the window is closed")

// A Loop is an event loop: one goroutine that runs tasks one after the other, and timers in the
// order in which they are due. Timers that are due at the same time run in the order in which they
// were set, which separate runtime timers would not guarantee.
//
// It waits only on channels and one time.Timer, so it can run in a testing/synctest bubble.
type Loop struct {
	after func()

	mu        sync.Mutex
	tasks     []func()
	timers    []*Timer // in the order in which they are due
	suspended bool
	closed    bool
	last      func()
	wake      chan struct{}
	done      chan struct{}
}

// NewLoop starts a loop. after, if not nil, is called after every task, on the
// loop's goroutine.
func NewLoop(after func()) *Loop {
	l := &Loop{after: after, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go l.run()
	return l
}

// Post queues a task and returns at once. It returns false if the loop is closed.
func (l *Loop) Post(task func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.tasks = append(l.tasks, task)
	l.signal()
	return true
}

// Do queues a task and waits until it has run. If ctx ends before the task has begun, the task never
// runs; once it has begun, Do waits for its end. Do must not be called from a task.
func (l *Loop) Do(ctx context.Context, task func()) error {
	var taken atomic.Bool
	ran := make(chan struct{})
	posted := l.Post(func() {
		if taken.CompareAndSwap(false, true) {
			defer close(ran)
			task()
		}
	})
	if !posted {
		return ErrClosed
	}
	select {
	case <-ran:
		return nil
	case <-l.done:
	case <-ctx.Done():
	}
	if taken.CompareAndSwap(false, true) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return ErrClosed
	}
	<-ran
	return nil
}

// A Timer is a task with the time at which it is due.
type Timer struct {
	due     time.Time
	task    func()
	stopped atomic.Bool
}

// Stop prevents the timer's task from running if it has not begun.
func (t *Timer) Stop() { t.stopped.Store(true) }

// After queues a task that is due when d has passed.
func (l *Loop) After(d time.Duration, task func()) *Timer {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &Timer{due: time.Now().Add(d), task: task}
	if !l.closed {
		later := slices.IndexFunc(l.timers, func(other *Timer) bool { return other.due.After(t.due) })
		if later < 0 {
			later = len(l.timers)
		}
		l.timers = slices.Insert(l.timers, later, t)
		l.signal()
	}
	return t
}

// Suspend stops the loop after the current task, as closing a laptop's lid does, while the clock goes
// on.
func (l *Loop) Suspend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.suspended = true
}

// Resume ends Suspend. Timers that became due meanwhile run now, in order.
func (l *Loop) Resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.suspended = false
	l.signal()
}

// Suspended tells whether the loop is suspended.
func (l *Loop) Suspended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.suspended
}

// Close runs last after the current task, suspended or not, drops the queued tasks and ends the loop.
// It returns when the loop's goroutine has ended; a second Close waits for that too.
func (l *Loop) Close(last func()) {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		l.last = last
		l.tasks, l.timers = nil, nil
		l.signal()
	}
	l.mu.Unlock()
	<-l.done
}

// signal wakes the loop. One pending signal is enough, because the loop checks everything when it
// wakes.
func (l *Loop) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *Loop) run() {
	defer close(l.done)
	clock := time.NewTimer(time.Hour)
	defer clock.Stop()
	for {
		task, wait, alive := l.next()
		switch {
		case task != nil:
			task()
			if l.after != nil {
				l.after()
			}
		case !alive:
			return
		case wait > 0:
			clock.Reset(wait)
			select {
			case <-l.wake:
			case <-clock.C:
			}
		default:
			<-l.wake
		}
	}
}

// next returns the next task or, if there is none, how long to wait for the next timer; 0 means until
// the loop is woken. alive is false after the last task of a closed loop.
func (l *Loop) next() (task func(), wait time.Duration, alive bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		task, l.last = l.last, nil
		return task, 0, false
	}
	if l.suspended {
		return nil, 0, true
	}
	now := time.Now()
	for len(l.timers) > 0 && !l.timers[0].due.After(now) {
		t := l.timers[0]
		l.timers = slices.Delete(l.timers, 0, 1)
		l.tasks = append(l.tasks, func() {
			if !t.stopped.Load() {
				t.task()
			}
		})
	}
	if len(l.tasks) > 0 {
		task, l.tasks[0] = l.tasks[0], nil
		l.tasks = l.tasks[1:]
		return task, 0, true
	}
	// The loop does not wake for stopped timers.
	l.timers = slices.DeleteFunc(l.timers, func(t *Timer) bool { return t.stopped.Load() })
	if len(l.timers) > 0 {
		return nil, l.timers[0].due.Sub(now), true
	}
	l.tasks = nil
	return nil, 0, true
}
