package web

import (
	"encoding/base64"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dop251/goja"
)

// host is what the shims' scripts are given to reach Go with. All of it runs on
// the loop.
func (w *Window) host() (*goja.Object, error) {
	location := map[string]string{
		"href":     w.base.String(),
		"origin":   w.origin(),
		"protocol": w.base.Scheme + ":",
		"host":     w.base.Host,
		"hostname": w.base.Hostname(),
		"port":     w.base.Port(),
		"pathname": w.base.Path,
		"search":   prefixed("?", w.base.RawQuery),
		"hash":     prefixed("#", w.base.Fragment),
	}
	milliseconds := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	host := w.vm.NewObject()
	for name, value := range map[string]any{
		"location":      location,
		"userAgent":     UserAgent,
		"timeOrigin":    milliseconds(time.Duration(w.opened.UnixNano())),
		"now":           func() float64 { return milliseconds(time.Since(w.opened)) },
		"report":        w.Report,
		"listChanged":   func() { w.changed = true },
		"setTimer":      w.hostSetTimer,
		"clearTimer":    w.clearTimer,
		"post":          w.hostPost,
		"random":        func(n int) goja.ArrayBuffer { return w.vm.NewArrayBuffer(w.randomBytes(n)) },
		"encode":        func(text string) goja.ArrayBuffer { return w.vm.NewArrayBuffer([]byte(text)) },
		"decode":        func(data goja.ArrayBuffer) string { return decodeUTF8(data.Bytes()) },
		"base64":        func(data goja.ArrayBuffer) string { return base64.StdEncoding.EncodeToString(data.Bytes()) },
		"byteLength":    byteLength,
		"btoa":          w.btoa,
		"atob":          w.atob,
		"resolve":       w.resolve,
		"resolveSocket": w.resolveSocket,
		"openSocket":    w.openSocket,
		"request":       w.hostRequest,
		"lock":          w.hostLock,
	} {
		if err := host.Set(name, value); err != nil {
			return nil, err
		}
	}
	return host, nil
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func (w *Window) hostSetTimer(call goja.FunctionCall) goja.Value {
	task, _ := goja.AssertFunction(call.Argument(0))
	delay := time.Duration(call.Argument(1).ToInteger()) * time.Millisecond
	return w.vm.ToValue(w.setTimer(task, delay, call.Argument(2).ToBoolean()))
}

func (w *Window) hostPost(call goja.FunctionCall) goja.Value {
	task, _ := goja.AssertFunction(call.Argument(0))
	w.loop.Post(func() {
		steps, _ := w.Call(task)
		w.dispatch(steps)
	})
	return goja.Undefined()
}

// decodeUTF8 does as a browser's decoder does: no byte order mark, and U+FFFD for
// what is no UTF-8.
func decodeUTF8(data []byte) string {
	text := strings.TrimPrefix(string(data), "\ufeff")
	if utf8.ValidString(text) {
		return text
	}
	return strings.ToValidUTF8(text, "\ufffd")
}

// byteLength is the length of an ArrayBuffer, or of a text in UTF-8.
func byteLength(value goja.Value) int {
	return len(messageOf(value).data)
}

// throw throws a DOMException of that name into the script.
func (w *Window) throw(name, message string) {
	exception, _ := goja.AssertFunction(w.shim.Get("exception"))
	value, err := exception(goja.Undefined(), w.vm.ToValue(name), w.vm.ToValue(message))
	if err != nil {
		panic(err)
	}
	panic(value)
}

func (w *Window) btoa(text string) string {
	data := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			w.throw("InvalidCharacterError", "btoa: the text has characters outside of Latin1")
		}
		data = append(data, byte(r))
	}
	return base64.StdEncoding.EncodeToString(data)
}

func (w *Window) atob(text string) string {
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune("\t\n\f\r ", r) {
			return -1
		}
		return r
	}, text)
	if len(text)%4 == 0 {
		text = strings.TrimSuffix(strings.TrimSuffix(text, "="), "=")
	}
	data, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		w.throw("InvalidCharacterError", "atob: the text is not base64")
	}
	latin := make([]rune, len(data))
	for i, b := range data {
		latin[i] = rune(b)
	}
	return string(latin)
}
