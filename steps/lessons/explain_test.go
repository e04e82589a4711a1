package lessons

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"redial/harness/client/page"
)

const statusText = `document.getElementById("status").textContent`

// hasStatus waits until the status matches the regular expression.
func (p *tab) hasStatus(sentence string) {
	p.T.Helper()
	p.Until("the status "+sentence, fmt.Sprintf(`/^%s$/.test(%s)`, sentence, statusText))
}

// hasNote waits until the note below the message matches the regular expression.
func (p *tab) hasNote(list, message, want string) {
	p.T.Helper()
	condition := fmt.Sprintf(`Array.from(document.querySelectorAll(%q), (item) => item.textContent === %q ? item.dataset.about : "").some((about) => /^%s$/.test(about))`,
		list+" li", message, want)
	p.Until("the message "+message+" with the note "+want, condition)
}

func (p *tab) click(selector string) {
	p.T.Helper()
	p.Do(chromedp.Click(chromedp.CSS(selector)))
}

// setLanguage reloads the page with another language of the browser.
func (p *tab) setLanguage(language string) {
	p.T.Helper()
	p.Do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		agent, err := chromedp.Run(ctx, chromedp.Evaluate[string](`navigator.userAgent`))
		if err != nil {
			return err
		}
		_, err = chromedp.Call(ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: language})
		return err
	}), chromedp.Reload())
}

// One page stays offline, both pages send a message, and the first page explains what happens to
// them.
func TestPagesExplainInChromium(t *testing.T) {
	b := startBrowser(t)
	const clock = `\d\d:\d\d:\d\d`
	for _, c := range []struct {
		step string
		// back is the status after the reconnect, arrived the note of the message that the
		// page has missed, "" if that is lost, and waits the note of its own.
		back, arrived, waits string
	}{
		{"4", "connected again", "", "buffered in this page until it is connected.*"},
		{"5", "connected again: nothing is recovered.*", "", "buffered in this page until it is connected.*"},
		{"6", "recovered: 1 missed message came", `another page · missed, came ` + clock + ` · offset \S+`, "buffered in this page until it is connected.*"},
		{"7", "recovered: 1 missed message came", `another page · missed, came ` + clock + ` · offset 2`, "buffered in this page until it is connected.*"},
		{"7a", "connected again: 1 missed message came", `another page · missed, came ` + clock, "buffered in this page until it is connected.*"},
		{"8", "recovered: 1 missed message came", `another page · missed, came ` + clock + ` · offset 2`, "on its way: this page resends it.*"},
		{"9", "recovered: 1 missed message came", `another page · missed, came ` + clock + ` · offset 2`, "on its way: this page resends it.*"},
		{"10", "recovered: 1 missed message came", `this browser · missed, came ` + clock + ` · offset 2`, "on its way: this browser keeps.*"},
	} {
		t.Run("step "+c.step, func(t *testing.T) {
			t.Parallel() // most of the time is the client's delay between attempts
			server := runStep(t, c.step, "DATA_DIR="+t.TempDir())
			alice, bob := b.open(t, "alice", server.url), b.open(t, "bob", server.url)
			bob.Do(chromedp.EmulateViewport(390, 700))
			alice.passFirstSecond()
			bob.passFirstSecond()
			alice.send("before")
			alice.hasNote("#messages", "before", "you · "+clock+".*")
			others := c.step != "4" // whose server emits to the sender only
			if others {
				bob.hasNote("#messages", "before", "(this browser|another page) · .*")
			}
			bob.click("#stay-offline")
			bob.hasStatus(`kept offline: trying again in \d s, which will fail`)
			alice.send("meanwhile")
			alice.hasNote("#messages", "meanwhile", "you · "+clock+".*")
			bob.send("mine")
			if c.step != "10" { // alice's tab of the same browser delivers it
				bob.hasNote("#pending", "mine", c.waits)
			}
			bob.picture("step-" + c.step + "-offline")
			bob.click("#come-back")
			bob.hasStatus(`the network is back: trying again in \d s|` + c.back)
			bob.hasStatus(c.back)
			if c.arrived != "" {
				bob.hasNote("#messages", "meanwhile", c.arrived)
			}
			bob.hasNote("#messages", "mine", "you · "+clock+".*")
			bob.Until("no pending message", pendingIs())
			bob.picture("step-" + c.step + "-back")
			if others {
				alice.hasNote("#messages", "mine", "(this browser|another page) · .*")
			}
			if got := evaluate[bool](bob, list+`.includes("meanwhile")`); got != (c.arrived != "") {
				t.Errorf("step %s shows the missed message: %t", c.step, got)
			}
		})
	}
}

