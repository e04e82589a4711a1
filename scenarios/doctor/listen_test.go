package doctor

import (
	"cmp"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"redial/harness/client"
	"redial/harness/history"
	"redial/harness/protocol"
	"redial/scenarios/config"
)

const appPage = `<ul id="messages"></ul><form id="form"><input name="body"><button>Send</button></form>
<script src="/ws/socket.io.js"></script>
<script>
const socket = io("/room", { path: "/ws/" });
form.onsubmit = () => { socket.emit("typing", true); socket.emit("send", { body: input.value }); };
socket.on("new", (m) => { list.innerHTML += '<li class="' + (m.typing ? "typing" : "") + '"><b>' + m.by + '</b><span class="messageBody">' + m.body + "</span></li>"; }); socket.on("connect", ready);
</script>`

// listened takes the user's place: it sends the message with the protocol p when Listen is
// ready.
func listened(t *testing.T, address string, p protocol.Protocol, options ListenOptions) (Draft, error) {
	t.Helper()
	options.Text, options.Doing = "redial 1234", func(string) {}
	options.Wait = cmp.Or(options.Wait, 10*time.Second)
	options.Ready = func(address string) {
		if p.Send == nil {
			return
		}
		person := newWitness(client.Options{Name: "person", URL: address, Protocol: &p})
		t.Cleanup(func() { person.Close() })
		if err := person.Open(t.Context()); err != nil {
			t.Error(err)
		}
		person.await(t.Context(), 0, answerWithin, is(history.Connected))
		if err := person.Send(options.Text); err != nil {
			t.Error(err)
		}
	}
	d, err := Listen(t.Context(), at(t, address, ""), options)
	d.URL = "http://127.0.0.1:3000"
	return d, err
}

// shaped returns the protocol of an app's page.
func shaped(t *testing.T, address string) protocol.Protocol {
	t.Helper()
	f, err := config.Parse([]byte("target: {url: \"" + address + "\"}\n" + shape))
	if err != nil {
		t.Fatal(err)
	}
	p := f.Socket.Protocol
	send := f.Socket.Send.Send
	p.Send = &send
	return p
}

func TestProbeTakesBackAnOffsetThatDoesNotGrow(t *testing.T) {
	t.Parallel()
	for say, want := range map[bool]string{false: "$.color", true: ""} {
		address := (&app{path: "/ws/", namespace: "/room", page: appPage, color: true}).serve(t)
		d, err := listened(t, address, shaped(t, address), ListenOptions{Send: say})
		if err != nil {
			t.Fatal(err)
		}
		if got := d.text(KeyOffset); got != want {
			t.Errorf("--send %v: the offset is at %q, want %q", say, got, want)
		}
	}
}

func TestProbeDraftsAnotherShape(t *testing.T) {
	t.Parallel()
	address := (&app{path: "/ws/", namespace: "/room", page: appPage, noEcho: true}).serve(t)
	d, err := listened(t, address, shaped(t, address), ListenOptions{Send: true})
	if err != nil {
		t.Fatal(err)
	}
	text := string(d.YAML())
	want := `level: server-delivery  # likely: a new client was sent the message

socket:
  path: "/ws/"  # sure: a handshake is answered there
  namespace: "/room"  # sure: the message came there
  send:
    event: "send"  # sure: a message that redial sent so arrived
    args: [{"body":"{{text}}"}]  # sure: a message that redial sent so arrived
  receive:
    event: "new"  # sure: the message came in this event
    text: "$.body"  # sure: the text of the message was there
    offset: "$.id"  # likely: a whole number beside the text that grew with the next message
  echo: false  # sure: it did not come back to its sender
  history:
    event: "history"  # sure: a new client received all messages in this event
    list: "$.items"  # sure: the messages were there

# The application's own page as the client, in Chromium (` + "`redial check --own-page`): `redial explain page`" + `.
page:
  input: "input[name=body]"  # guess: the text input of the page
  submit: "#form button"  # guess: the button of its form
  messages: "#messages > :not(.typing) .messageBody"  # guess: the text of each element is one message; name what else it contains, such as the sender, in without
  echo: false  # likely: the server does not send a message back to its sender
`
	if !strings.Contains(text, want) {
		t.Errorf("the draft is\n%s\nand should contain\n%s", text, want)
	}
	if _, err := config.Parse([]byte(text)); err != nil {
		t.Errorf("the draft is no redial.yaml: %v", err)
	}
}

