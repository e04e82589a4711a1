// Command redial tests a Socket.IO chat server: it injects the faults of the catalogue, and
// reports which messages were lost, duplicated or reordered.
//
// Read [newRoot], then check.go and play.go. The command only reads flags, makes package
// suite play specs or package runner play sweeps, and passes the results to package report.
// Each subcommand has its own file; usage.go handles wrong command lines.
//
// Flags, help and shell completion come from cobra, which users know from most command lines
// written in Go. golang.org/x/term detects a terminal and its width.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"redial/harness/client/browser"
	"redial/harness/report"
	"redial/scenarios/peers/goclient"
	"redial/scenarios/servers"
)

func main() {
	servers.BecomeStep()
	goclient.Become()
	code := run(os.Args[1:])
	if err := browser.Shutdown(); err != nil {
		fmt.Fprintln(os.Stderr, "redial: Chromium could not be closed: "+err.Error())
	}
	os.Exit(code)
}

// run runs the command line and returns the exit status.
func run(arguments []string) int {
	// The libraries print what surprises them, such as an HTTP answer that nobody asked for.
	log.SetOutput(io.Discard)
	code := report.ExitPass
	root := newRoot(&code)
	root.SetArgs(arguments)
	err := root.Execute()
	if tooMuchMemory.Load() {
		err = errTooMuchMemory
	}
	if errors.Is(err, errInterrupted) {
		code = report.ExitInterrupted
	} else if err != nil {
		code = report.ExitUsage
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "redial: "+err.Error())
	}
	return code
}

// helpWidth is that of the texts of the help pages: their flags are wrapped to it too, in
// a pipe as in a terminal.
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
		RunE:               subcommandMissing(code),
	}
	root.SetFlagErrorFunc(flagError)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", helpWidth)))
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.AddCommand(
		newInit(), newDoctor(code), newCheck(code), newMatrix(code), newList(), newExplain(), newReplay(code), newLab(), newRecheck(code), newSoak(code), newFidelity(code), newDefects(code), newMerge(code), newConformance(code), newLearn(code), newVersion(),
	)
	// Cobra would add these two when it runs, and take an unknown topic or shell for none.
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
