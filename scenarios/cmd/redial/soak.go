package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	verdict "redial/harness/check"
	"redial/harness/lab"
	"redial/harness/report"
	"redial/harness/sweep"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// roundRuns is how many random plans are played on a step before the next step's turn.
const roundRuns = 500

// soaking holds the flags of `redial soak` and the results so far.
type soaking struct {
	steps    []servers.Server
	seed     uint64
	runs     int // of each step; 0 means until Ctrl-C
	folder   string
	progress *progress
	sums     []soakSum // one for each step
}

// A soakSum sums up the runs of a step so far.
type soakSum struct {
	verdict.Tally
	explored sweep.Explored
	failed   int             // stories
	why      string          // the reason of the first run without a verdict
	saved    []report.Result // one for each kind of failure, with its file
}

func newSoak(code *int) *cobra.Command {
	s := &soaking{}
	var steps string
	var quiet bool
	c := &cobra.Command{
		Use:   "soak",
		Short: "Play random plans, for a number of runs or until Ctrl-C",
		Long: `soak plays random plans on the steps in turn, in the virtual lab, and saves the failures,
each with its rate of recurrence. At the end it prints how many different situations the
runs reached (which clients were connected, in which session, with how many messages
missing, when a fault fired), whether new ones still appear, and how rare a defect may be
that no run has shown.`,
		Example: "  redial soak --steps 7 --runs 100000\n  redial soak --seed 1",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) (err error) {
			s.progress = newProgress(quiet)
			if err = s.begin(strings.Split(steps, ",")); err == nil {
				*code, err = s.soak()
			}
			return err
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&steps, "steps", "6,7,8,9,10", "the kit's steps (`LIST`), separated by commas")
	f.IntVar(&s.runs, "runs", 0, "how many runs (`N`) of each step (default 0: until Ctrl-C)")
	f.Uint64Var(&s.seed, "seed", uint64(rand.Uint32()), "the `SEED` of the first run, each run having the next")
	f.Lookup("seed").DefValue = "drawn, and printed"
	f.BoolVar(&quiet, "quiet", false, "print no progress")
	return c
}

// soak plays until all runs are done, or until Ctrl-C.
func (s *soaking) soak() (int, error) {
	ctx, stop := interruptible()
	defer stop()
	prepare(lab.Virtual)
	err := s.play(ctx)
	s.progress.end()
	if err != nil {
		return 0, err
	}
	if s.runs > 0 {
		err = unlessInterrupted(ctx, nil) // without --runs, Ctrl-C is the end
	}
	return s.sumUp(), err
}

// begin makes the servers of the steps, and a folder for failures.
func (s *soaking) begin(steps []string) error {
	if s.runs < 0 {
		return errors.New("--runs is a whole number, of runs of each step; 0 means until Ctrl-C")
	}
	for _, number := range steps {
		server, err := servers.Step(number)
		if err != nil {
			return err
		}
		if server.Server.Handler == nil || server.Step == catalogue.OnPostgres {
			return fmt.Errorf("%s does not run in the virtual lab", server.Name)
		}
		s.steps = append(s.steps, server)
	}
	s.sums = make([]soakSum, len(s.steps))
	s.folder = filepath.Join("out", "soak-"+time.Now().Format("2006-01-02-150405"))
	if err := os.MkdirAll(s.folder, 0o755); err != nil {
		return fmt.Errorf("cannot make a folder for failures: %w", err)
	}
	return nil
}

// play plays rounds until all runs are done or ctx ends.
func (s *soaking) play(ctx context.Context) error {
	defer stopCommands(os.Stdout)()
	fmt.Printf("seeds from %d on\n", s.seed)
	for round, done := 0, false; !done; round++ {
		done = true
		for i := range s.steps {
			left := roundRuns
			if s.runs > 0 {
				left = min(left, s.runs-s.sums[i].Runs)
			}
			if left <= 0 {
				continue
			}
			done = false
			if err := s.playStep(ctx, i, left, s.seed+uint64(round*roundRuns)); err != nil || ctx.Err() != nil {
				return err
			}
		}
	}
	return nil
}

