package web

import (
	"slices"
	"time"

	"github.com/dop251/goja"
)

func (w *Window) trackRejection(promise *goja.Promise, operation goja.PromiseRejectionOperation) {
	if operation == goja.PromiseRejectionReject {
		w.rejections = append(w.rejections, promise)
		return
	}
	w.rejections = slices.DeleteFunc(w.rejections, func(p *goja.Promise) bool { return p == promise })
}

// afterTask reports unhandled rejections and calls Options.AfterTask.
func (w *Window) afterTask() {
	w.task++
	for len(w.rejections) > 0 {
		rejections := w.rejections
		w.rejections = nil
		for _, promise := range rejections {
			w.rejected(promise)
		}
	}
	if w.options.AfterTask != nil {
		w.options.AfterTask()
	}
}

// setTimer starts a timer. As in browsers, timers that are nested more than five levels deep take at
// least 4 ms.
func (w *Window) setTimer(task func(), delay time.Duration, repeat bool) int64 {
	w.lastTimer++
	w.armTimer(w.lastTimer, task, delay, repeat, w.nesting+1)
	return w.lastTimer
}

func (w *Window) armTimer(id int64, task func(), delay time.Duration, repeat bool, nesting int) {
	wait := delay
	if nesting > 5 {
		wait = max(wait, 4*time.Millisecond)
	}
	w.timers[id] = w.loop.After(wait, func() {
		w.nesting = nesting
		task()
		w.nesting = 0
		if _, kept := w.timers[id]; !kept {
			return
		}
		delete(w.timers, id)
		if repeat {
			w.armTimer(id, task, delay, true, nesting+1)
		}
	})
}

func (w *Window) clearTimer(id int64) {
	if timer := w.timers[id]; timer != nil {
		timer.Stop()
		delete(w.timers, id)
	}
}
