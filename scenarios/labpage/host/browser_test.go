package host

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"redial/harness/client/browser/chromiumtest"
	"redial/scenarios/labpage"
)

// A tab is the lab page in Chromium.
type tab struct {
	chromiumtest.Tab
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
	page := chromiumtest.Open(t, chromiumtest.Start(t), "the page")
	server := httptest.NewServer(handler(t))
	t.Cleanup(server.Close)
	return &tab{Tab: page, url: server.URL}
}

func (p *tab) open(rest string) {
	p.T.Helper()
	p.Do(chromedp.Navigate("about:blank"), chromedp.Navigate(p.url+"/"+rest))
	p.rest()
}

// rest waits until everything that was requested is played and drawn.
func (p *tab) rest() {
	p.T.Helper()
	p.Until("the end of the run", `document.documentElement.dataset.ready && !document.documentElement.dataset.busy`)
}

func get[T any](p *tab, expression string) T {
	p.T.Helper()
	return chromiumtest.Evaluate[T](p.Tab, expression)
}

// press clicks the element with the selector, which must exist and be enabled, and waits for
// the result.
func (p *tab) press(selector string) {
	p.T.Helper()
	told := get[string](p, fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		if (!e) return "there is no " + %[1]q;
		if (e.disabled) return "it is disabled: " + %[1]q;
		for (let d = e.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
		e.click();
		return "";
	})()`, selector))
	if told != "" {
		p.T.Fatal(told)
	}
	p.looked("press " + selector)
}

// click clicks what the pointer can hit of a sign in the story, if it is drawn.
func (p *tab) click(selector string) {
	p.T.Helper()
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
	p.T.Helper()
	p.rest()
	if p.after != nil {
		p.after(state)
	}
}

// set sets the value of a control.
func (p *tab) set(selector, value string) {
	p.T.Helper()
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
	p.T.Helper()
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
	p.T.Helper()
	var d labpage.Document
	if err := json.Unmarshal([]byte(get[string](p, `JSON.stringify(lab.doc)`)), &d); err != nil {
		p.T.Fatal(err)
	}
	return d
}

// play plays the page's document again, without the page.
func (p *tab) play() labpage.Response {
	p.T.Helper()
	d := p.document()
	text, err := json.Marshal(d.Plan)
	if err != nil {
		p.T.Fatal(err)
	}
	return labpage.Play(context.Background(), labpage.Request{Step: d.Step, Plan: text})
}
