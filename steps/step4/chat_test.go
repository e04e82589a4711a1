package step4

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"redial/steps/internal/chattest"
	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
)

func TestMessageIsEmittedToItsSenderOnly(t *testing.T) {
	chattest.Quiet(t)
	server := chattest.Start(t, New, serve.Settings{})
	ann, bob := rawclient.Connect(t, server.URL, nil), rawclient.Connect(t, server.URL, nil)
	for _, page := range []*rawclient.Client{ann, bob} {
		if got := page.Next(); got.Name != "welcome" || string(got.Binary[0]) != "hello" {
			t.Fatalf("a page receives %+v first", got)
		}
	}
	value := map[string]any{"a": []any{"b", float64(1)}}
	if answer, err := ann.Ask("chat message", value); err != nil || answer["error"] != nil {
		t.Fatalf("the acknowledgement is %v, %v", answer, err)
	}
	if got := ann.Next(); got.Name != "chat message" || !reflect.DeepEqual(got.Args, []any{value}) {
		t.Errorf("ann receives %+v, want %v", got, value)
	}
	if err := errors.Join(ann.Write(`451-["chat message",{"_placeholder":true,"num":0}]`), ann.WriteBinary([]byte{0, 255})); err != nil {
		t.Fatal(err)
	}
	if got := ann.Next(); len(got.Binary) != 1 || !bytes.Equal(got.Binary[0], []byte{0, 255}) {
		t.Errorf("ann receives %+v, want her bytes", got)
	}
	if answer, err := bob.Ask("chat message"); err != nil || answer["error"] == nil {
		t.Errorf("the acknowledgement of a message without an argument is %v, %v", answer, err)
	}
	chattest.Send(t, bob, "mine")
	if got := bob.Next(); got.Args[0] != "mine" {
		t.Errorf("bob receives %+v first, want his own message", got)
	}
}
