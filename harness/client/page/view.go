package page

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"hash/fnv"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/dop251/goja"

	"redial/harness/client"
	"redial/harness/client/internal/views"
	"redial/harness/client/page/web"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/protocol"
)

//go:embed page.js
var pageScript []byte

// actBound is how long a script of the page may run for an action of the harness.
const actBound = 10 * time.Second

// A view is one page load: a window and its observed state.
type view struct {
	options client.Options
	number  int
	window  *web.Window
	// functions has the functions that page.js returns, with which the harness acts on the
	// page. It belongs to the window's loop, as do the offsets.
	functions *goja.Object
	offsets   map[string]int64
	notes     views.Notes

	mu        sync.Mutex
	loaded    bool // its script has run
	connected bool
	shown     views.List
	answered  map[string]bool // by text, the messages that are acknowledged or refused
}

func newView(options client.Options, number int, profile *Profile, session *web.Storage) (*view, error) {
	v := &view{options: options, number: number, offsets: map[string]int64{}, answered: map[string]bool{}}
	window, err := web.New(web.Options{
		URL: options.URL, Dial: options.Dial, Local: profile.local, Session: session, Locks: profile.locks, Cookies: profile.cookies,
		Random: v.random(), SeedCrypto: options.SeedKeys, Headers: headers(options),
		Report: v.note, AfterTask: v.look,
	})
	if err != nil {
		return nil, err
	}
	v.window = window
	if err := v.install(); err != nil {
		window.Close(nil)
		return nil, err
	}
	return v, nil
}

// random depends on the client and the view, so that no two views draw the same numbers.
func (v *view) random() mathrand.Source {
	name := fnv.New64()
	_, _ = fmt.Fprint(name, v.options.Name, " ", v.number)
	return mathrand.NewPCG(v.options.Seed, name.Sum64())
}

// install runs page.js and starts to watch the list.
func (v *view) install() error {
	var failed error
	err := v.window.Do(context.Background(), func(vm *goja.Runtime) {
		host := v.host()
		if v.options.Protocol != nil {
			host["protocol"] = translation{vm, v.options, &protocol.Cursors{}}.host()
			speaker, err := v.window.Extend("speak.js", speakScript, host)
			if err != nil {
				failed = err
				return
			}
			host["speaker"] = speaker
		}
		functions, err := v.window.Extend("page.js", pageScript, host)
		if err != nil {
			failed = err
			return
		}
		v.functions = functions.ToObject(vm)
		v.window.Watch(contract.MessagesID)
	})
	return errors.Join(err, failed)
}

// host has the values that page.js reads and the functions that it calls.
func (v *view) host() map[string]any {
	return map[string]any{
		"transports":   strings.Join(v.options.Over(), ","),
		"chatEvent":    contract.ChatEvent,
		"authOffset":   contract.AuthOffset,
		"refusalField": contract.RefusalField,
		"formID":       contract.FormID,
		"inputID":      contract.InputID,
		"connected": func(recovered, all bool) {
			v.setConnected(all)
			v.record(history.Event{Kind: history.Connected, Recovered: recovered})
		},
		"disconnected": func(reason string) {
			v.setConnected(false)
			v.record(history.Event{Kind: history.Disconnected, Detail: reason})
		},
		"note":         v.note,
		"connectError": func(text string) { v.note("connect_error: " + text) },
		"offset":       v.receive,
		"acknowledged": func(text string) { v.answer(text, history.Event{Kind: history.Acknowledged, Message: text}) },
		"refused": func(text, why string) {
			v.answer(text, history.Event{Kind: history.Refused, Message: text, Detail: why})
		},
	}
}

func (v *view) record(e history.Event) {
	e.Client, e.View = v.options.Name, v.number
	if v.options.Record != nil {
		v.options.Record(e)
	}
}

// note records a note for the user on one line, up to a bound.
func (v *view) note(text string) {
	if text, ok := v.notes.Next(text); ok {
		v.record(history.Event{Kind: history.Note, Detail: text})
	}
}

