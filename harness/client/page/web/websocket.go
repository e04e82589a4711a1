package web

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/dop251/goja"
)

// The states of a WebSocket.
const (
	socketConnecting = iota
	socketOpen
	socketClosing
	socketClosed
)

// A scriptSocket is the part of a socket that scripts see. It belongs to the loop.
type scriptSocket struct {
	object     *object
	url        string
	state      int
	binaryType string
	protocol   string
	dropped    int64
}

var socketClass = newClass("WebSocket", targetClass, makeSocket, members{
	"url":            of(func(s *socket) any { return s.script.url }),
	"readyState":     of(func(s *socket) any { return s.script.state }),
	"protocol":       of(func(s *socket) any { return s.script.protocol }),
	"extensions":     constant(""),
	"bufferedAmount": of(func(s *socket) any { return s.buffered() + s.script.dropped }),
	"CONNECTING":     constant(socketConnecting),
	"OPEN":           constant(socketOpen),
	"CLOSING":        constant(socketClosing),
	"CLOSED":         constant(socketClosed),
	"binaryType": settable(func(s *socket) any { return s.script.binaryType }, func(s *socket, given goja.Value) {
		if kind := text(given); kind == "blob" || kind == "arraybuffer" {
			s.script.binaryType = kind
		}
	}),
	"send": does(func(s *socket, given arguments) any { s.scriptSend(given.Argument(0)); return nil }),
	"close": does(func(s *socket, given arguments) any {
		s.scriptClose(given.Argument(0), given.Argument(1))
		return nil
	}),
}, handlers("open", "message", "error", "close")).with("CONNECTING", "OPEN", "CLOSING", "CLOSED")

// makeSocket is new WebSocket(url, protocols).
func makeSocket(o *object, arguments []goja.Value) {
	w := o.window
	if len(arguments) == 0 {
		panic(w.vm.NewTypeError("a WebSocket needs a URL"))
	}
	address := w.resolveSocket(text(arguments[0]))
	parsed, err := url.Parse(address)
	if address == "" || err != nil {
		w.throw("SyntaxError", fmt.Sprintf("the URL '%s' is no WebSocket address", text(arguments[0])))
	}
	var protocols []string
	if len(arguments) > 1 {
		protocols = w.protocols(arguments[1])
	}
	s := w.openSocket(parsed, protocols)
	s.script = scriptSocket{object: o, url: address, binaryType: "blob"}
	o.state = s
}

func (w *Window) protocols(given goja.Value) (all []string) {
	if goja.IsUndefined(given) {
		return nil
	}
	if _, isObject := given.(*goja.Object); !isObject {
		return []string{text(given)}
	}
	if err := w.vm.ExportTo(given, &all); err != nil {
		panic(w.vm.NewGoError(err))
	}
	sorted := slices.Sorted(slices.Values(all))
	if len(slices.Compact(sorted)) < len(all) {
		w.throw("SyntaxError", "a subprotocol is named twice")
	}
	return all
}

func (s *socket) scriptSend(given goja.Value) {
	if s.script.state == socketConnecting {
		s.window.throw("InvalidStateError", "still in CONNECTING state")
	}
	m := s.window.messageOf(given)
	if s.script.state == socketOpen {
		s.send(m)
		return
	}
	s.script.dropped += int64(len(m.data))
}

func (s *socket) scriptClose(code, reason goja.Value) {
	w, number, why := s.window, int64(0), ""
	if !goja.IsUndefined(code) {
		if number = code.ToInteger(); number != 1000 && (number < 3000 || number > 4999) {
			w.throw("InvalidAccessError", fmt.Sprintf("the close code must be 1000 or between 3000 and 4999; %d is neither", number))
		}
	}
	if !goja.IsUndefined(reason) {
		if why = text(reason); len(why) > 123 {
			w.throw("SyntaxError", "the close reason is longer than 123 bytes")
		}
	}
	state := s.script.state
	if state >= socketClosing {
		return
	}
	s.script.state = socketClosing
	if state == socketConnecting {
		s.cancel()
		return
	}
	if number == 0 && why != "" {
		number = 1000
	}
	s.close(int(number), why)
}

// The methods below run on the loop.

func (s *socket) fire(c *class, kind string, fields ...field) {
	o := s.script.object
	o.dispatch(s.window.newEvent(c, kind, fields...), true)
}

func (s *socket) opened() {
	if s.script.state != socketConnecting {
		return
	}
	s.script.state, s.script.protocol = socketOpen, s.conn.Subprotocol()
	s.fire(eventClass, "open")
}

func (s *socket) arrived(binary bool, data string) {
	if s.script.state != socketOpen {
		return
	}
	vm := s.window.vm
	var message goja.Value
	switch {
	case !binary:
		message = vm.ToValue(data)
	case s.script.binaryType == "blob":
		message = s.window.newBlob([]byte(data))
	default:
		message = vm.ToValue(vm.NewArrayBuffer([]byte(data)))
	}
	s.fire(messageEvent, "message", field{"data", message}, field{"origin", vm.ToValue(strings.Replace(s.window.origin(), "http", "ws", 1))})
}

func (s *socket) closed(failed bool, code int, reason string, wasClean bool) {
	vm := s.window.vm
	s.script.state = socketClosed
	if failed {
		s.fire(eventClass, "error")
	}
	s.fire(closeEvent, "close", field{"code", vm.ToValue(code)}, field{"reason", vm.ToValue(reason)}, field{"wasClean", vm.ToValue(wasClean)})
}
