package lessons

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"redial/harness/target/ports"
	"redial/steps/internal/chattest"

	"github.com/chromedp/chromedp"
)

// screenshots is the environment variable with a folder for pictures of the pages.
const screenshots = "REDIAL_SCREENSHOTS"

// openChat starts a step as a process, and opens its page in two tabs.
func (b *browser) openChat(t *testing.T, step, data string) (server *process, alice, bob *tab) {
	t.Helper()
	server = runStep(t, step, "DATA_DIR="+data)
	return server, b.open(t, "alice", server.url), b.open(t, "bob", server.url)
}

// Each part ends with one more message, so that a message that arrives twice or late is seen
// before it.
func TestStep7InChromium(t *testing.T) {
	b := startBrowser(t)

	t.Run("two tabs chat", func(t *testing.T) {
		_, alice, bob := b.openChat(t, "7", t.TempDir())
		alice.send("hello")
		alice.shows("hello")
		bob.shows("hello")
		bob.send("hello yourself")
		alice.shows("hello", "hello yourself")
		bob.shows("hello", "hello yourself")
	})

	t.Run("the page reconnects after the button", func(t *testing.T) {
		_, alice, bob := b.openChat(t, "7", t.TempDir())
		alice.send("before")
		bob.shows("before")
		bob.breakConnection()
		bob.Until("a connection", connected)
		alice.send("after")
		alice.shows("before", "after")
		bob.shows("before", "after")
	})

	t.Run("a message that is sent while the page is offline is shown once", func(t *testing.T) {
		_, alice, bob := b.openChat(t, "7", t.TempDir())
		alice.send("before")
		bob.shows("before")
		bob.breakConnection()
		// Without this the page would reconnect before alice has typed.
		bob.network(offline)
		bob.Until("no connection", disconnected)
		alice.send("meanwhile")
		alice.shows("before", "meanwhile")
		bob.shows("before")
		bob.network(online)
		bob.shows("before", "meanwhile")
		bob.Until("a connection", connected)
		alice.send("after")
		alice.shows("before", "meanwhile", "after")
		bob.shows("before", "meanwhile", "after")
	})

	t.Run("a refreshed page shows the whole history", func(t *testing.T) {
		_, alice, bob := b.openChat(t, "7", t.TempDir())
		history := []string{"one", "two", "two", "three"}
		for i, text := range history {
			alice.send(text)
			bob.shows(history[:i+1]...)
		}
		bob.Do(chromedp.Reload())
		bob.shows(history...)
		history = append(history, "four")
		alice.send("four")
		alice.shows(history...)
		bob.shows(history...)
	})

	t.Run("markup in a message is text", func(t *testing.T) {
		_, alice, bob := b.openChat(t, "7", t.TempDir())
		sent := []string{`<script>window.harmed = true</script>`, `<img src="x:" onerror="window.harmed = true"> & &amp;`, "the end"}
		for i, text := range sent {
			alice.send(text)
			alice.shows(sent[:i+1]...)
		}
		bob.Do(chromedp.Reload()) // bob gets the messages from the database, alice got them live
		for _, page := range []*tab{alice, bob} {
			page.shows(sent...)
			if n := evaluate[int](page, `document.querySelectorAll("#messages li *").length`); n != 0 {
				t.Errorf("%s: the messages made %d elements, want none", page.Name, n)
			}
			if evaluate[bool](page, `"harmed" in window`) {
				t.Errorf("%s: a script in a message ran", page.Name)
			}
		}
	})

	t.Run("a restarted server has all messages that were shown", func(t *testing.T) {
		free, err := ports.Take(1)
		if err != nil {
			t.Fatal(err)
		}
		data, port := "DATA_DIR="+t.TempDir(), fmt.Sprint("PORT=", free)
		server := runStep(t, "7", data, port)
		alice, bob := b.open(t, "alice", server.url), b.open(t, "bob", server.url)
		alice.send("stored")
		bob.shows("stored")
		bob.send("stored as well")
		alice.shows("stored", "stored as well")
		bob.shows("stored", "stored as well")
		if _, err := server.end(syscall.SIGKILL); err == nil {
			t.Fatal("the killed process reports success")
		}
		alice.Until("no connection", disconnected)
		bob.Until("no connection", disconnected)
		server = runStep(t, "7", data, port)
		alice.Until("a connection", connected)
		bob.Until("a connection", connected)
		alice.send("new")
		for _, page := range []*tab{alice, bob, b.open(t, "carol", server.url)} {
			page.shows("stored", "stored as well", "new")
		}
	})
}