// answer records the first answer to a message.
func (v *view) answer(text string, e history.Event) {
	v.mu.Lock()
	again := v.answered[text]
	v.answered[text] = true
	v.mu.Unlock()
	if !again {
		v.look()
		v.record(e)
	}
}

func (v *view) setConnected(connected bool) {
	v.look()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.connected = connected
}

// look records the changes of the list since the last call. It runs after every task and before
// an event is recorded, so that the history has the order in which a user sees the changes.
func (v *view) look() {
	if v.functions == nil {
		return
	}
	from, texts, changed := v.window.Changes()
	if !changed {
		return
	}
	// The status changes before the history, so that a reader of the event finds the status
	// that includes it.
	v.mu.Lock()
	fresh, rewritten := v.shown.Change(0, from, texts)
	v.mu.Unlock()
	if rewritten {
		v.note("the list was rewritten")
	}
	for _, text := range fresh {
		v.record(history.Event{Kind: history.Shown, Message: text, Offset: v.offsets[text]})
		delete(v.offsets, text)
	}
}

// receive is called when a message arrives from the server, before the page handles it. again means
// that the server has sent it before.
func (v *view) receive(text string, offset int64, again bool) {
	if p := v.options.Protocol; p != nil && p.Receive.Opaque {
		offset = 0 // the number of a cursor is valid only within this page
	}
	v.offsets[text] = offset
	if again {
		v.record(history.Event{Kind: history.Repeated, Message: text, Offset: offset})
	}
}

// check returns an error that names the elements that the page lacks.
func (v *view) check(ctx context.Context) error {
	ids := []string{contract.FormID, contract.InputID, contract.MessagesID}
	var missing []string
	err := v.window.Do(ctx, func(vm *goja.Runtime) {
		if value, err := v.call("missing", vm.ToValue(ids)); err == nil {
			_ = vm.ExportTo(value, &missing)
		}
	})
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("it has no element with the id %s", strings.Join(missing, ", nor with "))
	}
	return err
}

// call calls one of functions. It must run on the loop.
func (v *view) call(name string, arguments ...goja.Value) (goja.Value, error) {
	function, ok := goja.AssertFunction(v.functions.Get(name))
	if !ok {
		return nil, fmt.Errorf("page.js has no %s", name)
	}
	return v.window.Call(function, arguments...)
}

// act runs a task on the loop within actBound, and returns the problem that it reports as an error.
func (v *view) act(task func(vm *goja.Runtime) (wrong string)) error {
	if v.window.Suspended() {
		return errors.New("the page is suspended")
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), actBound, fmt.Errorf("the page's script did not end within %s", actBound))
	defer cancel()
	var wrong string
	if err := v.window.Do(ctx, func(vm *goja.Runtime) { wrong = task(vm) }); err != nil {
		if errors.Is(err, web.ErrClosed) {
			err = client.ErrNotOpen
		}
		return err
	}
	if wrong != "" {
		return errors.New(wrong)
	}
	return context.Cause(ctx)
}

func (v *view) typeAndSubmit(text string) error {
	if p := v.options.Protocol; p != nil && p.Send == nil {
		return errors.New("the protocol has no event for it: clients send no messages")
	}
	return v.act(func(vm *goja.Runtime) string {
		wrong, err := v.call("type", vm.ToValue(text))
		if err != nil {
			return err.Error()
		}
		if wrong != nil && wrong.String() != "" {
			return wrong.String()
		}
		v.record(history.Event{Kind: history.Sent, Message: text})
		_, _ = v.call("submit") // an exception of the page is noted already
		return ""
	})
}

func (v *view) control(what string) error {
	return v.act(func(*goja.Runtime) string {
		wrong, err := v.call(what)
		if err != nil || wrong == nil {
			return "the page's script was stopped"
		}
		return wrong.String()
	})
}

func (v *view) setLoaded() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.loaded = true
}

func (v *view) status(s *client.Status) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s.Open, s.Connected, s.Shown = v.loaded, v.connected, v.shown.Len()
}

// close leaves the page as a browser does. It returns when all goroutines and connections of the
// page have ended.
func (v *view) close(left func()) {
	v.window.Close(func() {
		v.look()
		v.record(history.Event{Kind: history.Closed})
		left()
	})
}
