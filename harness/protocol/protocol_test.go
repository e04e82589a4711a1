package protocol

import (
	"reflect"
	"strings"
	"testing"
)

func TestFillKeepsTypesAndLeavesUnknownFieldsOut(t *testing.T) {
	template := map[string]any{
		"serverOffset": "{{offset}}", "token": "t-{{client}}", "session": "{{sessionID}}", "fixed": 1.5, "list": []any{"{{text}}", map[string]any{"k": "{{ key }}"}},
	}
	got := Fill(template, Values{Offset: int64(7), Client: "alice", Text: "hi", Key: "k1"})
	want := map[string]any{"serverOffset": int64(7), "token": "t-alice", "fixed": 1.5, "list": []any{"hi", map[string]any{"k": "k1"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if template["serverOffset"] != "{{offset}}" {
		t.Error("the template itself was changed")
	}
}

func TestReadFindsTextAndOffset(t *testing.T) {
	p := Protocol{
		Receive: Receive{Event: "new message", Text: "$.message", Offset: "$2"},
		History: &History{Event: "messages", List: "$.rooms[*].all"},
	}
	got, whole := p.Read("new message", []any{map[string]any{"message": "hi"}, "12"})
	if whole || !reflect.DeepEqual(got, []Message{{Text: "hi", Offset: 12, Numbered: true}}) {
		t.Errorf("the event: got %v, %v", got, whole)
	}
	got, whole = p.Read("messages", []any{map[string]any{"rooms": []any{map[string]any{"all": []any{map[string]any{"message": "a"}, map[string]any{"message": "b"}, "no message"}}}}})
	if !whole || len(got) != 2 || got[1].Text != "b" {
		t.Errorf("the history: got %v, %v", got, whole)
	}
	if got, _ := p.Read("typing", []any{"x"}); got != nil {
		t.Errorf("another event is no message: got %v", got)
	}
}

// An event may also carry what no client has sent.
func TestReadLeavesOutWhatAPathDoesNotSelect(t *testing.T) {
	p := Protocol{Receive: Receive{Event: "message", Text: `$[?$.username != "bot" && @ == $.text]`, Offset: "$.id"}}
	if got, _ := p.Read("message", []any{map[string]any{"username": "bot", "text": "bob has joined"}}); got != nil {
		t.Errorf("the notice: got %v", got)
	}
	want := []Message{{Text: "hi", Offset: 3, Numbered: true}}
	if got, _ := p.Read("message", []any{map[string]any{"username": "alice", "text": "hi", "id": 3.0}}); !reflect.DeepEqual(got, want) {
		t.Errorf("the message: got %v", got)
	}
}

// An application may emit its messages in batches, and the items of its history may have another
// shape than its messages.
func TestReadFindsEachMessageOfABatch(t *testing.T) {
	p := Protocol{
		Receive: Receive{Event: "new messages", Text: "$[*].text", Offset: "$[*].id"},
		History: &History{Event: "messages", Text: "$.content", Offset: "$.row"},
	}
	want := []Message{{Text: "a", Offset: 1, Numbered: true}, {Text: "b", Offset: 2, Numbered: true}}
	batch := []any{map[string]any{"text": "a", "id": 1.0}, map[string]any{"text": "b", "id": 2.0}}
	if got, whole := p.Read("new messages", []any{batch}); whole || !reflect.DeepEqual(got, want) {
		t.Errorf("the batch: got %v, %v", got, whole)
	}
	unnumbered := []any{map[string]any{"text": "a"}, batch[1]}
	if got, _ := p.Read("new messages", []any{unnumbered}); !reflect.DeepEqual(got, []Message{{Text: "a"}, {Text: "b"}}) {
		t.Errorf("the batch with one offset: got %v", got)
	}
	items := []any{map[string]any{"content": "a", "row": 1.0}, map[string]any{"content": "b", "row": 2.0}}
	if got, whole := p.Read("messages", []any{items}); !whole || !reflect.DeepEqual(got, want) {
		t.Errorf("the history: got %v, %v", got, whole)
	}
}

func TestOffsetsAreWholeNumbers(t *testing.T) {
	for value, want := range map[any]bool{1.0: true, 1.5: false, 1e300: false, "9007199254740993": true, "1a": false, int64(3): true, nil: false, true: false} {
		if _, ok := WholeNumber(value); ok != want {
			t.Errorf("%v: %v, want %v", value, ok, want)
		}
	}
}

func TestRefusal(t *testing.T) {
	s := Send{Refused: "$.status"}
	if why, refused := s.Refusal([]any{map[string]any{"status": "muted"}}); !refused || why != "muted" {
		t.Errorf("got %v, %v", why, refused)
	}
	for _, accepted := range [][]any{nil, {}, {map[string]any{"ok": true}}, {"ok"}, {map[string]any{"status": nil}}} {
		if why, refused := s.Refusal(accepted); refused {
			t.Errorf("%v is taken for a refusal: %v", accepted, why)
		}
	}
	s = Send{Accepted: "$.ok"}
	for answer, refused := range map[any]bool{true: false, 7.0: false, false: true, nil: true, "": true} {
		if why, got := s.Refusal([]any{map[string]any{"ok": answer}}); got != refused {
			t.Errorf("ok: %v is taken for a refusal: %v, %v", answer, got, why)
		}
	}
	if why, refused := s.Refusal([]any{map[string]any{"error": "muted"}}); !refused || why != "muted" {
		t.Errorf("got %v, %v", why, refused)
	}
}

func TestValidateNamesTheField(t *testing.T) {
	tutorial := Tutorial()
	if err := tutorial.Validate(); err != nil {
		t.Errorf("the tutorial's: %v", err)
	}
	if !tutorial.SendsKeys() || !tutorial.NamesOffset() {
		t.Error("the tutorial's protocol sends no idempotency keys or no offset")
	}
	for want, p := range map[string]Protocol{
		"path:":                   {Path: "ws", Receive: Receive{Event: "m"}},
		"namespace:":              {Namespace: "chat", Receive: Receive{Event: "m"}},
		"there is no parser":      {Parser: "xml", Receive: Receive{Event: "m"}},
		"receive: event":          {},
		"offset is missing":       {Receive: Receive{Event: "m", Opaque: true}},
		"no transport":            {Transports: []string{"tcp"}, Receive: Receive{Event: "m"}},
		"no argument contains":    {Receive: Receive{Event: "m"}, Send: &Send{Event: "m", Args: []any{"text"}}},
		"history: text":           {Receive: Receive{Event: "m", Text: "$[*].text"}, History: &History{Event: "all"}},
		"needs emit or await":     {Receive: Receive{Event: "m"}, Enter: []EnterStep{{}}},
		"begins with the event":   {Receive: Receive{Event: "m"}, Enter: []EnterStep{{Emit: []any{1.0}}}},
		"save needs await or ack": {Receive: Receive{Event: "m"}, Enter: []EnterStep{{Emit: []any{"join"}, Save: map[string]Path{"id": "$.id"}}}},
	} {
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}
