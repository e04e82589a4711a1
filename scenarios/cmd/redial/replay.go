package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"redial/harness/check"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/scenarios/labpage"
	"redial/scenarios/runner"
)

// mostReplays bounds how often one failure is played again.
const mostReplays = 100_000

func newReplay(code *int) *cobra.Command {
	times := 1
	c := &cobra.Command{
		Use:   "replay FILE|LINK",
		Short: "Play a saved failure, or a link of the lab page, again",
		Long: `replay plays a failure that check, matrix or soak has saved, prints what happens in it, and
reports whether the verdict is the same. A failure that depends on a race recurs in some
runs only: --times counts them. replay also plays the run of a link of the lab page.`,
		Example:           "  redial replay 'http://localhost:3000/#plan=…'\n  redial replay out/2026-11-28-101500/step-5/clean-drop-1.json\n  redial replay --times 50 out/soak-2026-11-28-101500/step-7/random.json",
		ValidArgsFunction: cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveFilterFileExt),
		RunE: func(_ *cobra.Command, files []string) (err error) {
			if len(files) != 1 || times < 1 || times > mostReplays {
				return fmt.Errorf("replay takes one file, as a failure names it: redial replay [--times N] FILE, with N from 1 to %d", mostReplays)
			}
			if strings.Contains(files[0], "#") && !isFile(files[0]) {
				*code, err = replayLink(files[0])
				return err
			}
			*code, err = replay(files[0], times)
			return err
		},
	}
	c.Flags().IntVar(&times, "times", 1, "play it `N` times")
	return c
}

// replay plays a saved failure again, tells its story, and says whether it came to the
// same verdict, or how often it did.
func replay(file string, times int) (int, error) {
	saved, err := runner.ReadSaved(file)
	if err != nil {
		return 0, err
	}
	in, err := lab.Named(saved.Lab)
	if err != nil {
		return 0, err
	}
	prepare(in)
	if times > 1 {
		return replayRate(saved, times)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	result, err := saved.Play(ctx)
	if ctx.Err() != nil {
		return 0, errInterrupted
	}
	other := errors.Is(err, runner.ErrOtherVerdict)
	if err != nil && !other {
		return 0, err
	}
	r := report.Report{
		Target: saved.Target, Level: saved.Verdict.Level, Seed: saved.Plan.Seed, Lab: saved.Lab,
		Results: []report.Result{result}, Began: time.Now().Add(-result.Took), Took: result.Took,
	}
	fmt.Printf("%s\n", plan.Story(saved.Plan))
	if err := report.Text(os.Stdout, r, terminal(os.Stdout)); err != nil {
		return 0, err
	}
	if other {
		fmt.Println(err)
	} else {
		fmt.Println("The verdict is the saved one.")
	}
	return r.ExitCode(), nil
}

func isFile(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// replayLink plays what a link of the lab page shares, as the page does.
func replayLink(link string) (int, error) {
	prepare(lab.Virtual)
	run := labpage.Play(context.Background(), labpage.Request{Link: link})
	if run.Error != "" {
		return 0, errors.New(run.Error)
	}
	took := time.Duration(run.Took * float64(time.Millisecond))
	r := report.Report{
		Target: "step " + run.Step, Level: run.Level, Seed: run.Plan.Seed, Lab: run.Lab, Began: time.Now().Add(-took), Took: took,
		Results: []report.Result{{
			ID: "shared", Title: "a run that a link shares", Column: "step " + run.Step, Events: run.Events, Verdict: *run.Verdict,
			Tally: report.Tally{Runs: 1, FaultsFired: run.Verdict.FaultsFired, Lost: run.Verdict.Lost, Duplicated: run.Verdict.Duplicated, Reordered: run.Verdict.Reordered, Took: took},
		}},
	}
	fmt.Printf("%s\n\n", strings.Join(run.Story, "\n"))
	if err := report.Text(os.Stdout, r, terminal(os.Stdout)); err != nil {
		return 0, err
	}
	if run.Outcome == check.Pass && run.Beyond.Outcome == check.Fail {
		fmt.Printf("Beyond what level %s promises: %s\n", run.Level, run.Beyond.Reason)
	}
	return r.ExitCode(), nil
}

// replayRate reports how often a saved failure comes again. One recurrence is a failure,
// none is a pass.
func replayRate(saved runner.Saved, times int) (code int, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	same, failed, err := saved.Rate(ctx, times)
	if ctx.Err() != nil {
		return 0, errInterrupted
	}
	if err != nil {
		return 0, err
	}
	fmt.Printf("%s\nThe same verdict in %d of %d runs; it failed in %d.\n", plan.Story(saved.Plan), same, times, failed)
	if failed > 0 {
		return report.ExitFail, nil
	}
	return report.ExitPass, nil
}
