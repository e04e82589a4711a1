package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"redial/harness/client/browser"
	"redial/steps/lessons"
)

// privately is the page of a chat with private messages: a click on another user opens the
// conversation.
const privately = `<input id="name"><div id="users"></div><div id="panel" hidden><ul id="messages"></ul><form id="form"><input id="input"></form></div>
<script src="/client.js"></script><script>
	const said = {};
	let me, open, socket;
	const element = (name, ...children) => { const made = document.createElement(name); made.append(...children); return made; };
	const draw = () => messages.replaceChildren(...(said[open] || []).map((text) => element("li", element("b", "with " + open), text)));
	const meet = (name) => {
		if (name === me || said[name]) return;
		said[name] = [];
		const user = users.appendChild(document.createElement("button"));
		user.textContent = name;
		user.onclick = () => { open = name; panel.hidden = false; draw(); };
	};
	document.getElementById("name").onkeydown = ({ key, target }) => {
		if (key !== "Enter") return;
		me = target.value;
		target.remove();
		socket = io({ transports: ["websocket"] });
		socket.on("connect", () => socket.emit("join", me));
		socket.on("users", (names) => names.forEach(meet));
		socket.on("private message", (from, text) => { meet(from); said[from].push(text); draw(); });
	};
	form.onsubmit = (event) => {
		event.preventDefault();
		said[open].push(input.value);
		draw();
		socket.emit("private message", me, open, input.value);
	};
</script>`

// The receiver shows a message only if it has clicked on the sender, who is not there at first.
func TestCheckOpensTheConversationOnTheOwnPage(t *testing.T) {
	t.Parallel()
	if _, err := browser.Find(); err != nil {
		t.Skip(err)
	}
	bundle, err := lessons.Bundle()
	if err != nil {
		t.Skip(err)
	}
	server := socket.NewServer(nil, nil)
	t.Cleanup(func() { server.Close(nil) })
	var mu sync.Mutex
	var names []any
	_ = server.On("connection", func(clients ...any) {
		one := clients[0].(*socket.Socket)
		_ = one.On("join", func(args ...any) {
			one.Join(socket.Room(args[0].(string)))
			mu.Lock()
			defer mu.Unlock()
			names = append(names, args[0])
			_ = server.Emit("users", slices.Clone(names))
			// Else a page could write to the bob of the scenario before, whose successor has not joined.
			_ = one.On("disconnect", func(...any) {
				mu.Lock()
				defer mu.Unlock()
				at := slices.Index(names, args[0])
				names = slices.Delete(names, at, at+1)
			})
		})
		_ = one.On("private message", func(args ...any) {
			_ = server.To(socket.Room(args[1].(string))).Emit("private message", args[0], args[2])
		})
	})
	chat := server.ServeHandler(nil)
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, privately)
		case "/client.js":
			_, _ = w.Write(bundle)
		default:
			chat.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() { listening.CloseClientConnections(); listening.Close() })
	path := filepath.Join(t.TempDir(), "redial.yaml")
	write(t, path, fmt.Sprintf(`target: {url: %q}
level: basic
page:
  enter: [{fill: "#name", with: "{{client}}"}, {press: Enter}]
  conversation: [{click: "#users button", text: "{{other}}"}]
  input: "#input"
  press: Enter
  messages: "#messages li"
  without: b
  echo: false
`, listening.URL))
	o := redial(t, "check", "--config", path, "--seed", "1", "--scenario", "clean-drop,refresh,five-drops")
	if o.code != 0 {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	listed := redial(t, "list", "--config", path)
	for _, why := range []string{"has 3 clients, and a message goes to one other client", "has a text with white space at its ends"} {
		if !strings.Contains(listed.stdout, "not played: "+why) {
			t.Errorf("exit %d, want %q: %s%s", listed.code, why, listed.stdout, listed.stderr)
		}
	}
}
