package web

import (
	"regexp"
	"strings"

	"github.com/dop251/goja"
)

// failed reports an error of a script. One that is not an exception, such as an interrupt, ends the
// calling script too.
func (w *Window) failed(err error) {
	if exception, ok := err.(*goja.Exception); ok {
		w.uncaught(exception.Value())
		return
	}
	if len(w.vm.CaptureCallStack(1, nil)) > 0 {
		panic(err)
	}
	w.Report("uncaught: " + err.Error())
}

var (
	stackLine = regexp.MustCompile(`\n\s*(at .*)`)
	programPC = regexp.MustCompile(`\(\d+\)`)
)

// describe describes a thrown value and where it was thrown. The value's own functions may throw too.
func (w *Window) describe(thrown goja.Value) (description string) {
	if ex := w.vm.Try(func() { description = w.describeOrThrow(thrown) }); ex != nil {
		return "something that cannot be described"
	}
	return description
}

func (w *Window) isError(thrown goja.Value) (*goja.Object, bool) {
	o, ok := thrown.(*goja.Object)
	return o, ok && w.vm.InstanceOf(o, w.vm.Get("Error").(*goja.Object))
}

func (w *Window) describeOrThrow(thrown goja.Value) string {
	o, ok := w.isError(thrown)
	if !ok {
		return text(thrown)
	}
	description := text(o.Get("name")) + ": " + text(o.Get("message"))
	if stack := o.Get("stack"); stack != nil {
		if at := stackLine.FindStringSubmatch(text(stack)); at != nil {
			line := at[1]
			if pc := programPC.FindString(line); pc != "" {
				line = strings.Replace(line, pc, "", 1)
			}
			description += " " + line
		}
	}
	return description
}

func (w *Window) uncaught(thrown goja.Value) {
	w.Report("uncaught: " + w.describe(thrown))
	if w.reporting {
		return
	}
	w.reporting = true
	defer func() { w.reporting = false }()
	message := w.describe(thrown)
	if o, ok := w.isError(thrown); ok {
		message = text(o.Get("name")) + ": " + text(o.Get("message"))
	}
	e := w.newEvent(errorEvent, "error", field{"message", w.vm.ToValue(message)}, field{"error", thrown})
	e.state.(*event).cancelable = true
	w.global.dispatch(e, false)
}

func (w *Window) rejected(promise *goja.Promise) {
	reason := promise.Result()
	w.Report("uncaught (in promise): " + w.describe(reason))
	e := w.newEvent(rejectionEvent, "unhandledrejection", field{"reason", reason}, field{"promise", w.vm.ToValue(promise)})
	e.state.(*event).cancelable = true
	w.global.dispatch(e, false)
}
