package page_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"redial/harness/client"
	"redial/harness/history"
)

func TestAcknowledgementsAreRecordedForEachWayToAsk(t *testing.T) {
	for name, page := range map[string]string{
		"callback":              chatPage("", ", (answer) => {}"),
		"ackTimeout":            chatPage(", ackTimeout: 5000", ", (error, answer) => {}"),
		"retries":               chatPage(", ackTimeout: 5000, retries: 3", ", (error, answer) => {}"),
		"retries, no callback":  chatPage(", ackTimeout: 5000, retries: 3", ""),
		"emitWithAck":           strings.Replace(chatPage("", ""), "socket.emit(", "socket.emitWithAck(", 1),
		"timeout().emitWithAck": strings.Replace(chatPage("", ""), "socket.emit(", "socket.timeout(5000).emitWithAck(", 1),
	} {
		t.Run(name, func(t *testing.T) {
			server := serveTCP(t, newSite(t, page))
			p := newWatched(t, client.Options{URL: server.URL}).open(t)
			p.await(t, "connected", 1)
			p.send(t, "good")
			p.send(t, "bad")
			p.await(t, "acknowledged good", 1)
			p.await(t, "refused bad (not allowed)", 1)
		})
	}
}

func TestRetriedMessageIsAcknowledgedOnce(t *testing.T) {
	s := newSite(t, chatPage(", ackTimeout: 100, retries: 5", ""))
	s.ignore["slow"] = 2
	server := serveTCP(t, s)
	p := newWatched(t, client.Options{URL: server.URL}).open(t)
	p.await(t, "connected", 1)
	p.send(t, "slow")
	p.await(t, "acknowledged slow", 1)
	p.send(t, "end")
	p.await(t, "acknowledged end", 1)
	if story := p.story(); count(story, "acknowledged slow") != 1 || count(story, "sent slow") != 1 {
		t.Errorf("the history has %q", story)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attempts["slow"] != 3 {
		t.Errorf("the server received %d attempts", s.attempts["slow"])
	}
}

func TestTimeoutIsNoAcknowledgement(t *testing.T) {
	s := newSite(t, chatPage(", ackTimeout: 30", `, (error) => console.error("gave up", error.message)`))
	s.ignore["lost"] = 100
	server := serveTCP(t, s)
	p := newWatched(t, client.Options{URL: server.URL}).open(t)
	p.await(t, "connected", 1)
	p.send(t, "lost")
	p.await(t, "note (console.error: gave up operation has timed out)", 1)
	if story := p.story(); count(story, "acknowledged lost") != 0 {
		t.Errorf("the history has %q", story)
	}
}

func TestErrorsOfThePageAreNoted(t *testing.T) {
	for _, c := range []struct{ name, script, note string }{
		{"exception", `throw new RangeError("oops")`, "uncaught: RangeError: oops at inline script 1:1:7"},
		{"exception later", `setTimeout(() => nothing.at.all, 1)`, "uncaught: ReferenceError: nothing is not defined at inline script 1:1:18"},
		{"syntax", `let = =`, "uncaught: SyntaxError: inline script 1: Line 1:7 Unexpected token ="},
		{"unknown function", `document.getElementById("form").attachInternals()`, "uncaught: TypeError: Object has no member 'attachInternals' at inline script 1:1:48"},
		{"unknown property", `document.getElementById("form").offsetHeight`, "uncaught: TypeError: element.offsetHeight is not implemented by the harness's page at inline script 1:1:33"},
		{"rejection", `Promise.reject(new Error("oops"))`, "uncaught (in promise): Error: oops at inline script 1:1:16"},
		{"innerHTML", `document.body.firstElementChild.innerHTML = "<b>x</b>"`, "page used innerHTML"},
		{"console.error", `console.error("a", {b: 1})`, `console.error: a {"b":1}`},
		{"another server", `io("http://127.0.0.2:1")`, "refused a WebSocket to 127.0.0.2:1: a page reaches nothing but its own server, "},
		{"a bare submit", `document.getElementById("form").requestSubmit()`, "the form was submitted and nothing called preventDefault: a browser would leave the page"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serveTCP(t, newSite(t, pageHTML(c.script)))
			p := newWatched(t, client.Options{URL: server.URL}).open(t)
			deadline := time.Now().Add(time.Minute)
			noted := func() bool {
				return slices.ContainsFunc(p.history.Events(0), func(e history.Event) bool {
					return e.Kind == history.Note && strings.HasPrefix(e.Detail, c.note)
				})
			}
			for !noted() {
				if time.Now().After(deadline) {
					t.Fatalf("no note %q; it saw\n%s", c.note, strings.Join(p.story(), "\n"))
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

func TestChangesOfTheListAreShownOrNoted(t *testing.T) {
	script := `
		const list = document.getElementById("messages");
		const show = (text) => { const item = document.createElement("li"); list.append(item); item.textContent = text; };
		let all, then = () => {};
		show("a"); show("b");
		setTimeout(() => { show("c"); all = [...list.children].map((item) => item.textContent); %s }, 5);
		setTimeout(() => then(), 7);
		setTimeout(() => { show("last"); }, 10);`
	for _, c := range []struct{ name, change, story string }{
		{"appended", ``, "shown a, shown b, shown c, shown last"},
		{"first removed", `list.firstChild.remove()`, "shown a, shown b, note (the list was rewritten), shown c, shown last"},
		{"first removed, and shown again", `list.firstChild.remove(); then = () => show("a")`, "shown a, shown b, note (the list was rewritten), shown c, shown a, shown last"},
		{"one in the middle removed", `then = () => list.children[1].remove()`, "shown a, shown b, shown c, note (the list was rewritten), shown last, without b"},
		{"emptied, and filled without the oldest", `list.innerHTML = ""; then = () => ["b", "c", "d"].forEach(show)`, "shown a, shown b, note (the list was rewritten), shown c, shown d, shown last"},
		{"emptied, and filled with fewer", `list.innerHTML = ""; then = () => ["c"].forEach(show)`, "shown a, shown b, note (the list was rewritten), shown c, shown last, without a b"},
		{"one changed", `list.children[1].textContent = "B"`, "shown a, shown b, note (the list was rewritten), shown B, shown c, shown last, without b"},
		{"emptied", `list.innerHTML = ""`, "shown a, shown b, note (the list was rewritten), shown last, without a b"},
		{"emptied and filled again", `list.innerHTML = ""; then = () => all.forEach(show)`, "shown a, shown b, note (the list was rewritten), shown c, shown last"},
		{"and one twice", `list.innerHTML = ""; then = () => [...all, "a"].forEach(show)`, "shown a, shown b, note (the list was rewritten), shown c, shown a, shown last"},
		{"rewritten with the same", `list.replaceChildren(...list.children)`, "shown a, shown b, shown c, shown last"},
		{"put in front", `list.prepend(list.lastChild)`, "shown a, shown b, note (the list was rewritten), shown c, shown a, shown b, shown last"},
		{"replaced", `const other = list.cloneNode(true); list.replaceWith(other); other.lastChild.remove()`, "shown a, shown b"},
		{"elsewhere", `document.body.append(document.createElement("p")); show("d")`, "shown a, shown b, shown c, shown d, shown last"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newWatched(t, client.Options{URL: "http://127.0.0.1:1", HTML: []byte(strings.ReplaceAll(pageHTML(fmt.Sprintf(script, c.change)+`setTimeout(() => console.error("end"), 20)`),
				`<script src="/socket.io/socket.io.js"></script>`, ""))}).open(t)
			p.await(t, "note (console.error: end)", 1)
			story := slices.DeleteFunc(p.story(), func(w string) bool { return w == "opened" || strings.Contains(w, "end)") })
			got := strings.Join(story, ", ")
			if _, removed := p.Removed(); len(removed) > 0 {
				got += ", without " + strings.Join(removed, " ")
			}
			if got != c.story {
				t.Errorf("the history has  %s\nexpected %s", got, c.story)
			}
		})
	}
}
