package runner_test

import (
	"strings"
	"testing"

	"redial/harness/protocol"
	"redial/scenarios/runner"
)

// A chat of texts drops an object. Where it acknowledges nothing, nobody can tell that from a
// loss.
func TestObjectsAreNotSentToWhatCannotRefuseThem(t *testing.T) {
	for _, noAck := range []bool{true, false} {
		p := protocol.Tutorial()
		p.Send.NoAck = noAck
		server := stepServer(t, "5")
		server.Step, server.Protocol = "", &p
		for _, s := range find(t, "payloads-refresh", "payloads-restart", "texts", "refresh") {
			want := noAck && strings.HasPrefix(s.ID, "payloads")
			if why := runner.Unplayable(s, server); (why != "") != want {
				t.Errorf("%s, without acknowledgements %v: unplayable %q", s.ID, noAck, why)
			}
		}
	}
}
