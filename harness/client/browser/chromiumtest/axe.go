package chromiumtest

import (
	"os"
	"path/filepath"
	"testing"
)

// Axe reads axe-core from a folder node_modules. The function that it returns runs it on a tab's
// page, and returns what axe-core calls serious or critical.
func Axe(t testing.TB, modules string) func(Tab) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(modules, "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("%v: make client fetches it, or make site for the site", err)
	}
	return func(p Tab) string {
		p.T.Helper()
		return Evaluate[string](p, string(source)+`;
			axe.run().then(({ violations }) => violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
				.flatMap(({ id, nodes }) => nodes.map((node) => id + ": " + node.html + " " + node.failureSummary)).join("\n"))`)
	}
}
