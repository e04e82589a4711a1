package docs

import (
	"bufio"
	"maps"
	"os"
	"path"
	"strings"
	"sync"
	"testing"

	"redial/docs/internal/markdown"
	"redial/docs/internal/source"
	"redial/scenarios/exercises"
	"redial/scenarios/servers"
	"redial/steps/lessons"
)

func TestMain(m *testing.M) {
	servers.BecomeStep()
	os.Exit(m.Run())
}

// shared loads the tree only once, because all tests need it.
var shared = sync.OnceValues(func() (Tree, error) { return Load(everything.Root) })

var everything = func() *Sources {
	root, err := exercises.Root()
	if err != nil {
		panic(err)
	}
	return &Sources{Root: root}
}()

func tree(t *testing.T) Tree {
	t.Helper()
	if _, err := lessons.Bundle(); err != nil {
		t.Skip(err)
	}
	loaded, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return maps.Clone(loaded)
}

func none(t *testing.T, problems []Problem, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
}

// TestPages runs every check on the unchanged pages.
func TestPages(t *testing.T) {
	pages := tree(t)
	for name, check := range map[string]func(Tree) ([]Problem, error){
		"drift": drift, "hunks": hunks, "links": links,
		"agreement": Agreement, "looked at": LookedAt, "words": Words, "english": English,
	} {
		t.Run(name, func(t *testing.T) {
			problems, err := check(pages)
			none(t, problems, err)
		})
	}
}

// The pages show what go run prints, and the checks run a program that was built once.
func TestBuiltProgramPrintsWhatGoRunPrints(t *testing.T) {
	_ = tree(t) // skips it where the client is missing
	const command = goRun + " check --lab virtual --step 5 --level recovery --scenario clean-drop --seed 1"
	want, err := everything.shell(command)
	if err != nil || !strings.Contains(want, "exit status 1") {
		t.Fatalf("%v, %q", err, want)
	}
	if got, err := everything.execute(command); err != nil || got != want {
		t.Errorf("%v, %q\nwant %q", err, got, want)
	}
}

