package runner_test

import (
	"errors"
	"testing"

	"redial/harness/contract"
	"redial/harness/lab"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// The highest level that holds does not depend on the claimed one.
func TestConformFindsTheLevelThatHolds(t *testing.T) {
	rows := find(t, "clean-drop", "server-killed", "refresh", "acknowledgement-cut", "write-on-dead-connection", "tab-closed-with-pending")
	for number, c := range map[string]struct{ claims, holds contract.Level }{
		"5": {contract.ServerDelivery, contract.Basic},
		"6": {contract.Recovery, contract.Recovery},
		"7": {contract.Recovery, contract.ServerDelivery},
		"8": {contract.ClientDelivery, contract.ClientDelivery},
	} {
		t.Run(number, func(t *testing.T) {
			at := func(level contract.Level) (servers.Server, error) {
				if number == "8" && level == contract.DurableDelivery {
					return servers.Server{}, errors.New("not tried")
				}
				server, err := servers.Step(number)
				server.Level, server.Step = level, ""
				return server, err
			}
			levels, holds, err := runner.Conform(t.Context(), at, c.claims, rows, runner.Options{Seed: 1, Lab: lab.Virtual})
			if err != nil || holds != c.holds {
				t.Fatalf("it holds %q, want %q (%v)", holds, c.holds, err)
			}
			for _, l := range levels {
				if !l.Holds() && l.NotPlayed == "" && (len(l.Failures) == 0 || l.Failures[0].Reason == "" || l.Failures[0].Story == "") {
					t.Errorf("%s fails without a failure that says why: %+v", l.Level, l)
				}
			}
		})
	}
}

func TestARaceIsAFailureOfSomeRuns(t *testing.T) {
	race := runner.LevelResult{Failed: 1, Failures: []runner.Failure{{Times: 1, Of: 2}}}
	always := runner.LevelResult{Failed: 2, Failures: []runner.Failure{{Times: 1, Of: 2}, {Times: 2, Of: 2}}}
	if !race.Race() || always.Race() || (runner.LevelResult{Passed: 1}).Race() {
		t.Error("a race fails in some runs, and in no scenario in all of them")
	}
}
