//go:build !race

package peers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"redial/harness/client/browser/chromiumtest"
	"redial/harness/contract"
)

// A shapePage is an application's page in a tab.
type shapePage struct{ chromiumtest.Tab }

func openPage(t *testing.T, browser context.Context, url string) shapePage {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	p := shapePage{chromiumtest.Open(t, ctx, "the page")}
	p.Do(chromedp.Navigate(url))
	return p
}

// types types into a field and presses Enter.
func (p shapePage) types(field, text string) {
	p.T.Helper()
	p.Do(chromedp.SendKeys(chromedp.CSS(field), text+"\n"))
}

// shows waits until the page shows exactly these messages in this order.
func (p shapePage) shows(texts ...string) {
	p.T.Helper()
	const list = `JSON.stringify(Array.from(document.querySelectorAll("#messages li"), (item) => item.textContent))`
	want, err := json.Marshal(texts)
	if err != nil {
		p.T.Fatal(err)
	}
	p.Until(fmt.Sprintf("%q", texts), fmt.Sprintf("%s === JSON.stringify(%s)", list, want))
}

// TestShapesInChromium tests the applications' pages in one browser.
func TestShapesInChromium(t *testing.T) {
	if _, err := nodePeer(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	browser := chromiumtest.Start(t)
	for _, folder := range []string{"node/chat", "node/private", "node/msgpack", "node/balanced", "node/react", "node/tutorial/step6"} {
		t.Run(folder, func(t *testing.T) { chatsOnPages(t, browser, folder) })
	}
	t.Run("react, with the usual mistake", func(t *testing.T) { showsTwice(t, browser) })
	t.Run("private, after the token has expired", func(t *testing.T) { logsInAgain(t, browser) })
	t.Run("node/ticker/replay", func(t *testing.T) { showsTicks(t, browser) })
}

// chatsOnPages opens an application's page twice, and sends a message from one page to the
// other. The message is markup, which the page must show as text.
func chatsOnPages(t *testing.T, browser context.Context, folder string) {
	a := startApplication(t, folder)
	alice, bob := openPage(t, browser, a.url(0)), openPage(t, browser, a.url(0))
	login(folder, alice, "alice", "bob")
	login(folder, bob, "bob", "alice")
	bob.types("#input", "bob is here")
	alice.shows("bob is here")
	alice.types("#input", markup)
	alice.shows("bob is here", markup)
	bob.shows("bob is here", markup)
	if !a.file.Level.AtLeast(contract.ServerDelivery) {
		return
	}
	bob.Do(chromedp.Reload())
	bob.shows("bob is here", markup)
	alice.types("#input", "once")
	bob.shows("bob is here", markup, "once")
}

// login fills in the form of the applications that have one, and waits until the page is
// connected. A message cannot be awaited instead, because not every server has a history.
func login(folder string, p shapePage, name, other string) {
	p.T.Helper()
	switch folder {
	case "node/private":
		p.Do(chromedp.SendKeys(chromedp.CSS("#to"), other))
		p.types("#username", name)
	case "node/chat":
		p.types("#username", name)
	}
	p.Do(chromedp.WaitVisible(chromedp.CSS("#input")))
	// The React page keeps its socket in a module, and has a history.
	p.Until("a connection", `typeof socket === "undefined" || socket.connected`)
}

// showsTwice opens the React page as it is, and with a usual mistake that shows messages
// twice.
func showsTwice(t *testing.T, browser context.Context) {
	a := startApplication(t, "node/react")
	right, wrong := openPage(t, browser, a.url(0)), openPage(t, browser, a.url(0)+"/?mistake")
	right.types("#input", "one")
	right.shows("one")
	wrong.shows("one", "one")
	right.types("#input", "two")
	right.shows("one", "two")
	wrong.shows("one", "one", "two", "two")
}

// logsInAgain refreshes a page whose token expires immediately.
func logsInAgain(t *testing.T, browser context.Context) {
	a := startApplication(t, "node/private", "TOKEN_LIFETIME=1")
	bob := openPage(t, browser, a.url(0))
	login(a.folder, bob, "bob", "bob")
	bob.types("#input", "a note")
	bob.shows("a note")
	bob.Do(chromedp.Reload())
	bob.shows("a note")
	bob.types("#input", "another one")
	bob.shows("a note", "another one")
}

// showsTicks reads the page of a server that emits without clients' messages.
func showsTicks(t *testing.T, browser context.Context) {
	a := startApplication(t, "node/ticker/replay")
	openPage(t, browser, a.url(0)).Until("twenty ticks", `(() => {
		const numbers = Array.from(document.querySelectorAll("#messages li"), (item) => JSON.parse(item.textContent).n);
		return numbers.length >= 20 && numbers.every((n, i) => n === i + 1);
	})()`)
}
