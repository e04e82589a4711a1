package site

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tiny is a site without problems.
var tiny = map[string]string{
	"index.html":      `<link href="/x/assets/a.css" rel="stylesheet"><img src="/x/a.svg"><a href="/x/ko/">한국어</a><a href="/x/step.html#why">Why</a><a href="https://socket.io">Socket.IO</a>`,
	"step.html":       `<a href="./ko/step.html">한국어</a><h2 id="why">Why</h2><a href="#why">#</a>`,
	"ko/index.html":   `<a href="/x/index.html">English</a><a href="step.html#%EC%99%9C">왜</a>`,
	"ko/step.html":    `<a href="../step.html">English</a><h2 id="왜">왜</h2>`,
	"404.html":        `<p>gone</p>`,
	"lab/index.html":  `<script src="lab.js"></script><a href="#plan=1">a plan</a>`,
	"lab/lab.js":      ``,
	"assets/a.css":    `a { background: url("data:image/png;base64,AA") }`,
	"a.svg":           `<svg/>`,
	"assets/font.ttf": ``,
}

func written(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		file := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestCheckPassesASiteWithoutAMistake(t *testing.T) {
	links, wrong, err := Check(written(t, tiny), "/x/")
	if err != nil || len(wrong) > 0 || links != 12 {
		t.Errorf("%d links, wrong: %q, %v", links, wrong, err)
	}
}

func TestCheckFindsEachMistake(t *testing.T) {
	for want, spoil := range map[string]func(map[string]string){
		"index.html: the link /x/step.html#why is dead: there is no step.html": func(f map[string]string) { delete(f, "step.html") },
		"index.html: the link /x/step.html#why is dead: step.html has no #why": func(f map[string]string) { f["step.html"] = `<a href="./ko/step.html"></a>` },
		"ko/index.html: the link step.html#%EC%99%9C is dead":                  func(f map[string]string) { f["ko/step.html"] = `<a href="../step.html"></a>` },
		"index.html: the link /x/a.svg is dead":                                func(f map[string]string) { delete(f, "a.svg") },
		"lab/index.html: the link lab.js is dead":                              func(f map[string]string) { delete(f, "lab/lab.js") },
		"index.html: the link /step.html is dead":                              func(f map[string]string) { f["index.html"] += `<a href="/step.html">outside of the base</a>` },
		"index.html: it loads https://cdn.example/x.js, which is elsewhere":    func(f map[string]string) { f["index.html"] += `<script src="https://cdn.example/x.js"></script>` },
		"assets/a.css loads //fonts.example/f.woff2, which is elsewhere":       func(f map[string]string) { f["assets/a.css"] = `@font-face { src: url(//fonts.example/f.woff2) }` },
		"more.html: there is no ko/more.html":                                  func(f map[string]string) { f["more.html"] = `` },
		"step.html: it has no link to ko/step.html":                            func(f map[string]string) { f["step.html"] = `<h2 id="why">Why</h2>` },
		"step.html: it shows markup":                                           func(f map[string]string) { f["step.html"] += `&lt;!-- redial: nav --&gt;` },
	} {
		files := map[string]string{}
		for name, text := range tiny {
			files[name] = text
		}
		spoil(files)
		_, wrong, err := Check(written(t, files), "/x/")
		if err != nil || !slices.ContainsFunc(wrong, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("nothing says %q: %q, %v", want, wrong, err)
		}
	}
}

func TestHandlerServesUnderTheBase(t *testing.T) {
	handler := Handler(written(t, tiny), Base("x"))
	for address, want := range map[string]int{"/x/": 200, "/x/step.html": 200, "/x/ko/": 200, "/x/none.html": 404, "/step.html": 404, "/": 302} {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest("GET", address, nil))
		if answer.Code != want {
			t.Errorf("%s is %d, not %d", address, answer.Code, want)
		}
	}
}

func TestBase(t *testing.T) {
	for setting, want := range map[string]string{"": "/", "/": "/", "redial": "/redial/", "/a/b/": "/a/b/"} {
		if got := Base(setting); got != want {
			t.Errorf("%q is %q, not %q", setting, got, want)
		}
	}
}

// The generator reports neither a page that is missing from its sidebar nor a picture
// without a dark version. This test finds them without a build.
func TestSidebarHasEveryPageAndPicturesAreLightAndDark(t *testing.T) {
	sidebar, err := os.ReadFile("../../site/pages.mjs")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("../../en/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for _, page := range pages {
		if name := strings.TrimSuffix(filepath.Base(page), ".md"); name != "index" && !strings.Contains(string(sidebar), "'"+name+"'") {
			t.Errorf("docs/site/pages.mjs has no '%s'", name)
		}
	}
	drawn, err := filepath.Glob("../../pictures/*.svg")
	if err != nil || len(drawn) == 0 {
		t.Fatalf("no pictures: %v", err)
	}
	for _, picture := range drawn {
		text, err := os.ReadFile(picture)
		if err != nil || !strings.Contains(string(text), "@media (prefers-color-scheme: dark)") {
			t.Errorf("%s has no dark version: %v", picture, err)
		}
	}
}
