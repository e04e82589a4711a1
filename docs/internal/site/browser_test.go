package site

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"redial/harness/client/browser"
	"redial/harness/client/browser/chromiumtest"
)

var (
	built = flag.String("site", "", "the `folder` of a built site, to try it in Chromium (make site-test)")
	shots = flag.String("shots", "", "a `folder` for pictures of the pages")
)

func TestMain(m *testing.M) { os.Exit(chromiumtest.Main(m)) }

const timeout = time.Minute

// A tab is a page of the built site in Chromium.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string

	mu      sync.Mutex
	foreign []string // requests to other servers
}

// open starts Chromium and a server for the site. An exception on a page fails the test.
func open(t *testing.T) *tab {
	t.Helper()
	if *built == "" {
		t.Skip("a built site is needed: make site-test")
	}
	if _, err := browser.Find(); err != nil {
		t.Fatal(err)
	}
	ctx := chromiumtest.Start(t)
	server := httptest.NewServer(Handler(*built, Base(os.Getenv("SITE_BASE"))))
	t.Cleanup(server.Close)
	p := &tab{t: t, ctx: ctx, url: server.URL + Base(os.Getenv("SITE_BASE"))}
	err := chromedp.Listen(ctx, func(event any) {
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("a script threw: %s %+v", event.ExceptionDetails.Text, event.ExceptionDetails.Exception)
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(event.Request.URL, p.url) && !strings.HasPrefix(event.Request.URL, "data:") {
				p.mu.Lock()
				p.foreign = append(p.foreign, event.Request.URL)
				p.mu.Unlock()
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
		return err
	}))
	return p
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

func evaluate[T any](p *tab, script string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", script, err)
	}
	return value
}

// until waits until the condition is true on the page.
func (p *tab) until(what, condition string) {
	p.t.Helper()
	for end := time.Now().Add(timeout); !evaluate[bool](p, condition); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%s did not come: %s", what, evaluate[string](p, "location.href + ' ' + document.body.innerText.slice(0, 400)"))
		}
	}
}

// visit loads a page and waits until its scripts run. The generator sets no mark then, but
// the handler of the colour button gives the button a title.
func (p *tab) visit(name string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.url + name))
	p.until("the page's scripts", `!!document.querySelector("#app")?.__vue_app__ && !!document.querySelector(".VPContent")`)
}

func TestSearchFindsInBothLanguages(t *testing.T) {
	p := open(t)
	p.do(chromedp.EmulateViewport(1280, 900))
	for _, search := range []struct{ from, words, want string }{
		{"", "half-open", "glossary.html"},
		{"step-7.html", "idempotency key", "step-8.html"},
		{"ko/", "멱등 키", "ko/step-8.html"},
		{"ko/step-7.html", "하트비트", "ko/glossary.html"},
		{"ko/step-7.html", "재전", "ko/glossary.html"}, // the beginning of 재전송
	} {
		p.visit(search.from)
		p.do(chromedp.Click(chromedp.CSS("#local-search button")))
		p.until("the search", `!!document.querySelector("#localsearch-input")`)
		p.do(chromedp.SendKeys(chromedp.CSS("#localsearch-input"), search.words))
		found := fmt.Sprintf(`[...document.querySelectorAll("#localsearch-list a")].some((a) => new URL(a.href).pathname === new URL(%q).pathname)`, p.url+search.want)
		p.until("the result "+search.want+" of "+search.words, found)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.foreign) > 0 {
		t.Errorf("requests to elsewhere: %q", p.foreign)
	}
}

func TestLanguageSwitchLeadsToTheSamePage(t *testing.T) {
	p := open(t)
	p.do(chromedp.EmulateViewport(1280, 900))
	for _, name := range []string{"", "step-7.html", "kit.html", "source/steps/step7.html"} {
		p.visit("ko/" + name)
		link := evaluate[string](p, `[...document.querySelectorAll(".VPNavBarTranslations a")].map((a) => a.href).join()`)
		if link != p.url+name {
			t.Errorf("ko/%s leads to %s", name, link)
		}
		p.visit(name)
		link = evaluate[string](p, `[...document.querySelectorAll(".VPNavBarTranslations a")].map((a) => a.href).join()`)
		if link != p.url+"ko/"+name {
			t.Errorf("%s leads to %s", name, link)
		}
	}
}

