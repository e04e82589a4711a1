// Package web is a browser window without a screen: a JavaScript VM with the Web APIs that
// a chat page and the official client bundle use (timers, events, a document, WebSocket,
// XMLHttpRequest, storage). The table in conformance_test.go shows how close each is to a
// browser; it runs in Chromium too.
//
// Start with [New], [Window.Load] and [Window.Close]. [Loop] is the event loop, and
// [Storage] survives a window. Events, the document, WebSocket and the globals are written
// in Go, and a script gets a JavaScript object for one when it first reads it (object.go), so a
// window costs little until its page uses something. Rarely used APIs are in js/ and run when a
// script first reads them. An API that neither has fails with a TypeError, which is reported
// and never ignored.
//
// Libraries: goja, because it is an ECMAScript engine in pure Go of which thousands can run, and
// on a fake clock; gorilla/websocket, because it starts no goroutine and sets no finalizer
// (coder/websocket closes abandoned connections from a finalizer, which a testing/synctest
// bubble forbids); golang.org/x/net/html, which parses as browsers do; net/http for the rest.
//
// web must not know Socket.IO, chats or histories.
package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/dop251/goja"
)

// UserAgent is navigator.userAgent.
const UserAgent = "Mozilla/5.0 (compatible; redial page)"

// maxCallDepth bounds recursion, as browsers do at about ten thousand frames.
const maxCallDepth = 8192

// unloadTime bounds the unload handlers of a page, and the writing of the queued messages after them.
const unloadTime = time.Second

// Options of a window. Only URL is required.
type Options struct {
	// URL is the address of the document, "http://host:port/".
	URL string
	// Dial opens connections, only to the host of URL; nil means real TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Local and Session are the window's storage; nil means an empty one.
	Local, Session *Storage
	// Locks are the window's navigator.locks; nil means that it shares none.
	Locks *Locks
	// Cookies stores the cookies; nil means none.
	Cookies http.CookieJar
	// Headers are sent with the requests for the page and its scripts. A script sets those of
	// its own requests.
	Headers map[string]string
	// Random is the source of Math.random; nil means the VM's.
	Random mathrand.Source
	// SeedCrypto makes crypto draw from Random too, so its values are predictable.
	SeedCrypto bool
	// Report is called, on the window's loop, with texts for the user: uncaught errors,
	// console.error, and refused or missing features.
	Report func(text string)
	// AfterTask is called on the window's loop after every task.
	AfterTask func()
}

// A Window is one page load. Its methods may be called from any goroutine that is
// not its own loop.
type Window struct {
	options Options
	base    *url.URL
	opened  time.Time
	loop    *Loop
	network *network
	client  *http.Client

	// The fields below belong to the loop, up to lastPlace.
	vm         *goja.Runtime
	realm      realm
	global     *object
	globals    *globals
	files      map[string]*goja.Object
	shimmed    *goja.Object
	hosted     *goja.Object
	document   *node
	state      documentState
	ids        map[string]*node
	watched    watch
	building   bool // by the parser
	reporting  bool
	timers     map[int64]*Timer
	lastTimer  int64
	nesting    int
	task       uint64
	rejections []*goja.Promise
	changed    bool
	sockets    map[*socket]struct{}
	// lastPlace is closed when the request or WebSocket that was started last has its
	// connection.
	lastPlace <-chan struct{}

	// working counts the goroutines of sockets and requests.
	working   sync.WaitGroup
	closeOnce sync.Once
}

// New makes a window with an empty document. The caller closes it.
func New(options Options) (*Window, error) {
	base, err := url.Parse(options.URL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("%q is no address of a page; it looks like http://127.0.0.1:3000", options.URL)
	}
	base.Path = cmp.Or(base.Path, "/")
	if options.Local == nil {
		options.Local = NewStorage()
	}
	if options.Locks == nil {
		options.Locks = NewLocks()
	}
	if options.Session == nil {
		options.Session = NewStorage()
	}
	w := &Window{
		options: options,
		base:    base,
		opened:  time.Now(),
		network: newNetwork(base, options.Dial),
		vm:      goja.New(),
		realm:   newRealm(),
		files:   map[string]*goja.Object{},
		ids:     map[string]*node{},
		state:   documentState{ready: "loading"},
		timers:  map[int64]*Timer{},
		sockets: map[*socket]struct{}{},
	}
	w.client = &http.Client{Transport: w.network.transport, Jar: options.Cookies, CheckRedirect: w.checkRedirect}
	if options.Random != nil {
		w.vm.SetRandSource(mathrand.New(options.Random).Float64)
	}
	w.vm.SetMaxCallStackSize(maxCallDepth)
	w.vm.SetPromiseRejectionTracker(w.trackRejection)
	w.document = &node{window: w, kind: documentNode}
	w.installGlobals()
	w.boundJSON()
	w.loop = NewLoop(w.afterTask)
	options.Local.watch(w)
	return w, nil
}