// passFirstSecond waits until a second has passed on the page. Until then it takes a message
// for one that was stored before.
func (p *tab) passFirstSecond() {
	p.T.Helper()
	evaluate[bool](p, `setTimeout(() => (document.body.dataset.second = "passed"), 1000) && true`)
	p.Until("the end of its first second", `document.body.dataset.second === "passed"`)
}

// A page whose socket is connected before its document is complete notices that it has caught up,
// too: the next message is another page's, and not one that was stored before.
func TestPageThatIsSlowerThanItsSocketInChromium(t *testing.T) {
	b, s := startBrowser(t), serveStep(t, "7a")
	html := s.changePage("</script>\n  </body>", `socket.on("connect", () => fetch("/connected")); </script><script src="/after-connected.js"></script></body>`)
	isConnected := make(chan struct{})
	routes := http.NewServeMux()
	routes.Handle("/", s.server.Config.Handler)
	routes.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(html) })
	routes.HandleFunc("/connected", func(http.ResponseWriter, *http.Request) { close(isConnected) })
	routes.HandleFunc("/after-connected.js", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-isConnected:
		case <-r.Context().Done():
		}
	})
	s.server.Config.Handler = routes
	bob := b.open(t, "bob", s.url)
	bob.passFirstSecond()
	s.must(s.openTab("alice", &device{profile: page.NewProfile(), html: s.lesson.Page}).Send("from alice"))
	bob.hasNote("#messages", "from alice", "another page · .*")
}

func TestNothingMissedInChromium(t *testing.T) {
	b := startBrowser(t)
	server := runStep(t, "7", "DATA_DIR="+t.TempDir())
	bob := b.open(t, "bob", server.url)
	bob.send("before")
	bob.hasNote("#messages", "before", "you.*")
	bob.click("#break")
	bob.hasStatus("recovered: nothing was missed")
	// After a refresh the page does not know who sent a message, or when.
	bob.Do(chromedp.Reload())
	bob.hasNote("#messages", "before", "stored before you opened this page · offset 1")
	// Without a session, the server sends no event at the end of the replay.
	evaluate[bool](bob, `socket.disconnect().connect() && true`)
	bob.hasStatus("connected again: nothing was missed")
}

// scrollTo scrolls, and waits until the page has received the scroll event. On a slow machine a
// resize event comes before it.
func (p *tab) scrollTo(y int) {
	p.T.Helper()
	evaluate[bool](p, fmt.Sprintf(`{
		delete document.body.dataset.scrolled;
		addEventListener("scroll", () => (document.body.dataset.scrolled = scrollY), { once: true });
		scrollTo(0, %d);
		dispatchEvent(new Event("resize"));
		true
	}`, y))
	p.Until("the scroll event", fmt.Sprintf(`document.body.dataset.scrolled === "%d"`, y))
}

// A new message moves the list only if its end is visible. Sending a message scrolls to the end.
func TestReadersPlaceIsKeptInChromium(t *testing.T) {
	b := startBrowser(t)
	server := runStep(t, "7", "DATA_DIR="+t.TempDir())
	alice, bob := b.open(t, "alice", server.url), b.open(t, "bob", server.url)
	bob.Do(chromedp.EmulateViewport(390, 500))
	const atEnd = `innerHeight + scrollY >= document.documentElement.scrollHeight - 2`
	for n := range 12 {
		text := fmt.Sprint("message ", n)
		alice.send(text)
		bob.hasNote("#messages", text, ".*")
	}
	bob.Until("the end", atEnd)
	bob.scrollTo(100)
	alice.send("one more")
	bob.hasNote("#messages", "one more", ".*")
	bob.Until("the button for new messages", `!document.getElementById("newer").hidden`)
	if y := evaluate[int](bob, `scrollY`); y != 100 {
		t.Errorf("the reader was at 100 and is at %d", y)
	}
	bob.picture("scrolled-up")
	bob.click("#newer")
	bob.Until("the end", atEnd)
	bob.scrollTo(100)
	bob.send("mine")
	bob.hasNote("#messages", "mine", ".*")
	bob.Until("the end, after the reader has sent a message", atEnd)
}

