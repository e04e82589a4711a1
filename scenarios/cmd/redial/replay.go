package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"redial/harness/check"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/scenarios/labpage"
	"redial/scenarios/labwasm"
	"redial/scenarios/runner"
)

// mostReplays bounds --times.
const mostReplays = 100_000

func newReplay(code *int) *cobra.Command {
	times, exact := 1, false
	c := &cobra.Command{
		Use:   "replay FILE|LINK",
		Short: "Play a saved failure, or a link of the lab page, again",
		Long: `replay plays a failure that check, matrix or soak has saved, prints what happens in it, and
reports whether the verdict is the same. A failure that depends on a race recurs in some
runs only: --times counts them. replay also plays the run of a link of the lab page.`,
		Example:           "  redial replay 'http://localhost:3000/#plan=…'\n  redial replay out/2026-11-28-101500/step-5/clean-drop-1.json\n  redial replay --times 50 out/soak-2026-11-28-101500/step-7/random.json",
		ValidArgsFunction: cobra.FixedCompletions([]string{"json", "gz"}, cobra.ShellCompDirectiveFilterFileExt),
		RunE: func(_ *cobra.Command, files []string) (err error) {
			if len(files) != 1 || times < 1 || times > mostReplays {
				return fmt.Errorf("replay takes one file, as a failure names it: redial replay [--exact] [--times N] FILE, with N from 1 to %d", mostReplays)
			}
			*code, err = replay(files[0], times, exact)
			return err
		},
	}
	c.Flags().IntVar(&times, "times", 1, "play it `N` times")
	c.Flags().BoolVar(&exact, "exact", false, "play it with a schedule that makes the failure recur each time")
	return c
}

// replay plays the run of a link, or a saved failure again.
func replay(file string, times int, exact bool) (code int, err error) {
	ctx, stop := interruptible()
	defer stop()
	if _, err := os.Stat(file); err != nil && strings.Contains(file, "#") {
		if exact || times > 1 {
			return 0, errors.New("--exact and --times play a saved failure, and this is a link: leave them out")
		}
		return replayLink(ctx, file)
	}
	saved, err := runner.ReadSaved(file)
	if err != nil {
		return 0, err
	}
	if saved.Lab == lab.Virtual.String() && !exact {
		prepare(lab.Virtual)
	}
	if saved.Foreign() {
		defer watchMemory()()
	}
	switch {
	case exact:
		code, err = replayExactly(ctx, saved, file, times)
	case times > 1:
		code, err = replayRate(ctx, saved, times)
	default:
		code, err = replayOnce(ctx, saved)
	}
	return code, unlessInterrupted(ctx, err)
}

// replayOnce prints the run, and reports whether its verdict was the saved one.
func replayOnce(ctx context.Context, saved runner.Saved) (int, error) {
	slow := &slowSteps{to: os.Stderr}
	slow.begin("playing it")
	result, err := saved.Play(ctx)
	slow.end()
	last := "The verdict is the saved one."
	if err = unlessInterrupted(ctx, err); errors.Is(err, runner.ErrOtherVerdict) {
		last, err = err.Error(), nil
	}
	if err != nil {
		return 0, err
	}
	return printReplay(saved, result, last)
}

// printReplay prints the script of a saved failure, the report on a run of it, and a last
// sentence.
func printReplay(saved runner.Saved, result report.Result, last string) (int, error) {
	return printRun(plan.Story(saved.Plan), result, report.Report{
		Target: saved.Target, Level: saved.Verdict.Level, Seed: saved.Plan.Seed, Lab: saved.Lab,
	}, last)
}

// printRun prints the story of a run, the report on it, and a last sentence, if there is one.
func printRun(story string, result report.Result, r report.Report, last string) (int, error) {
	r.Results, r.Began, r.Took = []report.Result{result}, time.Now().Add(-result.Took), result.Took
	defer stopCommands(os.Stdout)()
	fmt.Printf("%s\n", story)
	if err := report.Text(os.Stdout, r, terminal(os.Stdout)); err != nil {
		return 0, err
	}
	if last != "" {
		fmt.Println(last)
	}
	return r.ExitCode(), nil
}

