package lessons

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"redial/harness/client/browser/chromiumtest"
)

const modules = "../node_modules"

// Every page from step 2 on is checked with a message, and offline with a pending one; light
// and dark; half of them in English, half in Korean.
func TestAxeInChromium(t *testing.T) {
	axe := chromiumtest.Axe(t, modules)
	b := startBrowser(t)
	for i, lesson := range All[1:] {
		t.Run("step "+lesson.Number, func(t *testing.T) {
			server := runStep(t, lesson.Number, "DATA_DIR="+t.TempDir())
			page := b.navigate(t, "alice", server.url)
			page.setLanguage([]string{"en", "ko"}[i%2])
			page.Do(chromedp.EmulateViewport(390, 700))
			check := func(when string) {
				t.Helper()
				for _, scheme := range []string{"light", "dark"} {
					page.Emulate("prefers-color-scheme", scheme)
					background, text := evaluate[int](page, brightness("backgroundColor")), evaluate[int](page, brightness("color"))
					if dark := background < text; dark != (scheme == "dark") || max(background-text, text-background) < 300 {
						t.Errorf("%s, %s: the brightness of the background is %d and of the text %d, of 765", when, scheme, background, text)
					}
					if found := axe(page.Tab); found != "" {
						t.Errorf("%s, %s:\n%s", when, scheme, found)
					}
					page.picture("step-" + lesson.Number + "-" + when + "-" + scheme)
				}
			}
			if lesson.Number == "2" {
				page.send("hello")
				check("alone")
				return
			}
			page.Until("a connection", connected)
			page.send("hello")
			check("connected")
			page.click("#stay-offline")
			page.Until("no connection", disconnected)
			page.send("offline")
			check("offline")
		})
	}
}

// brightness is an expression for the sum of red, green and blue of one of the body's colours.
func brightness(property string) string {
	return `getComputedStyle(document.body).` + property + `.match(/\d+/g).slice(0, 3).reduce((sum, n) => sum + Number(n), 0)`
}

// The check must be able to fail.
func TestAxeFindsViolationsInChromium(t *testing.T) {
	axe := chromiumtest.Axe(t, modules)
	page := startBrowser(t).navigate(t, "alice", "data:text/html,<html lang=en><title>t</title><main><p style='color:%23bbb'>too faint</p><input></main>")
	found := axe(page.Tab)
	for _, rule := range []string{"color-contrast", "label"} {
		if !strings.Contains(found, rule) {
			t.Errorf("axe does not find %s, but %q", rule, found)
		}
	}
}
