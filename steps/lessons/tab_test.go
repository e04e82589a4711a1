package lessons

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/network"
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
type tab struct{ chromiumtest.Tab }

// open loads the page in a new tab and waits until it is connected.
func (b *browser) open(t *testing.T, name, url string) *tab {
	t.Helper()
	tab := b.navigate(t, name, url)
	tab.Until("a connection", connected)
	return tab
}

// navigate loads a page in a new tab.
func (b *browser) navigate(t *testing.T, name, url string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	t.Cleanup(cancel)
	tab := &tab{chromiumtest.Open(t, ctx, name)}
	tab.Do(chromedp.Navigate(url))
	return tab
}

func evaluate[T any](p *tab, expression string) T {
	p.T.Helper()
	return chromiumtest.Evaluate[T](p.Tab, expression)
}

// send types the text and presses Enter.
func (p *tab) send(text string) {
	p.T.Helper()
	p.Do(chromedp.SendKeys(chromedp.CSS("#input"), text+"\n"))
}

// Conditions on the page.
const (
	connected    = `document.getElementById("status").className === "on"`
	disconnected = `document.getElementById("status").className === "off"`
	list         = `JSON.stringify(Array.from(document.querySelectorAll("#messages li"), (item) => item.textContent))`
)

// shows waits until the page shows these messages and no others, in this order.
func (p *tab) shows(messages ...string) {
	p.T.Helper()
	text, err := json.Marshal(messages)
	if err != nil {
		p.T.Fatal(err)
	}
	// JavaScript writes both lists, because Go escapes other characters.
	p.Until(fmt.Sprintf("%q", messages), list+" === JSON.stringify("+string(text)+")")
}

// breakConnection clicks the button and waits for the disconnection. The page records its
// states, because it reconnects at once.
func (p *tab) breakConnection() {
	p.T.Helper()
	evaluate[bool](p, `{
		window.statuses = [];
		const status = document.getElementById("status");
		new MutationObserver(() => statuses.push(status.className)).observe(status, { attributes: true });
		true
	}`)
	p.click("#break")
	p.Until("a disconnection", `statuses.includes("off")`)
}

const offline, online = true, false

// network takes the tab offline or online. Offline, the browser notifies the page, closes its
// connections and refuses new ones.
func (p *tab) network(offline bool) {
	p.T.Helper()
	p.Do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
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
