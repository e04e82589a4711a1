package step6

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"redial/steps/internal/chattest"
	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
)

// join connects a client, receives its first offset and its welcome, and returns the recovery
// offset of the welcome.
func join(t *testing.T, url string) (*rawclient.Client, any) {
	t.Helper()
	client := rawclient.Connect(t, url, nil)
	if first := client.Next(); first.Name != "offset" || len(first.Args) != 1 {
		t.Fatalf("a new page receives %+v, want its first offset", first)
	}
	welcome := client.Next()
	if welcome.Name != "welcome" || len(welcome.Args) != 3 {
		t.Fatalf("a new page receives %+v, want the welcome with an offset", welcome)
	}
	about, _ := json.Marshal(welcome.Args[0])
	if string(about) != `{"knows":["text",{"json":true},"bytes"],"step":6}` || len(welcome.Binary) != 1 || string(welcome.Binary[0]) != "hello" {
		t.Fatalf("the welcome is %s and %q", about, welcome.Binary)
	}
	return client, welcome.Args[2]
}

// reconnect recovers the session of a client, whether or not the server has noticed its
// disconnection.
func reconnect(t *testing.T, url string, client *rawclient.Client, offset any) *rawclient.Client {
	t.Helper()
	back := rawclient.Connect(t, url, map[string]any{"pid": client.Pid, "offset": offset})
	if back.Sid != client.Sid {
		t.Fatal("the page was not recovered")
	}
	return back
}

// After a switch from WiFi to 4G the old connection is half-open.
func TestNetworkSwitchLosesNothing(t *testing.T) {
	url := chattest.Start(t, New, serve.Settings{}).URL
	ann, _ := join(t, url)
	bob, offset := join(t, url)
	chattest.Send(t, ann, "while bob switches")
	back := reconnect(t, url, bob, offset)
	if got := back.Next(); got.Name != "chat message" || got.Args[0] != "while bob switches" {
		t.Fatalf("bob receives %+v, want the message that he missed", got)
	}
}

func TestDisconnectionBeforeAnyMessageLosesNothing(t *testing.T) {
	url := chattest.Start(t, New, serve.Settings{}).URL
	ann, _ := join(t, url)
	bob, offset := join(t, url)
	bob.Close()
	sent := []byte{0x00, 0xff, 0x10}
	if answer, err := ann.Ask("chat message", map[string]any{"missed": []any{"by", "bob"}}); err != nil || answer["error"] != nil {
		t.Fatalf("the acknowledgement is %v, %v", answer, err)
	}
	if err := errors.Join(ann.Write(`451-["chat message",{"_placeholder":true,"num":0}]`), ann.WriteBinary(sent)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		ann.Next() // the server has emitted both when ann has received them
	}
	// Twice, because a recovery must not use up the stored events.
	for range 2 {
		bob = reconnect(t, url, bob, offset)
		if got := bob.Next(); got.Name != "chat message" || got.Args[0].(map[string]any)["missed"].([]any)[1] != "bob" {
			t.Fatalf("bob receives %+v, want the JSON that he missed", got)
		}
		if got := bob.Next(); len(got.Binary) != 1 || !bytes.Equal(got.Binary[0], sent) {
			t.Fatalf("bob receives %+v, want the bytes that he missed", got)
		}
		bob.Close()
	}
}

func TestExpiredSessionIsNotRecovered(t *testing.T) {
	url := chattest.Start(t, New, serve.Settings{MaxDisconnection: time.Millisecond}).URL
	bob, offset := join(t, url)
	bob.Close()
	for deadline := time.Now().Add(rawclient.Timeout); time.Now().Before(deadline); {
		back := rawclient.Connect(t, url, map[string]any{"pid": bob.Pid, "offset": offset})
		if back.Sid == bob.Sid {
			continue // the server noticed the disconnection less than a millisecond ago
		}
		if first := back.Next(); first.Name != "offset" {
			t.Fatalf("a page with an expired session receives %+v first", first)
		}
		return
	}
	t.Error("the session does not expire")
}

func TestRecoveredPageIsNotWelcomedAgain(t *testing.T) {
	url := chattest.Start(t, New, serve.Settings{}).URL
	ann, _ := join(t, url)
	bob, offset := join(t, url)
	back := reconnect(t, url, bob, offset)
	// The acknowledgement comes after the events of the connection handler.
	chattest.Send(t, ann, "from ann")
	chattest.Send(t, back, "from bob")
	for range 2 {
		if got := back.Next(); got.Name != "chat message" {
			t.Fatalf("the recovered page receives %+v", got)
		}
	}
}

func TestMessageWithoutAnArgumentIsNotEmitted(t *testing.T) {
	url := chattest.Start(t, New, serve.Settings{}).URL
	ann, _ := join(t, url)
	bob, _ := join(t, url)
	if answer, err := ann.Ask("chat message"); err != nil || answer["error"] == nil {
		t.Fatalf("the acknowledgement is %v, %v", answer, err)
	}
	chattest.Send(t, ann, "the next")
	if got := bob.Next(); got.Args[0] != "the next" {
		t.Fatalf("bob receives %+v", got)
	}
}

func TestCloseDisconnectsEveryPage(t *testing.T) {
	server := chattest.Start(t, New, serve.Settings{})
	client, _ := join(t, server.URL)
	if err := server.Closer.Close(); err != nil {
		t.Fatal(err)
	}
	client.Ended()
}
