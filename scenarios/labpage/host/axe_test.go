package host

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"redial/harness/check"
	"redial/harness/client/browser/chromiumtest"
	"redial/harness/report"
	"redial/scenarios/labpage"
)

const modules = "../../../steps/node_modules"

// The report of a run with a lost message has every part of a report, including its drawing.
func TestAxeFindsNothingOnTheReport(t *testing.T) {
	axe := chromiumtest.Axe(t, modules)
	p := serving(t, func(t *testing.T) http.Handler {
		run := labpage.Play(t.Context(), labpage.Request{Step: "published-6", Plan: json.RawMessage(lossy)})
		if run.Outcome != check.Fail {
			t.Fatalf("%s%s", run.Error, run.Outcome)
		}
		passed := report.Result{ID: "passed", Title: "one that passed", Column: "published-6", Verdict: check.Verdict{Outcome: check.Pass}}
		failed := report.Result{ID: "failed", Title: "one that failed", Column: "published-6", Events: run.Events, Verdict: *run.Verdict}
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = report.HTML(w, report.Report{Target: "published-6", Level: run.Level, Lab: "virtual", Results: []report.Result{passed, failed}})
		})
	})
	for _, scheme := range []string{"light", "dark"} {
		p.Emulate("prefers-color-scheme", scheme)
		p.Do(chromedp.Navigate(p.url))
		get[bool](p, `document.querySelectorAll("details").forEach((d) => (d.open = true)) ?? true`)
		if !get[bool](p, `!!document.querySelector("svg")`) {
			t.Fatal("the report has no drawing")
		}
		if found := axe(p.Tab); found != "" {
			t.Errorf("%s: %s", scheme, found)
		}
	}
}

// lossy cuts bob's connection before his page has received anything: a loss in published
// step 6.
const lossy = `{"seed":1,"clients":[{"name":"alice"},{"name":"bob"}],"script":[{"do":"open","client":"alice"},{"do":"open","client":"bob"},{"do":"await-connected"},
	{"do":"break","fault":{"kind":"cut","client":"bob"}},{"do":"wait","for":"200ms"},{"do":"send","client":"alice","text":"hello"},{"do":"wait","for":"3s"}]}`

func TestAxeFindsNothingOnTheLabPage(t *testing.T) {
	axe := chromiumtest.Axe(t, modules)
	p := openLab(t)
	for _, language := range []string{"en", "ko"} {
		for _, scheme := range []string{"light", "dark"} {
			p.Emulate("prefers-color-scheme", scheme)
			p.open("?lang=" + language)
			p.set("#step", "7")
			p.cursor(at)
			p.press(`[data-key="bob:offline"]`)
			get[bool](p, `document.querySelectorAll("details").forEach((d) => (d.open = true)) ?? true`)
			p.rest()
			if found := axe(p.Tab); found != "" {
				t.Errorf("%s, %s: %s", language, scheme, found)
			}
		}
	}
	p.press(`[data-tour="start"]`)
	p.press(`[data-option="0"]`)
	if found := axe(p.Tab); found != "" {
		t.Errorf("the tour: %s", found)
	}
	get[bool](p, `document.body.append(document.createElement("img")) ?? true`)
	if found := axe(p.Tab); found == "" {
		t.Error("axe finds nothing in a picture without a text")
	}
}
