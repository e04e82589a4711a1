// Command redial tests a Socket.IO chat server: it injects the faults of the catalogue, and
// reports which messages were lost, duplicated or reordered.
//
// Read [newRoot], then check.go and play.go. The command only reads flags, has package suite
// play specs or package runner play sweeps, and passes the results to package report. Each
// subcommand has its own file; usage.go handles wrong command lines. Cobra provides flags,
// help and shell completion.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"redial/harness/client/browser"
	"redial/harness/report"
	"redial/scenarios/peers/goclient"
	"redial/scenarios/servers"
)

func main() {
	servers.BecomeStep()
	goclient.Become()
	code, err := execute(os.Args[1:])
	if err != nil {
		printError(err)
	}
	if err := browser.Shutdown(); err != nil {
		fmt.Fprintln(os.Stderr, "redial: Chromium could not be closed: "+err.Error())
	}
	os.Exit(code)
}

// printError prints an error, which may quote what the server printed.
func printError(err error) {
	defer stopCommands(os.Stderr)()
	fmt.Fprintln(os.Stderr, "redial: "+err.Error())
}

// execute executes the command line and returns the exit status.
func execute(arguments []string) (code int, err error) {
	// The libraries log unexpected events, such as an HTTP response without a request.
	log.SetOutput(io.Discard)
	code = report.ExitPass
	root := newRoot(&code)
	root.SetArgs(arguments)
	err = root.Execute()
	if tooMuchMemory.Load() {
		err = errTooMuchMemory
	}
	if errors.Is(err, errInterrupted) {
		code = report.ExitInterrupted
	} else if err != nil {
		code = report.ExitUsage
	}
	return code, err
}

var errInterrupted = errors.New("interrupted; everything that was started has been stopped")

// interruptible returns a context that ends with Ctrl-C or SIGTERM.
func interruptible() (context.Context, context.CancelFunc) {
	return interruptibleIn(context.Background())
}

func interruptibleIn(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

// unlessInterrupted is err, or errInterrupted after a signal: then any other error is only a
// consequence.
func unlessInterrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// helpWidth is the width of the help texts; their flags are wrapped to it, too.
const helpWidth = 96

// newRoot makes the command with all its subcommands, which set code to the exit status.
func newRoot(code *int) *cobra.Command {
	root := &cobra.Command{
		Use:   "redial",
		Short: "Test what a Socket.IO chat does when the connection breaks",
		Long: `redial tests a Socket.IO chat: it injects the network and server faults of its catalogue,
and reports which messages were lost, duplicated or reordered.

Exit status: 0 pass, 1 fail, 2 inconclusive, 3 wrong usage or a server that did not start,
130 interrupted.`,
		Example: `  redial check --step 7                            one of the kit's steps
  redial check --url http://127.0.0.1:3000         a server that is already running
  redial check --level recovery -- node server.js  a server that redial starts`,
		Args:               cobra.ArbitraryArgs,
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableSuggestions: true,
		PersistentPreRunE:  noneEmpty,
		RunE:               subcommandMissing(code),
	}
	root.SetFlagErrorFunc(flagError)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", helpWidth)))
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.AddCommand(
		newInit(), newDoctor(code), newCheck(code), newMatrix(code), newList(), newExplain(), newReplay(code), newLab(), newRecheck(code), newSoak(code), newFidelity(code), newDefects(code), newMerge(code), newConformance(code), newLearn(code), newVersion(),
	)
	// Cobra adds these two only when it runs, and ignores an unknown topic or shell.
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = helpTopic
		case "completion":
			c.Args, c.RunE = cobra.ArbitraryArgs, subcommandMissing(code)
		}
	}
	return root
}
