package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/scenarios"
)

// mostReplays bounds how often one failure is played again.
const mostReplays = 100_000

// replay plays a saved failure again, tells its story, and says whether it came to the
// same verdict, or how often it did.
func replay(arguments []string) (int, error) {
	f := flag.NewFlagSet("redial replay", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	times := f.Int("times", 1, "")
	if err := f.Parse(arguments); err != nil {
		return 0, err
	}
	if f.NArg() != 1 || *times < 1 || *times > mostReplays {
		return 0, fmt.Errorf("replay takes one file, as a failure names it: redial replay [--times N] FILE, with N from 1 to %d", mostReplays)
	}
	saved, err := scenarios.ReadSaved(f.Arg(0))
	if err != nil {
		return 0, err
	}
	in, err := lab.Named(saved.Lab)
	if err != nil {
		return 0, err
	}
	prepare(in)
	if *times > 1 {
		return replayRate(saved, *times)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	result, err := saved.Play(ctx)
	if ctx.Err() != nil {
		return 0, errInterrupted
	}
	other := errors.Is(err, scenarios.ErrOtherVerdict)
	if err != nil && !other {
		return 0, err
	}
	r := report.Report{
		Target: saved.Target, Level: saved.Verdict.Level, Seed: saved.Plan.Seed, Lab: saved.Lab,
		Results: []report.Result{result}, Began: time.Now().Add(-result.Took), Took: result.Took,
	}
	fmt.Printf("%s\n", plan.Story(saved.Plan))
	if err := report.Text(os.Stdout, r, report.Style{Color: isTerminal(os.Stdout) && os.Getenv("NO_COLOR") == ""}); err != nil {
		return 0, err
	}
	if other {
		fmt.Println(err)
	} else {
		fmt.Println("The verdict is the saved one.")
	}
	return r.ExitCode(), nil
}

// replayRate reports how often a saved failure comes again. One recurrence is a failure,
// none is a pass.
func replayRate(saved scenarios.Saved, times int) (code int, err error) {
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
