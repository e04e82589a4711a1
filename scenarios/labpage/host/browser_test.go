package host

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"redial/harness/client/browser/chromiumtest"
	"redial/scenarios/labpage"
)

const patience = time.Minute

// A tab is the lab page in Chromium.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string
	// after, if set, looks at the page after each press, click and set.
	after func(state string)
}

// A back is the lab that plays for the page.
type back struct {
	name string
	open func(t *testing.T) *tab
}

var backs = []back{{"native", openLab}, {"WebAssembly", openStatic}}

// openLab opens the page with the native lab, or skips the test if Chromium is missing.
func openLab(t *testing.T) *tab {
	t.Helper()
	p := serving(t, handler)
	p.open("?lang=en")
	return p
}

func handler(*testing.T) http.Handler { return Handler() }

// serving starts a browser and the server of the page.
func serving(t *testing.T, handler func(*testing.T) http.Handler) *tab {
	t.Helper()
	ctx := chromium(t)
	server := httptest.NewServer(handler(t))
	t.Cleanup(server.Close)
	return &tab{t: t, ctx: ctx, url: server.URL}
}

// chromium starts a browser with one tab. An exception in the tab fails the test.
func chromium(t *testing.T) context.Context {
	t.Helper()
	ctx := chromiumtest.Start(t)
	err := chromedp.Listen(ctx, func(event any) {
		if thrown, ok := event.(*runtime.EventExceptionThrown); ok {
			t.Errorf("the page's script threw: %s %+v", thrown.ExceptionDetails.Text, thrown.ExceptionDetails.Exception)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

func (p *tab) open(rest string) {
	p.t.Helper()
	p.do(chromedp.Navigate("about:blank"), chromedp.Navigate(p.url+"/"+rest))
	p.rest()
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%v; the page is %s", err, p.state())
	}
}

// state describes a page that does not reach the expected state.
func (p *tab) state() string {
	ctx, cancel := context.WithTimeout(p.ctx, time.Second)
	defer cancel()
	state, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + " " + document.readyState + " " + JSON.stringify(document.documentElement.dataset)`))
	if err != nil {
		return err.Error()
	}
	return state
}

// rest waits until everything that was requested is played and drawn.
func (p *tab) rest() {
	p.t.Helper()
	p.until(`document.documentElement.dataset.ready && !document.documentElement.dataset.busy`)
}

func (p *tab) until(condition string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromiumtest.Until(ctx, condition, chromedp.WithPollingInterval(20*time.Millisecond)); err != nil {
		p.t.Fatalf("%s: %v; the page is %s", condition, err, p.state())
	}
}

func get[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// press clicks the element with the selector, which must exist and be enabled, and waits for
// the result.
func (p *tab) press(selector string) {
	p.t.Helper()
	told := get[string](p, fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		if (!e) return "there is no " + %[1]q;
		if (e.disabled) return "it is disabled: " + %[1]q;
		for (let d = e.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
		e.click();
		return "";
	})()`, selector))
	if told != "" {
		p.t.Fatal(told)
	}
	p.looked("press " + selector)
}

// click clicks what the pointer can hit of a sign in the story, if it is drawn.
func (p *tab) click(selector string) {
	p.t.Helper()
	get[bool](p, fmt.Sprintf(`(() => {
		document.getElementById("story").scrollIntoView({ block: "center" });
		for (const e of document.querySelectorAll("#story " + %q)) {
			const b = e.getBoundingClientRect();
			const at = { clientX: b.left + b.width / 2, clientY: b.top + b.height / 2 };
			const hit = document.elementFromPoint(at.clientX, at.clientY);
			if (!e.contains(hit)) continue;
			for (const type of ["pointerdown", "pointerup"]) hit.dispatchEvent(new PointerEvent(type, { bubbles: true, button: 0, pointerId: 1, ...at }));
			return true;
		}
		return false;
	})()`, selector))
	p.looked("click " + selector)
}

func (p *tab) looked(state string) {
	p.t.Helper()
	p.rest()
	if p.after != nil {
		p.after(state)
	}
}

// set sets the value of a control.
func (p *tab) set(selector, value string) {
	p.t.Helper()
	get[bool](p, fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		e.value = %q;
		e.dispatchEvent(new Event("input", { bubbles: true }));
		e.dispatchEvent(new Event("change", { bubbles: true }));
		return true;
	})()`, selector, value))
	p.looked("set " + selector + " to " + value)
}

// cursor moves the scrubber to an instant, in milliseconds.
func (p *tab) cursor(at float64) {
	p.t.Helper()
	p.press("#whole")
	x := get[float64](p, fmt.Sprintf(`(() => {
		const { points } = JSON.parse(document.querySelector("#story svg").dataset.axis);
		const i = points.findIndex(([t]) => t >= %f);
		const [a, b] = [points[i - 1], points[i]];
		return a[1] + ((%[1]f - a[0]) / (b[0] - a[0])) * (b[1] - a[1]);
	})()`, at*1e6))
	p.set("#scrubber", fmt.Sprint(x))
}

// document returns the page's document.
func (p *tab) document() labpage.Document {
	p.t.Helper()
	var d labpage.Document
	if err := json.Unmarshal([]byte(get[string](p, `JSON.stringify(lab.doc)`)), &d); err != nil {
		p.t.Fatal(err)
	}
	return d
}

// play plays the page's document again, without the page.
func (p *tab) play() labpage.Response {
	p.t.Helper()
	d := p.document()
	text, err := json.Marshal(d.Plan)
	if err != nil {
		p.t.Fatal(err)
	}
	return labpage.Play(context.Background(), labpage.Request{Step: d.Step, Plan: text})
}
