package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"redial/harness/plan"
	"redial/harness/report"
	"redial/scenarios"
)

// replay plays a failure that was saved once more, tells its story, and says whether it
// came to the same verdict.
func replay(arguments []string) (int, error) {
	if len(arguments) != 1 {
		return 0, fmt.Errorf("replay takes one file, as a failure names it: redial replay FILE")
	}
	saved, err := scenarios.ReadSaved(arguments[0])
	if err != nil {
		return 0, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var result report.Result
	if saved.Lab == scenarios.LabVirtual {
		if failed := inVirtualLab(func(t *testing.T) { result, err = saved.Play(ctx, t) }); failed != nil {
			return 0, failed
		}
	} else {
		result, err = saved.Play(ctx, nil)
	}
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
