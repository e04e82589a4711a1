package runner_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/target"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// A server that came up once and then does not start makes runs inconclusive, and one that never
// came up ends all of them.
func TestFailedStartEndsOnlyItsRunIfTheServerCameUpBefore(t *testing.T) {
	t.Parallel()
	gone := lab.Server{Target: func(plan.Tuning) (target.Target, error) { return nil, errors.New("no free port") }}
	s := servers.Server{Name: "gone", Config: lab.Config{Level: contract.Recovery}, Server: gone}
	_, err := runner.Run(t.Context(), []servers.Server{s}, catalogue.All[:2], runner.Options{})
	if !errors.Is(err, lab.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	s.CameUp = true
	results, err := runner.Run(t.Context(), []servers.Server{s}, catalogue.All[:2], runner.Options{})
	if err != nil || len(results) != 2 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	for _, r := range results {
		if r.Outcome() != check.Inconclusive || !strings.Contains(r.Reason(), "no free port") {
			t.Errorf("%s: %s (%s)", r.ID, r.Outcome(), r.Reason())
		}
	}
}

// The kit's steps are not examined before the first run, whose own start tells that they come up.
func TestFailedStartOfAStepEndsOnlyItsRun(t *testing.T) {
	t.Parallel()
	s, starts := stepServer(t, "7"), 0
	made := s.Server.Handler
	s.Server.Handler = func(tuning plan.Tuning) lab.Handler {
		return func(dir string) (http.Handler, io.Closer, error) {
			if starts++; starts == 2 {
				return nil, nil, errors.New("no free port")
			}
			return made(tuning)(dir)
		}
	}
	results := played(t, s, find(t, "clean-drop", "refresh", "burst"), runner.Options{Seed: 1, Lab: lab.Virtual, Parallel: 1})
	var outcomes []check.Outcome
	for _, r := range results {
		outcomes = append(outcomes, r.Outcome())
	}
	if !slices.Equal(outcomes, []check.Outcome{check.Pass, check.Inconclusive, check.Pass}) || !strings.Contains(results[1].Reason(), "no free port") {
		t.Errorf("%v: %s", outcomes, results[1].Reason())
	}
}
