package page_test

import (
	"slices"
	"strings"
	"testing"

	"redial/harness/client"
	"redial/harness/history"
	"redial/harness/protocol"

	"redial/steps/lessons"
)

// messenger is a protocol with objects, another path and a namespace.
var messenger = protocol.Protocol{
	Path: "/ws", Namespace: "/chat",
	Auth:    map[string]any{"token": "t-{{client}}", "last": "{{offset}}"},
	Query:   map[string]string{"since": "{{offset}}"},
	Send:    &protocol.Send{Event: "send", Args: []any{map[string]any{"to": "{{other}}", "body": map[string]any{"text": "{{text}}"}}}},
	Receive: protocol.Receive{Event: "new", Text: "$.body.text", Offset: "$.id"},
}

func TestTranslationOfObjectsInANamespace(t *testing.T) {
	a := newApplication(t, nil, "/ws/socket.io.js")
	p := openTranslated(t, a, referencePage(t, "7"), messenger)
	if r := <-a.requests; r.URL.Path != "/ws/socket.io.js" {
		t.Errorf("the library is requested at %s", r.URL.Path)
	}
	s := a.accept(t)
	if r := s.request; r.URL.Path != "/ws/" || r.URL.Query().Get("since") != "0" {
		t.Errorf("it connects to %s", r.URL)
	}
	s.expect(`40/chat,{"last":0,"token":"t-anna"}`)
	s.send(`40/chat,{"sid":"1"}`)
	p.await(t, "connected", 1)
	p.send(t, "hi")
	s.expect(`42/chat,0["send",{"body":{"text":"hi"},"to":"ben"}]`)
	s.send(`43/chat,0[{"error":null}]`, `42/chat,["new",{"id":7,"body":{"text":"hi"}}]`, `42/chat,["reset"]`, `42/chat,["chat message","no message here",9]`)
	p.await(t, "acknowledged hi", 1)
	p.await(t, "shown hi", 1)
	if e := p.history.Events(0); e[len(e)-1].Offset != 7 {
		t.Errorf("shown with the offset %d", e[len(e)-1].Offset)
	}
	s.cut()

	s = a.accept(t)
	if since := s.request.URL.Query().Get("since"); since != "7" {
		t.Errorf("the second connection has the offset %s", since)
	}
	s.expect(`40/chat,{"last":7,"token":"t-anna"}`)
	s.send(`40/chat,{"sid":"2"}`, `42/chat,["new",{"id":7,"body":{"text":"hi"}}]`, `42/chat,["new",{"id":"8","body":{"text":"end"}}]`)
	p.await(t, "shown end", 1)
	if p.countOf(history.Repeated, "hi") != 1 || p.countOf(history.Shown, "hi") != 1 || p.Status().Shown != 2 {
		t.Errorf("the history has %q", p.story())
	}
}

// The page does not show a message again whose offset it has received before. The history has no
// opaque offsets, because each page numbers them differently.
func TestPageReturnsAnOpaqueOffsetUnchanged(t *testing.T) {
	a := newApplication(t, nil, "")
	p := openTranslated(t, a, referencePage(t, "7"), protocol.Protocol{
		Auth:    map[string]any{"last": "{{offset}}"},
		Send:    &protocol.Send{Event: "send", Args: []any{"{{text}}"}},
		Receive: protocol.Receive{Event: "new", Text: "$.text", Offset: "$.id", Opaque: true},
	})
	s := a.accept(t)
	s.expect(`40{}`)
	s.send(`40{"sid":"1"}`, `42["new",{"id":"f3","text":"one"}]`, `42["new",{"id":"0a","text":"two"}]`)
	p.await(t, "shown two", 1)
	s.cut()
	s = a.accept(t)
	s.expect(`40{"last":"0a"}`)
	s.send(`40{"sid":"2"}`, `42["new",{"id":"f3","text":"one"}]`, `42["new",{"id":"1b","text":"three"}]`)
	p.await(t, "shown three", 1)
	if p.countOf(history.Repeated, "one") != 1 || p.Status().Shown != 3 {
		t.Errorf("the history has %q", p.story())
	}
	for _, e := range p.history.Events(0) {
		if e.Offset != 0 {
			t.Errorf("the history has the offset %d of %q", e.Offset, e.Message)
		}
	}
}

