package host

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// manyEdits makes the given number of edits, each at another instant and undone afterwards.
// It resolves to the times from the click until the story was drawn, in milliseconds.
const manyEdits = `(async (count) => {
	const rest = () => new Promise((resolve) => {
		const ready = () => !document.documentElement.dataset.busy && (watching.disconnect(), requestAnimationFrame(resolve));
		const watching = new MutationObserver(ready);
		watching.observe(document.documentElement, { attributes: true, attributeFilter: ["data-busy"] });
		ready();
	});
	const keys = ["bob:cut", "bob:half-open", "bob:offline", "alice:refresh", "server:restart", "server:kill"];
	const scrubber = document.getElementById("scrubber");
	const took = [];
	for (let i = 0; i < count; i++) {
		scrubber.value = xOf(lab.run.began[4] + (i * 7919) % 5000);
		scrubber.dispatchEvent(new Event("input"));
		const button = document.querySelector('[data-key="' + keys[i % keys.length] + '"]');
		if (button.disabled) throw new Error("disabled: " + button.dataset.key + " at " + lab.cursor);
		const plays = lab.plays, from = performance.now();
		button.click();
		await rest();
		took.push(performance.now() - from);
		if (lab.plays !== plays + 1) throw new Error(document.getElementById("said").textContent);
		document.getElementById("undo").click();
		await rest();
	}
	return took;
})`

func TestThousandEditsAreDrawn(t *testing.T) {
	if !*whole {
		t.Skip("minutes long: make lab-all runs it")
	}
	p := openLab(t)
	p.set("#step", "7")
	p.press("#whole")
	const edits = 1000
	ctx, cancel := context.WithTimeout(p.Ctx, 20*time.Minute)
	defer cancel()
	script := fmt.Sprintf(`import("./story.js").then(({ xOf }) => { globalThis.xOf = xOf; return %s(%d); })`, manyEdits, edits)
	took, err := chromedp.Run(ctx, chromedp.Evaluate[[]float64](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	if len(took) != edits {
		t.Fatalf("%d edits were made", len(took))
	}
	slices.Sort(took)
	load, _ := os.ReadFile("/proc/loadavg")
	t.Logf("from the click to the drawn story: p50 %.0f ms, p95 %.0f ms, longest %.0f ms, at load %s", took[edits/2], took[edits*95/100], took[edits-1], strings.TrimSpace(string(load)))
}