// While the page disconnects and reconnects, no element but the list changes its place.
func TestLayoutIsStableOnAPhoneInChromium(t *testing.T) {
	b, words := startBrowser(t), readWords(t)
	for _, number := range []string{"5", "8"} {
		for _, language := range []string{"en", "ko"} {
			t.Run("step "+number+" "+language, func(t *testing.T) {
				t.Parallel()
				server := runStep(t, number, "DATA_DIR="+t.TempDir())
				bob := b.open(t, "bob", server.url)
				bob.setLanguage(language)
				bob.Until("a connection", connected)
				bob.Do(chromedp.EmulateViewport(390, 700))
				if number == "5" {
					bob.Until("the welcome", `document.getElementById("notice").textContent !== ""`)
				}
				const places = `JSON.stringify(["header", "#break", "#stay-offline", "#come-back", "#messages", "#form"].map((selector) => {
					const place = document.querySelector(selector).getBoundingClientRect();
					return [selector, Math.round(place.left), Math.round(place.top), selector === "#messages" ? 0 : Math.round(place.height)];
				}))`
				before := evaluate[string](bob, places)
				check := func(when string) {
					if after := evaluate[string](bob, places); after != before {
						t.Errorf("step %s, %s, %s:\n%s\nbefore\n%s", number, language, when, after, before)
					}
				}
				bob.click("#stay-offline")
				bob.Until("the status", `/\d/.test(`+statusText+`)`)
				check("offline")
				bob.click("#come-back")
				check("reconnecting")
				bob.Until("a connection", connected)
				check("back")
				for _, key := range []string{"connecting", "connected to", "lost", "kept offline", "network is back", "trying", "ended", "missed many", "again unknown", "again nothing"} {
					text := strings.NewReplacer("{n}", "12", "{how}", words[language]["again"], "{server}", "localhost:12345").Replace(words[language][key])
					evaluate[bool](bob, fmt.Sprintf(statusText+` = %q; true`, text))
					check("with the status " + text)
				}
				if width := evaluate[int](bob, `document.documentElement.scrollWidth`); width > 390 {
					t.Errorf("step %s, %s: the page is %d wide", number, language, width)
				}
				bob.picture("step-" + number + "-phone-" + language)
			})
		}
	}
}

func TestPagesInKoreanInChromium(t *testing.T) {
	b := startBrowser(t)
	server := runStep(t, "8", "DATA_DIR="+t.TempDir())
	bob := b.open(t, "bob", server.url)
	bob.setLanguage("ko-KR,ko,en")
	bob.hasStatus("연결됨")
	bob.send("안녕")
	bob.hasNote("#messages", "안녕", `나 · \d\d:\d\d:\d\d · 오프셋 1`)
	bob.click("#stay-offline")
	bob.hasStatus(`오프라인 유지 중: \d초 뒤 재시도\(연결되지 않음\)`)
	bob.click("#come-back")
	bob.hasStatus("복구됨: 놓친 메시지가 없습니다")
	evaluate[bool](bob, `{
		document.getElementById("input").value = "x".repeat(70000);
		document.getElementById("form").requestSubmit();
		true
	}`)
	bob.Until("the lesson's notice in Korean", `/^‘x{60}’ 메시지가 거부되었습니다: a message/.test(document.getElementById("notice").textContent)`)
	got := evaluate[string](bob, `[document.documentElement.lang, document.title, document.querySelector("h1").textContent,
		document.querySelector("#form button").textContent, document.getElementById("input").placeholder].join("|")`)
	if want := "ko|8단계: 클라이언트 전달|8단계클라이언트 전달|보내기|메시지를 입력하세요"; got != want {
		t.Errorf("the page has %q, want %q", got, want)
	}
}

