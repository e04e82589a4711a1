package protocol

import (
	"reflect"
	"strings"
	"testing"
)

// directMessages is a protocol whose messages carry the other user's ID, which the server
// sends in one of two events.
func directMessages() Protocol {
	return Protocol{
		Learn: []Learn{
			{Event: "users", Save: map[string]Path{"to": `$[?@.name == "{{other}}"].id`}},
			{Event: "user connected", Save: map[string]Path{"to": "$.id"}},
		},
		Send:    &Send{Event: "m", Args: []any{map[string]any{"to": "{{to}}", "text": "{{text}}"}}},
		Receive: Receive{Event: "m"},
	}
}

func TestLearnedFindsTheOtherUser(t *testing.T) {
	p := directMessages()
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	user := func(name, id string) any { return map[string]any{"name": name, "id": id} }
	values := Values{Other: "bob"}
	for want, event := range map[string][]any{
		"2": {"users", []any{user("alice", "1"), user("bob", "2")}},
		"3": {"user connected", user("bob", "3")},
		"":  {"users", []any{user("alice", "1")}},
		" ": {"m", user("bob", "4")},
	} {
		expected := Values{}
		if want = strings.TrimSpace(want); want != "" {
			expected["to"] = want
		}
		if got := p.Learned(event[0].(string), event[1:], values); !reflect.DeepEqual(got, expected) {
			t.Errorf("%v: learned %v, want %v", event, got, expected)
		}
	}
	if got := p.Awaited(); !reflect.DeepEqual(got, []string{"to"}) || !p.Pairwise() {
		t.Errorf("messages wait for %v, Pairwise is %v", got, p.Pairwise())
	}
	p.Learn[1].Save = nil
	if err := p.Validate(); err == nil || !strings.Contains(err.Error(), "learn, entry 2") {
		t.Errorf("%v", err)
	}
}
