package chromiumtest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// The first page replaces itself after the wait has begun.
func TestUntilOutlivesANavigation(t *testing.T) {
	tab := Open(t, Start(t), "the tab")
	const second = `data:text/html,<script>setTimeout(() => { document.title = "second" }, 100)</script>`
	tab.Do(chromedp.Navigate(`data:text/html,<title>first</title>`))
	navigated := make(chan error, 1)
	waiting := `(() => { document.title += "."; return document.title.startsWith("second") })()`
	go func() {
		for { // until the wait has looked at the first page
			title, err := chromedp.Run(tab.Ctx, chromedp.Evaluate[string](`document.title`))
			if err != nil || title != "first" {
				navigated <- chromedp.Do(tab.Ctx, chromedp.Navigate(second))
				return
			}
		}
	}()
	tab.Until("the second page", waiting)
	if err := <-navigated; err != nil {
		t.Error(err)
	}
}

// All tests have one Chromium, and none sees what another one has stored.
func TestTestsShareNoStorage(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
	}))
	defer server.Close()
	for _, name := range []string{"first", "second"} {
		t.Run(name, func(t *testing.T) {
			tab := Open(t, Start(t), name)
			tab.Do(chromedp.Navigate(server.URL))
			const script = `((seen) => { document.cookie = localStorage.seen = "kept=yes"; return seen })(document.cookie + (localStorage.seen ?? ""))`
			if seen := Evaluate[string](tab, script); seen != "" {
				t.Errorf("%q", seen)
			}
		})
	}
}