func TestPageUsesATransportThatTheServerAccepts(t *testing.T) {
	for transport, takes := range map[string][]string{protocol.Polling: {protocol.Polling}, protocol.WebSocket: {protocol.Polling, protocol.WebSocket}} {
		options := client.Options{Protocol: &protocol.Protocol{Transports: takes}}
		if got := options.Over(); !slices.Equal(got, []string{transport}) {
			t.Errorf("with %v it uses %v", takes, got)
		}
	}
}

// A server that receives no offset cannot know what the client has, so a message that it sends again
// after a reconnection is no repetition.
func TestWithoutAnOffsetAReplayedMessageIsNotRepeated(t *testing.T) {
	silent := protocol.Protocol{Receive: protocol.Receive{Event: "new", Offset: "$2"}}
	a := newApplication(t, nil, "")
	p := openTranslated(t, a, referencePage(t, "7"), silent)
	s := a.accept(t)
	s.expect(`40`)
	s.send(`40{"sid":"1"}`, `42["new","one",1]`)
	p.await(t, "shown one", 1)
	s.cut()
	a.enter(t).send(`42["new","one",1]`, `42["new","two",2]`, `42["new","two",2]`, `42["new","end",3]`)
	p.await(t, "shown end", 1)
	if p.countOf(history.Repeated, "one") != 0 || p.countOf(history.Repeated, "two") != 1 {
		t.Errorf("the history has %q", p.story())
	}
	if err := p.Send("x"); err == nil || !strings.Contains(err.Error(), "clients send no messages") {
		t.Errorf("the error is %v", err)
	}
	if p.countOf(history.Sent, "x") != 0 {
		t.Error("it is recorded as sent")
	}
}

func TestPageReconnectsAfterTheServerDisconnectedItIfItsApplicationDoes(t *testing.T) {
	a := newApplication(t, nil, "/socket.io/socket.io.js")
	p := openTranslated(t, a, referencePage(t, "7"), protocol.Protocol{Receive: protocol.Receive{Event: "new"}, Reconnects: true})
	<-a.requests
	s := a.accept(t)
	s.expect("40")
	s.send(`40{"sid":"1"}`)
	p.await(t, "connected", 1)
	s.send("41")
	p.await(t, "disconnected (io server disconnect)", 1)
	s = a.accept(t)
	s.expect("40")
	s.send(`40{"sid":"2"}`)
	p.await(t, "connected", 2)
}

func TestHeadersAreSentWithEveryRequest(t *testing.T) {
	a := newApplication(t, nil, "")
	p := messenger
	p.Headers = map[string]string{"X-Team": "{{client}}", "X-Session": "{{session}}"}
	newWatched(t, client.Options{URL: "http://" + a.address, HTML: referencePage(t, "5"), Protocol: &p, Transports: []string{"polling"},
		Bundle: func() ([]byte, error) { return distribution(t, "socket.io.js"), nil }}).open(t)
	for _, path := range []string{"/ws/socket.io.js", "/ws/"} {
		r := <-a.requests
		if r.URL.Path != path || r.Header.Get("X-Team") != "anna" || r.Header["X-Session"] != nil {
			t.Errorf("GET %s with %v", r.URL.Path, r.Header)
		}
	}
}

