package chromiumtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// The first page replaces itself after the wait has begun.
func TestUntilOutlivesANavigation(t *testing.T) {
	ctx, cancel := context.WithTimeout(Start(t), time.Minute)
	defer cancel()
	const second = `data:text/html,<script>setTimeout(() => { document.title = "second" }, 100)</script>`
	if err := chromedp.Do(ctx, chromedp.Navigate(`data:text/html,<title>first</title>`)); err != nil {
		t.Fatal(err)
	}
	navigated := make(chan error, 1)
	waiting := `(() => { document.title += "."; return document.title.startsWith("second") })()`
	go func() {
		for { // until the wait has looked at the first page
			title, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.title`))
			if err != nil || title != "first" {
				navigated <- chromedp.Do(ctx, chromedp.Navigate(second))
				return
			}
		}
	}()
	if err := Until(ctx, waiting, chromedp.WithPollingInterval(10*time.Millisecond)); err != nil {
		t.Error(err)
	}
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
			ctx, cancel := context.WithTimeout(Start(t), time.Minute)
			defer cancel()
			if err := chromedp.Do(ctx, chromedp.Navigate(server.URL)); err != nil {
				t.Fatal(err)
			}
			const script = `((seen) => { document.cookie = localStorage.seen = "kept=yes"; return seen })(document.cookie + (localStorage.seen ?? ""))`
			if seen, err := chromedp.Run(ctx, chromedp.Evaluate[string](script)); err != nil || seen != "" {
				t.Errorf("%q, %v", seen, err)
			}
		})
	}
}
