package runner_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/target"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// The highest level that holds does not depend on the claimed one.
func TestConformFindsTheLevelThatHolds(t *testing.T) {
	t.Parallel()
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
				return stepAt(number)(level)
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

// troubled is the virtual lab, in which some runs of server-delivery do not end.
type troubled func(scenario string, seed uint64) bool

func (troubled) String() string { return "troubled" }

func (t troubled) Play(ctx context.Context, server lab.Server, config lab.Config, p plan.Plan) lab.Run {
	if config.Level == contract.ServerDelivery && t(p.Scenario, p.Seed) {
		return lab.Run{Err: errors.New("the browser did not start")}
	}
	return lab.Virtual.Play(ctx, server, config, p)
}

func stepAt(number string) func(contract.Level) (servers.Server, error) {
	return func(level contract.Level) (servers.Server, error) {
		server, err := servers.Step(number)
		server.Level, server.Step = level, ""
		return server, err
	}
}

// A scenario without a verdict is neither a failure of the level nor a success: the level is
// not known to hold, whether it is the claimed one or a higher one.
func TestInconclusiveCountsForNoLevel(t *testing.T) {
	t.Parallel()
	rows := find(t, "clean-drop", "server-killed", "refresh")
	inSecondRun := troubled(func(scenario string, seed uint64) bool { return scenario == "server-killed" && seed == 2 })
	always := troubled(func(scenario string, seed uint64) bool { return scenario == "server-killed" })
	for name, c := range map[string]struct {
		in     lab.Lab
		claims contract.Level
		times  int
	}{
		"claimed":   {inSecondRun, contract.ServerDelivery, 1},
		"above":     {always, contract.Recovery, 1}, // which plays again only what failed
		"each time": {always, contract.ServerDelivery, 2},
	} {
		t.Run(name, func(t *testing.T) {
			levels, holds, err := runner.Conform(t.Context(), stepAt("7"), c.claims, rows, runner.Options{Seed: 1, Runs: 2, Lab: c.in})
			if err != nil || holds != contract.Recovery {
				t.Fatalf("it holds %q (%v): %+v", holds, err, levels)
			}
			for _, l := range levels {
				if l.Level != contract.ServerDelivery {
					continue
				}
				if l.Passed != 2 || l.Failed != 0 || len(l.Failures) != 0 || len(l.Inconclusive) != 1 {
					t.Fatalf("%+v", l)
				}
				if open := l.Inconclusive[0]; open.Scenario != "server-killed" || open.Reason != "the browser did not start" || open.Times != c.times {
					t.Errorf("%+v", open)
				}
			}
		})
	}
}

// heals is the virtual lab, in which a server passes from the third run on.
type heals struct {
	right lab.Server
	runs  *int
	seeds map[uint64]bool
}

func (heals) String() string { return "heals" }

func (h heals) Play(ctx context.Context, server lab.Server, config lab.Config, p plan.Plan) lab.Run {
	*h.runs++
	h.seeds[p.Seed] = true
	if *h.runs > 2 {
		server = h.right
	}
	return lab.Virtual.Play(ctx, server, config, p)
}

// A scenario that fails in both runs may be a race all the same, so it is played twice more.
func TestConformPlaysAgainWhatFailsEachTime(t *testing.T) {
	right, err := stepAt("6")(contract.Recovery)
	if err != nil {
		t.Fatal(err)
	}
	seeds := map[uint64]bool{}
	for want, in := range map[int]lab.Lab{4: lab.Virtual, 2: heals{right.Server, new(int), seeds}} {
		levels, _, err := runner.Conform(t.Context(), stepAt("5"), contract.Recovery, find(t, "clean-drop"), runner.Options{Seed: 1, Runs: 2, Lab: in})
		if err != nil {
			t.Fatal(err)
		}
		last := levels[len(levels)-1]
		if len(last.Failures) != 1 || last.Failures[0].Times != want || last.Failures[0].Of != 4 {
			t.Errorf("want %d of 4: %+v", want, last)
		}
	}
	if len(seeds) < 4 {
		t.Errorf("a seed was played twice: %v", seeds)
	}
}

// What cannot be played or measured is said in the application's row.
func TestConformPeerSaysWhatWasNotPlayed(t *testing.T) {
	rows := find(t, "clean-drop")
	gone := errors.New("the command is\nmissing")
	options := runner.Options{Seed: 1, Lab: troubled(func(string, uint64) bool { return false })}
	notMeasured := func(level contract.Level) (servers.Server, error) {
		server, err := stepAt("6")(level)
		server.Server.Target = func(plan.Tuning) (target.Target, error) { return nil, gone }
		return server, err
	}
	p, err := runner.ConformPeer(t.Context(), runner.Peer{Claims: contract.Recovery}, notMeasured, rows, options)
	if err != nil || p.Holds != contract.Recovery || p.NotPlayed != "" || !strings.Contains(p.NotMeasured, "the command is missing") {
		t.Errorf("%v, %+v", err, p)
	}
	notPlayed := func(level contract.Level) (servers.Server, error) {
		server, err := notMeasured(level)
		server.Server.Handler = nil
		return server, err
	}
	p, err = runner.ConformPeer(t.Context(), runner.Peer{Claims: contract.Recovery}, notPlayed, rows, options)
	if err != nil || p.Holds != "" || len(p.Levels) != 0 || !strings.Contains(p.NotPlayed, "the command is missing") {
		t.Errorf("%v, %+v", err, p)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err = runner.ConformPeer(ctx, runner.Peer{Claims: contract.Recovery}, notMeasured, rows, options); err == nil {
		t.Error("an interrupted table is taken for a whole one")
	}
}

func TestARaceIsAFailureOfSomeRuns(t *testing.T) {
	race, always := runner.Failure{Times: 1, Of: 2}, runner.Failure{Times: 2, Of: 2}
	l := runner.LevelResult{Failed: 3, Failures: []runner.Failure{race, always, race}}
	if l.Races() != 2 || (runner.LevelResult{Passed: 1}).Races() != 0 {
		t.Error("a race fails in some of the runs only")
	}
}