func TestRefusalsAreTranslated(t *testing.T) {
	p := protocol.Protocol{
		Send:    &protocol.Send{Event: "say", Args: []any{"{{text}}"}, Refused: "$2.why"},
		Receive: protocol.Receive{Event: "new"},
	}
	a := newApplication(t, nil, "")
	w := openTranslated(t, a, []byte(chatPage("", ", (...answer) => console.error(JSON.stringify(answer))")), p)
	s := a.enter(t)
	w.await(t, "connected", 1)
	w.send(t, "bad")
	w.send(t, "good")
	s.expect(`420["say","bad"]`, `421["say","good"]`)
	s.send(`430["no",{"why":"muted"}]`, `431["yes",{"error":"none"}]`)
	w.await(t, "refused bad (muted)", 1)
	w.await(t, `note (console.error: [{"error":"muted"}])`, 1)
	w.await(t, "acknowledged good", 1)
	w.await(t, `note (console.error: ["yes",{"error":"none"}])`, 1)
}

func TestRetriesSendTheTranslatedEvent(t *testing.T) {
	p := protocol.Protocol{
		Send:    &protocol.Send{Event: "chat message", Args: []any{map[string]any{"m": "{{text}}", "key": "{{key}}"}}},
		Receive: protocol.Receive{Event: "chat message", Text: "$.m"},
	}
	a := newApplication(t, nil, "")
	w := openTranslated(t, a, []byte(chatPage(", retries: 5, ackTimeout: 50", `, "k-" + input.value`)), p)
	s := a.enter(t)
	w.send(t, "one")
	w.send(t, "two")
	s.expect(`420["chat message",{"key":"k-one","m":"one"}]`, `421["chat message",{"key":"k-one","m":"one"}]`)
	s.send(`431[]`)
	for got := s.next(); got != `422["chat message",{"key":"k-two","m":"two"}]`; got = s.next() {
		if !strings.Contains(got, `{"key":"k-one","m":"one"}`) && !strings.Contains(got, `{"key":"k-two","m":"two"}`) {
			t.Fatalf("the page sends %s", got)
		}
		if strings.HasPrefix(got, "423") {
			break
		}
	}
	w.await(t, "acknowledged one", 1)
}

// With retries, the second message would wait for the acknowledgement of the first.
func TestWithoutAcknowledgementsNoMessageWaits(t *testing.T) {
	p := protocol.Protocol{
		Send:    &protocol.Send{Event: "say", Args: []any{"{{text}}"}, NoAck: true},
		Receive: protocol.Receive{Event: "new"},
	}
	a := newApplication(t, nil, "")
	w := openTranslated(t, a, referencePage(t, "8"), p)
	s := a.enter(t)
	w.await(t, "connected", 1)
	w.send(t, "one")
	w.send(t, "two")
	s.expect(`42["say","one"]`, `42["say","two"]`)
}

func TestTranslationAddsAKeyIfThePageHasNone(t *testing.T) {
	p := protocol.Protocol{Send: &protocol.Send{Event: "say", Args: []any{"{{key}}", "{{text}}"}, NoAck: true}, Receive: protocol.Receive{Event: "new"}}
	a := newApplication(t, nil, "")
	w := openTranslated(t, a, referencePage(t, "5"), p)
	s := a.enter(t)
	w.send(t, "one")
	w.send(t, "one")
	one, other := s.next(), s.next()
	if one == other || !strings.HasPrefix(one, `42["say","`) || strings.HasPrefix(one, `42["say","",`) {
		t.Errorf("the page sends %s and %s", one, other)
	}
}

func TestPageShowsItsOwnMessageOnce(t *testing.T) {
	p := protocol.Protocol{
		Auth:    map[string]any{"last": "{{offset}}"},
		Send:    &protocol.Send{Event: "say", Args: []any{"{{text}}"}},
		Receive: protocol.Receive{Event: "new", Offset: "$2"},
		NoEcho:  true,
	}
	a := newApplication(t, nil, "")
	w := openTranslated(t, a, referencePage(t, "7"), p)
	s := a.enter(t)
	s.send(`42["new","before",2]`)
	w.await(t, "shown before", 1)
	w.send(t, "mine")
	w.await(t, "shown mine", 1) // without an echo
	s.expect(`420["say","mine"]`)
	s.cut()
	s = a.accept(t)
	s.expect(`40{"last":2}`)
	s.send(`40{"sid":"2"}`, `42["new","mine",3]`, `42["new","mine",4]`, `42["new","mine",3]`, `42["new","end",5]`)
	w.await(t, "shown end", 1)
	if w.countOf(history.Shown, "mine") != 2 || w.countOf(history.Repeated, "mine") != 1 {
		t.Errorf("the history has %q", w.story())
	}

	w.send(t, "again") // its copy from the server updates the offset
	s.send(`42["new","again",9]`, `42["nothing"]`)
	s.expect(`421["say","again"]`)
	s.send(`431[]`)
	w.await(t, "acknowledged again", 1)
	s.cut()
	a.accept(t).expect(`40{"last":9}`)
}

