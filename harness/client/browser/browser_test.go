package browser

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redial/harness/client"
	"redial/harness/history"
	"redial/steps/lessons"
)

// The pages are served in this process and begin with HTTP polling, at the end of which
// servers/engine 3.0.2 has a data race. So make test runs these tests without the race detector.
// It uses that for the tests of package runner, whose servers are separate processes.
func TestMain(m *testing.M) {
	if os.Getenv(inChild) != "" {
		os.Exit(m.Run()) // TestChromiumEndsWithThisProcess kills it
	}
	temporary, err := os.MkdirTemp("", "redial-browser-test-")
	if err != nil {
		panic(err)
	}
	os.Setenv("TMPDIR", temporary)
	code := m.Run()
	err = Shutdown()
	left, _ := filepath.Glob(filepath.Join(temporary, "redial-chromium-*"))
	if err != nil || len(left) > 0 {
		fmt.Println("Shutdown left", left, err)
		code = 1
	}
	os.RemoveAll(temporary)
	os.Exit(code)
}

// inChild, in the environment, makes the test program start Chromium and wait.
const inChild = "REDIAL_BROWSER_CHILD"

// tutorial is the Spec of the steps' pages.
var tutorial = Spec{Input: "#input", Press: "Enter", Messages: "#messages li"}

// A watched is a client with its history.
type watched struct {
	*Client
	t       *testing.T
	history *history.Recorder
}

func watch(t *testing.T, name, url string, spec Spec, profile *Profile) *watched {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: no test runs in a browser")
	}
	if _, err := Find(); err != nil {
		t.Skip(err)
	}
	if err := spec.Validate(); err != nil {
		t.Fatal(err)
	}
	w := &watched{t: t, history: history.NewRecorder()}
	own := profile == nil
	if own {
		profile = NewProfile()
	}
	w.Client = New(client.Options{Name: name, URL: url, Record: w.history.Add}, spec, profile)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if own {
			if err := profile.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return w
}

func (w *watched) opens() *watched {
	w.t.Helper()
	if err := w.Open(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return w
}

// lines are the events from the index on, as "kind message" or "kind detail".
func (w *watched) lines(from int) (lines []string) {
	for _, e := range w.history.Events(from) {
		lines = append(lines, strings.TrimSpace(fmt.Sprint(e.Kind, " ", e.Message, e.Detail)))
	}
	return lines
}

// until waits for a line with the prefix from the index on, and returns the index after it.
func (w *watched) until(from int, prefix string) int {
	w.t.Helper()
	late := time.After(time.Minute)
	for {
		changed := w.history.Changed()
		for i, got := range w.lines(from) {
			if strings.HasPrefix(got, prefix) {
				return from + i + 1
			}
		}
		select {
		case <-changed:
		case <-late:
			w.t.Fatalf("%s: no %q among %q", w.options.Name, prefix, w.lines(from))
		}
	}
}

func (w *watched) sends(text string) {
	w.t.Helper()
	if err := w.Send(text); err != nil {
		w.t.Fatal(err)
	}
}

// serve serves one document at every path.
func serve(t *testing.T, html string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writePage(w, html)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func writePage(w http.ResponseWriter, html string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, html)
}

// serveStep serves a step of the tutorial.
func serveStep(t *testing.T, number string) string {
	t.Helper()
	return serveChanged(t, number, "", "")
}

// serveChanged serves a step with a change to its page.
func serveChanged(t *testing.T, number, old, with string) string {
	t.Helper()
	return serveTuned(t, number, lessons.Settings{}, old, with)
}

func serveTuned(t *testing.T, number string, settings lessons.Settings, old, with string) string {
	t.Helper()
	lesson, err := lessons.Find(number)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lessons.Bundle(); err != nil {
		t.Skip(err)
	}
	settings.DataDir = t.TempDir()
	handler, closer, err := lessons.Handler(lesson, settings)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(lesson.Page), old) {
		t.Fatalf("step %s's page has no %s", number, old)
	}
	changed := strings.Replace(string(lesson.Page), old, with, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			writePage(w, changed)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { _ = closer.Close(); server.CloseClientConnections(); server.Close() })
	return server.URL
}

const form = `<ul id="messages"></ul><form id="form"><input id="input"></form>
<script>
	const messages = document.getElementById("messages");
	const add = (text) => { const item = document.createElement("li"); item.textContent = text; messages.append(item); };
	document.getElementById("form").onsubmit = (event) => { event.preventDefault(); add(document.getElementById("input").value); };
</script>`

