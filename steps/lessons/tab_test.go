package lessons

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"redial/harness/client/browser/chromiumtest"
)

// A browser is a Chromium without a window. The tests use chromedp, which needs nothing to be
// installed beside Chromium.
type browser struct {
	ctx context.Context
}

// startBrowser skips the test if Chromium or the bundle is missing.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	if _, err := Bundle(); err != nil {
		t.Skip(err)
	}
	return &browser{chromiumtest.Start(t)}
}

// A tab is one page and its user.
type tab struct {
	t    *testing.T
	name string
	ctx  context.Context
}

// open loads the page in a new tab and waits until it is connected.
func (b *browser) open(t *testing.T, name, url string) *tab {
	t.Helper()
	tab := b.navigate(t, name, url)
	tab.until("a connection", connected)
	return tab
}

// navigate loads a page in a new tab.
func (b *browser) navigate(t *testing.T, name, url string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	t.Cleanup(cancel)
	tab := &tab{t, name, ctx}
	err := chromedp.Listen(ctx, func(event any) {
		if thrown, ok := event.(*runtime.EventExceptionThrown); ok {
			t.Errorf("%s: the page's script threw: %s %+v", name, thrown.ExceptionDetails.Text, thrown.ExceptionDetails.Exception)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	tab.do(chromedp.Navigate(url))
	return tab
}

// do runs actions.
func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%s: %v; %s", p.name, err, p.state())
	}
}

func evaluate[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %s: %v", p.name, expression, err)
	}
	return value
}

// send types the text and presses Enter.
func (p *tab) send(text string) {
	p.t.Helper()
	p.do(chromedp.SendKeys(chromedp.CSS("#input"), text+"\n"))
}

// Conditions on the page.
const (
	connected    = `document.getElementById("status").className === "on"`
	disconnected = `document.getElementById("status").className === "off"`
	list         = `JSON.stringify(Array.from(document.querySelectorAll("#messages li"), (item) => item.textContent))`
)

// until waits for a condition, which is evaluated whenever the page changes.
func (p *tab) until(what, condition string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromiumtest.Until(ctx, condition, chromedp.WithPollingMutation()); err != nil {
		p.t.Fatalf("%s waits for %s: %v; %s", p.name, what, err, p.state())
	}
}

// shows waits until the page shows these messages and no others, in this order.
func (p *tab) shows(messages ...string) {
	p.t.Helper()
	text, err := json.Marshal(messages)
	if err != nil {
		p.t.Fatal(err)
	}
	// JavaScript writes both lists, because Go escapes other characters.
	p.until(fmt.Sprintf("%q", messages), list+" === JSON.stringify("+string(text)+")")
}

// state describes the page for a failed test.
func (p *tab) state() string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.getElementById("status").textContent + ", " + `+list))
	if err != nil {
		return "the state of the page is unknown: " + err.Error()
	}
	return "the page is " + text
}

// breakConnection clicks the button and waits for the disconnection. The page records its
// states, because it reconnects at once.
func (p *tab) breakConnection() {
	p.t.Helper()
	evaluate[bool](p, `{
		window.statuses = [];
		const status = document.getElementById("status");
		new MutationObserver(() => statuses.push(status.className)).observe(status, { attributes: true });
		true
	}`)
	p.click("#break")
	p.until("a disconnection", `statuses.includes("off")`)
}

const offline, online = true, false

// network takes the tab offline or online. Offline, the browser notifies the page, closes its
// connections and refuses new ones.
func (p *tab) network(offline bool) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := chromedp.Call(ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1}},
		})
		if err != nil {
			return err
		}
		_, err = chromedp.Call(ctx, network.OverrideNetworkState, network.OverrideNetworkStateParams{
			Offline: offline, DownloadThroughput: -1, UploadThroughput: -1,
		})
		return err
	}))
}

// emulate sets a preference of the user.
func (p *tab) emulate(feature *emulation.MediaFeature) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{feature}})
		return err
	}))
}