func TestProbeDraftsTheTutorialsChat(t *testing.T) {
	t.Parallel()
	d, err := listened(t, step(t, "7"), protocol.Tutorial(), ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]drafted{
		KeyLevel: {value: "server-delivery", sure: Likely}, KeyEvent: {value: "chat message", sure: Sure}, KeyText: {value: "$", sure: Sure},
		KeyOffset: {value: "$2", sure: Likely}, KeyAuth: {value: "serverOffset", sure: Likely}, KeySend: {value: "chat message", sure: Guess},
	} {
		if got := d.lines[key]; got.value != want.value || got.sure != want.sure || got.why == "" {
			t.Errorf("%s: %+v, want %+v", key, got, want)
		}
	}
	if _, err := config.Parse(d.YAML()); err != nil {
		t.Errorf("the draft is no redial.yaml: %v\n%s", err, d.YAML())
	}
}

func TestProbeSaysWhatThePageEmitsWhenNothingArrives(t *testing.T) {
	t.Parallel()
	address := (&app{path: "/ws/", namespace: "/room", page: appPage}).serve(t)
	_, err := listened(t, address, protocol.Protocol{}, ListenOptions{Wait: time.Second})
	if !errors.Is(err, ErrUnheard) || !strings.Contains(err.Error(), `["typing" "send"]`) || !strings.Contains(err.Error(), `The server emitted ["history"]`) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	_, err = listened(t, address, protocol.Protocol{}, ListenOptions{Path: "/nowhere/"})
	if err == nil || !strings.Contains(err.Error(), "no Socket.IO handshake at /nowhere/") {
		t.Errorf("got %v", err)
	}
}

// Nobody was asked for a message, so the error is not that none came.
func TestProbeNamesWhyNoClientIsLetIn(t *testing.T) {
	t.Parallel()
	address := (&app{path: "/ws/", namespace: "/room", page: appPage}).serve(t)
	_, err := listened(t, address, protocol.Protocol{}, ListenOptions{Namespace: "/nowhere"})
	if err == nil || errors.Is(err, ErrUnheard) || !strings.Contains(err.Error(), "cannot connect to the namespace /nowhere: Invalid namespace; ") {
		t.Errorf("got %v", err)
	}
}

func TestHintsAreAPlainReading(t *testing.T) {
	var h Hints
	h.read(`const s = io('https://chat.test/admin', {path: '/live', auth: { token, lastSeen: 0 }});
s.emit('join', {name}); s.emit("say", input.value, key, (r) => {}); s.on('said', f); s.on('disconnect', g); s.emit("join", 2)`)
	want := Hints{
		Paths: []string{"/live"}, Namespaces: []string{"/admin"}, AuthOffset: "lastSeen",
		Emits: []Emit{{"join", "{name})"}, {"say", "input.value, key, (r) => {})"}},
	}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("got  %+v\nwant %+v", h, want)
	}
	var d Draft
	d.set(KeyEvent, "said", Sure, "")
	if got := d.sends(h); !reflect.DeepEqual(got[1], Emitted{"say", []any{"{{text}}", "{{key}}"}}) {
		t.Errorf("a second argument is a key: %v", got)
	}
}

func TestTextAndOffsetAreLocated(t *testing.T) {
	for name, c := range map[string]struct {
		args    []any
		path    string
		offsets []string
	}{
		"a text and a number":   {[]any{"hi", 3.0}, "$", []string{"$2"}},
		"the second argument":   {[]any{"bob", "hi", "x"}, "$2", nil},
		"recovery's own string": {[]any{"hi", "12"}, "$", nil},
		"an id before others":   {[]any{map[string]any{"text": "hi", "color": 3.0, "id": 8.0, "ts": 5.0, "sent": 1764340000000.0}}, "$.text", []string{"$.id", "$.color"}},
		"an id in digits":       {[]any{map[string]any{"m": map[string]any{"text": "hi", "id": "8"}, "n": 1.0}}, "$.m.text", []string{"$.m.id"}},
		"an odd name":           {[]any{map[string]any{"the text": "hi"}}, `$["the text"]`, nil},
		"within a longer text":  {[]any{"bob: hi"}, "$", nil},
		"exact before within":   {[]any{"oh hi", "hi"}, "$2", nil},
	} {
		places := locate(c.args, "hi")
		if len(places) == 0 || places[0].path() != c.path {
			t.Errorf("%s: the text is at %v, want %s", name, places, c.path)
			continue
		}
		if value, ok := protocol.Path(c.path).First(c.args); !ok || !strings.Contains(protocol.TextOf(value), "hi") {
			t.Errorf("%s: the path %s leads to %v", name, c.path, value)
		}
		if got := beside(c.args, places[0]); !reflect.DeepEqual(got, c.offsets) {
			t.Errorf("%s: the offsets are %v, want %v", name, got, c.offsets)
		}
	}
}