// playStep plays the runs of a step. It divides them, and their seeds, among the stories.
func (s *soaking) playStep(ctx context.Context, i, runs int, seed uint64) error {
	stories := catalogue.Stories
	for n := range stories {
		each := (runs + len(stories) - 1 - n) / len(stories)
		if each == 0 {
			continue
		}
		results, err := runner.Sweep(ctx, s.steps[i], runner.SweepOptions{
			Kind: runner.SweepRandom, Seed: seed, Runs: each,
			Stories: stories[n : n+1], Artifacts: s.folder, Explored: &s.sums[i].explored, Done: s.progress.swept,
		})
		seed += uint64(each)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if len(results) == 0 { // the story is above the step's level
			continue
		}
		story := results[0]
		s.sums[i].take(story, results[1:])
		if ctx.Err() != nil {
			return nil
		}
		if story.Outcome() == verdict.Inconclusive {
			s.sums[i].why = cmp.Or(s.sums[i].why, story.Reason())
		}
		if story.Undecided > 0 { // only failures are saved, so this is printed at once
			s.progress.end()
			fmt.Printf("%s, %s: %s\n", s.steps[i].Name, story.ID, story.Reason())
		}
	}
	s.progress.end()
	fmt.Println(s.line(i))
	return nil
}

// take adds the result of a story, and those of its kinds of failure.
func (sum *soakSum) take(story report.Result, failures []report.Result) {
	sum.Add(story.Tally)
	if story.Outcome() == verdict.Fail {
		sum.failed++
	}
	sum.saved = append(sum.saved, failures...)
}

// line prints a step's sum in one line.
func (s *soaking) line(i int) string {
	sum := s.sums[i]
	return fmt.Sprintf("%-8s  %d runs, %d faults fired, %d lost, %d duplicated, %d reordered; %d runs whose fault never fired, %d without a verdict; %s, %.0f runs/s",
		s.steps[i].Name, sum.Runs, sum.FaultsFired, sum.Lost, sum.Duplicated, sum.Reordered, sum.Unfired, sum.Undecided,
		sum.Took.Round(time.Second), float64(sum.Runs)/max(sum.Took.Seconds(), 1e-9))
}

// reached describes how many situations the runs reached, and how rare a defect may be that
// no run has shown.
func (sum *soakSum) reached() string {
	x, runs := &sum.explored, sum.Runs-sum.Undecided-sum.Unfired
	if x.Runs == 0 || runs <= 0 {
		return ""
	}
	trend := "flat"
	if x.Rising() {
		trend = "rising"
	}
	text := fmt.Sprintf("  %d situations, new ones in each 1,000 runs: %s; %s, and the next run is expected to show %.2g more\n",
		x.Situations(), strings.Trim(fmt.Sprint(x.Fresh), "[]"), trend, x.Next())
	text += fmt.Sprintf("  a defect that 1 run in %d shows would have been seen with 95 %%; the chance that none has shown it is", sweep.Found(runs))
	for _, oneIn := range []float64{1e3, 1e4, 1e5} {
		text += fmt.Sprintf(" %.3g %% for 1 run in %.0f,", 100*sweep.Hidden(runs, oneIn), oneIn)
	}
	return strings.TrimSuffix(text, ",") + "\n"
}

// sumUp prints the sums and the commands that replay the failures, and returns the exit
// status.
func (s *soaking) sumUp() (code int) {
	defer stopCommands(os.Stdout)()
	fmt.Println()
	code = report.ExitPass
	for i, sum := range s.sums {
		fmt.Println(s.line(i))
		if sum.Runs < s.runs {
			fmt.Printf("  interrupted after %d of %d runs\n", sum.Runs, s.runs)
		}
		fmt.Print(sum.reached())
		if sum.why != "" {
			fmt.Println("  " + sum.why)
		}
		for _, r := range sum.saved {
			again := r.Replay
			if r.Unsaved != "" {
				again = "not saved: " + report.Visible(r.Unsaved)
			}
			fmt.Printf("  %s: %s\n    %s\n", r.ID, r.Title, again)
		}
		switch {
		case sum.failed > 0:
			code = report.ExitFail
		case code == report.ExitPass && (sum.Undecided > 0 || sum.Runs == 0):
			code = report.ExitInconclusive
		}
	}
	return code
}
