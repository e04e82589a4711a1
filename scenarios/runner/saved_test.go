package runner

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/client"
	"redial/harness/contract"
	"redial/harness/defect"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/target"
	"redial/scenarios/catalogue"
	"redial/scenarios/servers"
)

// cell is a scenario at a step.
func cell(t *testing.T, scenario, step string) Cell {
	t.Helper()
	rows, err := catalogue.Find([]string{scenario})
	if err != nil {
		t.Fatal(err)
	}
	server, err := servers.Step(step)
	if err != nil {
		t.Fatal(err)
	}
	return Cell{rows[0], server}
}

// A server that numbers its messages replays everything to a page that sends no offset. A replay
// examines it as check does, and gives its pages one.
func TestReplayOfAServerThatIsNotTheKitsHasThePagesOfTheCheck(t *testing.T) {
	t.Parallel()
	saved := Saved{
		Target: "a command", Command: []string{os.Args[0], servers.ServeStep, "7"}, Level: contract.Basic, Lab: lab.Real.String(), Name: "server-killed",
		Plan: cell(t, "server-killed", "7").Scenario.Plan(1), Verdict: check.Verdict{Outcome: check.Fail, Level: contract.Basic, Reason: "another one"},
	}
	result, err := saved.Play(t.Context())
	if !errors.Is(err, ErrOtherVerdict) || result.Outcome() != check.Pass {
		t.Errorf("%s %s, %v", result.Outcome(), result.Reason(), err)
	}
}

// A heartbeat of a minute needs a longer wait than the lab's, and an own page that of the library.
func TestARunWaitsForTheHeartbeatOfItsServer(t *testing.T) {
	t.Parallel()
	waiting := plan.Plan{Tuning: plan.Tuning{PingInterval: plan.Duration(time.Second)}}
	page := func(client.Options, client.Client) (client.Client, error) { return nil, nil }
	for _, c := range []struct {
		server servers.Server
		p      plan.Plan
		want   time.Duration
	}{
		{servers.Server{}, waiting, 0},
		{servers.Server{Heartbeat: time.Minute}, plan.Plan{}, 0},
		{servers.Server{Heartbeat: time.Minute}, waiting, 80 * time.Second},
		{servers.Server{Config: lab.Config{NewPage: page}}, plan.Plan{}, 65 * time.Second},
		{servers.Server{Config: lab.Config{NewPage: page}, Heartbeat: time.Minute}, plan.Plan{}, 80 * time.Second},
	} {
		if got := configFor(c.server, c.p).Bound; got != c.want {
			t.Errorf("heartbeat %s: %s, want %s", c.server.Heartbeat, got, c.want)
		}
	}
}

// After an interrupt nobody knows what the official client would have come to.
func TestTheOfficialClientHasNoOutcomeAfterAnInterrupt(t *testing.T) {
	t.Parallel()
	c := cell(t, "clean-drop", "7")
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	r := New(Options{Lab: lab.Virtual})
	p := c.Scenario.Plan(1)
	if outcome := r.official(ctx, c, configFor(c.Server, p), p); outcome != "" {
		t.Errorf("it is %s", outcome)
	}
}

func TestReplayQuotesWhatAShellWouldSplit(t *testing.T) {
	t.Parallel()
	server, err := servers.Command(target.CommandOptions{Command: []string{"bash", "-c", "exec ./step 7"}}, contract.Basic)
	if err != nil {
		t.Fatal(err)
	}
	scenario := catalogue.Scenario{ID: "own", Folder: "my rows"}
	r := New(Options{})
	if got := r.replay(Cell{scenario, server}, 1); !strings.HasSuffix(got, " check --scenarios 'my rows' --level basic --scenario own --seed 1 -- bash -c 'exec ./step 7'") {
		t.Error(got)
	}
	server.File = "my app/redial.yaml"
	if got := r.replay(Cell{scenario, server}, 1); !strings.Contains(got, " --config 'my app/redial.yaml' ") {
		t.Error(got)
	}
}

// What plays nothing shows nothing.
func TestDefectsThatALabCannotShowAreRefusedThere(t *testing.T) {
	t.Parallel()
	for in, only := range map[lab.Lab]func(defect.Defect) bool{
		lab.Real:    func(d defect.Defect) bool { return d.VirtualOnly },
		lab.Virtual: func(d defect.Defect) bool { return d.Cluster },
	} {
		which := slices.DeleteFunc(slices.Clone(defect.All), func(d defect.Defect) bool { return !only(d) })
		if kills, err := Defects(t.Context(), which, Options{Lab: in}); err == nil || len(which) == 0 {
			t.Errorf("%s: %d of %d played", in, len(kills), len(which))
		}
	}
}

// Two scenarios of a user's own keep two files, and each seed has one.
func TestNoFailureOverwritesAnother(t *testing.T) {
	t.Parallel()
	folder, saved := t.TempDir(), Saved{Target: "step 7"}
	long := strings.Repeat("long-", 20)
	seen := map[string]string{}
	for _, name := range []string{"my-drop-1", "my_drop-1", "my drop-1", "My-drop-1", "끊김-1", "연결-1", long + "1", long + "2"} {
		path, err := saved.write(folder, name)
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := seen[path]; taken {
			t.Errorf("%q and %q are both in %s", other, name, path)
		}
		seen[path] = name
	}
	if seen[filepath.Join(folder, "step-7", "my-drop-1.json")] != "my-drop-1" {
		t.Errorf("a plain name was changed: %v", seen)
	}
}

// check would judge a cell of the matrix at the level of its step.
func TestAFailureOfTheMatrixIsReplayedAsItWasJudged(t *testing.T) {
	t.Parallel()
	c := cell(t, "clean-drop", "5")
	c.Server.Step = "7" // of which no loss is expected
	results, err := Run(t.Context(), []servers.Server{c.Server}, []catalogue.Scenario{c.Scenario}, Options{Seed: 1, Golden: true, Lab: lab.Virtual, Artifacts: t.TempDir()})
	if err != nil || len(results[0].Artifacts) != 1 || results[0].Replay != replayOf(results[0].Artifacts[0]) {
		t.Errorf("%+v: %v", results, err)
	}
	saved := Saved{Level: contract.Basic, Verdict: check.Verdict{Level: GoldenLevel}}
	for level, want := range map[contract.Level]int{GoldenLevel: 1, contract.Recovery: 3} {
		v := check.Verdict{Outcome: check.Fail, Level: level, Reordered: 3, Counts: map[contract.RuleID]int{contract.Order: 1}}
		if got := saved.tally(v).Reordered; got != want {
			t.Errorf("at %s %d are reordered, want %d", level, got, want)
		}
	}
}

// replay --exact writes the schedule that it has found into the file that it was given.
func TestAGzippedFailureStaysGzipped(t *testing.T) {
	t.Parallel()
	saved := Saved{
		Target: "step 5", Level: contract.Basic, Lab: lab.Virtual.String(), Name: "clean-drop", Plan: cell(t, "clean-drop", "5").Scenario.Plan(1), Schedule: 7,
		Verdict: check.Verdict{Outcome: check.Fail, Level: contract.Basic},
	}
	for _, name := range []string{"saved.json", "saved.json.gz"} {
		path := filepath.Join(t.TempDir(), name)
		if err := saved.Write(path); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil || bytes.HasPrefix(text, gzipped) != strings.HasSuffix(name, ".gz") {
			t.Errorf("%s begins with %.2x, %v", name, text, err)
		}
		if again, err := ReadSaved(path); err != nil || again.Schedule != 7 || again.Target != "step 5" {
			t.Errorf("%s: %+v, %v", name, again, err)
		}
	}
}
