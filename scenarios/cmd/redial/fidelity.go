package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"redial/harness/client/browser"
	"redial/harness/lab"
	"redial/harness/network/paths"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
)

// fidelityPreface explains the table in scenarios/fidelity.md.
const fidelityPreface = `# The two labs, side by side

What every scenario came to in the real lab and in the virtual one, on %s with the seed %d: ✓ exactly once, L lost, D duplicated, R reordered, – does not apply. Where the labs differ, a cell has the outcome of the real lab and then that of the virtual one, and the last column has the reason. "make fidelity" writes this file.

`

// pathsPreface explains the second table there.
const pathsPreface = `
## Loopback and a real network

The rows in which a client switches networks, with the step's own page in Chromium. Over loopback the proxy closes the client's end of the connection. In a real network Chromium is in a network namespace with two paths, "wifi" and "4g", and nobody closes anything: the link of the old path goes down with its address, for two seconds there is no network, and then the other path comes up with another address. *Noticed* and *back* are when the page's client disconnected after the switch, and when it was connected again.

`

// pathsNotes is what the tests of real network paths have shown, with Chromium 156 on Linux.
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
	ctx, stop := interruptible()
	defer stop()
	prepare(lab.Virtual)
	progress := newProgress(p.quiet)
	progress.begin(len(tested) * len(which))
	virtual, err := runner.Run(ctx, tested, which, runner.Options{Seed: p.seed, Runs: p.runs, Golden: true, Lab: lab.Virtual, Done: progress.show})
	progress.end()
	interrupted := unlessInterrupted(ctx, err)
	stop() // playScenarios handles signals itself
	var real []report.Result
	if interrupted == nil {
		real, interrupted = p.playScenarios(context.Background(), lab.Real, tested, which, "")
	} else {
		for _, cell := range runner.Cells(tested, which) {
			real = append(real, cell.Unplayed(runner.Interrupted))
		}
	}
	if interrupted != nil && !errors.Is(interrupted, errInterrupted) {
		return 0, interrupted
	}
	table, unexplained := runner.Fidelity(real, virtual)
	fmt.Printf(fidelityPreface, time.Now().Format(time.DateOnly), p.seed)
	fmt.Print(table)
	if interrupted != nil {
		return 0, interrupted
	}
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

// overPaths plays the scenarios that switch networks over a real network, prints the outcomes,
// and returns how many of them differ from those over loopback.
func (p *play) overPaths(which []catalogue.Scenario) (differ int, err error) {
	ctx, stop := interruptible()
	defer stop()
	progress := newProgress(p.quiet)
	table, differ, err := runner.Paths(ctx, which, p.seed, p.runs, progress.show)
	progress.end()
	switch {
	case errors.Is(err, paths.ErrUnavailable), errors.Is(err, browser.ErrNoChromium):
		table = "Not played here: " + err.Error() + ".\n"
	case err != nil && ctx.Err() == nil:
		return 0, err
	}
	if table != "" {
		fmt.Print(pathsPreface, table, pathsNotes)
	}
	return differ, unlessInterrupted(ctx, nil)
}
