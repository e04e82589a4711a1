package lessons

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axe finds on the page what axe-core calls serious or critical.
func (p *tab) axe(source string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	found, err := chromedp.Run(ctx, chromedp.Evaluate[string](source+`;
		axe.run().then(({ violations }) => violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
			.flatMap(({ id, nodes }) => nodes.map((node) => id + ": " + node.html + " " + node.failureSummary)).join("\n"))`, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

// TestAxeInChromium looks at every page from step 2 on: with a message, and offline with one
// on its way; light and dark; some in English, some in Korean.
func TestAxeInChromium(t *testing.T) {
	source, err := os.ReadFile("../node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Skip("axe-core is not here: make client fetches it")
	}
	axe := string(source)
	b := startBrowser(t)
	for i, lesson := range All[1:] {
		t.Run("step "+lesson.Number, func(t *testing.T) {
			server := runStep(t, lesson.Number, "DATA_DIR="+t.TempDir())
			page := b.view(t, "alice", server.url)
			page.speaks([]string{"en", "ko"}[i%2])
			page.do(chromedp.EmulateViewport(390, 700))
			look := func(when string) {
				t.Helper()
				for _, scheme := range []string{"light", "dark"} {
					page.emulate(&emulation.MediaFeature{Name: "prefers-color-scheme", Value: scheme})
					if found := page.axe(axe); found != "" {
						t.Errorf("%s, %s:\n%s", when, scheme, found)
					}
					page.picture("step-" + lesson.Number + "-" + when + "-" + scheme)
				}
			}
			if lesson.Number == "2" {
				page.say("hello")
				look("alone")
				return
			}
			page.until("a connection", connected)
			page.say("hello")
			look("connected")
			page.click("#stay-offline")
			page.until("no connection", disconnected)
			page.say("offline")
			look("offline")
		})
	}
}

// The check finds what it is for.
func TestAxeFindsWhatIsWrongInChromium(t *testing.T) {
	source, err := os.ReadFile("../node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Skip("axe-core is not here: make client fetches it")
	}
	page := startBrowser(t).view(t, "alice", "data:text/html,<html lang=en><title>t</title><main><p style='color:%23bbb'>too faint</p><input></main>")
	found := page.axe(string(source))
	for _, rule := range []string{"color-contrast", "label"} {
		if !strings.Contains(found, rule) {
			t.Errorf("axe does not find %s, but %q", rule, found)
		}
	}
}
