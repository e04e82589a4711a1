package runner_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/defect"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/harness/sweep"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

var wholeGroups = flag.Bool("whole-groups", false, "play every point of every group of a sweep, not a few of them")

// replays is how often each failure of the published code is played again.
const replays = 5

func swept(t *testing.T, number string, o runner.SweepOptions) []report.Result {
	t.Helper()
	server := stepServer(t, number)
	o.Seed = 1
	results, err := runner.Sweep(t.Context(), server, o)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// A step keeps its promise wherever a fault is injected into a story. Steps 3 and 4 do not
// broadcast. Step 9 is a single server here, so that a crash stops all of it. `make check-all`
// plays every point.
func TestSweepOfTheSteps(t *testing.T) {
	t.Parallel()
	needsSpeed(t)
	const points = 20 // of each story
	for _, number := range []string{"5", "6", "7", "8", "9", "10"} {
		t.Run("step "+number, func(t *testing.T) {
			for _, r := range swept(t, number, runner.SweepOptions{Kind: runner.SweepSingle, Points: points}) {
				if r.Outcome() != check.Pass {
					t.Errorf("%s: %s: %s", r.ID, r.Outcome(), r.Reason())
				}
				if r.Points < points*8/10 || r.Virtual == 0 {
					t.Errorf("%s: %d points in %s", r.ID, r.Points, r.Virtual)
				}
			}
		})
	}
}

// A sweep of any step crashes and restarts the server before and after each acknowledgement.
// It does so first, so that a bound on the points or on the time leaves none of these out.
func TestSweepEndsTheServerAtEveryAcknowledgement(t *testing.T) {
	t.Parallel()
	needsSpeed(t)
	for _, number := range []string{"5", "6", "7", "8", "9", "10"} {
		t.Run("step "+number, func(t *testing.T) {
			server := stepServer(t, number)
			config := servers.ConfigOf(server)
			groups, _, err := sweep.Sweeper{Server: server.Server, Config: config}.Groups(catalogue.Stories[0].Plan(1))
			if err != nil {
				t.Fatal(err)
			}
			config.Traffic = true
			frames := map[string][]history.Frame{} // of the run without a fault, by its clients
			ways, last := map[plan.Passed]int{}, 0 // at each acknowledgement
			for i, group := range groups {
				p := group[0]
				fault := p.Faults[len(p.Faults)-1]
				if fault.Kind != plan.Crash && fault.Kind != plan.Restart {
					continue
				}
				clients := fmt.Sprint(p.Clients)
				if frames[clients] == nil {
					p.Faults = p.Faults[:len(p.Faults)-1]
					frames[clients] = lab.Virtual.Play(t.Context(), server.Server, config, p).Traffic.Frames
				}
				for _, f := range frames[clients] {
					if f.Client != fault.At.Client || !strings.HasPrefix(f.Text, "43") {
						continue
					}
					ways[f.Passed] += 0
					if f.Connection == fault.At.Connection && f.Direction == fault.At.Direction && f.Number == fault.At.Number {
						ways[f.Passed]++
						last = i
					}
				}
			}
			if len(ways) < 13 { // the story has so many messages
				t.Errorf("%d acknowledgements", len(ways))
			}
			for at, n := range ways {
				if n != 4 {
					t.Errorf("%+v: the server ends in %d ways, want 4", at, n)
				}
			}
			if first := 2 * 4 * len(ways); last >= first {
				t.Errorf("the group %d is at an acknowledgement, and not among the first %d", last, first)
			}
		})
	}
}

// An acknowledgement before the message is stored, and a replay beside which messages pass, are caught
// by a sweep, too.
func TestSweepFindsDefects(t *testing.T) {
	t.Parallel()
	needsSpeed(t)
	for _, name := range []string{"acknowledges-first", "acknowledges-first-and-tries-on", "joins-late", "leaves-out"} {
		t.Run(name, func(t *testing.T) { sweepFinds(t, name) })
	}
}

func sweepFinds(t *testing.T, name string) {
	t.Helper()
	broken, err := defect.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	server, err := servers.Broken(broken)
	if err != nil {
		t.Fatal(err)
	}
	story := catalogue.Stories[0]
	withSeams := story.Plan
	story.Plan = func(seed uint64) plan.Plan {
		p := withSeams(seed)
		p.Seams = 0 // the server holds a mutex while it emits: see package seam
		return p
	}
	results, err := runner.Sweep(t.Context(), server, runner.SweepOptions{
		Kind: runner.SweepSingle, Seed: 1, Points: 20, ShrinkBudget: 20, Stories: []catalogue.Story{story},
	})
	if err != nil || len(results) < 2 {
		t.Fatalf("%v, and %d results", err, len(results))
	}
	for _, r := range results[1:] { // after the story come its failures
		if r.Verdict.Rule() != broken.Rule {
			t.Errorf("%s: by %s, want %s: %s", r.ID, r.Verdict.Rule(), broken.Rule, r.Reason())
		}
	}
}

// A sweep whose time is over before it has injected a fault has shown nothing, and reports of
// every story how many points there were.
func TestSweepWithoutTimeIsInconclusive(t *testing.T) {
	t.Parallel()
	results := swept(t, "7", runner.SweepOptions{Kind: runner.SweepSingle, Limit: time.Microsecond})
	if len(results) != len(catalogue.Stories) {
		t.Errorf("%d results", len(results))
	}
	for _, r := range results {
		if r.Outcome() != check.Inconclusive || !strings.Contains(r.Reason(), "the time limit ended") || r.StoodFor != 0 || r.AllPoints == 0 {
			t.Errorf("%s: %s, %s: %d of %d points", r.ID, r.Outcome(), r.Reason(), r.StoodFor, r.AllPoints)
		}
	}
}

// The runs without a fault, of which every seed has some, do not use up the time of the points.
// The seeds that were not reached are named.
func TestSweepOfManySeedsKeepsItsTimeLimit(t *testing.T) {
	t.Parallel()
	// The limit suits the machine: each seed takes one such time, and as long again for its points.
	server := stepServer(t, "7")
	var took time.Duration
	for range 2 { // the first has to load the client, too
		began := time.Now()
		if _, _, err := (sweep.Sweeper{Server: server.Server, Config: servers.ConfigOf(server)}).Groups(catalogue.Stories[0].Plan(1)); err != nil {
			t.Fatal(err)
		}
		took = time.Since(began)
	}
	r := swept(t, "7", runner.SweepOptions{Kind: runner.SweepSingle, Runs: 2000, Limit: 5 * took, Stories: catalogue.Stories[:1]})[0]
	// All seeds together have three million points, which their runs without a fault count.
	if r.Outcome() != check.Pass || r.StoodFor == 0 || r.Points == 0 || r.AllPoints > 1_000_000 || !strings.Contains(r.Title, " of 2000 seeds)") {
		t.Errorf("%s, %s, %s: %d runs for %d of %d points", r.Title, r.Outcome(), r.Reason(), r.Runs, r.StoodFor, r.AllPoints)
	}
}

// A sweep plays one point of each group for all of them, so the points of a group must have the
// same outcome.
func TestPointsOfAGroupAreEqual(t *testing.T) {
	needsSpeed(t)
	for _, number := range []string{"published-6", "7"} {
		for _, story := range catalogue.Stories {
			t.Run(number+" "+story.ID, func(t *testing.T) {
				t.Parallel()
				playGroups(t, number, story)
			})
		}
	}
}

func playGroups(t *testing.T, number string, story catalogue.Story) {
	server := stepServer(t, number)
	s := sweep.Sweeper{Server: server.Server, Config: servers.ConfigOf(server)}
	groups, points, err := s.Groups(story.Plan(1))
	if err != nil {
		t.Fatal(err)
	}
	groups = slices.DeleteFunc(groups, func(g []plan.Plan) bool { return len(g) < 2 })
	played, every := 0, 1
	if !*wholeGroups {
		every = max(1, len(groups)/5)
	}
	for i := 0; i < len(groups); i += every {
		played += len(groups[i])
		equalWithin(t, s, groups[i])
	}
	t.Logf("of %d points, %d in %d groups; %d of them played", points, pointsOf(groups), len(groups), played)
	if played == 0 {
		t.Error("no group of several points")
	}
}

func pointsOf(groups [][]plan.Plan) (n int) {
	for _, g := range groups {
		n += len(g)
	}
	return n
}

func equalWithin(t *testing.T, s sweep.Sweeper, group []plan.Plan) {
	var first sweep.Result
	for i, p := range group {
		r := s.Play(t.Context(), slices.Values([]plan.Plan{p}))
		r.Took, r.Virtual, r.FaultsFired = 0, 0, 0
		for j := range r.Failures {
			r.Failures[j] = sweep.Failure{Name: r.Failures[j].Name}
		}
		if i == 0 {
			first = r
		} else if !reflect.DeepEqual(r, first) {
			t.Errorf("%s comes to %+v, and %s to %+v", group[0].Name(), first, p.Name(), r)
		}
	}
}

// A sweep of the published code finds its known errors by name, and shrinks each of them.
//
// The protocol decides the failures of step 6, which therefore come to the saved verdict in
// every replay. The failures of step 7 are races with a rate: one replay has differed on a
// fresh clone, and none of 1,690 measured since. There one replay has to recur.
func TestSweepFindsWhatIsPublished(t *testing.T) {
	t.Parallel()
	needsSpeed(t)
	t.Run("step 6", func(t *testing.T) {
		found := sweptPublished(t, "published-6", replays)
		for _, name := range []string{"network-switch", "drop-before-any-event", "zombie", "restore-under-traffic"} {
			if !slices.ContainsFunc(found, func(r report.Result) bool { return r.ID == name }) {
				t.Errorf("%s was not found", name)
			}
		}
	})
	t.Run("step 7", func(t *testing.T) {
		found := sweptPublished(t, "published-7", 1)
		for what, shows := range map[string]func(report.Result) bool{
			"loss":          func(r report.Result) bool { return r.Lost > 0 },
			"duplicates":    func(r report.Result) bool { return r.Duplicated > 0 },
			"another order": func(r report.Result) bool { return r.Reordered > 0 },
		} {
			if !slices.ContainsFunc(found, shows) {
				t.Errorf("%s was not found", what)
			}
		}
	})
}

// sweptPublished sweeps published code, and returns the kinds of failure that were found. Each
// is saved, has at most two faults, and comes to the saved verdict in at least so many
// replays.
func sweptPublished(t *testing.T, number string, least int) (found []report.Result) {
	for _, r := range swept(t, number, runner.SweepOptions{
		Kind: runner.SweepSingle, Points: 100, ShrinkBudget: 10, Artifacts: t.TempDir(),
	}) {
		t.Log(r.ID, r.Runs, r.Outcome(), r.Reason())
		if len(r.Artifacts) == 0 { // this is the sum of a story
			continue
		}
		found = append(found, r)
		saved, err := runner.ReadSaved(r.Artifacts[0])
		if err != nil {
			t.Fatal(err)
		}
		if len(saved.Plan.Faults) > 2 {
			t.Errorf("%s was shrunk to %d faults only", r.ID, len(saved.Plan.Faults))
		}
		rate, err := saved.Rate(t.Context(), replays, nil)
		t.Logf("%s: %+v", r.ID, rate)
		if err != nil || rate.Same < least || rate.Failed < rate.Same {
			t.Errorf("%s: the same verdict in %d of %d replays, want at least %d: %v", r.ID, rate.Same, replays, least, err)
		}
	}
	return found
}

// A saved failure of a sweep has what the server printed.
func TestSweepSavesTheOutputOfTheServer(t *testing.T) {
	t.Parallel()
	server := stepServer(t, "5")
	server.Level = contract.Recovery // which step 5 does not promise
	step := server.Server.Handler
	server.Server.Handler = func(tuning plan.Tuning) lab.Handler {
		return func(dir string) (http.Handler, io.Closer, error) {
			handler, closer, err := step(tuning)(dir)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				handler.ServeHTTP(w, r)
				w.WriteHeader(http.StatusOK) // http.Server logs that this comes too late
			}), closer, err
		}
	}
	results, err := runner.Sweep(t.Context(), server, runner.SweepOptions{
		Kind: runner.SweepSingle, Seed: 1, Points: 10, ShrinkBudget: 1, Stories: catalogue.Stories[:1], Artifacts: t.TempDir(),
	})
	if err != nil || len(results) < 2 || len(results[1].Artifacts) == 0 {
		t.Fatalf("%+v: %v", results, err)
	}
	saved, err := runner.ReadSaved(results[1].Artifacts[0])
	if err != nil || !strings.Contains(saved.Output, "response.WriteHeader") {
		t.Errorf("the output is %q: %v", saved.Output, err)
	}
}

