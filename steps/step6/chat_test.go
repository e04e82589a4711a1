package step6

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"redial/steps/internal/chattest"
	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
)

// join connects a client, takes its first offset and its welcome, and returns the
// recovery offset in the welcome.
func join(t *testing.T, url string) (*rawclient.Client, any) {
	t.Helper()
	client := rawclient.Connect(t, url, nil)
	if first := client.Next(); first.Name != "offset" || len(first.Args) != 1 {
		t.Fatalf("a new page hears %+v, want its first offset", first)
	}
	welcome := client.Next()
	if welcome.Name != "welcome" || len(welcome.Args) != 3 {
		t.Fatalf("a new page hears %+v, want the welcome with an offset", welcome)
	}
	about, _ := json.Marshal(welcome.Args[0])
	if string(about) != `{"knows":["text",{"json":true},"bytes"],"step":6}` || len(welcome.Binary) != 1 || string(welcome.Binary[0]) != "hello" {
		t.Fatalf("the welcome is %s and %q", about, welcome.Binary)
	}
	return client, welcome.Args[2]
}

// comeBack connects as the page that client was, once: whether the server has noticed
// the break yet makes no difference.
func comeBack(t *testing.T, url string, client *rawclient.Client, offset any) *rawclient.Client {
	t.Helper()
	back := rawclient.Connect(t, url, map[string]any{"pid": client.Pid, "offset": offset})
	if back.Sid != client.Sid {
		t.Fatal("the page was not recovered")
	}
	return back
}

// From WiFi to 4G: the old connection is not closed, and nobody is at its end.
func TestASwitchOfNetworksLosesNothing(t *testing.T) {
	url := chattest.Start(t, New, serve.Settings{}).URL
	ann, _ := join(t, url)
	bob, offset := join(t, url)
	if answer, err := ann.Ask("chat message", "while bob switches"); err != nil || answer["error"] != nil {
		t.Fatalf("answered by %v, %v", answer, err)
	}
	back := comeBack(t, url, bob, offset)
	if got := back.Next(); got.Name != "chat message" || got.Args[0] != "while bob switches" {
		t.Fatalf("bob hears %+v, want what he missed", got)
	}
}

func TestABreakBeforeAnyMessageLosesNothing(t *testing.T) {
	url := chattest.Start(t, New, serve.Settings{}).URL
	ann, _ := join(t, url)
	bob, offset := join(t, url)
	bob.Close()
	said := []byte{0x00, 0xff, 0x10}
	if answer, err := ann.Ask("chat message", map[string]any{"missed": []any{"by", "bob"}}); err != nil || answer["error"] != nil {
		t.Fatalf("answered by %v, %v", answer, err)
	}
	if err := ann.Write(`451-["chat message",{"_placeholder":true,"num":0}]`); err != nil {
		t.Fatal(err)
	}
	if err := ann.WriteBinary(said); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		ann.Next() // both are out when ann has heard them
	}
	// Twice: what is kept is not used up by being sent.
	for range 2 {
		bob = comeBack(t, url, bob, offset)
		if got := bob.Next(); got.Name != "chat message" || got.Args[0].(map[string]any)["missed"].([]any)[1] != "bob" {
			t.Fatalf("bob hears %+v, want the JSON that he missed", got)
		}
		if got := bob.Next(); len(got.Binary) != 1 || !bytes.Equal(got.Binary[0], said) {
			t.Fatalf("bob hears %+v, want the bytes that he missed", got)
		}
		bob.Close()
	}
}

func TestAwayTooLongIsANewPage(t *testing.T) {
	url := chattest.Start(t, New, serve.Settings{MaxDisconnection: time.Millisecond}).URL
	bob, offset := join(t, url)
	bob.Close()
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		back := rawclient.Connect(t, url, map[string]any{"pid": bob.Pid, "offset": offset})
		if back.Sid == bob.Sid {
			continue // noticed less than a millisecond ago
		}
		if first := back.Next(); first.Name != "offset" {
			t.Fatalf("a page that is new again hears %+v", first)
		}
		return
	}
	t.Error("bob is recovered for ever")
}

func TestARecoveredPageIsNotWelcomedAgain(t *testing.T) {
	url := chattest.Start(t, New, serve.Settings{}).URL
	ann, _ := join(t, url)
	bob, offset := join(t, url)
	back := comeBack(t, url, bob, offset)
	// Its answer comes when what the connection itself sets off is over.
	for text, client := range map[string]*rawclient.Client{"from ann": ann, "from bob": back} {
		if _, err := client.Ask("chat message", text); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if got := back.Next(); got.Name != "chat message" {
			t.Fatalf("the page that came back receives %+v", got)
		}
	}
}

func TestAMessageWithoutAnArgumentIsRefusedAndNotEmitted(t *testing.T) {
	url := chattest.Start(t, New, serve.Settings{}).URL
	ann, _ := join(t, url)
	bob, _ := join(t, url)
	if answer, err := ann.Ask("chat message"); err != nil || answer["error"] == nil {
		t.Fatalf("answered by %v, %v", answer, err)
	}
	if answer, err := ann.Ask("chat message", "the next"); err != nil || answer["error"] != nil {
		t.Fatalf("answered by %v, %v", answer, err)
	}
	if got := bob.Next(); got.Args[0] != "the next" {
		t.Fatalf("bob receives %+v", got)
	}
}

func TestThePageIsHTML(t *testing.T) {
	response, err := http.Get(chattest.Start(t, New, serve.Settings{}).URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || !bytes.Equal(body, Page) || response.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%v, %d bytes, %v", err, len(body), response.Header)
	}
}

func TestCloseDisconnectsEveryPage(t *testing.T) {
	handler, closer, err := New(serve.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	client, _ := join(t, server.URL)
	if err := closer.Close(); err != nil {
		t.Fatal(err)
	}
	client.Ended()
	client.Close()
}
