package page

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/dop251/goja"

	"redial/harness/client"
	"redial/harness/contract"
	"redial/harness/protocol"
)

//go:embed speak.js
var speakScript []byte

// A translation has the functions of the protocol that speak.js calls. It belongs to the window's
// loop.
type translation struct {
	vm      *goja.Runtime
	options client.Options
	cursors *protocol.Cursors
}

// host is the protocol for speak.js. Functions for which the application has no events are left out.
func (s translation) host() map[string]any {
	p := s.options.Protocol
	host := map[string]any{
		"path": p.Path, "namespace": p.Namespace, "namesOffset": p.NamesOffset(),
		"reconnects": p.Reconnects, "noEcho": p.NoEcho, "noAck": p.Send != nil && p.Send.NoAck,
		"steps": s.steps(), "enter": func(at int, values *goja.Object) goja.Value { return s.fill(p.Enter[at].Emit, values) },
		"pick": s.pick, "read": s.read, "awaited": s.value(anys(p.Awaited())),
	}
	template := func(name string, template any) {
		host[name] = func(values *goja.Object) goja.Value { return s.fill(template, values) }
	}
	if len(p.Auth) > 0 {
		template("auth", p.Auth)
	}
	if len(p.Query) > 0 {
		template("query", p.Query)
	}
	if len(p.Headers) > 0 {
		template("extraHeaders", p.Headers)
	}
	if p.Send != nil {
		template("message", slices.Concat([]any{p.Send.Event}, p.Send.Args))
	}
	if p.Send != nil && !p.Send.NoAck {
		host["refusal"] = s.refusal
	}
	if len(p.Learn) > 0 {
		host["learned"] = s.learned
	}
	return host
}

func (s translation) steps() goja.Value {
	steps := []any{}
	for _, step := range s.options.Protocol.Enter {
		steps = append(steps, map[string]any{"emits": len(step.Emit) > 0, "ack": step.Ack, "await": step.Await, "saves": len(step.Save) > 0, "unrecovered": step.Unrecovered})
	}
	return s.value(steps)
}

// clientPath is the path at which the server offers the client library with the protocol's parser.
func clientPath(p *protocol.Protocol) string {
	if p == nil {
		return contract.ClientPath
	}
	file := path.Base(contract.ClientPath)
	if p.Parser == protocol.MessagePack {
		file = "socket.io.msgpack.min.js"
	}
	return strings.TrimSuffix(cmp.Or(p.Path, path.Dir(contract.ClientPath)), "/") + "/" + file
}

// headers are those of the requests for the page and its scripts.
func headers(options client.Options) map[string]string {
	if options.Protocol == nil {
		return nil
	}
	headers := map[string]string{}
	filled, _ := protocol.Fill(options.Protocol.Headers, names(options, nil)).(map[string]any)
	for name, value := range filled {
		headers[name] = fmt.Sprint(value)
	}
	return headers
}

// fill fills a template. Values of the page pass unchanged, so that a JavaScript object keeps the
// order of its fields.
func (s translation) fill(template any, values *goja.Object) goja.Value {
	known := names(s.options, values)
	if number, ok := known[protocol.Offset].(goja.Value); ok && s.options.Protocol.Receive.Opaque {
		s.cursors.Offset(known, number.ToInteger())
	}
	return s.value(protocol.Fill(template, known))
}

// names returns the values that templates of this client can use.
func names(options client.Options, more *goja.Object) protocol.Values {
	values := protocol.Values{protocol.Client: options.Name}
	if options.Other != "" {
		values[protocol.Other] = options.Other
	}
	if more != nil {
		for _, name := range more.Keys() {
			values[name] = more.Get(name)
		}
	}
	return values
}

// read is Protocol.Read.
func (s translation) read(event string, args []goja.Value) goja.Value {
	decoded, objects := decode(args)
	messages, whole := s.options.Protocol.Read(event, decoded)
	s.cursors.Number(messages)
	list := []any{}
	for _, m := range messages {
		message := map[string]any{"text": objects.original(m.Text)}
		if m.Numbered {
			message["offset"] = m.Offset
		}
		list = append(list, message)
	}
	return s.value(map[string]any{"messages": list, "whole": whole})
}

