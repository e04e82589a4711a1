package lessons

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"redial/steps/internal/chattest"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// screenshots in the environment names a folder for pictures of the page.
const screenshots = "REDIAL_SCREENSHOTS"

// TestStep7InChromium is a learner's afternoon with step 7: the real server, as a
// process, and its page in two tabs of a real browser. Each part ends with one more
// message, so that anything that came twice or too late would be seen before it.
func TestStep7InChromium(t *testing.T) {
	b := startBrowser(t)

	t.Run("two tabs chat", func(t *testing.T) {
		server := runStep(t, "7", "DATA_DIR="+t.TempDir())
		alice, bob := b.open(t, "alice", server.url), b.open(t, "bob", server.url)
		alice.say("hello")
		alice.shows("hello")
		bob.shows("hello")
		bob.say("hello yourself")
		alice.shows("hello", "hello yourself")
		bob.shows("hello", "hello yourself")
	})

	t.Run("the button breaks the connection, and it comes back", func(t *testing.T) {
		server := runStep(t, "7", "DATA_DIR="+t.TempDir())
		alice, bob := b.open(t, "alice", server.url), b.open(t, "bob", server.url)
		alice.say("before")
		bob.shows("before")
		bob.watchStatus()
		bob.do(chromedp.Click(chromedp.CSS("#break")))
		bob.until("a break and a connection again", `statuses.includes("off") && `+connected)
		alice.say("after")
		alice.shows("before", "after")
		bob.shows("before", "after")
	})

	t.Run("what is said during a break comes once", func(t *testing.T) {
		server := runStep(t, "7", "DATA_DIR="+t.TempDir())
		alice, bob := b.open(t, "alice", server.url), b.open(t, "bob", server.url)
		alice.say("before")
		bob.shows("before")
		bob.watchStatus()
		bob.do(chromedp.Click(chromedp.CSS("#break")))
		bob.until("a broken connection", `statuses.includes("off")`)
		// The page would be back before anybody could type.
		bob.network(offline)
		bob.until("no connection", disconnected)
		alice.say("meanwhile")
		alice.shows("before", "meanwhile")
		bob.shows("before")
		bob.network(online)
		bob.shows("before", "meanwhile")
		bob.until("a connection", connected)
		alice.say("after")
		alice.shows("before", "meanwhile", "after")
		bob.shows("before", "meanwhile", "after")
	})

	t.Run("a refresh brings the whole history", func(t *testing.T) {
		server := runStep(t, "7", "DATA_DIR="+t.TempDir())
		alice, bob := b.open(t, "alice", server.url), b.open(t, "bob", server.url)
		history := []string{"one", "two", "two", "three"}
		for i, text := range history {
			alice.say(text)
			bob.shows(history[:i+1]...)
		}
		bob.do(chromedp.Reload())
		bob.shows(history...)
		history = append(history, "four")
		alice.say("four")
		alice.shows(history...)
		bob.shows(history...)
	})

	t.Run("markup in a message is text", func(t *testing.T) {
		server := runStep(t, "7", "DATA_DIR="+t.TempDir())
		alice, bob := b.open(t, "alice", server.url), b.open(t, "bob", server.url)
		said := []string{`<script>window.harmed = true</script>`, `<img src="x:" onerror="window.harmed = true"> & &amp;`, "the end"}
		for i, text := range said {
			alice.say(text)
			alice.shows(said[:i+1]...)
		}
		bob.do(chromedp.Reload()) // from the database as well as live
		for _, page := range []*tab{alice, bob} {
			page.shows(said...)
			if n := evaluate[int](page, `document.querySelectorAll("#messages li *").length`); n != 0 {
				t.Errorf("%s: the messages made %d elements, want none", page.name, n)
			}
			if evaluate[bool](page, `"harmed" in window`) {
				t.Errorf("%s: a message was run", page.name)
			}
		}
	})

	t.Run("a killed server comes back with all that was shown", func(t *testing.T) {
		data, port := "DATA_DIR="+t.TempDir(), "PORT="+quietPort(t)
		server := runStep(t, "7", data, port)
		alice, bob := b.open(t, "alice", server.url), b.open(t, "bob", server.url)
		alice.say("stored")
		bob.shows("stored")
		bob.say("stored as well")
		alice.shows("stored", "stored as well")
		bob.shows("stored", "stored as well")
		if _, err := server.end(syscall.SIGKILL); err == nil {
			t.Fatal("the process ended well when it was killed")
		}
		alice.until("no connection", disconnected)
		bob.until("no connection", disconnected)
		server = runStep(t, "7", data, port)
		alice.until("a connection", connected)
		bob.until("a connection", connected)
		alice.say("new")
		for _, page := range []*tab{alice, bob, b.open(t, "carol", server.url)} {
			page.shows("stored", "stored as well", "new")
		}
	})

	t.Run("light and dark", func(t *testing.T) {
		server := runStep(t, "7", "DATA_DIR="+t.TempDir())
		page := b.open(t, "alice", server.url)
		page.do(chromedp.EmulateViewport(720, 480))
		said := []string{"Is anybody here?", "I am. 잘 들려요.", "<script>alert(1)</script>"}
		for i, text := range said {
			page.say(text)
			page.shows(said[:i+1]...)
		}
		for _, scheme := range []string{"light", "dark"} {
			page.emulate(&emulation.MediaFeature{Name: "prefers-color-scheme", Value: scheme})
			paper, ink := evaluate[int](page, brightness("backgroundColor")), evaluate[int](page, brightness("color"))
			if dark := paper < ink; dark != (scheme == "dark") || max(paper-ink, ink-paper) < 300 {
				t.Errorf("%s: the paper's brightness is %d and the ink's %d, of 765", scheme, paper, ink)
			}
			picture, err := chromedp.Run(page.ctx, chromedp.CaptureScreenshot())
			if err != nil {
				t.Fatal(err)
			}
			save(t, "step-7-"+scheme+".png", picture)
		}
	})
}