func TestStartPageLeadsToTheReadersLanguage(t *testing.T) {
	for accept, want := range map[string]string{"en-US": "", "ko-KR,en": "ko/", "en,ko": "", "fr,ko": "ko/", "fr": ""} {
		p := open(t)
		p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: "Mozilla/5.0 Chrome", AcceptLanguage: accept})
			return err
		}))
		p.visit("")
		p.until("the start page for "+accept, fmt.Sprintf(`location.href === %q && !!document.querySelector(".VPContent")`, p.url+want))
		p.visit("") // directly or through the language switch
		if at := evaluate[string](p, "location.href"); at != p.url {
			t.Errorf("%s: the English start page cannot be read: %s", accept, at)
		}
	}
}

// TestPagesAreAccessible runs axe on pages of each kind, on a wide screen and on a phone,
// light and dark. Nothing may be wider than the screen, and only the pictures of the current
// colour scheme may be visible.
func TestPagesAreAccessible(t *testing.T) {
	p := open(t)
	axe, err := os.ReadFile("../../site/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, dark := range []bool{false, true} {
		scheme := map[bool]string{false: "light", true: "dark"}[dark]
		p.visit("")
		evaluate[bool](p, fmt.Sprintf(`localStorage.setItem("vitepress-theme-appearance", %q), true`, scheme))
		p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}})
			return err
		}))
		for _, width := range []int64{1280, 390} {
			p.do(chromedp.EmulateViewport(width, 844))
			for _, name := range []string{"", "ko/", "step-7.html", "ko/step-7.html", "kit.html", "ko/kit.html", "glossary.html", "ko/how-to-read-a-report.html", "tutorial.html", "conformance.html", "source/steps/step7.html"} {
				p.visit(name)
				where := fmt.Sprintf("%q, %s, %d px", name, scheme, width)
				if wide := evaluate[int64](p, `document.documentElement.scrollWidth`); wide > width {
					t.Errorf("%s: the page is %d px wide", where, wide)
				}
				if shown := evaluate[int](p, fmt.Sprintf(`[...document.querySelectorAll("img.only-%s")].filter((i) => i.offsetParent).length`, map[bool]string{true: "light", false: "dark"}[dark])); shown > 0 {
					t.Errorf("%s: %d pictures of the other scheme", where, shown)
				}
				evaluate[bool](p, string(axe)+`; true`)
				for _, finding := range findings(p) {
					t.Errorf("%s: %s", where, finding)
				}
				p.picture(fmt.Sprintf("%s-%d-%s.png", strings.NewReplacer("/", "-", ".html", "").Replace(name), width, scheme))
			}
		}
	}
}

// findings returns the problems that axe calls serious or critical.
func findings(p *tab) (list []string) {
	p.t.Helper()
	text := evaluate[string](p, `axe.run().then((r) => JSON.stringify(r.violations
		.filter((v) => v.impact === "serious" || v.impact === "critical")
		.map((v) => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200) + " " + (n.any[0]?.message ?? "")).join(" | "))))`)
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		p.t.Fatal(err)
	}
	return list
}

func (p *tab) picture(name string) {
	p.t.Helper()
	if *shots == "" {
		return
	}
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*shots, name), picture, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// The lab is not a page of the generator, whose client-side router must not intercept its
// address.
func TestTheLabOpens(t *testing.T) {
	p := open(t)
	if _, err := os.Stat(filepath.Join(*built, "lab", "index.html")); err != nil {
		t.Skip("this site was built without the lab: make lab-wasm")
	}
	p.do(chromedp.EmulateViewport(1280, 900))
	for _, language := range []string{"", "ko/"} {
		p.visit(language)
		p.do(chromedp.Click(chromedp.CSS(".VPNavBarMenu a[href*='/lab/']")))
		p.until("the lab", `location.pathname.endsWith("/lab/") && !document.querySelector(".VPContent") && document.readyState === "complete"`)
	}
}
