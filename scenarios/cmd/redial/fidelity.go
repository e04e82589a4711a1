package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"redial/harness/lab"
	"redial/harness/report"
	"redial/scenarios"
)

// preface says what the table is, in the file that make fidelity writes.
const preface = `# The two labs, side by side

What every scenario came to in the real lab and in the virtual one, on %s with the seed %d: ✓ exactly once, L lost, D duplicated, R reordered, – does not apply. Where the labs differ, a cell says what the real one saw and then the virtual one, and the last column says why. "make fidelity" writes this file.

`

// fidelity plays every scenario on every step in both labs, and writes a Markdown table
// of what each saw. That the labs differ without a reason is a failure.
func fidelity(arguments []string) (int, error) {
	s, err := read("fidelity", arguments)
	if err != nil {
		return 0, err
	}
	which, err := s.scenarios()
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
	virtual, err := scenarios.Run(ctx, subjects, which, scenarios.Options{Seed: s.seed, Runs: s.runs, Golden: true, Lab: lab.Virtual})
	if ctx.Err() != nil {
		return 0, errInterrupted
	}
	if err != nil {
		return 0, err
	}
	stop() // the real lab has its own way to be interrupted
	real, err := s.playScenarios(lab.Real, subjects, which, true, "")
	if err != nil {
		return 0, err
	}
	table, unexplained := scenarios.Fidelity(real, virtual)
	fmt.Printf(preface, time.Now().Format(time.DateOnly), s.seed)
	fmt.Print(table)
	if unexplained > 0 {
		fmt.Fprintf(os.Stderr, "the labs differ in %d places without a reason\n", unexplained)
		return report.ExitFail, nil
	}
	return report.ExitPass, nil
}
