package host

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"redial/harness/check"
	"redial/harness/client/browser/chromiumtest"
	"redial/harness/report"
	"redial/scenarios/labpage"
	"redial/scenarios/labwasm"
	"redial/scenarios/servers"
)

// built is the folder with the page and its lab as WebAssembly.
var built = sync.OnceValues(func() (folder string, err error) {
	if folder, err = os.MkdirTemp("", "redial-"); err == nil {
		remove = append(remove, folder)
		_, err = labwasm.Build(context.Background(), folder, gzip.BestSpeed)
	}
	return folder, err
})

var remove []string // at the end of all tests

func TestMain(m *testing.M) {
	servers.BecomeStep()
	code := chromiumtest.Main(m)
	for _, folder := range remove {
		os.RemoveAll(folder)
	}
	os.Exit(code)
}

// openStatic opens the page from a folder of files: without a native lab, the page plays in
// its worker.
func openStatic(t *testing.T) *tab {
	t.Helper()
	p := serving(t, files)
	p.open("?lang=en")
	return p
}

// files serves the folder, and an empty page at /blank.
func files(t *testing.T) http.Handler {
	t.Helper()
	folder, err := built()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir(folder)))
	mux.HandleFunc("GET /blank", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html><title>blank</title>") })
	return mux
}

func TestPageOfFilesShowsItsFirstStory(t *testing.T) {
	p := openStatic(t) // openStatic waits for the worker
	if lab := get[string](p, `lab.back`); lab != "worker" {
		t.Errorf("behind a folder of files is %s", lab)
	}
	began := time.Now()
	p.open("?lang=en")
	t.Logf("the first story was there after %s", time.Since(began).Round(time.Millisecond))
	if frames := get[int](p, `document.querySelectorAll("svg [data-frame]").length`); frames == 0 {
		t.Error("the page shows no story")
	}
}

// inWorker requests the given number of runs from the worker. Meanwhile a timer of the page
// counts. The worker must also answer a function that it does not have.
const inWorker = `(async (request, runs) => {
	let ticks = 0;
	const ticking = setInterval(() => ticks++, 10);
	const worker = new Worker("/worker.js");
	const ask = (id, message) => new Promise((resolve, reject) => {
		worker.onerror = (event) => reject(new Error(event.message));
		worker.onmessage = ({ data }) => resolve(data);
		worker.postMessage({ id, ...message });
	});
	const meanwhile = [];
	let last;
	for (let i = 0; i < runs; i++) {
		const before = ticks;
		last = await ask(i, { request: { ...request, plan: { ...request.plan, seed: i + 1 } } });
		meanwhile.push(ticks - before);
	}
	clearInterval(ticking);
	const refused = await ask("unknown", { name: "frobnicate", request });
	return { refused, last, meanwhile };
})`

const asked = `{"clients":[{"name":"alice"},{"name":"bob"}],"script":[
	{"do":"open","client":"alice"},{"do":"open","client":"bob"},{"do":"await-connected"},{"do":"send","client":"alice","text":"hello"},
	{"do":"break","fault":{"kind":"cut","client":"bob"}},{"do":"send","client":"alice","text":"meanwhile","count":3},{"do":"await-connected"}]}`

func TestWorkerPlaysWhileThePageGoesOn(t *testing.T) {
	p := serving(t, files)
	p.Do(chromedp.Navigate(p.url + "/blank"))
	const runs = 3
	request, err := json.Marshal(labpage.Request{Step: "7", Plan: json.RawMessage(asked), View: labpage.View{Width: 900, Language: report.English}})
	if err != nil {
		t.Fatal(err)
	}
	var seen struct {
		Refused, Last struct {
			ID       any
			Response labpage.Response
		}
		Meanwhile []int
	}
	answer, err := chromedp.Run(p.Ctx, chromedp.Evaluate[string](fmt.Sprintf("%s(%s, %d).then(JSON.stringify)", inWorker, request, runs), chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(answer), &seen); err != nil {
		t.Fatal(err)
	}
	// In a page that stands still during a run, the timer fires once after it.
	if seen.Meanwhile[0] < 5 {
		t.Errorf("the timer of the page fired %d times while the worker loaded and played", seen.Meanwhile[0])
	}
	if seen.Refused.ID != "unknown" || seen.Refused.Response.Error == "" {
		t.Errorf("a function that is not there: %+v", seen.Refused)
	}
	if seen.Last.Response.Error != "" || seen.Last.Response.Outcome != check.Pass || seen.Last.Response.Plan.Seed != runs || !strings.HasPrefix(seen.Last.Response.SVG, "<svg") {
		t.Errorf("%s %s %s", seen.Last.Response.Error, seen.Last.Response.Outcome, seen.Last.Response.Reason)
	}
}