// The byte counts are the same on every machine, so the stored ones must match a new
// measurement.
func TestBytesAreMeasured(t *testing.T) {
	pages := tree(t)
	written, err := readCosts(pages)
	if err != nil {
		t.Fatal(err)
	}
	costs, err := Measure([]int{10, 1000}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, now := range costs {
		found := false
		for _, then := range written {
			if then.Step == now.Step && then.History == now.History {
				found = true
				if then.Bytes != now.Bytes {
					t.Errorf("step %s with %d messages sends %d bytes, and the page says %d: run go run ./docs/cmd/docs -measure", now.Step, now.History, now.Bytes, then.Bytes)
				}
			}
		}
		if !found {
			t.Errorf("nothing was measured for step %s with %d messages", now.Step, now.History)
		}
	}
}

// A control breaks the tree in one way. The check must then report a problem on the named
// page, and the problem's text must contain want.
type control struct {
	name, page, want string
	spoil            func(Tree)
	check            func(Tree) ([]Problem, error)
}

func replace(page, before, after string) func(Tree) {
	return func(t Tree) {
		if !strings.Contains(t[page], before) {
			panic(page + " has no " + before)
		}
		t[page] = strings.Replace(t[page], before, after, 1)
	}
}

// withoutDirective removes a directive and its generated text from a page.
func withoutDirective(page, order string) func(Tree) {
	return func(t Tree) {
		from := strings.Index(t[page], "<!-- redial: "+order)
		if from < 0 {
			panic(page + " has no directive " + order)
		}
		const end = "<!-- /redial -->"
		to := from + strings.Index(t[page][from:], end) + len(end)
		t[page] = t[page][:from] + t[page][to:]
	}
}

var (
	drift = everything.Drift
	hunks = everything.Hunks
	links = everything.Links
)

const (
	en5, ko5 = "docs/en/step-5.md", "docs/ko/step-5.md"
	en6      = "docs/en/step-6.md"
	en7, ko7 = "docs/en/step-7.md", "docs/ko/step-7.md"
)

var controls = []control{
	{"code differs", en7, "differs from its source", replace(en7, "defer c.order.Unlock()", "defer c.order.Unlock() // soon"), drift},
	{"a diff differs", ko5, "differs from its source", replace(ko5, "+\t\t\t\tserver.Emit", "+\t\t\t\tclient.Emit"), drift},
	{"a script differs", "docs/en/step-2.md", "differs from its source", replace("docs/en/step-2.md", "textContent = text", "innerHTML = text"), drift},
	{"an output differs", en5, "differs from its source", replace(en5, "3 lost over 1 run", "4 lost over 1 run"), drift},
	{"the first line of a step differs", en5, "differs from its source", replace(en5, "is at http://localhost:3000", "is at http://localhost:3001"), drift},
	{"a table differs", "docs/ko/how-to-read-a-report.md", "differs from its source", replace("docs/ko/how-to-read-a-report.md", "| `no-loss` |", "| `no-losses` |"), drift},
	{"a picture differs", pictures + "/clean-drop-5.svg", "differs from its source", replace(pictures+"/clean-drop-5.svg", "bob is offline 2", "bob is offline 9"), drift},
	{"a recorded run differs", pictures + "/crash-before-emit-9.svg", "differs from its source", replace(histories+"/crash-before-emit-9.jsonl", `"bob","view":1,"message":"and the others go on"`, `"bob","view":1,"message":"and the others go by"`), drift},
	{"a picture is gone", pictures + "/clean-drop-5.svg", "differs from its source", func(t Tree) { delete(t, pictures+"/clean-drop-5.svg") }, drift},
	{"the words of the moving picture differ", pictures + "/opening-ko.svg", "differs from its source", replace(pictures+"/opening-ko.svg", "유실 없음", "nothing is lost"), drift},
	{"an English picture on a Korean page", ko5, "differs from its source", replace(ko5, "../pictures/clean-drop-5-ko.svg", "../pictures/clean-drop-5.svg"), drift},
	{"a picture too many", pictures + "/old.svg", "no page shows", func(t Tree) { t[pictures+"/old.svg"] = "<svg/>" }, drift},
	{"a hunk of Go is shown nowhere", en5, "@@ chat.go: New @@", withoutDirective(en5, "diff 5 chat.go"), hunks},
	{"a new function is shown nowhere", ko7, "@@ chat.go: chat.offsetOf @@", withoutDirective(ko7, "code steps/step7/chat.go chat.offsetOf"), hunks},
	{"a hunk of a script is shown nowhere", en6, "@@ index.html @@", withoutDirective(en6, "diff 6 index.html"), hunks},
	{"a changed function is shown nowhere", "docs/ko/step-8.md", "@@ chat.go: chat.storeAndEmit @@", withoutDirective("docs/ko/step-8.md", "code steps/step8/chat.go chat.storeAndEmit"), hunks},
	{"a hunk is not among the rest", en7, "@@ chat.go: chat.Close @@", replace(en7, " chat.Close", ""), hunks},
	{"a hunk is shown by hand only", en5, "@@ chat.go: New @@", func(t Tree) {
		withoutDirective(en5, "diff 5 chat.go")(t)
		t[en5] += "\n```diff\n@@ chat.go: New @@\n+server.Emit\n```\n"
	}, hunks},
	{"a dead link", en5, "there is no docs/en/step-55.md", replace(en5, "](step-7.md)", "](step-55.md)"), links},
	{"a dead anchor", en5, "no heading #the-end", replace(en5, "](step-7.md)", "](step-7.md#the-end)"), links},
	{"a picture that is not there", ko5, "there is no docs/pictures/none.svg", replace(ko5, "../pictures/clean-drop-5-ko.svg", "../pictures/none.svg"), links},
	{"a picture without words", ko5, "no text", replace(ko5, "![5단계: bob의 연결이 끊긴 동안 보낸 메시지는 bob에게 전달되지 않습니다]", "![]"), links},
	{"a page in one language", en5, "has no docs/ko/step-5.md", func(t Tree) { delete(t, ko5) }, Agreement},
	{"a page in the other language", "docs/ko/extra.md", "has no docs/en/extra.md", func(t Tree) { t["docs/ko/extra.md"] = "# 더" }, Agreement},
	{"a heading in one language", ko5, "other headings", replace(ko5, "## 고치는 방법", "### 고치는 방법"), Agreement},
	{"a fence in one language", ko5, "other fences", replace(ko5, "make exercise-5\n", "make exercise-6\n"), Agreement},
	{"a picture in one language", ko5, "other pictures", withoutDirective(ko5, "picture network-switch"), Agreement},
	{"a link in one language", ko5, "other links", replace(ko5, "](step-7.md)", "](step-4.md)"), Agreement},
	{"another heading is linked", ko5, "other links", func(t Tree) {
		replace(en5, "](step-7.md)", "](step-7.md#why)")(t)
		replace(ko5, "](step-7.md)", "](step-7.md#목표)")(t)
	}, Agreement},
	{"English changed", en5, "and not in " + ko5, replace(en5, "A broadcast goes", "An event goes"), LookedAt},
	{"Korean changed", ko5, "and not in " + en5, replace(ko5, "사정이 낫습니다", "사정이 좋습니다"), LookedAt},
	{"both changed", en5, "in both languages", func(t Tree) {
		replace(en5, "## Exercise\n", "## Exercise\n\nNew.\n")(t)
		replace(ko5, "## 연습 문제\n", "## 연습 문제\n\n새로.\n")(t)
	}, LookedAt},
	{"a new section", en5, "is new", func(t Tree) { t[en5] += "\n## More\n" }, LookedAt},
	{"a section is gone", en5, "fewer sections", func(t Tree) {
		t[en5] = t[en5][:strings.Index(t[en5], "## Exercise")]
		t[ko5] = t[ko5][:strings.Index(t[ko5], "## 연습 문제")]
	}, LookedAt},
	{"a directive changed", en5, "and not in " + ko5, replace(en5, "<!-- redial: serve 5", "<!-- redial: serve 4"), LookedAt},
	{"a word to avoid", ko5, `has "재접속"`, replace(ko5, "오프라인에서", "재접속 뒤 오프라인에서"), Words},
	{"a term without its English", ko5, "브로드캐스트(broadcast)", replace(ko5, "브로드캐스트(broadcast)", "브로드캐스트"), Words},
	{"해요체", ko5, "합니다체", replace(ko5, "사정이 낫습니다.", "사정이 나아요."), Words},
	{"an English word to avoid", "docs/en/index.md", `has "mended"`, func(t Tree) {
		t["docs/en/index.md"] += "\nThe library was mended.\n"
	}, English},
	{"해라체", ko5, "합니다체", replace(ko5, "사정이 낫습니다.", "사정이 낫다."), Words},
}

// TestControls shows that each check finds the defect that it is for. TestPages shows that
// the same checks pass on the unchanged pages.
func TestControls(t *testing.T) {
	for _, c := range controls {
		t.Run(c.name, func(t *testing.T) {
			pages := tree(t)
			c.spoil(pages)
			problems, err := c.check(pages)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range problems {
				if p.Page == c.page && strings.Contains(p.What, c.want) {
					return
				}
			}
			t.Errorf("nothing says %q of %s; what is said: %v", c.want, c.page, problems)
		})
	}
}

// Accept locks both languages, so that later checks do not report the accepted sections
// again.
func TestAccept(t *testing.T) {
	pages := tree(t)
	replace(ko5, "사정이 낫습니다", "사정이 좋습니다")(pages)
	problems, err := LookedAt(Accept(pages))
	none(t, problems, err)
}

// A directive that cannot be followed must be an error: otherwise the page would silently
// lack its text.
func TestDirectivesThatCannotBeFollowed(t *testing.T) {
	for order, want := range map[string]string{
		"sing":                                   "there is no directive",
		"code steps/step7/chat.go chat.whisper":  "declares no chat.whisper",
		"code steps/step77/chat.go New":          "no such file",
		"script steps/step7/index.html ~whisper": "no paragraph",
		"diff 5 index.html":                      "changes nothing",
		"diff 5 chat.go chat.storeAndEmit":       "changes nothing",
		"rest 7 chat.whisper":                    "changes nothing at",
		"diff 55 chat.go":                        "there is no step 55",
		"table whispers":                         "there is no table",
		"picture whisper 5 alt":                  "there is no scenario",
		"opening":                                "opening needs",
		"plot whispers alt":                      "plot needs",
		"run":                                    "needs a command",
	} {
		page := Tree{"docs/en/step-5.md": "<!-- redial: " + order + " -->\n<!-- /redial -->\n"}
		if _, err := everything.Generate(page); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", order, err, want)
		}
	}
	for _, broken := range []string{
		"<!-- redial: nav -->\ntext\n",
		"<!-- redial: nav -->\n<!-- redial: nav -->\n<!-- /redial -->\n",
	} {
		if _, err := everything.Generate(Tree{"docs/en/step-5.md": broken}); err == nil {
			t.Errorf("a directive without an end is followed: %q", broken)
		}
	}
}