func TestOwnMessageThatIsSentTwiceIsShownOnce(t *testing.T) {
	p := protocol.Protocol{Send: &protocol.Send{Event: "say", Args: []any{"{{text}}"}}, Receive: protocol.Receive{Event: "new"}, NoEcho: true}
	a := newApplication(t, nil, "")
	w := openTranslated(t, a, []byte(chatPage("", `, "key"); socket.emit("chat message", input.value, "key"`)), p)
	s := a.enter(t)
	w.await(t, "connected", 1)
	w.send(t, "mine")
	s.expect(`42["say","mine"]`, `42["say","mine"]`)
	s.send(`42["new","end"]`)
	w.await(t, "shown end", 1)
	if w.countOf(history.Shown, "mine") != 1 {
		t.Errorf("the history has %q", w.story())
	}
}

func TestPageShowsOnlyNewMessagesOfAHistory(t *testing.T) {
	p := protocol.Protocol{
		Send:    &protocol.Send{Event: "say", Args: []any{"{{text}}"}, NoAck: true},
		Receive: protocol.Receive{Event: "new", Text: "$.text"},
		History: &protocol.History{Event: "history", List: "$.all"},
		NoEcho:  true,
	}
	a := newApplication(t, nil, "")
	w := openTranslated(t, a, []byte(chatPage("", "")), p)
	s := a.enter(t)
	s.send(`42["history",{"all":[{"text":"a"},{"text":"b"}]}]`, `42["new",{"text":"c"}]`)
	w.await(t, "shown c", 1)
	w.send(t, "mine")
	for range 2 {
		s.cut()
		s = a.enter(t)
		s.send(`42["history",{"all":[{"text":"a"},{"text":"b"},{"text":"c"},{"text":"mine"},{"text":"d"},{"text":"a"}]}]`, `42["history",{"all":[{"text":"end"}]}]`)
		w.await(t, "shown end", 1)
	}
	w.await(t, "connected", 3)
	s.send(`42["new",{"text":"last"}]`)
	w.await(t, "shown last", 1)
	shown := slices.DeleteFunc(w.story(), func(word string) bool { return !strings.HasPrefix(word, "shown") })
	if got := strings.Join(shown, ", "); got != "shown a, shown b, shown c, shown mine, shown d, shown a, shown end, shown last" {
		t.Errorf("the history has %s", got)
	}
}

// A message in the list without an offset is the same as a live one with an offset.
func TestPageMatchesTheHistoryByOffset(t *testing.T) {
	p := protocol.Protocol{
		Receive: protocol.Receive{Event: "new", Text: "$.text", Offset: "$.id"},
		History: &protocol.History{Event: "history"},
	}
	a := newApplication(t, nil, "")
	w := openTranslated(t, a, []byte(chatPage("", "")), p)
	s := a.enter(t)
	s.send(`42["new",{"text":"a","id":1}]`, `42["history",[{"text":"a","id":2}]]`, `42["history",[{"text":"a","id":2},{"text":"a","id":1}]]`,
		`42["history",[{"text":"a"},{"text":"a"},{"text":"end"}]]`)
	w.await(t, "shown end", 1)
	var offsets []int64
	for _, e := range w.history.Events(0) {
		if e.Kind == history.Shown {
			offsets = append(offsets, e.Offset)
		}
	}
	if !slices.Equal(offsets, []int64{1, 2, 0}) {
		t.Errorf("it shows messages with the offsets %d", offsets)
	}
}

