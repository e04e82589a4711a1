// Package scenarios tests a Socket.IO server that is written in Go, in the server's own
// test. [Check] is the whole API:
//
//	func TestReconnecting(t *testing.T) {
//		scenarios.Check(t, contract.ServerDelivery, func(dir string) (http.Handler, io.Closer, error) {
//			return New(filepath.Join(dir, "chat.log"))
//		})
//	}
//
// The packages below it are its parts: catalogue has the scenarios, servers the servers under
// test, runner plays scenarios, suite makes Ginkgo specs of them, and cmd/redial is the
// command. All of them use the packages in redial/harness. It must not import Ginkgo,
// because it runs inside any test.
package scenarios

import (
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// Check plays the catalogue's scenarios on the server, in the virtual lab. Each scenario is
// a subtest: it fails if the server breaks the promise of the level, and is skipped if the
// level does not promise what the scenario is about. Minutes of heartbeats and backoff take
// milliseconds.
//
// The server is created again for every start; data that must survive a restart belongs in
// dir. The server uses the protocol that the README describes under "What it has to offer".
// The pages are the kit's reference pages with the official client, which npm fetches once
// if the server does not serve it.
//
// A failure is saved as a file among the test's artifacts (go test -artifacts keeps them).
// The seeds are fixed, so the same test fails in the same way again.
func Check(t *testing.T, level contract.Level, server lab.Handler) {
	t.Helper()
	tested, err := servers.InProcess(t.Name(), level, server)
	if err != nil {
		t.Fatal(err)
	}
	play := runner.New(runner.Options{Seed: 1, Lab: lab.Virtual, Artifacts: t.ArtifactDir()})
	for _, cell := range runner.Cells([]servers.Server{tested}, catalogue.All) {
		t.Run(cell.Scenario.ID, func(t *testing.T) {
			result, err := play.Result(t.Context(), cell)
			switch {
			case err != nil:
				t.Fatal(err)
			case result.Outcome() == check.Unsupported:
				t.Skip(result.Reason())
			case result.Outcome() != check.Pass:
				t.Errorf("%s: %s\n%s\nsaved as %v", result.Title, result.Outcome(), result.Reason(), result.Artifacts)
			}
		})
	}
}
