package chromiumtest

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Axe reads axe-core from a folder node_modules, or skips the test if it is not there. The function
// that it returns runs it on a tab's page, and returns what axe-core calls serious or critical.
func Axe(t testing.TB, modules string) func(tab context.Context) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(modules, "axe-core", "axe.min.js"))
	if err != nil {
		t.Skip("axe-core is missing: make client fetches it")
	}
	return func(tab context.Context) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(tab, time.Minute)
		defer cancel()
		found, err := chromedp.Run(ctx, chromedp.Evaluate[string](string(source)+`;
			axe.run().then(({ violations }) => violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
				.flatMap(({ id, nodes }) => nodes.map((node) => id + ": " + node.html + " " + node.failureSummary)).join("\n"))`, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
}