func TestObjectsKeepTheOrderOfTheirFieldsAndBytesStayBytes(t *testing.T) {
	p := protocol.Protocol{
		Send:    &protocol.Send{Event: "say", Args: []any{map[string]any{"m": "{{text}}"}}},
		Receive: protocol.Receive{Event: "new", Text: "$.m"},
		History: &protocol.History{Event: "history"},
	}
	a := newApplication(t, nil, "")
	w := openTranslated(t, a, referencePage(t, "5"), p)
	s := a.enter(t)
	w.await(t, "connected", 1)
	nested := `{"z":[{},[],{"y":1,"b":null}],"a":1.5}`
	w.send(t, nested)
	s.expect(`420["say",{"m":` + nested + `}]`)
	s.send(`42["new",{"m":`+nested+`}]`, `451-["new",{"m":{"_placeholder":true,"num":0}}]`)
	w.await(t, "shown "+nested, 1)
	s.sendBytes("\x00\x01\xff")
	w.await(t, "shown /binary 0001ff", 1)
	s.send(`452-["history",[{"m":{"_placeholder":true,"num":0}},{"m":{"_placeholder":true,"num":1}}]]`)
	s.sendBytes("\x02", "\x00\x01\xff")
	w.await(t, "shown /binary 02", 1)
	if n := w.countOf(history.Shown, "/binary 0001ff"); n != 1 {
		t.Errorf("bytes that the page had already are shown %d times", n)
	}
	w.send(t, "/binary 0001ff")
	s.expect(`451-1["say",{"m":{"_placeholder":true,"num":0}}]`, "\x00\x01\xff")
}

func TestTranslationOverMessagePack(t *testing.T) {
	p := protocol.Protocol{
		Parser:  protocol.MessagePack,
		Send:    &protocol.Send{Event: "say", Args: []any{"{{text}}"}},
		Receive: protocol.Receive{Event: "new"},
	}
	a := newApplication(t, nil, "")
	w := newWatched(t, client.Options{URL: "http://" + a.address, HTML: referencePage(t, "8"), Protocol: &p, Bundle: lessons.FetchMessagePackBundle}).open(t)
	if r := <-a.requests; r.URL.Path != "/socket.io/socket.io.msgpack.min.js" {
		t.Errorf("the library is requested at %s", r.URL.Path)
	}
	s := a.accept(t)
	s.expect("\x83\xa4type\x00\xa4data\xd4\x00\x00\xa3nsp\xa1/") // an undefined auth
	s.sendBytes("\x83\xa4type\x00\xa4data\x82\xa3sid\xa11\xa3pid\xa2p1\xa3nsp\xa1/", "\x83\xa4type\x02\xa4data\x93\xa3new\xa5hello\xa2o1\xa3nsp\xa1/")
	w.await(t, "shown hello", 1)
	w.send(t, "hi")
	if got := s.next(); !strings.Contains(got, "\xa4data\x92\xa3say\xa2hi") {
		t.Errorf("the page sends %q", got)
	}
	s.sendBytes("\x84\xa4type\x03\xa4data\x90\xa2id\x00\xa3nsp\xa1/")
	w.await(t, "acknowledged hi", 1)
	s.cut()
	s = a.accept(t)
	s.expect("\x83\xa4type\x00\xa4data\x82\xa3pid\xa2p1\xa6offset\xa2o1\xa3nsp\xa1/")
	s.sendBytes("\x83\xa4type\x00\xa4data\x82\xa3sid\xa12\xa3pid\xa2p1\xa3nsp\xa1/")
	w.await(t, "connected", 2)
	if events := w.history.Events(0); !events[len(events)-1].Recovered {
		t.Errorf("the history has %q", w.story())
	}
}
