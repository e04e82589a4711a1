package site

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"redial/harness/client/browser"
	"redial/harness/client/browser/chromiumtest"
)

var (
	built = flag.String("site", "", "the `folder` of a built site, to try it in Chromium (make site-test)")
	shots = flag.String("shots", "", "a `folder` for pictures of the pages")
)

func TestMain(m *testing.M) { os.Exit(chromiumtest.Main(m)) }

// A tab is a page of the built site in Chromium.
type tab struct {
	chromiumtest.Tab
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
	page := chromiumtest.Open(t, chromiumtest.Start(t), "the site")
	server := httptest.NewServer(Handler(*built, Base(os.Getenv("SITE_BASE"))))
	t.Cleanup(server.Close)
	p := &tab{Tab: page, url: server.URL + Base(os.Getenv("SITE_BASE"))}
	err := chromedp.Listen(p.Ctx, func(event any) {
		if event, ok := event.(*network.EventRequestWillBeSent); ok && !strings.HasPrefix(event.Request.URL, p.url) && !strings.HasPrefix(event.Request.URL, "data:") {
			p.mu.Lock()
			p.foreign = append(p.foreign, event.Request.URL)
			p.mu.Unlock()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
		return err
	}))
	return p
}

func evaluate[T any](p *tab, script string) T {
	p.T.Helper()
	return chromiumtest.Evaluate[T](p.Tab, script)
}

// visit loads a page and waits until its scripts run. The generator sets no mark then, but
// the handler of the colour button gives the button a title.
func (p *tab) visit(name string) {
	p.T.Helper()
	p.Do(chromedp.Navigate(p.url + name))
	p.Until("the page's scripts", `!!document.querySelector("#app")?.__vue_app__ && !!document.querySelector(".VPContent")`)
}

func TestSearchFindsInBothLanguages(t *testing.T) {
	p := open(t)
	p.Do(chromedp.EmulateViewport(1280, 900))
	for _, search := range []struct{ from, words, want string }{
		{"", "half-open", "glossary.html"},
		{"step-7.html", "idempotency key", "step-8.html"},
		{"ko/", "멱등 키", "ko/step-8.html"},
		{"ko/step-7.html", "하트비트", "ko/glossary.html"},
		{"ko/step-7.html", "재전", "ko/glossary.html"}, // the beginning of 재전송
	} {
		p.visit(search.from)
		p.Do(chromedp.Click(chromedp.CSS("#local-search button")))
		p.Until("the search", `!!document.querySelector("#localsearch-input")`)
		p.Do(chromedp.SendKeys(chromedp.CSS("#localsearch-input"), search.words))
		found := fmt.Sprintf(`[...document.querySelectorAll("#localsearch-list a")].some((a) => new URL(a.href).pathname === new URL(%q).pathname)`, p.url+search.want)
		p.Until("the result "+search.want+" of "+search.words, found)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.foreign) > 0 {
		t.Errorf("requests to elsewhere: %q", p.foreign)
	}
}

func TestLanguageSwitchLeadsToTheSamePage(t *testing.T) {
	p := open(t)
	p.Do(chromedp.EmulateViewport(1280, 900))
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
		p.Do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: "Mozilla/5.0 Chrome", AcceptLanguage: accept})
			return err
		}))
		p.visit("")
		p.Until("the start page for "+accept, fmt.Sprintf(`location.href === %q && !!document.querySelector(".VPContent")`, p.url+want))
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
	axe := chromiumtest.Axe(t, "../../site/node_modules")
	for _, dark := range []bool{false, true} {
		scheme := map[bool]string{false: "light", true: "dark"}[dark]
		p.visit("")
		evaluate[bool](p, fmt.Sprintf(`localStorage.setItem("vitepress-theme-appearance", %q), true`, scheme))
		p.Emulate("prefers-reduced-motion", "reduce")
		for _, width := range []int64{1280, 390} {
			p.Do(chromedp.EmulateViewport(width, 844))
			for _, name := range []string{"", "ko/", "step-7.html", "ko/step-7.html", "kit.html", "ko/kit.html", "glossary.html", "ko/how-to-read-a-report.html", "tutorial.html", "conformance.html", "source/steps/step7.html"} {
				p.visit(name)
				where := fmt.Sprintf("%q, %s, %d px", name, scheme, width)
				if wide := evaluate[int64](p, `document.documentElement.scrollWidth`); wide > width {
					t.Errorf("%s: the page is %d px wide", where, wide)
				}
				if shown := evaluate[int](p, fmt.Sprintf(`[...document.querySelectorAll("img.only-%s")].filter((i) => i.offsetParent).length`, map[bool]string{true: "light", false: "dark"}[dark])); shown > 0 {
					t.Errorf("%s: %d pictures of the other scheme", where, shown)
				}
				if found := axe(p.Tab); found != "" {
					t.Errorf("%s: %s", where, found)
				}
				p.picture(fmt.Sprintf("%s-%d-%s.png", strings.NewReplacer("/", "-", ".html", "").Replace(name), width, scheme))
			}
		}
	}
}

func (p *tab) picture(name string) {
	p.T.Helper()
	if *shots == "" {
		return
	}
	picture, err := chromedp.Run(p.Ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.T.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*shots, name), picture, 0o644); err != nil {
		p.T.Fatal(err)
	}
}

// The lab is not a page of the generator, whose client-side router must not intercept its
// address.
func TestTheLabOpens(t *testing.T) {
	p := open(t)
	if _, err := os.Stat(filepath.Join(*built, "lab", "index.html")); err != nil {
		t.Skip("this site was built without the lab: make lab-wasm")
	}
	p.Do(chromedp.EmulateViewport(1280, 900))
	for _, language := range []string{"", "ko/"} {
		p.visit(language)
		p.Do(chromedp.Click(chromedp.CSS(".VPNavBarMenu a[href*='/lab/']")))
		p.Until("the lab", `location.pathname.endsWith("/lab/") && !document.querySelector(".VPContent") && document.readyState === "complete"`)
	}
}