// A full disk hides no failure.
func TestSweepReportsAFailureThatCannotBeSaved(t *testing.T) {
	t.Parallel()
	server, file := stepServer(t, "5"), filepath.Join(t.TempDir(), "file")
	server.Level = contract.Recovery // which step 5 does not promise
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	results, err := runner.Sweep(t.Context(), server, runner.SweepOptions{
		Kind: runner.SweepSingle, Seed: 1, Points: 10, ShrinkBudget: 1, Stories: catalogue.Stories[:1], Artifacts: file,
	})
	if err != nil || len(results) < 2 || results[1].Outcome() != check.Fail || !strings.Contains(results[1].Unsaved, "not a directory") {
		t.Errorf("%+v: %v", results, err)
	}
}

// A file that is no saved failure is refused, and so is another verdict in a replay.
func TestReadSaved(t *testing.T) {
	for text, want := range map[string]string{
		"{":                                   "is not a saved failure",
		"{}":                                  "names no target",
		`{"target":"step 7","lab":"x"}`:       "names no target, or no lab",
		`{"target":"step 7","lab":"virtual"}`: "has no verdict that fails",
		`{"target":"step 7","lab":"virtual","plan":{"script":[{"do":"dance"}]}}`: "unknown action",
	} {
		file := filepath.Join(t.TempDir(), "saved.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := runner.ReadSaved(file); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", text, err, want)
		}
	}
	right := runner.Saved{Target: "step 7", Lab: lab.Virtual.String(), Plan: catalogue.All[0].Plan(1)}
	right.Verdict.Outcome = check.Fail
	if _, err := right.Play(context.Background()); !errors.Is(err, runner.ErrOtherVerdict) {
		t.Errorf("a failure that is none any more: %v", err)
	}
}

// These random plans once ended without a verdict because of errors in the lab.
func TestEveryRandomPlanComesToAVerdict(t *testing.T) {
	server := stepServer(t, "7")
	for seed, why := range map[uint64]string{
		500133:    "a restart while another one starts the server",
		900347:    "a restart while another one starts the server",
		700025450: "a page is opened after an outage, and a fault has already loaded it",
		1000951:   "a page is loaded again at the moment when it has to send",
	} {
		for _, story := range catalogue.Stories {
			p := sweep.RandomPlan(story.Plan, seed, server.Level)
			run := lab.Virtual.Play(t.Context(), server.Server, servers.ConfigOf(server), p)
			if run.Err != nil {
				t.Errorf("seed %d, %s (%s): %v", seed, story.ID, why, run.Err)
			}
		}
	}
}
