package web

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"redial/harness/client/browser/chromiumtest"
)

func TestMain(m *testing.M) { os.Exit(chromiumtest.Main(m)) }

// TestConformanceInChromium runs the table of TestConformance in Chromium, which shows that its
// expectations are a browser's behaviour.
func TestConformanceInChromium(t *testing.T) {
	browser := chromiumtest.Start(t)
	server := conformanceServer(t)
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(browser, time.Minute)
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
