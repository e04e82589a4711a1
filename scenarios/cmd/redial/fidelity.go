package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"redial/harness/client/browser"
	"redial/harness/lab"
	"redial/harness/network/paths"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
)

// preface says what the table is, in the file that make fidelity writes.
const preface = `# The two labs, side by side

What every scenario came to in the real lab and in the virtual one, on %s with the seed %d: ✓ exactly once, L lost, D duplicated, R reordered, – does not apply. Where the labs differ, a cell says what the real one saw and then the virtual one, and the last column says why. "make fidelity" writes this file.

`

// pathsPreface says what the second table is.
const pathsPreface = `
## Loopback and a real network

The rows in which a client switches networks, with the step's own page in Chromium. Over loopback the proxy closes the client's end of the connection. In a real network Chromium is in a network namespace with two paths, "wifi" and "4g", and nobody closes anything: the link of the old path goes down with its address, for two seconds there is no network, and then the other path comes up with another address. *Noticed* and *back* are when the page's client disconnected after the switch, and when it was connected again.

`

// pathsNotes are what the tests of the paths have shown, with Chromium 156 on Linux.
const pathsNotes = `
What Chromium does depends on whether there is a moment without any network:

- Where the old path goes before the other one is up, the page gets "offline" after 20 ms (700 ms on a busy machine), and Socket.IO's client closes its connection at that. It comes back with its first attempt that finds the network up again. The server's connection stays half-open.
- Where the other path is up before the old one loses its address, or only the default route changes, the page is told nothing: no "offline", and neither its WebSocket nor a poll that waits ends (no ERR_NETWORK_CHANGED). Both ends are half-open until the client's ping timeout, 45 s after the last ping with the library's defaults.

"go test ./harness/client/browser -run TestChromiumSwitchesNetworks -v" shows both, as root.
`

func newFidelity(code *int) *cobra.Command {
	p := &play{golden: true}
	c := &cobra.Command{
		Use:     "fidelity",
		Short:   "Play every scenario in both labs, and print where they differ",
		Long:    "fidelity plays the scenarios on every step in both labs, and prints a Markdown table of the\nresults. It fails where the labs differ without a reason.",
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
	tested, err := matrixServers()
	if err != nil {
		return 0, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	prepare(lab.Virtual)
	progress := newProgress(p.quiet)
	virtual, err := runner.Run(ctx, tested, which, runner.Options{Seed: p.seed, Runs: p.runs, Golden: true, Lab: lab.Virtual, Done: progress.show})
	if ctx.Err() != nil {
		return 0, errInterrupted
	}
	if err != nil {
		return 0, err
	}
	stop() // the real lab has its own way to be interrupted
	real, err := p.playScenarios(lab.Real, tested, which, "")
	if err != nil {
		return 0, err
	}
	table, unexplained := runner.Fidelity(real, virtual)
	fmt.Printf(preface, time.Now().Format(time.DateOnly), p.seed)
	fmt.Print(table)
	differ, err := p.overPaths(which)
	if err != nil {
		return 0, err
	}
	if unexplained+differ > 0 {
		fmt.Fprintf(os.Stderr, "the labs differ in %d places without a reason, loopback and a real network in %d\n", unexplained, differ)
		return report.ExitFail, nil
	}
	return report.ExitPass, nil
}

// overPaths prints what the scenarios that switch networks come to over a real network, and
// returns in how many places loopback differs from that.
func (p *play) overPaths(which []catalogue.Scenario) (differ int, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	table, differ, err := runner.Paths(ctx, which, p.seed)
	switch {
	case ctx.Err() != nil:
		return 0, errInterrupted
	case errors.Is(err, paths.ErrUnavailable), errors.Is(err, browser.ErrNoChromium):
		table = "Not played here: " + err.Error() + ".\n"
	case err != nil:
		return 0, err
	case table == "":
		return 0, nil
	}
	fmt.Print(pathsPreface, table, pathsNotes)
	return differ, nil
}