// Do runs task on the loop and waits for its end. If ctx ends before, the running script is
// interrupted.
func (w *Window) Do(ctx context.Context, task func(vm *goja.Runtime)) error {
	return w.loop.Do(ctx, func() {
		defer w.interruptible(ctx)()
		task(w.vm)
	})
}

// interruptible interrupts the VM when ctx ends before the returned function is
// called.
func (w *Window) interruptible(ctx context.Context) (end func()) {
	var mu sync.Mutex
	over := false
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			w.vm.Interrupt(context.Cause(ctx))
		}
	})
	return func() {
		stop()
		mu.Lock()
		defer mu.Unlock()
		over = true
		w.vm.ClearInterrupt()
	}
}

// Run runs a script. As in a browser, an exception is reported as uncaught. Run returns an error only
// if the script was interrupted. It must run on the loop.
func (w *Window) Run(name string, source []byte) error {
	program, err := Compile(name, source)
	if err != nil {
		w.Report("uncaught: " + err.Error())
		return nil
	}
	_, err = w.vm.RunProgram(program)
	return w.settle(err)
}

// Call calls a JavaScript function of the page, and handles its errors as Run does.
func (w *Window) Call(function goja.Callable, arguments ...goja.Value) (goja.Value, error) {
	value, err := function(goja.Undefined(), arguments...)
	return value, w.settle(err)
}

// settle reports an error, and returns it unless it is an exception.
func (w *Window) settle(err error) error {
	exception, ok := err.(*goja.Exception)
	if !ok {
		if err != nil {
			w.Report("uncaught: " + err.Error())
		}
		return err
	}
	w.uncaught(exception.Value())
	return nil
}

// Extend runs a script of the harness. The script's value is a function, which is called with the
// window, the shims and a host object with the given members. Extend returns its result. It must run on
// the loop.
func (w *Window) Extend(name string, source []byte, members map[string]any) (goja.Value, error) {
	host := w.vm.NewObject()
	for member, value := range members {
		_ = host.Set(member, value) // fails only for frozen objects
	}
	return w.extend(name, source, host)
}

func (w *Window) extend(name string, source []byte, host *goja.Object) (goja.Value, error) {
	program, err := Compile(name, source)
	if err != nil {
		return nil, err
	}
	value, err := w.vm.RunProgram(program)
	if err != nil {
		return nil, err
	}
	run, ok := goja.AssertFunction(value)
	if !ok {
		return nil, fmt.Errorf("%s is no function", name)
	}
	return run(goja.Undefined(), w.vm.GlobalObject(), w.shim(), host)
}

// fire fires an event at the window.
func (w *Window) fire(c *class, kind string, fields ...field) {
	w.global.dispatch(w.newEvent(c, kind, fields...), true)
}

// Report calls Options.Report.
func (w *Window) Report(text string) {
	if w.options.Report != nil {
		w.options.Report(text)
	}
}

// Location is the address of the document.
func (w *Window) Location() *url.URL { return w.base }

// Suspend and Resume act as the lid of a laptop; see [Loop.Suspend].
func (w *Window) Suspend()        { w.loop.Suspend() }
func (w *Window) Resume()         { w.loop.Resume() }
func (w *Window) Suspended() bool { return w.loop.Suspended() }

// Close unloads the page: it fires beforeunload, pagehide and unload, calls last on the loop, closes
// WebSockets with 1001 (going away), aborts requests, and waits until every goroutine, timer and
// connection has ended.
func (w *Window) Close(last func()) {
	w.closeOnce.Do(func() { w.unload(last) })
	<-w.loop.done
}

func (w *Window) unload(last func()) {
	w.options.Local.drop(w)
	unloaded := make(chan struct{})
	w.working.Go(func() { w.interruptUntil(unloaded) })
	w.loop.Close(func() {
		w.vm.ClearInterrupt()
		leaving := w.newEvent(eventClass, "beforeunload")
		stateOf[*event](leaving).cancelable = true
		w.global.dispatch(leaving, true)
		w.fire(eventClass, "pagehide")
		w.fire(eventClass, "unload")
		for s := range w.sockets {
			s.goAway()
		}
		if last != nil {
			last()
		}
	})
	close(unloaded)
	w.options.Locks.drop(w)
	late := time.NewTimer(unloadTime)
	for s := range w.sockets {
		s.awaitWritten(late.C)
	}
	late.Stop()
	w.network.close()
	w.working.Wait()
	w.network.wait()
}

// interruptUntil interrupts unload handlers that do not end.
func (w *Window) interruptUntil(unloaded <-chan struct{}) {
	ticker := time.NewTicker(unloadTime)
	defer ticker.Stop()
	for {
		select {
		case <-unloaded:
			return
		case <-ticker.C:
			w.vm.Interrupt("the page did not end its work when it was closed")
		}
	}
}

// randomBytes are those of crypto.
func (w *Window) randomBytes(n int) []byte {
	b := make([]byte, n)
	if !w.options.SeedCrypto || w.options.Random == nil {
		_, _ = rand.Read(b) // documented never to fail
		return b
	}
	for i := range b {
		b[i] = byte(w.options.Random.Uint64())
	}
	return b
}
