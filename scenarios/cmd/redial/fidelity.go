package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"redial/harness/lab"
	"redial/harness/report"
	"redial/scenarios/runner"
)

// preface says what the table is, in the file that make fidelity writes.
const preface = `# The two labs, side by side

What every scenario came to in the real lab and in the virtual one, on %s with the seed %d: ✓ exactly once, L lost, D duplicated, R reordered, – does not apply. Where the labs differ, a cell says what the real one saw and then the virtual one, and the last column says why. "make fidelity" writes this file.

`

func newFidelity(code *int) *cobra.Command {
	p := &play{golden: true}
	c := &cobra.Command{
		Use:     "fidelity",
		Short:   "Play every scenario in both labs, and print where they differ",
		Long:    "fidelity plays the scenarios on every step in both labs, and prints a Markdown table of what\neach saw. It fails where the labs differ without a reason.",
		Example: "  redial fidelity --seed 1 >fidelity.md\n  redial fidelity --scenario clean-drop,24",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if err = p.read(c); err == nil {
				*code, err = p.fidelity()
			}
			return err
		},
	}
	p.commonFlags(c)
	return c
}

func (p *play) fidelity() (int, error) {
	which, err := p.scenarios()
	if err != nil {
		return 0, err
	}
	subjects, err := matrixSubjects()
	if err != nil {
		return 0, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	prepare(lab.Virtual)
	progress := newProgress(p.quiet)
	virtual, err := runner.Run(ctx, subjects, which, runner.Options{Seed: p.seed, Runs: p.runs, Golden: true, Lab: lab.Virtual, Done: progress.show})
	if ctx.Err() != nil {
		return 0, errInterrupted
	}
	if err != nil {
		return 0, err
	}
	stop() // the real lab has its own way to be interrupted
	real, err := p.playScenarios(lab.Real, subjects, which, "")
	if err != nil {
		return 0, err
	}
	table, unexplained := runner.Fidelity(real, virtual)
	fmt.Printf(preface, time.Now().Format(time.DateOnly), p.seed)
	fmt.Print(table)
	if unexplained > 0 {
		fmt.Fprintf(os.Stderr, "the labs differ in %d places without a reason\n", unexplained)
		return report.ExitFail, nil
	}
	return report.ExitPass, nil
}
