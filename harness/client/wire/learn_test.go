package wire

import (
	"testing"
	"testing/synctest"

	"redial/harness/history"
	"redial/harness/protocol"
)

func TestWireHoldsMessagesUntilTheOtherUsersIDIsLearned(t *testing.T) {
	p := &protocol.Protocol{
		Learn:   []protocol.Learn{{Event: "users", Save: map[string]protocol.Path{"to": `$[?@.name == "{{other}}"].id`}}},
		Send:    &protocol.Send{Event: "send", Args: []any{"{{to}}", "{{text}}"}, NoAck: true},
		Receive: protocol.Receive{Event: "new"},
	}
	bubbleWith(t, p, func(t *testing.T, m *memory, w *Client, r *history.Recorder) {
		open(t, w)
		server := m.acceptRequest(t, "/socket.io/?EIO=4&transport=websocket", "chat.test:80")
		server.expect("40")
		server.send(`40{"sid":"s"}`)
		synctest.Wait()
		sendAll(t, w, "early")
		server.send(`42["users",[{"name":"ann","id":1}]]`)
		synctest.Wait()
		server.send(`42["users",[{"name":"ann","id":1},{"name":"bob","id":2}]]`)
		server.expect(`42["send",2,"early"]`)
		server.send(`42["users",[{"name":"bob","id":3}]]`)
		synctest.Wait()
		sendAll(t, w, "late")
		server.expect(`42["send",3,"late"]`)
	})
}