// refusal translates an acknowledgement that refuses a message to that of the tutorial's server. It
// returns undefined for any other.
func (s translation) refusal(args []goja.Value) goja.Value {
	decoded, objects := decode(args)
	reason, refused := s.options.Protocol.Send.Refusal(decoded)
	if !refused {
		return goja.Undefined()
	}
	return s.value(map[string]any{contract.RefusalField: objects.original(reason)})
}

// pick returns the values that a step of Enter saves from an event or an acknowledgement.
func (s translation) pick(at int, args []goja.Value) goja.Value {
	decoded, objects := decode(args)
	found, missing := map[string]any{}, []any{}
	save := s.options.Protocol.Enter[at].Save
	for _, name := range slices.Sorted(maps.Keys(save)) {
		if value, ok := save[name].First(decoded); ok {
			found[name] = objects.original(value)
		} else {
			missing = append(missing, name)
		}
	}
	return s.value(map[string]any{"found": found, "missing": missing})
}

// learned returns the values that the protocol learns from an event, or undefined if the event is
// not one of those.
func (s translation) learned(event string, args []goja.Value, values *goja.Object) goja.Value {
	if !s.options.Protocol.Learns(event) {
		return goja.Undefined()
	}
	decoded, objects := decode(args)
	found := map[string]any{}
	for name, value := range s.options.Protocol.Learned(event, decoded, names(s.options, values)) {
		found[name] = objects.original(value)
	}
	return s.value(found)
}

// anys converts a list for value.
func anys(of []string) []any {
	list := make([]any, len(of))
	for i, one := range of {
		list[i] = one
	}
	return list
}

// value converts a result of package protocol to JavaScript. Maps become native objects, because
// the library inspects them, with their fields in a fixed order.
func (s translation) value(of any) goja.Value {
	switch of := of.(type) {
	case []any:
		items := make([]any, len(of))
		for i, item := range of {
			items[i] = s.value(item)
		}
		return s.vm.NewArray(items...)
	case map[string]any:
		object := s.vm.NewObject()
		for _, field := range slices.Sorted(maps.Keys(of)) {
			_ = object.Set(field, s.value(of[field])) // fails on frozen objects only
		}
		return object
	}
	return s.vm.ToValue(of)
}

// objects has, by address, the JavaScript objects and arrays from which maps and slices were
// decoded. A message that is an object is shown with its fields in the order in which they arrived,
// which a map does not have.
type objects map[uintptr]goja.Value

// decode returns the values as package json would decode them. Values that JSON does not have, such
// as bytes, stay JavaScript values.
func decode(values []goja.Value) ([]any, objects) {
	known, list := objects{}, make([]any, len(values))
	for i, value := range values {
		list[i] = known.decode(value)
	}
	return list, known
}

func (known objects) decode(value goja.Value) any {
	object, ok := value.(*goja.Object)
	if !ok {
		return value.Export()
	}
	switch object.ExportType() {
	case reflect.TypeFor[[]any]():
		length := int(object.Get("length").ToInteger())
		list := make([]any, length, length+1) // so that an empty list has a unique address too
		for i := range list {
			list[i] = known.decode(object.Get(strconv.Itoa(i)))
		}
		known[reflect.ValueOf(list).Pointer()] = value
		return list
	case reflect.TypeFor[map[string]any]():
		fields := map[string]any{}
		for _, field := range object.Keys() {
			fields[field] = known.decode(object.Get(field))
		}
		known[reflect.ValueOf(fields).Pointer()] = value
		return fields
	}
	return value
}

// original is the JavaScript value from which a value was decoded.
func (known objects) original(decoded any) any {
	if kind := reflect.ValueOf(decoded); kind.Kind() == reflect.Map || kind.Kind() == reflect.Slice {
		if value, ok := known[kind.Pointer()]; ok {
			return value
		}
	}
	return decoded
}