// The page shows a message that is not stored yet as pending.
func TestStep8InChromium(t *testing.T) {
	data := t.TempDir()
	_, alice, bob := startBrowser(t).openChat(t, "8", data)

	t.Run("the database is locked", func(t *testing.T) {
		alice.T, bob.T = t, t
		unlock := chattest.Lock(t, data)
		defer unlock()
		alice.send("kept")
		alice.Until("the pending message", pendingIs("kept"))
		alice.Until("a notice", `document.getElementById("notice").textContent.includes("kept here and sent again")`)
		alice.picture("step-8-locked")
		unlock()
		alice.shows("kept")
		bob.shows("kept")
		alice.Until("no pending message", pendingIs())
		alice.Until("no notice", `document.getElementById("notice").textContent === ""`)
	})

	t.Run("the page is offline", func(t *testing.T) {
		alice.T, bob.T = t, t
		alice.breakConnection()
		alice.network(offline)
		alice.Until("no connection", disconnected)
		alice.send("one")
		alice.send("two")
		alice.Until("both pending", pendingIs("one", "two"))
		alice.network(online)
		alice.Until("no pending message", pendingIs())
		alice.shows("kept", "one", "two")
		bob.shows("kept", "one", "two")
	})

	t.Run("a refused message is not pending", func(t *testing.T) {
		alice.T, bob.T = t, t
		evaluate[bool](alice, sendTooLongAnd("behind it"))
		alice.Until("no pending message", pendingIs())
		const refused = `document.getElementById("notice").textContent.includes("was refused")`
		if !evaluate[bool](alice, refused) {
			t.Error("the notice of the refusal is gone after the next message was delivered")
		}
		alice.picture("step-8-refused")
		alice.send("three")
		bob.shows("kept", "one", "two", "behind it", "three")
		alice.Until("no notice", "!"+refused)
		unlock := chattest.Lock(t, data)
		defer unlock()
		evaluate[bool](alice, `socket.once("unavailable", () => (document.body.dataset.unavailable = "yes")) && true`)
		evaluate[bool](alice, sendTooLongAnd("while it is locked"))
		alice.Until("only the second message pending", pendingIs("while it is locked"))
		alice.Until("the event unavailable", `document.body.dataset.unavailable === "yes"`)
		unlock()
		bob.shows("kept", "one", "two", "behind it", "three", "while it is locked")
		alice.Until("no pending message", pendingIs())
		if !evaluate[bool](alice, refused) {
			t.Error("the notice of the refusal is gone after the database was unavailable")
		}
	})
}

// sendTooLongAnd sends a message that is too long, and then the text.
func sendTooLongAnd(text string) string {
	return fmt.Sprintf(`{
		for (const text of ["x".repeat(70000), %q]) {
			document.getElementById("input").value = text;
			document.getElementById("form").requestSubmit();
		}
		true
	}`, text)
}

// Tabs are refreshed and closed while their messages are not delivered.
func TestStep10InChromium(t *testing.T) {
	b := startBrowser(t)
	data := t.TempDir()
	server, alice, other := b.openChat(t, "10", data)
	if !evaluate[bool](alice, `navigator.locks !== undefined && crypto.randomUUID !== undefined`) {
		t.Error("the page has no locks or no randomUUID, so this tests the fallbacks")
	}
	alice.send("before")
	other.shows("before")

	// Both tabs attempt to deliver the message, and receive the event unavailable.
	unlock := chattest.Lock(t, data)
	defer func() { unlock() }()
	alice.send("zero")
	for _, each := range []*tab{alice, other} {
		each.Until("the notice", `document.getElementById("notice").textContent.includes("kept here")`)
	}
	unlock()
	for _, each := range []*tab{alice, other} {
		each.Until("no pending message", pendingIs())
		each.Until("no notice", `document.getElementById("notice").textContent === ""`)
	}

	unlock = chattest.Lock(t, data)
	alice.send("one")
	alice.Until("the pending message", pendingIs("one"))
	other.Until("the pending message of the other tab", pendingIs("one"))
	alice.Do(chromedp.Reload())
	alice.Until("a connection", connected)
	alice.Until("the pending message after the refresh", pendingIs("one"))
	other.send("two")
	alice.send("three")
	alice.picture("step-10-pending")
	closing, done := context.WithTimeout(alice.Ctx, patience)
	defer done()
	if err := chromedp.Cancel(closing); err != nil {
		t.Fatal(err)
	}
	other.Until("all pending", pendingIs("one", "two", "three"))
	unlock()
	other.shows("before", "zero", "one", "two", "three")
	other.Until("no pending message", pendingIs())
	b.open(t, "alice again", server.url).shows("before", "zero", "one", "two", "three")
}

// pendingIs is the condition that these texts are pending, and no others.
func pendingIs(texts ...string) string {
	list, err := json.Marshal(append([]string{}, texts...))
	if err != nil {
		panic(err)
	}
	return `JSON.stringify(Array.from(document.querySelectorAll("#pending li"), (item) => item.textContent)) === JSON.stringify(` + string(list) + `)`
}

// picture saves a picture of the page if the environment names a folder for it.
func (p *tab) picture(name string) {
	p.T.Helper()
	folder := os.Getenv(screenshots)
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(p.Ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.T.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		p.T.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644); err != nil {
		p.T.Fatal(err)
	}
}
