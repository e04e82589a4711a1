package page_test

import (
	"testing"

	"redial/harness/protocol"
)

// Learned values persist across a refresh.
func TestMessagesWaitUntilTheOtherUsersIDIsLearned(t *testing.T) {
	a := newApplication(t, nil, "")
	w := openTranslated(t, a, referencePage(t, "5"), protocol.Protocol{
		Learn:   []protocol.Learn{{Event: "users", Save: map[string]protocol.Path{"to": `$[?@.name != "{{client}}"].id`}}},
		Send:    &protocol.Send{Event: "send", Args: []any{"{{to}}", "{{text}}"}, NoAck: true},
		Receive: protocol.Receive{Event: "new"},
	})
	s := a.enter(t)
	w.await(t, "connected", 1)
	w.send(t, "early")
	s.send(`42["users",[{"name":"anna","id":1}]]`, `42["users",[{"name":"anna","id":1},{"name":"bob","id":2}]]`)
	s.expect(`42["send",2,"early"]`)
	if err := w.Refresh(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	s = a.enter(t)
	w.await(t, "connected", 2)
	w.send(t, "late")
	s.expect(`42["send",2,"late"]`)
}
