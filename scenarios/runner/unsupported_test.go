package runner_test

import (
	"slices"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/defect"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/protocol"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// A chat of texts drops an object. Where it acknowledges nothing, or nothing that it drops, nobody
// can tell that from a loss.
func TestObjectsAreNotSentToWhatCannotRefuseThem(t *testing.T) {
	for reason, send := range map[string]protocol.Send{"": {}, "cannot say so": {NoAck: true}, "has textsOnly": {TextsOnly: true}} {
		p := protocol.Tutorial()
		p.Send.NoAck, p.Send.TextsOnly = send.NoAck, send.TextsOnly
		server := stepServer(t, "5")
		server.Step, server.Protocol = "", &p
		for _, s := range find(t, "payloads-refresh", "payloads-restart", "texts", "refresh") {
			unplayable := reason != "" && strings.HasPrefix(s.ID, "payloads")
			if why := runner.Unplayable(s, server); (why != "") != unplayable || !strings.HasSuffix(why, reason) && unplayable {
				t.Errorf("%s, with %+v: unplayable %q", s.ID, send, why)
			}
		}
	}
}

func TestTextsThatAStoreMayNotHoldAreSentOnlyToWhatCanRefuseThem(t *testing.T) {
	for _, noAck := range []bool{true, false} {
		p := protocol.Tutorial()
		p.Send.NoAck = noAck
		server := stepServer(t, "7")
		server.Step, server.Protocol = "", &p
		r := played(t, server, find(t, "texts"), runner.Options{Seed: 1, Lab: lab.Virtual})[0]
		sent := func(text string) bool {
			return slices.ContainsFunc(r.Events, func(e history.Event) bool {
				return e.Kind == history.Sent && strings.Contains(e.Message, text)
			})
		}
		if r.Outcome() != check.Pass || sent("\x00") == noAck || sent(strings.Repeat("long ", 2000)) == noAck || !sent("🙂") {
			t.Errorf("without acknowledgements %v: %s, and a NUL is sent: %v", noAck, r.Outcome(), sent("\x00"))
		}
	}
}

// A server that stores messages need not acknowledge them below client-delivery, and its page need
// not ask. That hides nothing that goes wrong, and is no excuse where something else is expected.
func TestCutAtAcknowledgementNeedsOne(t *testing.T) {
	broken := func(name string) defect.Defect {
		d, err := defect.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	right := broken("does-not-store") // whose page asks for none
	right.Name, right.New = "right", defect.Right
	for _, c := range []struct {
		defect defect.Defect
		step   string // of which the matrix expects that it shows every message once
		want   check.Outcome
		reason string
	}{
		{right, "", check.Unsupported, "the page asks for none"},
		{right, "7", check.Inconclusive, "never fired"},
		{broken("does-not-store"), "", check.Fail, "not in the log"},
		{broken("not-to-sender"), "", check.Fail, ""},
	} {
		server, err := servers.Broken(c.defect)
		if err != nil {
			t.Fatal(err)
		}
		server.Step = c.step
		r := played(t, server, find(t, "acknowledgement-cut"), runner.Options{Seed: 1, Lab: lab.Virtual, Golden: c.step != ""})[0]
		if r.Outcome() != c.want || !strings.Contains(r.Reason(), c.reason) {
			t.Errorf("%s, step %q: %s: %s", c.defect.Name, c.step, r.Outcome(), r.Reason())
		}
	}
}
