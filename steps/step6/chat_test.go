package step6

import (
	"bytes"
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
