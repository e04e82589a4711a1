package step5

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"redial/steps/internal/chattest"
	"redial/steps/internal/rawclient"
	"redial/steps/internal/serve"
)

func start(t *testing.T) string { return chattest.Start(t, New, serve.Settings{}).URL }

// join connects a client and receives its welcome.
func join(t *testing.T, url string) *rawclient.Client {
	t.Helper()
	client := rawclient.Connect(t, url, nil)
	welcome := client.Next()
	if welcome.Name != "welcome" || len(welcome.Binary) != 1 || string(welcome.Binary[0]) != "hello" {
		t.Fatalf("the welcome is %+v, want JSON and the bytes of hello", welcome)
	}
	about, ok := welcome.Args[0].(map[string]any)
	if !ok || !reflect.DeepEqual(about["knows"], []any{"text", map[string]any{"json": true}, "bytes"}) {
		t.Fatalf("the welcome has %v, want nested JSON", welcome.Args[0])
	}
	return client
}

func TestEveryPageReceivesAnyJSONInOrder(t *testing.T) {
	url := start(t)
	ann, bob := join(t, url), join(t, url)
	sent := []any{
		"hello", "<script>alert(1)</script>", "안녕 👋\u2028", "", float64(7), 0.5, true, nil,
		[]any{"a", []any{}, map[string]any{}},
		map[string]any{"deep": map[string]any{"list": []any{float64(1), "2", nil}}},
	}
	for _, value := range sent {
		answer, err := ann.Ask("chat message", value)
		if err != nil || answer["error"] != nil {
			t.Fatalf("the acknowledgement of %v is %v, %v", value, answer, err)
		}
	}
	for name, page := range map[string]*rawclient.Client{"ann": ann, "bob": bob} {
		for _, want := range sent {
			got := page.Next()
			if got.Name != "chat message" || !reflect.DeepEqual(got.Args, []any{want}) {
				t.Fatalf("%s receives %+v, want %v", name, got, want)
			}
		}
	}
}

func TestEveryPageReceivesBytes(t *testing.T) {
	url := start(t)
	ann, bob, cem := join(t, url), join(t, url), join(t, url)
	sent := []byte{0x00, 0xff, 0x10}
	for _, err := range []error{
		ann.Write(`451-["chat message",{"_placeholder":true,"num":0}]`), ann.WriteBinary(sent),
		ann.Write(`451-["chat message",{"file":[{"_placeholder":true,"num":0}]}]`), ann.WriteBinary(sent),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, page := range []*rawclient.Client{ann, bob, cem} {
		for range 2 {
			got := page.Next()
			if got.Name != "chat message" || len(got.Binary) != 1 || !bytes.Equal(got.Binary[0], sent) {
				t.Fatalf("a page receives %+v, want the bytes % x", got, sent)
			}
		}
	}
}

func TestRefusedMessageIsNotEmitted(t *testing.T) {
	url := start(t)
	ann, bob := join(t, url), join(t, url)
	long := strings.Repeat("x", serve.MaxMessage+1)
	for name, args := range map[string][]any{"nothing": nil, "a long text": {long}, "a long list": {[]any{long[1:], "y"}}} {
		answer, err := ann.Ask("chat message", args...)
		if err != nil {
			t.Fatal(err)
		}
		if reason, _ := answer["error"].(string); reason == "" {
			t.Errorf("the acknowledgement of %s is %v, want an error", name, answer)
		}
		if err := ann.Emit("chat message", args...); err != nil {
			t.Fatal(err)
		}
		if refused := ann.Next(); refused.Name != "refused" || len(refused.Args) != 1 || refused.Args[0] == "" {
			t.Errorf("after %s comes %+v, want refused with a reason", name, refused)
		}
	}
	chattest.Send(t, ann, long[1:])
	if got := bob.Next(); got.Args[0] != long[1:] {
		t.Errorf("bob receives %.80v first, want the one message that was not refused", got)
	}
}

func TestTooLargePacketClosesItsConnectionOnly(t *testing.T) {
	url := start(t)
	ann, bob := join(t, url), join(t, url)
	// An error is expected if the server closes the connection before all is written.
	_ = ann.Emit("chat message", strings.Repeat("x", 2_000_000))
	ann.Ended()
	chattest.Send(t, bob, "still here")
	if got := bob.Next(); got.Args[0] != "still here" {
		t.Errorf("bob receives %+v", got)
	}
	if again := join(t, url); again.Sid == "" {
		t.Error("no client can connect any more")
	}
}

func TestInvalidPacketClosesItsConnectionOnly(t *testing.T) {
	url := start(t)
	bob := join(t, url)
	for _, packet := range []string{`42`, `42{}`, `42["chat message"`, `42[1e400]`, `4`, `9`, `4299999999999999999999["chat message","x"]`, `451-["chat message",{"_placeholder":true,"num":5}]`} {
		ann := join(t, url)
		_ = ann.Write(packet)
		_ = ann.WriteBinary([]byte("x"))
	}
	chattest.Send(t, bob, "still here")
}