// TestStep8InChromium shows what a person sees of a message that is not stored yet.
func TestStep8InChromium(t *testing.T) {
	b := startBrowser(t)
	data := t.TempDir()
	server := runStep(t, "8", "DATA_DIR="+data)
	alice, bob := b.open(t, "alice", server.url), b.open(t, "bob", server.url)

	t.Run("the database is locked", func(t *testing.T) {
		alice.t, bob.t = t, t
		unlock := chattest.Lock(t, data)
		defer unlock()
		alice.say("kept")
		alice.until("the message among those on their way", pendingIs("kept"))
		alice.until("a notice", `document.getElementById("notice").textContent.includes("kept here and sent again")`)
		picture, err := chromedp.Run(alice.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		save(t, "step-8-locked.png", picture)
		unlock()
		alice.shows("kept")
		bob.shows("kept")
		alice.until("nothing on its way", pendingIs())
		alice.until("no notice", `document.getElementById("notice").textContent === ""`)
	})

	t.Run("the network is away", func(t *testing.T) {
		alice.t, bob.t = t, t
		alice.watchStatus()
		alice.do(chromedp.Click(chromedp.CSS("#break")))
		alice.until("a broken connection", `statuses.includes("off")`)
		alice.network(offline)
		alice.until("no connection", disconnected)
		alice.say("one")
		alice.say("two")
		alice.until("both on their way", pendingIs("one", "two"))
		alice.network(online)
		alice.until("nothing on its way", pendingIs())
		alice.shows("kept", "one", "two")
		bob.shows("kept", "one", "two")
	})

	t.Run("a refusal ends it", func(t *testing.T) {
		alice.t, bob.t = t, t
		evaluate[bool](alice, refuseAndSay("behind it"))
		alice.until("nothing on its way", pendingIs())
		const refused = `document.getElementById("notice").textContent.includes("was refused")`
		if !evaluate[bool](alice, refused) {
			t.Error("the refusal is not to be seen: what was said behind it has cleared it away")
		}
		picture, err := chromedp.Run(alice.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		save(t, "step-8-refused.png", picture)
		alice.say("three")
		bob.shows("kept", "one", "two", "behind it", "three")
		alice.until("no notice", "!"+refused)
		unlock := chattest.Lock(t, data)
		defer unlock()
		evaluate[bool](alice, `socket.once("unavailable", () => (document.body.dataset.away = "told")) && true`)
		evaluate[bool](alice, refuseAndSay("while it is locked"))
		alice.until("only what can be sent on its way", pendingIs("while it is locked"))
		alice.until("the word that the database is away", `document.body.dataset.away === "told"`)
		unlock()
		bob.shows("kept", "one", "two", "behind it", "three", "while it is locked")
		alice.until("nothing on its way", pendingIs())
		if !evaluate[bool](alice, refused) {
			t.Error("the refusal is not to be seen: that the database was away has cleared it away")
		}
	})
}

// refuseAndSay says what is too long, and then the text.
func refuseAndSay(text string) string {
	return fmt.Sprintf(`{
		for (const text of ["x".repeat(70000), %q]) {
			document.getElementById("input").value = text;
			document.getElementById("form").requestSubmit();
		}
		true
	}`, text)
}

// TestStep10InChromium refreshes and closes tabs with messages that are not delivered.
func TestStep10InChromium(t *testing.T) {
	b := startBrowser(t)
	data := t.TempDir()
	server := runStep(t, "10", "DATA_DIR="+data)
	alice, other := b.open(t, "alice", server.url), b.open(t, "her other tab", server.url)
	if !evaluate[bool](alice, `navigator.locks !== undefined && crypto.randomUUID !== undefined`) {
		t.Error("the page has no locks or no randomUUID: the fallbacks are what is tried here")
	}
	alice.say("before")
	other.shows("before")

	// Both tabs try, and are told that it cannot be stored; whichever delivers it.
	unlock := chattest.Lock(t, data)
	defer func() { unlock() }()
	alice.say("zero")
	for _, each := range []*tab{alice, other} {
		each.until("the notice", `document.getElementById("notice").textContent.includes("kept here")`)
	}
	unlock()
	for _, each := range []*tab{alice, other} {
		each.until("nothing on its way", pendingIs())
		each.until("no notice", `document.getElementById("notice").textContent === ""`)
	}

	unlock = chattest.Lock(t, data)
	alice.say("one")
	alice.until("the message on its way", pendingIs("one"))
	other.until("it on its way there, too", pendingIs("one"))
	alice.do(chromedp.Reload())
	alice.until("a connection", connected)
	alice.until("the message on its way again", pendingIs("one"))
	other.say("two")
	alice.say("three")
	picture, err := chromedp.Run(alice.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	save(t, "step-10-pending.png", picture)
	closing, done := context.WithTimeout(alice.ctx, patience)
	defer done()
	if err := chromedp.Cancel(closing); err != nil {
		t.Fatal(err)
	}
	other.until("all on their way", pendingIs("one", "two", "three"))
	unlock()
	other.shows("before", "zero", "one", "two", "three")
	other.until("nothing on its way", pendingIs())
	b.open(t, "alice again", server.url).shows("before", "zero", "one", "two", "three")
}

// pendingIs is a condition: these texts are on their way, and no others.
func pendingIs(texts ...string) string {
	list, err := json.Marshal(append([]string{}, texts...))
	if err != nil {
		panic(err)
	}
	return `JSON.stringify(Array.from(document.querySelectorAll("#pending li"), (item) => item.textContent)) === JSON.stringify(` + string(list) + `)`
}

// brightness is an expression for the sum of red, green and blue of one of the body's
// colours.
func brightness(property string) string {
	return `getComputedStyle(document.body).` + property + `.match(/\d+/g).slice(0, 3).reduce((sum, n) => sum + Number(n), 0)`
}

func save(t *testing.T, name string, picture []byte) {
	t.Helper()
	folder := os.Getenv(screenshots)
	if folder == "" {
		return
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}
