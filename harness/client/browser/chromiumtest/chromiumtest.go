// Package chromiumtest starts a Chromium for tests that operate a page themselves. Package browser
// is the client that plays a plan in Chromium.
//
// Read [Start] first. It must not know a page of the kit.
package chromiumtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/chromedp"

	"redial/harness/client/browser"
)

// closeBound bounds the time in which Chromium ends, or the tabs of a test.
const closeBound = 20 * time.Second

// shared is the Chromium of all tests of a package, because each start costs a processor second.
var shared struct {
	mu     sync.Mutex
	folder string
	ctx    context.Context // of its first tab, which no test gets; nil until the first Start
	cancel context.CancelFunc
}

// Main is for TestMain of a package that calls [Start]. It runs the tests, ends their Chromium,
// and removes its files.
func Main(m *testing.M) int {
	folder, err := os.MkdirTemp("", "redial-chromium-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	shared.folder = folder
	code := m.Run()
	if shared.ctx == nil {
		return code
	}
	defer shared.cancel()
	if err := end(shared.ctx); err != nil {
		fmt.Println("Chromium did not close:", err)
		return 1
	}
	return code
}

func end(ctx context.Context) error {
	closing, done := context.WithTimeout(ctx, closeBound)
	defer done()
	return chromedp.Cancel(closing)
}

// Start returns the context of a tab in a headless Chromium. The tab, and each one made of its
// context, shares cookies, storage and cache with no other test, and is closed after this one. The
// test is skipped with -short, and if Chromium is not installed.
func Start(t testing.TB) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: no test runs in a browser")
	}
	program, err := browser.Find()
	if err != nil {
		t.Skip(err)
	}
	running, err := start(program)
	if err != nil {
		t.Fatalf("Chromium does not start: %v", err)
	}
	ctx, cancel := chromedp.NewContext(running, chromedp.WithNewBrowserContext())
	t.Cleanup(func() {
		defer cancel()
		if err := end(ctx); err != nil {
			t.Errorf("the tab did not close: %v", err)
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("no tab opens: %v", err)
	}
	return ctx
}

// start starts the shared Chromium the first time.
func start(program string) (context.Context, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.folder == "" {
		panic("TestMain has to call chromiumtest.Main")
	}
	if shared.ctx != nil {
		return shared.ctx, nil
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), browser.Flags(program, shared.folder)...)
	ctx, _ := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		return nil, err
	}
	shared.ctx, shared.cancel = ctx, cancel
	return ctx, nil
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
