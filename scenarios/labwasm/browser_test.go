package labwasm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"redial/harness/check"
	"redial/harness/client/browser"
	"redial/harness/report"
	"redial/internal/chromiumtest"
	"redial/scenarios/labpage"
)

// inBrowser asks the worker for so many runs, and has the page look every 10 ms how long
// ago it could look last. What cannot be played is answered, too.
const inBrowser = `(async (request, runs) => {
	let late = 0, before = performance.now();
	const looking = setInterval(() => { const now = performance.now(); late = Math.max(late, now - before); before = now; }, 10);
	const worker = new Worker("/worker.js");
	const ask = (id, message) => new Promise((resolve, reject) => {
		worker.onerror = (event) => reject(new Error(event.message));
		worker.onmessage = ({ data }) => resolve(data);
		worker.postMessage({ id, ...message });
	});
	const took = [];
	let last;
	for (let i = 0; i < runs; i++) {
		const from = performance.now();
		last = await ask(i, { request: { ...request, seed: i + 1 } });
		took.push(performance.now() - from);
	}
	clearInterval(looking);
	const refused = await ask("unknown", { name: "frobnicate", request });
	return { refused, last, took, late };
})`

// TestWorkerInChromium has a short name: Chromium puts a socket into its temporary folder.
func TestWorkerInChromium(t *testing.T) {
	if _, err := browser.Find(); err != nil {
		t.Skip(err) // before the long build
	}
	files := http.FileServer(http.Dir(built(t)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/blank" {
			fmt.Fprint(w, "<!doctype html><title>blank</title>")
			return
		}
		files.ServeHTTP(w, r)
	}))
	defer server.Close()
	ctx := chromium(t)
	const runs = 3
	asked, err := json.Marshal(labpage.Request{Step: "7", Plan: json.RawMessage(cutAndRefreshed), View: labpage.View{Width: 900, Language: report.English}})
	if err != nil {
		t.Fatal(err)
	}
	var seen struct {
		Refused, Last struct {
			ID       any
			Response labpage.Response
		}
		Took []float64
		Late float64
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/blank")); err != nil {
		t.Fatal(err)
	}
	answer, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf("%s(%s, %d).then(JSON.stringify)", inBrowser, asked, runs), chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(answer), &seen); err != nil {
		t.Fatal(err)
	}
	if seen.Late > seen.Took[0]/2 {
		t.Errorf("the page stood still for %.0f ms of the %.0f ms that loading and a run took", seen.Late, seen.Took[0])
	}
	t.Logf("from nothing to the first run and what follows: %.0f ms each; the page waited %.0f ms at most", seen.Took, seen.Late)
	if seen.Refused.ID != "unknown" || seen.Refused.Response.Error == "" {
		t.Errorf("a function that is not there: %+v", seen.Refused)
	}
	if seen.Last.Response.Error != "" || seen.Last.Response.Outcome != check.Pass || seen.Last.Response.Plan.Seed != runs || !strings.HasPrefix(seen.Last.Response.SVG, "<svg") {
		t.Errorf("%s %s %s", seen.Last.Response.Error, seen.Last.Response.Outcome, seen.Last.Response.Reason)
	}
}

// The page itself finds no native lab behind a server of files, and plays in the worker.
func TestPageInChromium(t *testing.T) {
	if _, err := browser.Find(); err != nil {
		t.Skip(err) // before the long build
	}
	server := httptest.NewServer(http.FileServer(http.Dir(built(t))))
	defer server.Close()
	ctx := chromium(t)
	began := time.Now()
	err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/?lang=en"), chromedp.Poll[chromedp.Void](
		`document.documentElement.dataset.ready && !document.documentElement.dataset.busy`,
		chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(time.Minute)))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the first story was there after %s", time.Since(began).Round(time.Millisecond))
	arrows, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.querySelectorAll("svg [data-frame]").length`))
	if err != nil || arrows == 0 {
		t.Errorf("the page shows no story: %d frames are drawn, %v", arrows, err)
	}
}

// chromium starts a browser with one tab, for two minutes.
func chromium(t *testing.T) context.Context {
	t.Helper()
	ctx, done := context.WithTimeout(chromiumtest.Start(t), 2*time.Minute)
	t.Cleanup(done)
	return ctx
}
