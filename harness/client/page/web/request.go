package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"

	"github.com/dop251/goja"
)

// hostRequest(method, address, headers, body, handle) starts a request. It returns an object
// with which to abort it.
func (w *Window) hostRequest(call goja.FunctionCall) goja.Value {
	var headers map[string]string
	address, err := url.Parse(call.Argument(1).String())
	if err == nil {
		err = w.vm.ExportTo(call.Argument(2), &headers)
	}
	if err != nil {
		panic(w.vm.NewGoError(err))
	}
	var body []byte
	if !goja.IsNull(call.Argument(3)) {
		body = w.messageOf(call.Argument(3)).data
	}
	handle, _ := goja.AssertFunction(call.Argument(4))

	ctx, cancel := context.WithCancel(w.network.ctx)
	request, err := http.NewRequestWithContext(ctx, call.Argument(0).String(), address.String(), bytes.NewReader(body))
	if err != nil {
		cancel()
		panic(w.vm.NewGoError(err))
	}
	request.Header.Set("User-Agent", UserAgent)
	request.Header.Set("Referer", w.base.String())
	if request.Method != http.MethodGet && request.Method != http.MethodHead {
		request.Header.Set("Origin", w.origin())
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	// A browser retries any request, also a POST, if its connection was used before and is closed
	// without an answer, so a server may receive it twice. net/http retries a POST with this
	// header; an empty one is not sent.
	request.Header["Idempotency-Key"] = []string{}
	own := w.isOwn("a request", address)
	place := w.nextPlace()
	request = request.WithContext(place.trace(ctx))
	w.working.Go(func() {
		defer cancel()
		defer place.end()
		place.await(ctx)
		w.request(request, own, handle)
	})
	native := w.vm.NewObject()
	_ = native.Set("abort", cancel) // fails only for frozen objects
	return native
}

// A place is that of a request or a WebSocket in the order in which the page started them. The next one
// begins when this one has its connection or has ended, so that the scheduler does not decide which of
// two takes a free connection.
type place struct {
	before <-chan struct{} // closed when it is its turn
	once   sync.Once
	done   chan struct{}
}

// nextPlace must run on the loop.
func (w *Window) nextPlace() *place {
	p := &place{before: w.lastPlace, done: make(chan struct{})}
	w.lastPlace = p.done
	return p
}

// await waits for the turn, or until ctx ends.
func (p *place) await(ctx context.Context) {
	if p.before == nil {
		return
	}
	select {
	case <-p.before:
	case <-ctx.Done():
	}
}

// end lets the next one begin.
func (p *place) end() { p.once.Do(func() { close(p.done) }) }

// trace makes a context that ends the place when the request has its connection.
func (p *place) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { p.end() }})
}

// request sends the request and calls handle with headers and then done, or with failed.
func (w *Window) request(request *http.Request, own bool, handle goja.Callable) {
	failed := func() { w.tell(handle, func() []any { return []any{"failed"} }) }
	if !own {
		failed()
		return
	}
	response, err := w.client.Do(request)
	if err != nil {
		failed()
		return
	}
	defer response.Body.Close()
	w.tell(handle, func() []any {
		status := strings.TrimPrefix(response.Status, fmt.Sprint(response.StatusCode, " "))
		return []any{"headers", response.StatusCode, status, response.Request.URL.String(), visible(response.Header)}
	})
	body, err := io.ReadAll(io.LimitReader(response.Body, largestMessage+1))
	if err != nil || len(body) > largestMessage {
		failed()
		return
	}
	w.tell(handle, func() []any { return []any{"done", w.vm.NewArrayBuffer(body)} })
}

// tell calls handle on the loop with what arguments returns there.
func (w *Window) tell(handle goja.Callable, arguments func() []any) {
	_ = w.loop.Do(context.Background(), func() {
		var values []goja.Value
		for _, argument := range arguments() {
			values = append(values, w.vm.ToValue(argument))
		}
		_, _ = w.Call(handle, values...)
	})
}

// visible returns the headers that a script may read.
func visible(header http.Header) map[string]string {
	visible := map[string]string{}
	for name, all := range header {
		if name != "Set-Cookie" && name != "Set-Cookie2" {
			visible[name] = strings.Join(all, ", ")
		}
	}
	return visible
}