// A sentence of the code without a Korean translation must stop the generator.
func TestSentencesWithoutKorean(t *testing.T) {
	pages := tree(t)
	replace(wordsFile, "A page shows no message twice.", "A page shows no message thrice.")(pages)
	if _, err := everything.Generate(pages); err == nil || !strings.Contains(err.Error(), "A page shows no message twice.") {
		t.Errorf("%v", err)
	}
}

func TestMask(t *testing.T) {
	for before, after := range map[string]string{
		"✗ clean-drop    a clean drop, after         1 run, 2 lost, 1.19s":  "✗ clean-drop    1 run, 2 lost, …s",
		"✓ clean-drop    a clean drop, aft…  20 runs, 87ms":                 "✓ clean-drop    20 runs, …s",
		"  12 s   6 of 6   step 9   node-dies   pass\nstep 9":               "step 9",
		"✓ long-names  1 run, 1m3.2s":                                       "✓ long-names  1 run, …s",
		"FAIL: 0 passed, 1 failed, 0 inconclusive, 0 unsupported, in 87ms":  "FAIL: 0 passed, 1 failed, 0 inconclusive, 0 unsupported, in …s",
		"    >    1.185s  lab    all is at rest":                            "    >    1.185s  lab    all is at rest",
		"  files      out/2026-11-25-044615/step-3/x.jsonl":                 "  files      out/…/step-3/x.jsonl",
		"Step 5 is at http://localhost:41237 (process 7) - Ctrl-C":          "Step 5 is at http://localhost:3000 (process …) - Ctrl-C",
		"The process of http://localhost:4001 is 77: kill -9 it":            "The process of http://localhost:3000 is …: kill -9 it",
		"http://localhost:7002 http://localhost:7001 http://localhost:7002": "http://localhost:3000 http://localhost:3001 http://localhost:3000",
		"  in all     3 lost over 1 run":                                    "  in all     3 lost over 1 run",
		"expected   it by then, since (event 5) it was sent (event 24)":     "expected   it by then, since (event 5) it was sent (event 24)",
		"    --- PASS: TestGap/library (0.01s)":                             "    --- PASS: TestGap/library (…s)",
		"ok  \tredial/steps/cures/recovery\t(cached)":                       "ok  \tredial/steps/cures/recovery\t…s",
		"ok  \tredial/steps/cures/recovery\t1.243s":                         "ok  \tredial/steps/cures/recovery\t…s",
	} {
		if got := mask(before); got != after {
			t.Errorf("%q became %q, not %q", before, got, after)
		}
	}
}

