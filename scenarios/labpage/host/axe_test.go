package host

import (
	"context"
	"os"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axe finds on the page what axe-core calls serious or critical.
func (p *tab) axe(source string) string {
	p.t.Helper()
	get[bool](p, source+";\ntrue")
	get[bool](p, `(() => {
		document.documentElement.dataset.busy = "axe";
		axe.run().then(({ violations }) => {
			globalThis.found = violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => v.id + ": " + v.nodes.map((n) => n.html.slice(0, 120)).join("; ")).join("\n");
			delete document.documentElement.dataset.busy;
		});
		return true;
	})()`)
	p.rest()
	return get[string](p, `found`)
}

// scheme makes the tab prefer light or dark.
func (p *tab) scheme(value string) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
		})
		return err
	}))
}

func TestAxeFindsNothingOnTheLabPage(t *testing.T) {
	source, err := os.ReadFile("../../../steps/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Skip("axe-core is not here: make client fetches it")
	}
	p := openLab(t)
	for _, language := range []string{"en", "ko"} {
		for _, scheme := range []string{"light", "dark"} {
			p.scheme(scheme)
			p.open("?lang=" + language)
			p.set("#step", "7")
			p.cursor(at)
			p.press(`[data-key="bob:offline"]`)
			get[bool](p, `document.querySelectorAll("details").forEach((d) => (d.open = true)) ?? true`)
			p.rest()
			if found := p.axe(string(source)); found != "" {
				t.Errorf("%s, %s: %s", language, scheme, found)
			}
		}
	}
	p.press(`[data-tour="start"]`)
	p.press(`[data-option="0"]`)
	if found := p.axe(string(source)); found != "" {
		t.Errorf("the tour: %s", found)
	}
	get[bool](p, `document.body.append(document.createElement("img")) ?? true`)
	if found := p.axe(string(source)); found == "" {
		t.Error("axe finds nothing in a picture without a text")
	}
}