// replayExactly plays a saved failure with its schedule, which it searches first if none is
// saved, and reports in how many runs the history was the same.
func replayExactly(ctx context.Context, saved runner.Saved, file string, times int) (int, error) {
	if err := saved.Exact(); err != nil {
		return 0, err
	}
	folder, err := os.MkdirTemp("", "redial-exact-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	slow := &slowSteps{to: os.Stderr}
	defer slow.end()
	slow.begin("building the virtual lab as WebAssembly")
	if _, err := labwasm.Build(ctx, folder, gzip.BestSpeed); err != nil {
		return 0, fmt.Errorf("--exact builds the virtual lab as WebAssembly: %s", strings.Join(strings.Fields(err.Error()), " "))
	}
	node, err := labwasm.Start(folder)
	if err != nil {
		return 0, err
	}
	defer node.Close()
	slow.begin("playing it with one schedule after the other, until it fails as saved")
	had := saved.Schedule
	result, err := saved.FindSchedule(ctx, node)
	if err != nil {
		return 0, err
	}
	if had == 0 {
		if err := saved.Write(file); err != nil {
			return 0, fmt.Errorf("the schedule is %d, and cannot be saved: %w", saved.Schedule, err)
		}
	}
	slow.begin(fmt.Sprintf("playing it %d times with schedule %d", times, saved.Schedule))
	same, err := saved.Exactly(ctx, node, result, times-1)
	slow.end()
	if err != nil {
		return 0, err
	}
	return printReplay(saved, result, fmt.Sprintf("The same history in %d of %d runs with schedule %d, which %s keeps.", same+1, times, saved.Schedule, file))
}

// replayLink plays the run that a link of the lab page shares.
func replayLink(ctx context.Context, link string) (int, error) {
	prepare(lab.Virtual)
	run := labpage.Play(ctx, labpage.Request{Link: link})
	if err := unlessInterrupted(ctx, nil); err != nil {
		return 0, err
	}
	if run.Error != "" {
		return 0, errors.New(run.Error)
	}
	result := report.Result{
		ID: "shared", Title: "a run that a link shares", Column: "step " + run.Step, Events: run.Events, Verdict: *run.Verdict, Tally: run.Verdict.Tally(),
	}
	result.Took = time.Duration(run.Took * float64(time.Millisecond))
	last := ""
	if run.Outcome == check.Pass && run.Beyond.Outcome == check.Fail {
		last = fmt.Sprintf("Beyond what level %s promises: %s", run.Level, report.Visible(run.Beyond.Reason))
	}
	return printRun(strings.Join(run.Story, "\n")+"\n", result, report.Report{
		Target: result.Column, Level: run.Level, Seed: run.Plan.Seed, Lab: run.Lab,
	}, last)
}

// replayRate reports in how many runs a saved failure recurs. The exit status is a failure if
// any run fails, and inconclusive if it is not known that all pass.
func replayRate(ctx context.Context, saved runner.Saved, times int) (code int, err error) {
	progress := newProgress(false)
	progress.begin(times)
	rate, err := saved.Rate(ctx, times, func(r runner.Rate) {
		progress.tell(r.Ended, times, fmt.Sprintf("%d of %d   the same verdict in %d   failed in %d", r.Ended, times, r.Same, r.Failed))
	})
	progress.end()
	if err != nil && rate.Ended == 0 {
		return 0, err
	}
	fmt.Printf("%s\nThe same verdict in %d of %d runs; it failed in %d.\n", plan.Story(saved.Plan), rate.Same, rate.Ended, rate.Failed)
	switch {
	case err != nil:
		return 0, err
	case rate.Failed > 0:
		return report.ExitFail, nil
	case rate.Passed < rate.Ended:
		return report.ExitInconclusive, nil
	}
	return report.ExitPass, nil
}