// Another tab of the browser delivers the message of an offline tab, which shows the message in
// one of its lists all the time.
func TestStep10OfflineTabInChromium(t *testing.T) {
	b := startBrowser(t)
	server := runStep(t, "10", "DATA_DIR="+t.TempDir())
	alice, other := b.open(t, "alice", server.url), b.open(t, "her other tab", server.url)
	alice.send("before")
	other.shows("before")
	alice.click("#stay-offline")
	alice.Until("no connection", disconnected)
	alice.send("mine")
	other.shows("before", "mine")
	alice.hasNote("#pending", "mine", "stored; in the list as soon as this page receives it")
	alice.shows("before")
	alice.Until("the pending message", pendingIs("mine"))
	alice.click("#come-back")
	alice.shows("before", "mine")
	alice.Until("no pending message", pendingIs())
	alice.hasNote("#messages", "mine", "you · .*")
}

// A tab that is too slow to see another tab's message wait still knows that it is this browser's.
func TestStep10SlowTabInChromium(t *testing.T) {
	b := startBrowser(t)
	server := runStep(t, "10", "DATA_DIR="+t.TempDir())
	alice, bob := b.open(t, "alice", server.url), b.open(t, "her other tab", server.url)
	bob.passFirstSecond()
	bob.click("#stay-offline")
	bob.Until("no connection", disconnected)
	evaluate[bool](bob, `(outbox = () => []) && true`)
	alice.send("meanwhile")
	bob.Until("the announcement", `stored.size === 1`)
	bob.click("#come-back")
	bob.hasNote("#messages", "meanwhile", "this browser · missed, .*")
}

func readWords(t *testing.T) map[string]map[string]string {
	t.Helper()
	content, err := os.ReadFile("../internal/serve/words.json")
	if err != nil {
		t.Fatal(err)
	}
	var words map[string]map[string]string
	if err := json.Unmarshal(content, &words); err != nil {
		t.Fatal(err)
	}
	return words
}

func TestBothLanguagesHaveTheSameTextsAndValues(t *testing.T) {
	words := readWords(t)
	if len(words) != 2 || len(words["en"]) == 0 {
		t.Fatalf("there are %d languages", len(words))
	}
	place := regexp.MustCompile(`\{\w+\}`)
	for _, pair := range [][2]string{{"en", "ko"}, {"ko", "en"}} {
		for key, text := range words[pair[0]] {
			other, has := words[pair[1]][key]
			if !has || other == "" {
				t.Errorf("%s has no %q", pair[1], key)
				continue
			}
			for _, name := range place.FindAllString(text, -1) {
				if !strings.Contains(other, name) {
					t.Errorf("%q has %s only in %s", key, name, pair[0])
				}
			}
		}
	}
	var pages strings.Builder
	for _, lesson := range All[1:] {
		pages.Write(lesson.Page)
		if words["en"]["title "+lesson.Number] != lesson.Title {
			t.Errorf("step %s is %q, and its page calls it %q", lesson.Number, lesson.Title, words["en"]["title "+lesson.Number])
		}
	}
	// explain.js recognizes the notices of the lessons by their text. Those of the servers are
	// in the code.
	sources, err := filepath.Glob("../step*/chat.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		code, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		pages.Write(code)
		for _, notice := range regexp.MustCompile(`Emit\("refused", "(.*)"\)`).FindAllSubmatch(code, -1) {
			if text := string(notice[1]); !slices.Contains(slices.Collect(maps.Values(words["en"])), text) {
				t.Errorf("%s emits %q, which is not translated", source, text)
			}
		}
	}
	for key, text := range words["en"] {
		for _, piece := range place.Split(text, -1) {
			if strings.HasPrefix(key, "notice ") && !strings.Contains(pages.String(), piece) {
				t.Errorf("no page contains %q, a part of %q", piece, key)
			}
		}
	}
}
