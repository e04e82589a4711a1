// Package chromiumtest starts a Chromium for tests that operate a page themselves. Package browser
// is the client that plays a plan in Chromium.
//
// Read [Start] first. It must not know a page of the kit.
package chromiumtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/chromedp"

	"redial/harness/client/browser"
)

// closeBound bounds the time in which Chromium ends.
const closeBound = 20 * time.Second

// Start starts a headless Chromium and returns the context of a tab. The test is skipped with
// -short, and if Chromium is not installed. Chromium and its folders are removed after the test.
func Start(t testing.TB) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: no test runs in a browser")
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

// Until waits until the JavaScript condition holds on the tab's page, or ctx ends. chromedp's
// Poll ends with an error of the protocol when the page is replaced, also by a navigation that
// chromedp already counts as complete; Until then waits on the next page.
func Until(ctx context.Context, condition string, often chromedp.PollOption) error {
	for {
		err := chromedp.Do(ctx, chromedp.Poll[chromedp.Void](condition, often, chromedp.WithPollingTimeout(0)))
		if replaced := new(cdproto.Error); !errors.As(err, &replaced) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}