// Several servers print at once; the page must show their lines in a fixed order.
func TestServersSayInOrder(t *testing.T) {
	const said = "The process of http://localhost:7001 is 1: kill\n" +
		"Step 9 is at http://localhost:7002\nThe process of http://localhost:7002 is 2: kill\nStep 9 is at http://localhost:7001\n"
	const want = "The process of http://localhost:3000 is …: kill\nThe process of http://localhost:3001 is …: kill\n" +
		"Step 9 is at http://localhost:3000\nStep 9 is at http://localhost:3001\n"
	if got, err := read(bufio.NewReader(strings.NewReader(said)), 4); err != nil || got != want {
		t.Errorf("%v, %q", err, got)
	}
	if _, err := read(bufio.NewReader(strings.NewReader(said)), 5); err == nil {
		t.Error("a server that says nothing is no error")
	}
}

// A step is compared with the step before it in the list, with two exceptions.
func TestBefore(t *testing.T) {
	for number, want := range map[string]string{"1": "", "7a": "7", "8": "7", "9": "8", "10": "8"} {
		if got, err := before(number); err != nil || got != want {
			t.Errorf("step %s goes on from %q (%v), not %q", number, got, err, want)
		}
	}
}

// TestChanges checks that every change between two steps is a hunk of its declaration, and
// that a change of only the step's number is not a hunk.
func TestChanges(t *testing.T) {
	step := func(text string) source.Step { return source.Step{Chat: []byte(text)} }
	changes, err := source.Changes(
		step("// Package a is a.\npackage a\n\nfunc F() { one() }\n\nfunc G() {}\n"),
		step("// Package b is b.\npackage b\n\nfunc F() { two() }\n\n// H is new.\nfunc H() {}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range changes {
		got = append(got, h.Header()+" "+strings.ReplaceAll(h.Text, "\n", "|"))
	}
	want := []string{
		"@@ chat.go: F @@ -func F() { one() }|+func F() { two() }",
		"@@ chat.go: H @@ +// H is new.|+func H() {}",
		"@@ chat.go: G @@ -func G() {}",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// An anchor must be the one that GitHub derives from the heading, since GitHub shows the
// pages.
func TestAnchors(t *testing.T) {
	page := markdown.Parse("# What `redial` says\n## 왜 그럴까요?\n## Why\n## Why\n### 7a: a, b & c\n")
	want := []string{"what-redial-says", "왜-그럴까요", "why", "why-1", "7a-a-b--c"}
	for i, h := range page.Headings {
		if h.Anchor != want[i] {
			t.Errorf("%q: %q, not %q", h.Text, h.Anchor, want[i])
		}
	}
}

// The list of chapters must contain every step that has a chapter, and every page.
func TestChapters(t *testing.T) {
	pages := tree(t)
	listed := map[string]bool{"README": true}
	for _, name := range chapters(pages) {
		listed[name] = true
	}
	for _, name := range pages.pages("") {
		if base := strings.TrimSuffix(path.Base(name), ".md"); !listed[base] {
			t.Errorf("%s is in no reading order", name)
		}
	}
}
