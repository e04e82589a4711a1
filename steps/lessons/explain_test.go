package lessons

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

const statusText = `document.getElementById("status").textContent`

// says waits until the status is the sentence, as a regular expression.
func (p *tab) says(sentence string) {
	p.t.Helper()
	p.until("the words "+sentence, fmt.Sprintf(`/^%s$/.test(%s)`, sentence, statusText))
}

// about is what stands below the message in a list, as a regular expression.
func (p *tab) about(list, message, want string) {
	p.t.Helper()
	condition := fmt.Sprintf(`Array.from(document.querySelectorAll(%q), (item) => item.textContent === %q ? item.dataset.about : "").some((about) => /^%s$/.test(about))`,
		list+" li", message, want)
	p.until("the message "+message+" with the words "+want, condition)
}

func (p *tab) click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// speaks reloads the page as the browser of another reader loads it.
func (p *tab) speaks(language string) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		agent, err := chromedp.Run(ctx, chromedp.Evaluate[string](`navigator.userAgent`))
		if err != nil {
			return err
		}
		_, err = chromedp.Call(ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: language})
		return err
	}), chromedp.Reload())
}

// picture saves the page as it is, where somebody wants to see it.
func (p *tab) picture(name string) {
	p.t.Helper()
	if os.Getenv(screenshots) == "" {
		return
	}
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	save(p.t, name+".png", picture)
}

// TestPagesExplainInChromium keeps one page offline, and reads on it what becomes of what
// both send meanwhile.
func TestPagesExplainInChromium(t *testing.T) {
	b := startBrowser(t)
	const clock = `\d\d:\d\d:\d\d`
	for _, c := range []struct {
		step string
		// back is what the page says when it is back, arrived what stands below the message
		// that it has missed ("" where that never comes), and waits below its own.
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
			t.Parallel() // most of it waits for the client's next attempt
			server := runStep(t, c.step, "DATA_DIR="+t.TempDir())
			alice, bob := b.open(t, "alice", server.url), b.open(t, "bob", server.url)
			bob.do(chromedp.EmulateViewport(390, 700))
			alice.say("before")
			alice.about("#messages", "before", "you · "+clock+".*")
			others := c.step != "4" // its server answers the sender only
			if others {
				// In the first second a message that arrives may come from the log.
				bob.about("#messages", "before", "(another page|stored before you opened this page|this browser) · .*")
			}
			bob.click("#stay-offline")
			bob.says(`kept offline: trying again in \d s, which will fail`)
			alice.say("meanwhile")
			alice.about("#messages", "meanwhile", "you · "+clock+".*")
			bob.say("mine")
			if c.step != "10" { // where alice's tab of the same browser delivers it
				bob.about("#pending", "mine", c.waits)
			}
			bob.picture("step-" + c.step + "-offline")
			bob.click("#come-back")
			bob.says(`the network is back: trying again in \d s|` + c.back)
			bob.says(c.back)
			if c.arrived != "" {
				bob.about("#messages", "meanwhile", c.arrived)
			}
			bob.about("#messages", "mine", "you · "+clock+".*")
			bob.until("nothing on its way", pendingIs())
			bob.picture("step-" + c.step + "-back")
			if others {
				alice.about("#messages", "mine", "(this browser|another page) · .*")
			}
			if got := evaluate[bool](bob, list+`.includes("meanwhile")`); got != (c.arrived != "") {
				t.Errorf("step %s shows what was missed: %t", c.step, got)
			}
		})
	}
}

func TestNothingWasMissedInChromium(t *testing.T) {
	b := startBrowser(t)
	server := runStep(t, "7", "DATA_DIR="+t.TempDir())
	bob := b.open(t, "bob", server.url)
	bob.say("before")
	bob.about("#messages", "before", "you.*")
	bob.click("#break")
	bob.says("recovered: nothing was missed")
	// What an earlier view has sent is of an unknown page, and of an unknown time.
	bob.do(chromedp.Reload())
	bob.about("#messages", "before", "stored before you opened this page · offset 1")
	// Without a session, only the log knows: the server does not say when it is through.
	evaluate[bool](bob, `socket.disconnect().connect() && true`)
	bob.says("connected again: nothing was missed")
}

// scrollsTo returns when the page has received the scroll event. A resize comes before that
// event where the machine is slow.
func (p *tab) scrollsTo(y int) {
	p.t.Helper()
	evaluate[bool](p, fmt.Sprintf(`{
		delete document.body.dataset.scrolled;
		addEventListener("scroll", () => (document.body.dataset.scrolled = scrollY), { once: true });
		scrollTo(0, %d);
		dispatchEvent(new Event("resize"));
		true
	}`, y))
	p.until("the place to read", fmt.Sprintf(`document.body.dataset.scrolled === "%d"`, y))
}

