package page_test

import (
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"redial/harness/client"
	"redial/harness/client/page"
	"redial/harness/history"
	"redial/harness/protocol"
)

// rooms is a protocol in which the server sends a session and the client joins with it.
var rooms = protocol.Protocol{
	Auth: map[string]any{"session": "{{session}}"},
	Enter: []protocol.EnterStep{
		{Await: "session", Save: map[string]protocol.Path{"session": "$.id"}},
		{Emit: []any{"join", map[string]any{"name": "{{client}}", "session": "{{session}}"}}, Ack: true, Save: map[string]protocol.Path{"room": "$.room"}},
	},
	Send:    &protocol.Send{Event: "say", Args: []any{"{{room}}", "{{text}}"}, NoAck: true},
	Receive: protocol.Receive{Event: "new"},
}

func TestPageIsConnectedOnlyAfterEnter(t *testing.T) {
	a := newApplication(t, nil, "")
	w := openTranslated(t, a, referencePage(t, "5"), rooms)
	s := a.accept(t)
	s.expect(`40{}`)
	w.send(t, "early")
	s.send(`40{"sid":"1","pid":"p1"}`, `42["new","held","o1"]`, `42["session",{"id":"s1"}]`)
	s.expect(`420["join",{"name":"anna","session":"s1"}]`)
	if err := w.Connect(); err != nil { // a second CONNECT packet would break the protocol
		t.Fatal(err)
	}
	if status := w.Status(); status.Connected || status.Shown > 0 {
		t.Errorf("before it has joined: %+v", status)
	}
	s.send(`430[{"room":"r1"}]`)
	s.expect(`42["say",null,"early"]`) // it was emitted before the room was saved
	w.await(t, "connected", 1)
	w.send(t, "late")
	s.expect(`42["say","r1","late"]`)
	story := w.story()
	if shown, connected := slices.Index(story, "shown held"), slices.Index(story, "connected"); shown < 0 || shown > connected {
		t.Errorf("the history has %q", story)
	}

	s.cut()
	s = a.accept(t)
	s.expect(`40{"pid":"p1","offset":"o1","session":"s1"}`)
	s.send(`40{"sid":"1","pid":"p1"}`, `42["session",{"id":"s2"}]`) // recovered
	s.expect(`421["join",{"name":"anna","session":"s2"}]`)
	s.send(`431[{"room":"r1"}]`)
	w.await(t, "connected", 2)

	if err := w.Refresh(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	a.accept(t).expect(`40{"session":"s2"}`)
}

// Events of a session that was cut during Enter were not delivered, so recovery sends them again.
func TestCutDuringEnterLosesNoEvent(t *testing.T) {
	a := newApplication(t, nil, "")
	w := openTranslated(t, a, referencePage(t, "7"), rooms)
	s := a.accept(t)
	s.expect(`40{}`)
	s.send(`40{"sid":"1","pid":"p1"}`, `42["new","one","o1"]`, `42["session",{}]`)
	s.expect(`420["join",{"name":"anna"}]`)
	w.await(t, "note (while entering: there is no session to save)", 1)
	s.cut()
	s = a.accept(t)
	s.expect(`40{"pid":"p1"}`)
	s.send(`42["new","one","o1"]`, `40{"sid":"1","pid":"p1"}`, `42["session",{"id":"s1"}]`)
	s.expect(`421["join",{"name":"anna","session":"s1"}]`)
	s.send(`431[{"room":"r1"}]`)
	w.await(t, "connected", 1)
	if events := w.history.Events(0); w.countOf(history.Shown, "one") != 1 || !events[slices.IndexFunc(events, func(e history.Event) bool { return e.Kind == history.Connected })].Recovered {
		t.Errorf("the history has %q", w.story())
	}
}

func TestEventBeforeTheEmitOfAStepDoesNotAnswerIt(t *testing.T) {
	p := protocol.Protocol{
		Enter:   []protocol.EnterStep{{Await: "hello"}, {Emit: []any{"join"}, Await: "joined"}},
		Receive: protocol.Receive{Event: "new"},
	}
	a := newApplication(t, nil, "")
	w := openTranslated(t, a, referencePage(t, "5"), p)
	s := a.enter(t)
	s.send(`42["joined","too early"]`, `42["hello"]`)
	s.expect(`42["join"]`)
	s.send(`42["new","held"]`, `42["joined"]`, `42["new","live"]`)
	w.await(t, "shown live", 1)
	story := w.story()
	if held, connected := slices.Index(story, "shown held"), slices.Index(story, "connected"); held < 0 || held > connected {
		t.Errorf("the history has %q", story)
	}
}

func TestPageLeavesStepsOutOnARecoveredSession(t *testing.T) {
	p := protocol.Protocol{
		Enter: []protocol.EnterStep{
			{Emit: []any{"join"}, Ack: true, Unrecovered: true}, {Emit: []any{"seen", "{{room}}"}, Ack: true, Save: map[string]protocol.Path{"room": "$"}},
			{Emit: []any{"load"}, Await: "loaded", Unrecovered: true},
		},
		Receive: protocol.Receive{Event: "new"},
	}
	a := newApplication(t, nil, "")
	w := openTranslated(t, a, referencePage(t, "5"), p)
	s := a.accept(t)
	s.expect("40")
	s.send(`40{"sid":"1","pid":"p1"}`)
	s.expect(`420["join"]`)
	s.send(`430[]`)
	s.expect(`421["seen",null]`)
	s.send(`431["r1"]`)
	s.expect(`42["load"]`)
	s.send(`42["loaded",1]`)
	w.await(t, "connected", 1)
	s.cut()
	s = a.accept(t)
	s.expect(`40{"pid":"p1"}`)
	s.send(`40{"sid":"2","pid":"p1"}`)
	s.expect(`422["seen","r1"]`)
	s.send(`432["r1"]`)
	w.await(t, "connected", 2)
	s.cut()
	s = a.accept(t)
	s.expect(`40{"pid":"p1"}`)
	s.send(`40{"sid":"3","pid":"p2"}`)
	s.expect(`423["join"]`)

	p.Enter = p.Enter[:1]
	a = newApplication(t, nil, "")
	w = openTranslated(t, a, referencePage(t, "5"), p)
	s = a.accept(t)
	s.expect("40")
	s.send(`40{"sid":"1","pid":"p1"}`)
	s.expect(`420["join"]`)
	s.send(`430[]`)
	w.await(t, "connected", 1)
	s.cut()
	s = a.accept(t)
	s.expect(`40{"pid":"p1"}`)
	s.send(`40{"sid":"2","pid":"p1"}`)
	w.await(t, "connected", 2)
}

func TestPageReconnectsWhenEnterTimesOut(t *testing.T) {
	html := referencePage(t, "5")
	library := distribution(t, "socket.io.js")
	inBubble(t, func(t *testing.T) {
		network := &memory{accepted: make(chan net.Conn), closed: make(chan struct{})}
		a := newApplication(t, network, "")
		recorder := history.NewRecorder()
		w := &watched{history: recorder, Page: page.New(client.Options{Name: "anna", URL: "http://127.0.0.1:3000", Dial: network.dial, HTML: html,
			Protocol: &rooms, Bundle: func() ([]byte, error) { return library, nil }, Record: recorder.Add}, nil)}
		defer w.Close()
		w.open(t)
		s := a.enter(t)
		time.Sleep(5 * time.Second)
		s.cut()
		a.enter(t)
		late := "note (while entering: the event session did not come within 20 s, so the client closed the connection)"
		time.Sleep(19 * time.Second)
		if count(w.story(), late) != 0 {
			t.Error("it closes the connection too early")
		}
		time.Sleep(2 * time.Second)
		if count(w.story(), late) != 1 {
			t.Fatalf("the history has %q", w.story())
		}
		s = a.enter(t)
		s.send(`42["session",{"id":"s1"}]`)
		s.expect(`420["join",{"name":"anna","session":"s1"}]`)
		s.send(`430[]`)
		w.await(t, "connected", 1)
		time.Sleep(25 * time.Second) // a timer of Enter would close the connection
		if !w.Status().Connected {
			t.Errorf("the history has %q", w.story())
		}
		_ = w.Close()
		synctest.Wait()
	})
}
