package chromiumtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// bound bounds each call of a Tab.
const bound = time.Minute

// A Tab is a page that a test operates. A call that takes longer than a minute fails the test.
type Tab struct {
	T   testing.TB
	Ctx context.Context
	// Name is for the messages of a failed test.
	Name string
}

// Open returns the tab of a context. An exception in a script of its pages fails the test.
func Open(t testing.TB, tab context.Context, name string) Tab {
	t.Helper()
	err := chromedp.Listen(tab, func(event any) {
		if thrown, ok := event.(*runtime.EventExceptionThrown); ok {
			t.Errorf("%s: the page's script threw: %s %+v", name, thrown.ExceptionDetails.Text, thrown.ExceptionDetails.Exception)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return Tab{t, tab, name}
}

// Do runs actions.
func (p Tab) Do(actions ...chromedp.Action[chromedp.Void]) {
	p.T.Helper()
	ctx, cancel := context.WithTimeout(p.Ctx, bound)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.T.Fatalf("%s: %v; %s", p.Name, err, p.state())
	}
}

// Evaluate returns the value of a JavaScript expression, or that of its promise.
func Evaluate[T any](p Tab, expression string) T {
	p.T.Helper()
	ctx, cancel := context.WithTimeout(p.Ctx, bound)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.T.Fatalf("%s: %.500s: %v", p.Name, expression, err)
	}
	return value
}

// Until waits until the JavaScript condition holds on the page. chromedp's Poll ends with an error
// of the protocol when the page is replaced, also by a navigation that chromedp already counts as
// complete; Until then waits on the next page.
func (p Tab) Until(what, condition string) {
	p.T.Helper()
	ctx, cancel := context.WithTimeout(p.Ctx, bound)
	defer cancel()
	const often = 20 * time.Millisecond
	for {
		err := chromedp.Do(ctx, chromedp.Poll[chromedp.Void](condition, chromedp.WithPollingInterval(often), chromedp.WithPollingTimeout(0)))
		if err == nil {
			return
		}
		if replaced := new(cdproto.Error); !errors.As(err, &replaced) || ctx.Err() != nil {
			p.T.Fatalf("%s waits for %s: %v; %s", p.Name, what, err, p.state())
		}
		time.Sleep(often)
	}
}

// Emulate sets a preference of the user, which is a media feature of CSS.
func (p Tab) Emulate(feature, value string) {
	p.T.Helper()
	p.Do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: feature, Value: value}},
		})
		return err
	}))
}

// state describes the page for a failed test.
func (p Tab) state() string {
	ctx, cancel := context.WithTimeout(p.Ctx, 10*time.Second)
	defer cancel()
	state, err := chromedp.Run(ctx, chromedp.Evaluate[string](`[location.href, document.readyState, JSON.stringify(document.documentElement.dataset),
		document.body?.innerText.slice(0, 1000)].join(" ")`))
	if err != nil {
		return "the state of the page is unknown: " + err.Error()
	}
	return "the page is " + state
}
