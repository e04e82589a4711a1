package runner_test

import (
	"slices"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/defect"
	"redial/harness/lab"
	"redial/harness/protocol"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
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

// A server that stores messages need not acknowledge them below client-delivery, and its page need
// not ask.
func TestCutAtAcknowledgementNeedsOne(t *testing.T) {
	for name, want := range map[string]check.Outcome{"does-not-store": check.Unsupported, "not-to-sender": check.Fail} {
		at := slices.IndexFunc(defect.All, func(d defect.Defect) bool { return d.Name == name })
		server, err := servers.Broken(defect.All[at])
		if err != nil {
			t.Fatal(err)
		}
		r := played(t, server, find(t, "acknowledgement-cut"), runner.Options{Seed: 1, Lab: lab.Virtual})[0]
		if r.Outcome() != want || want == check.Unsupported && !strings.Contains(r.Reason(), "the page asks for none") {
			t.Errorf("%s: %s: %s", name, r.Outcome(), r.Reason())
		}
	}
}
