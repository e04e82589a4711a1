package browser

import (
	"strings"
	"testing"
	"time"
)

// privately is a chat between the tabs of one profile, in which a click on another user opens the
// conversation with them. Before that the page shows neither its messages nor the input.
const privately = `<input id="name"><div id="users"></div><div id="panel" hidden><ul id="messages"></ul><input id="input"></div>
<script>
	const channel = new BroadcastChannel("chat"), said = {};
	let me, open;
	const draw = () => messages.replaceChildren(...(said[open] || []).map((text) => Object.assign(document.createElement("li"), { textContent: text })));
	const meet = (name) => {
		if (said[name]) return;
		said[name] = [];
		const user = users.appendChild(document.createElement("button"));
		user.textContent = name + " (online)";
		user.onclick = () => { open = name; panel.hidden = false; draw(); };
	};
	channel.onmessage = ({ data: { from, hello, to, text } }) => {
		if (!me || from === me) return;
		meet(from);
		if (hello) channel.postMessage({ from: me });
		if (to === me) { said[from].push(text); draw(); }
	};
	const enter = (act) => (event) => { if (event.key === "Enter") act(event.target.value); };
	document.getElementById("name").onkeydown = enter((name) => { me = name; document.getElementById("name").remove(); channel.postMessage({ from: me, hello: true }); });
	input.onkeydown = enter((text) => { said[open].push(text); draw(); channel.postMessage({ from: me, to: open, text }); });
</script>`

var private = Spec{
	Enter:        []Step{{Fill: "#name", With: "{{client}}"}, {Press: "Enter"}},
	Conversation: []Step{{Click: "#users button", Text: "{{other}}"}, {Await: "#messages"}},
	Input:        "#input", Press: "Enter", Messages: "#messages li",
}

// Alice is there before bob is, and only receives at first. Carol is in the list of both, too.
func TestConversationIsOpenedWhenTheOtherUserIsThereAndBeforeEachMessage(t *testing.T) {
	url, profile := serve(t, privately), NewProfile()
	defer profile.Close()
	user := func(name, other string) *watched {
		w := watch(t, name, url, private, profile)
		w.options.Other = other
		return w.opens()
	}
	user("carol", "nobody")
	alice, bob := user("alice", "bob"), user("bob", "alice")
	bob.sends("are you there?")
	alice.until(0, "shown are you there?")
	alice.sends("yes")
	bob.until(0, "shown yes")
	bob.do(`[...users.children].find((user) => user.textContent.startsWith("carol")).click()`)
	from := len(bob.lines(0))
	bob.sends("to alice")
	alice.until(0, "shown to alice")
	if err := bob.Refresh(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	bob.until(from, "closed")
	alice.sends("after the refresh")
	bob.until(from, "shown after the refresh")
}

func TestSendNamesTheStepThatDoesNotOpenTheConversation(t *testing.T) {
	alice := watch(t, "alice", serve(t, privately), private, nil)
	alice.options.Other, alice.elementBound = "bob", time.Second
	err := alice.opens().Send("is anybody there?")
	if want := `cannot open the conversation on the page /, step 1: the element "#users button" with the text "bob" on the page /: there is none within 1s`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
