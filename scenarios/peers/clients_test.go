//go:build !race

package peers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/client"
	"redial/harness/client/browser/chromiumtest"
	"redial/harness/client/process"
	"redial/harness/contract"
	"redial/harness/defect"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/peers"
	"redial/scenarios/peers/goclient"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

func TestMain(m *testing.M) {
	becomeBare()
	servers.BecomeStep()
	goclient.Become()
	os.Exit(chromiumtest.Main(m))
}

const atFault = "the client is at fault: the official client passes this"

// played plays the named rows on a server with a client. Saved runs go to a folder of the
// test.
func played(t *testing.T, by peers.Client, server servers.Server, rows ...string) []report.Result {
	t.Helper()
	which, err := catalogue.Find(rows)
	if err != nil {
		t.Fatal(err)
	}
	results, err := runner.Run(t.Context(), []servers.Server{server}, which, runner.Options{Seed: 1, Client: by, Artifacts: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func step(t *testing.T, number string) servers.Server {
	t.Helper()
	server, err := servers.Step(number)
	if err != nil {
		t.Fatal(err)
	}
	server.ShownBound = 4 * time.Second // a lost message never arrives, so a longer wait is useless
	return server
}

func otherClient(t *testing.T, name string) peers.Client {
	t.Helper()
	by, err := peers.FindClient(name)
	if err != nil {
		t.Skip(err)
	}
	return by
}

// TestOtherClientsPass shows on a handful of rows that a client that keeps its offset and
// resends unacknowledged messages loses nothing, whatever its library.
func TestOtherClientsPass(t *testing.T) {
	for _, name := range peers.ClientNames[1:] {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			by := otherClient(t, name)
			results := append(played(t, by, step(t, "7"), "clean-drop", "refresh", "two-tabs-one-refreshed", "handler-throws"),
				played(t, by, step(t, "8"), "acknowledgement-cut", "write-offline")...)
			for i, r := range results {
				if i == 2 || i == 3 {
					if r.Outcome() != check.Unsupported || !strings.Contains(r.Reason(), client.ErrUnsupported.Error()) {
						t.Errorf("%s: %s: %s", r.ID, r.Outcome(), r.Reason())
					}
					continue
				}
				if r.Outcome() != check.Pass || r.Official != "" || r.Runs != 1 {
					t.Errorf("%s: %s: %s", r.ID, r.Outcome(), r.Reason())
				}
				if events := len(r.Events); events < 10 {
					t.Errorf("%s has a history of %d events", r.ID, events)
				}
			}
		})
	}
}

// TestWrongClientIsToldFromWrongServer plays a client that keeps no offset on a correct
// server, and the correct client on a server with a deliberate defect.
func TestWrongClientIsToldFromWrongServer(t *testing.T) {
	python, err := peers.PythonWithSocketIO()
	if err != nil {
		t.Skip(err)
	}
	t.Parallel()
	forgetful := peers.Client{Name: "forgetful", New: func(options client.Options, level contract.Level) client.Client {
		return process.New(options, process.Program{Command: []string{python, "python/client.py", "--ignore-offset"}, Level: level})
	}}
	r := played(t, forgetful, step(t, "7"), "clean-drop")[0]
	if r.Verdict.Outcome != check.Fail || r.Verdict.Duplicated == 0 || r.Official != check.Pass || !strings.HasPrefix(r.Reason(), atFault) {
		t.Errorf("a client that remembers no offset: %s, and %s with the official client: %s", r.Verdict.Outcome, r.Official, r.Reason())
	}
	if strings.Contains(r.Verdict.Reason, atFault) {
		t.Errorf("the verdict was changed: %s", r.Verdict.Reason)
	}

	broken, err := defect.Find("drops")
	if err != nil {
		t.Fatal(err)
	}
	server, err := servers.Broken(broken)
	if err != nil {
		t.Fatal(err)
	}
	r = played(t, otherClient(t, "python"), server, broken.Scenario)[0]
	if r.Outcome() != check.Fail || r.Official != check.Fail || strings.Contains(r.Reason(), atFault) {
		t.Errorf("a server that loses messages: %s, and %s with the official client: %s", r.Verdict.Outcome, r.Official, r.Reason())
	}
}

// The saved failure of another client must name that client, or a replay would use the
// official one.
func TestFailureOfAnotherClientIsPlayedAgain(t *testing.T) {
	by := otherClient(t, "python")
	t.Parallel()
	r := played(t, by, step(t, "6"), "clean-drop")[0] // python-socketio does not recover sessions
	if r.Outcome() != check.Fail || len(r.Artifacts) != 1 || !strings.Contains(r.Replay, "--client python") {
		t.Fatalf("%s: %s, saved as %v", r.Outcome(), r.Reason(), r.Artifacts)
	}
	saved, err := runner.ReadSaved(filepath.Clean(r.Artifacts[0]))
	if err != nil {
		t.Fatal(err)
	}
	again, err := saved.Play(t.Context())
	if err != nil || again.Verdict.Rule() != r.Verdict.Rule() {
		t.Errorf("again: %v, %s", err, again.Verdict.Reason)
	}
	saved.Client = "" // the official client's sessions are recovered
	if again, err = saved.Play(t.Context()); err == nil || again.Verdict.Outcome != check.Pass {
		t.Errorf("with the official client: %v, %s", err, again.Verdict.Reason)
	}
}