// A reader who has scrolled up stays there, and sees a button; one at the end stays at the
// end, and sending a message leads there.
func TestScrolledReaderIsNotPulledDownInChromium(t *testing.T) {
	b := startBrowser(t)
	server := runStep(t, "7", "DATA_DIR="+t.TempDir())
	alice, bob := b.open(t, "alice", server.url), b.open(t, "bob", server.url)
	bob.do(chromedp.EmulateViewport(390, 500))
	const atEnd = `innerHeight + scrollY >= document.documentElement.scrollHeight - 2`
	for n := range 12 {
		text := fmt.Sprint("message ", n)
		alice.say(text)
		bob.about("#messages", text, ".*")
	}
	bob.until("the end", atEnd)
	bob.scrollsTo(100)
	alice.say("one more")
	bob.about("#messages", "one more", ".*")
	bob.until("the word that there is more", `!document.getElementById("newer").hidden`)
	if y := evaluate[int](bob, `scrollY`); y != 100 {
		t.Errorf("the reader was at 100 and is at %d", y)
	}
	bob.picture("scrolled-up")
	bob.click("#newer")
	bob.until("the end", atEnd)
	bob.scrollsTo(100)
	bob.say("mine")
	bob.about("#messages", "mine", ".*")
	bob.until("the end, because the reader has sent something", atEnd)
}

// Nothing moves while the connection goes and comes: only the list grows.
func TestNothingJumpsOnAPhoneInChromium(t *testing.T) {
	b, words := startBrowser(t), readWords(t)
	for _, number := range []string{"5", "8"} {
		for _, language := range []string{"en", "ko"} {
			t.Run("step "+number+" "+language, func(t *testing.T) {
				t.Parallel()
				server := runStep(t, number, "DATA_DIR="+t.TempDir())
				bob := b.open(t, "bob", server.url)
				bob.speaks(language)
				bob.until("a connection", connected)
				bob.do(chromedp.EmulateViewport(390, 700))
				if number == "5" {
					bob.until("the welcome", `document.getElementById("notice").textContent !== ""`)
				}
				const places = `JSON.stringify(["header", "#break", "#stay-offline", "#come-back", "#messages", "#form"].map((selector) => {
					const place = document.querySelector(selector).getBoundingClientRect();
					return [selector, Math.round(place.left), Math.round(place.top), selector === "#messages" ? 0 : Math.round(place.height)];
				}))`
				before := evaluate[string](bob, places)
				look := func(when string) {
					if after := evaluate[string](bob, places); after != before {
						t.Errorf("step %s, %s, %s:\n%s\nbefore\n%s", number, language, when, after, before)
					}
				}
				bob.click("#stay-offline")
				bob.until("the words for it", `/\d/.test(`+statusText+`)`)
				look("offline")
				bob.click("#come-back")
				look("coming back")
				bob.until("a connection", connected)
				look("back")
				for _, key := range []string{"connecting", "connected to", "lost", "kept offline", "network is back", "trying", "ended", "missed many", "again unknown", "again nothing"} {
					text := strings.NewReplacer("{n}", "12", "{how}", words[language]["again"], "{server}", "localhost:12345").Replace(words[language][key])
					evaluate[bool](bob, fmt.Sprintf(statusText+` = %q; true`, text))
					look("with the words " + text)
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
	bob.speaks("ko-KR,ko,en")
	bob.says("연결됨")
	bob.say("안녕")
	bob.about("#messages", "안녕", `나 · \d\d:\d\d:\d\d · 오프셋 1`)
	bob.click("#stay-offline")
	bob.says(`오프라인 유지 중: \d초 뒤 재시도\(연결되지 않음\)`)
	bob.click("#come-back")
	bob.says("복구됨: 놓친 메시지가 없습니다")
	evaluate[bool](bob, `{
		document.getElementById("input").value = "x".repeat(70000);
		document.getElementById("form").requestSubmit();
		true
	}`)
	bob.until("the lesson's notice in Korean", `/^‘x{60}’ 메시지가 거부되었습니다: a message/.test(document.getElementById("notice").textContent)`)
	got := evaluate[string](bob, `[document.documentElement.lang, document.title, document.querySelector("h1").textContent,
		document.querySelector("#form button").textContent, document.getElementById("input").placeholder].join("|")`)
	if want := "ko|8단계: 클라이언트 전달|8단계클라이언트 전달|보내기|메시지를 입력하세요"; got != want {
		t.Errorf("the page has %q, want %q", got, want)
	}
}

// The text that one tab has written is delivered by another tab of its browser while the
// first is offline: it is in one of its lists all the while.
func TestStep10OfflineTabInChromium(t *testing.T) {
	b := startBrowser(t)
	server := runStep(t, "10", "DATA_DIR="+t.TempDir())
	alice, other := b.open(t, "alice", server.url), b.open(t, "her other tab", server.url)
	alice.say("before")
	other.shows("before")
	alice.click("#stay-offline")
	alice.until("no connection", disconnected)
	alice.say("mine")
	other.shows("before", "mine")
	alice.about("#pending", "mine", "stored; in the list as soon as this page receives it")
	alice.shows("before")
	alice.until("it among those on their way", pendingIs("mine"))
	alice.click("#come-back")
	alice.shows("before", "mine")
	alice.until("nothing on its way", pendingIs())
	alice.about("#messages", "mine", "you · .*")
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

// The two languages have the same texts, with the same places for values.
func TestWordsAreTheSameInBothLanguages(t *testing.T) {
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
					t.Errorf("%q has %s in %s only", key, name, pair[0])
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
	// The notices are the lessons' own, and recognized by their words.
	for key, text := range words["en"] {
		for _, piece := range place.Split(text, -1) {
			if strings.HasPrefix(key, "notice ") && !strings.Contains(pages.String(), piece) {
				t.Errorf("no page says %q, a piece of %q", piece, key)
			}
		}
	}
}
