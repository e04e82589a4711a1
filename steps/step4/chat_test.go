package step4

import (
	"bytes"
	"reflect"
	"testing"

	"redial/steps/internal/chattest"
	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
)

func TestThePageThatSpeaksIsAnsweredAndNoOther(t *testing.T) {
	chattest.Quiet(t)
	server := chattest.Start(t, New, serve.Settings{})
	ann, bob := rawclient.Connect(t, server.URL, nil), rawclient.Connect(t, server.URL, nil)
	for _, page := range []*rawclient.Client{ann, bob} {
		if got := page.Next(); got.Name != "welcome" || string(got.Binary[0]) != "hello" {
			t.Fatalf("a page hears %+v first", got)
		}
	}
	said := map[string]any{"a": []any{"b", float64(1)}}
	if answer, err := ann.Ask("chat message", said); err != nil || answer["error"] != nil {
		t.Fatalf("answered by %v, %v", answer, err)
	}
	if got := ann.Next(); got.Name != "chat message" || !reflect.DeepEqual(got.Args, []any{said}) {
		t.Errorf("ann hears %+v, want %v", got, said)
	}
	if err := ann.Write(`451-["chat message",{"_placeholder":true,"num":0}]`); err != nil {
		t.Fatal(err)
	}
	if err := ann.WriteBinary([]byte{0, 255}); err != nil {
		t.Fatal(err)
	}
	if got := ann.Next(); len(got.Binary) != 1 || !bytes.Equal(got.Binary[0], []byte{0, 255}) {
		t.Errorf("ann hears %+v, want her bytes", got)
	}
	if answer, err := bob.Ask("chat message"); err != nil || answer["error"] == nil {
		t.Errorf("a message without an argument is answered by %v, %v", answer, err)
	}
	if answer, err := bob.Ask("chat message", "mine"); err != nil || answer["error"] != nil {
		t.Fatalf("answered by %v, %v", answer, err)
	}
	if got := bob.Next(); got.Args[0] != "mine" {
		t.Errorf("bob hears %+v first, want his own", got)
	}
}
