// Package chromiumtest starts a Chromium for tests that operate a page themselves. Package browser
// is the client that plays a plan in Chromium.
//
// Read [Start] first, then [Tab]. It must not know a page of the kit.
package chromiumtest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"redial/harness/client/browser"
)

var mainCalled bool

// Main is for TestMain of a package that calls [Start]. It runs the tests, ends the Chromium that they
// share, because each start costs a processor second, and removes its files.
func Main(m *testing.M) int {
	mainCalled = true
	code := m.Run()
	if err := browser.Shutdown(); err != nil {
		fmt.Println("Chromium did not close:", err)
		return 1
	}
	return code
}

// Start returns the context of a tab in a headless Chromium. The tab, and each one made of its
// context, shares cookies, storage and cache with no other test, and is closed after this one. The
// test is skipped with -short, and if Chromium is not installed.
func Start(t testing.TB) context.Context {
	t.Helper()
	if !mainCalled {
		panic("TestMain has to call chromiumtest.Main")
	}
	if testing.Short() {
		t.Skip("-short: no test runs in a browser")
	}
	profile := browser.NewProfile()
	ctx, cancel, err := profile.Tab(func(any) {})
	if errors.Is(err, browser.ErrNoChromium) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := profile.Close(); err != nil {
			t.Errorf("the tab did not close: %v", err)
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("no tab opens: %v", err)
	}
	return ctx
}
