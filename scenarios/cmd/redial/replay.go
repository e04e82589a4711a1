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
			if strings.Contains(files[0], "#") && !isFile(files[0]) {
				if exact || times > 1 {
					return errors.New("--exact and --times play a saved failure, and this is a link: leave them out")
				}
				*code, err = replayLink(files[0])
				return err
			}
			if exact {
				*code, err = replayExactly(files[0], times)
				return err
			}
			*code, err = replay(files[0], times)
			return err
		},
	}
	c.Flags().IntVar(&times, "times", 1, "play it `N` times")
	c.Flags().BoolVar(&exact, "exact", false, "play it with a schedule that makes the failure recur each time")
	return c
}

// replay plays a saved failure again, prints the run, and reports whether its verdict was the
// same, or in how many runs it was.
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
	ctx, stop := interruptible()
	defer stop()
	slow := &slowSteps{to: os.Stderr}
	slow.begin("playing it")
	result, err := saved.Play(ctx)
	slow.end()
	err = unlessInterrupted(ctx, err)
	switch {
	case errors.Is(err, runner.ErrOtherVerdict):
		return printReplay(saved, result, err.Error())
	case err != nil:
		return 0, err
	}
	return printReplay(saved, result, "The verdict is the saved one.")
}

// printReplay prints the script of a saved failure, the report on a run of it, and a last
// sentence.
func printReplay(saved runner.Saved, result report.Result, last string) (int, error) {
	r := report.Report{
		Target: saved.Target, Level: saved.Verdict.Level, Seed: saved.Plan.Seed, Lab: saved.Lab,
		Results: []report.Result{result}, Began: time.Now().Add(-result.Took), Took: result.Took,
	}
	defer stopCommands(os.Stdout)()
	fmt.Printf("%s\n", plan.Story(saved.Plan))
	if err := report.Text(os.Stdout, r, terminal(os.Stdout)); err != nil {
		return 0, err
	}
	fmt.Println(last)
	return r.ExitCode(), nil
}

// replayExactly plays a saved failure with its schedule, which it searches first if none is
// saved, and reports in how many runs the history was the same.
func replayExactly(file string, times int) (int, error) {
	saved, err := runner.ReadSaved(file)
	if err == nil {
		err = saved.Exact()
	}
	if err != nil {
		return 0, err
	}
	ctx, stop := interruptible()
	defer stop()
	code, err := playExactly(ctx, saved, file, times)
	return code, unlessInterrupted(ctx, err)
}

func playExactly(ctx context.Context, saved runner.Saved, file string, times int) (int, error) {
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

func isFile(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// replayLink plays the run that a link of the lab page shares.
func replayLink(link string) (int, error) {
	prepare(lab.Virtual)
	run := labpage.Play(context.Background(), labpage.Request{Link: link})
	if run.Error != "" {
		return 0, errors.New(run.Error)
	}
	took := time.Duration(run.Took * float64(time.Millisecond))
	result := report.Result{
		ID: "shared", Title: "a run that a link shares", Column: "step " + run.Step, Events: run.Events, Verdict: *run.Verdict, Tally: run.Verdict.Tally(),
	}
	result.Took = took
	r := report.Report{
		Target: result.Column, Level: run.Level, Seed: run.Plan.Seed, Lab: run.Lab, Began: time.Now().Add(-took), Took: took,
		Results: []report.Result{result},
	}
	defer stopCommands(os.Stdout)()
	fmt.Printf("%s\n\n", strings.Join(run.Story, "\n"))
	if err := report.Text(os.Stdout, r, terminal(os.Stdout)); err != nil {
		return 0, err
	}
	if run.Outcome == check.Pass && run.Beyond.Outcome == check.Fail {
		fmt.Printf("Beyond what level %s promises: %s\n", run.Level, report.Visible(run.Beyond.Reason))
	}
	return r.ExitCode(), nil
}

// replayRate reports in how many runs a saved failure recurs. The exit status is a failure if
// any run fails.
func replayRate(saved runner.Saved, times int) (code int, err error) {
	ctx, stop := interruptible()
	defer stop()
	progress, ended := newProgress(false), 0
	progress.begin(times)
	same, failed, err := saved.Rate(ctx, times, func(n, same, failed int) {
		ended = n
		progress.tell(n, times, fmt.Sprintf("%d of %d   the same verdict in %d   failed in %d", n, times, same, failed))
	})
	progress.end()
	err = unlessInterrupted(ctx, err)
	if err != nil && (!errors.Is(err, errInterrupted) || ended == 0) {
		return 0, err
	}
	fmt.Printf("%s\nThe same verdict in %d of %d runs; it failed in %d.\n", plan.Story(saved.Plan), same, ended, failed)
	if err != nil {
		return 0, err
	}
	if failed > 0 {
		return report.ExitFail, nil
	}
	return report.ExitPass, nil
}