func TestTwoClientsChat(t *testing.T) {
	url := serveStep(t, "7")
	alice, bob := watch(t, "alice", url, tutorial, nil).opens(), watch(t, "bob", url, tutorial, nil).opens()
	alice.until(0, "connected")
	bob.until(0, "connected")
	alice.sends("hello, 안녕 <b>")
	bob.until(0, "shown hello, 안녕 <b>")
	alice.until(0, "shown hello, 안녕 <b>")
	if got, want := fmt.Sprint(alice.lines(0)), "[opened connected sent hello, 안녕 <b> shown hello, 안녕 <b>]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := alice.Status(), (client.Status{View: 1, Open: true, Connected: true, Shown: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	from := len(bob.lines(0))
	if err := bob.Close(); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(bob.lines(from)); got != "[closed]" {
		t.Errorf("closing the tab recorded %s", got)
	}
	if err := bob.Send("too late"); !errors.Is(err, client.ErrNotOpen) {
		t.Errorf("a closed tab: %v", err)
	}
}

func TestSuspendedPageRunsNoTimerAndShowsNoMessage(t *testing.T) {
	url := serveStep(t, "7")
	alice, bob := watch(t, "alice", url, tutorial, nil).opens(), watch(t, "bob", url, tutorial, nil).opens()
	alice.until(0, "connected")
	bob.until(0, "connected")
	ticks := func() string {
		text, err := bob.tab.evaluate(bob.tab.ctx, `() => String(window.ticks)`)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if _, err := bob.tab.evaluate(bob.tab.ctx, `() => { window.ticks = 0; setInterval(() => window.ticks++, 1); return ""; }`); err != nil {
		t.Fatal(err)
	}
	if err := bob.Suspend(); err != nil {
		t.Fatal(err)
	}
	before, events := ticks(), len(bob.lines(0))
	for i := range 10 {
		alice.sends(fmt.Sprint("meanwhile ", i))
		alice.until(0, fmt.Sprint("shown meanwhile ", i))
	}
	if after := ticks(); after != before {
		t.Errorf("a timer of the suspended page ran: %s, then %s", before, after)
	}
	if got := bob.lines(events); len(got) > 0 {
		t.Errorf("the suspended page: %q", got)
	}
	if err := bob.Send("suspended"); err == nil {
		t.Error("a message was sent on a suspended page")
	}
	if err := bob.Resume(); err != nil {
		t.Fatal(err)
	}
	bob.until(events, "shown meanwhile 9")
}

func TestTabsOfOneProfileShareTheStorage(t *testing.T) {
	url := serve(t, form+`<script>add("visits " + (localStorage.visits = Number(localStorage.visits || 0) + 1)); add("in this tab " + (sessionStorage.visits = Number(sessionStorage.visits || 0) + 1));</script>`)
	profile := NewProfile()
	defer profile.Close()
	alice, tab, bob := watch(t, "alice", url, tutorial, profile), watch(t, "tab", url, tutorial, profile), watch(t, "bob", url, tutorial, nil)
	alice.opens().until(0, "shown visits 1")
	tab.opens().until(0, "shown visits 2")
	tab.until(0, "shown in this tab 1")
	bob.opens().until(0, "shown visits 1")
	if err := alice.Refresh(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	alice.until(0, "shown in this tab 2")
	if err := alice.Close(); err != nil {
		t.Fatal(err)
	}
	alice.opens().until(0, "shown visits 4")
}

func TestChangedListIsShownFromItsFirstDifference(t *testing.T) {
	alice := watch(t, "alice", serve(t, form), tutorial, nil).opens()
	alice.do(`add("one"); add("two")`)
	alice.do(`const all = [...messages.children]; messages.textContent = ""; for (const item of all) add(item.textContent); add("three")`)
	alice.do(`messages.children[1].textContent = "TWO"`)
	alice.do(`messages.textContent = ""`)
	alice.do(`add("again")`)
	alice.tab.flush()
	want := "[opened shown one shown two shown three note the list was rewritten shown TWO shown three note the list was rewritten shown again]"
	if got := fmt.Sprint(alice.lines(0)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if view, removed := alice.Removed(); view != 1 || fmt.Sprint(removed) != "[TWO one three two]" {
		t.Errorf("it has removed %q in view %d", removed, view)
	}
}

// A page may show a message as unsent at first, and then change only a class.
func TestAMessageIsShownWhenItIsSelected(t *testing.T) {
	spec := tutorial
	spec.Messages += ":not(.unsent)"
	alice := watch(t, "alice", serve(t, form), spec, nil).opens()
	alice.do(`add("one"); messages.lastChild.className = "unsent"`)
	alice.do(`add("two"); messages.lastChild.className = "unsent"`)
	alice.do(`messages.firstChild.className = ""`)
	alice.tab.flush()
	if got, want := fmt.Sprint(alice.lines(0)), "[opened shown one]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDialogsAndErrorsAreNoted(t *testing.T) {
	alice := watch(t, "alice", serve(t, form+`<script>
		if (confirm("really?")) add("yes");
		addEventListener("beforeunload", (event) => event.preventDefault());
		console.error("one\ntwo", 3);
		throw new Error("uncaught");
	</script><script src="http://127.0.0.1:1/missing.js"></script>`), tutorial, nil).opens()
	alice.until(0, "note the page opened a dialog (confirm), which was accepted: really?")
	alice.until(0, "shown yes")
	alice.until(0, "note console.error: one")
	alice.until(0, "note Uncaught Error: uncaught")
	alice.until(0, "note the page could not load its script http://127.0.0.1:1/missing.js")
	alice.sends("typed") // a page may open the dialog only after user input
	if err := alice.Refresh(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	alice.until(0, "note the page opened a dialog (beforeunload)")
}

func TestDisconnectConnectAndThrowAreUnsupported(t *testing.T) {
	alice := New(client.Options{}, tutorial, nil)
	for _, err := range []error{alice.Disconnect(), alice.Connect(), alice.Throw()} {
		if !errors.Is(err, client.ErrUnsupported) {
			t.Errorf("got %v", err)
		}
	}
}

func TestSendOnAPageWithoutAnInputSaysWhatIsMissing(t *testing.T) {
	alice := New(client.Options{}, Spec{Messages: "li"}, nil)
	if err := alice.typeAndSubmit(nil, "hello"); err == nil || !strings.Contains(err.Error(), "page.input") || !strings.Contains(err.Error(), "socket without send") {
		t.Errorf("got %v", err)
	}
}

var withButton = Spec{Input: "#input", Submit: "#send", Messages: "#messages li"}

// Many pages disable the button while the input is empty. The message counts as sent only once
// the button can be clicked.
func TestButtonThatIsDisabledWhileThereIsNoText(t *testing.T) {
	url := serve(t, form+`<button id="send" form="form" disabled>Send</button><script>
		const field = document.getElementById("input");
		field.oninput = () => setTimeout(() => (document.getElementById("send").disabled = field.value === "refused" || field.value === ""));
	</script>`)
	alice := watch(t, "alice", url, withButton, nil).opens()
	alice.sends("hello")
	alice.until(0, "shown hello")
	alice.elementBound = time.Second
	if err := alice.Send("refused"); err == nil || !strings.Contains(err.Error(), "it is disabled within 1s") {
		t.Errorf("got %v", err)
	}
	if got := fmt.Sprint(alice.lines(0)); got != "[opened sent hello shown hello]" {
		t.Error(got)
	}
}

// A page may begin anew with an empty input when it becomes usable, such as after a reconnection.
func TestInputThatIsEmptiedWhileTheButtonIsDisabled(t *testing.T) {
	url := serve(t, form+`<button id="send" form="form" disabled>Send</button><script>
		const field = document.getElementById("input");
		field.oninput = () => setTimeout(() => {
			field.oninput = null;
			field.value = "";
			document.getElementById("send").disabled = false;
		}, 300);
	</script>`)
	alice := watch(t, "alice", url, withButton, nil).opens()
	alice.sends("hello")
	alice.until(0, "shown hello")
}

func TestValidateNamesTheField(t *testing.T) {
	for want, spec := range map[string]Spec{
		"url:":                       {Path: "chat", Input: "i", Press: "Enter", Messages: "m"},
		"nor with http":              {Path: "ftp://127.0.0.1/", Input: "i", Press: "Enter", Messages: "m"},
		"input is missing":           {Press: "Enter", Messages: "m"},
		"messages is missing":        {Input: "i", Press: "Enter"},
		"submit, press:":             {Input: "i", Messages: "m"},
		"there is no key \"Return\"": {Input: "i", Press: "Return", Messages: "m"},
		"needs one of fill":          {Input: "i", Press: "Enter", Messages: "m", Enter: []Step{{Fill: "a", Click: "b"}}},
		"with needs fill":            {Input: "i", Press: "Enter", Messages: "m", Enter: []Step{{Click: "a", With: "b"}}},
		"conversation, step 1: it needs an element": {Input: "i", Press: "Enter", Messages: "m", Conversation: []Step{{Press: "Enter"}}},
		"conversation, step 2: optional and text":   {Input: "i", Press: "Enter", Messages: "m", Conversation: []Step{{Click: "a"}, {Press: "Enter", Text: "a"}}},
		"enter, step 1: optional":                   {Input: "i", Press: "Enter", Messages: "m", Enter: []Step{{Press: "Enter", Optional: true}}},
	} {
		if err := spec.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}
