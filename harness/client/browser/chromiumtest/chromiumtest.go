// Package chromiumtest starts a Chromium for a test. It is for the tests that look at a page
// themselves; what plays a plan in Chromium is package browser.
package chromiumtest

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"redial/harness/client/browser"
)

// closeBound bounds how long Chromium may take to end.
const closeBound = 20 * time.Second

// Start starts a Chromium without a window, and returns the context of a tab of it. The test
// is skipped where there is no Chromium, and with -short. Chromium ends with the test, and
// so do its folders.
func Start(t testing.TB) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: the page is not tried in a browser")
	}
	program, err := browser.Find()
	if err != nil {
		t.Skip(err)
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), browser.Flags(program, t.TempDir())...)
	t.Cleanup(end)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		closing, done := context.WithTimeout(ctx, closeBound)
		defer done()
		if err := chromedp.Cancel(closing); err != nil {
			t.Errorf("Chromium did not close: %v", err)
		}
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("Chromium does not start: %v", err)
	}
	return ctx
}
