package web

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestConformanceInChromium runs the same table in Chromium, so that what it
// expects is what a browser does.
func TestConformanceInChromium(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the table is not run in Chromium")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("there is no chromium on the PATH: the table is not compared with a browser")
	}
	server := conformanceServer(t)
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()),
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("no-first-run", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	if os.Geteuid() == 0 {
		flags = append(flags, chromedp.NoSandbox)
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), flags...)
	t.Cleanup(cancel)
	browser, cancel := chromedp.NewContext(allocator)
	// A graceful end: the browser and its helpers are gone when it returns.
	t.Cleanup(func() { _ = chromedp.Cancel(browser); cancel() })
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(browser, 15*time.Second)
			defer cancel()
			if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/")); err != nil {
				t.Fatal(err)
			}
			script := "(async () => {" + helpers + c.script + "\nreturn lines.join(' ')})().catch((error) => 'threw ' + error.stack)"
			got, err := chromedp.Run(ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
			if err != nil {
				t.Fatal(err)
			}
			if got != c.expected {
				t.Errorf("logged   %q\nexpected %q", got, c.expected)
			}
		})
	}
}
