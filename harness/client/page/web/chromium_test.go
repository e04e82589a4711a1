package web

import (
	"os"
	"testing"

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
			tab := chromiumtest.Tab{T: t, Ctx: browser, Name: "Chromium"}
			tab.Do(chromedp.Navigate(server.URL + "/"))
			script := "(async () => {" + helpers + c.script + "\nreturn lines.join(' ')})().catch((error) => 'threw ' + error.stack)"
			if got := chromiumtest.Evaluate[string](tab, script); got != c.expected {
				t.Errorf("logged   %q\nexpected %q", got, c.expected)
			}
		})
	}
}
