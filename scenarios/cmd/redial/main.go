// Command redial puts a Socket.IO chat server to the test: it breaks the
// connection in every way that the catalogue knows, and says which messages were
// lost, duplicated or reordered.
//
// Read [newRoot], then check.go and play.go: the command only reads flags, has package
// suite play its specs or package runner its sweeps, and hands what comes of it to package
// report. Each subcommand has a file of its own.
//
// The flags, help pages and shell completion are cobra's, which users know from most
// command lines written in Go; golang.org/x/term tells a terminal and its width.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"redial/harness/report"
	"redial/scenarios/servers"
)

func main() {
	servers.BecomeStep()
	os.Exit(run(os.Args[1:]))
}

// run runs the command line and returns the exit status.
func run(arguments []string) int {
	code := report.ExitPass
	root := newRoot(&code)
	root.SetArgs(arguments)
	err := root.Execute()
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

// newRoot makes the command with all its subcommands, which set code to the exit status.
func newRoot(code *int) *cobra.Command {
	root := &cobra.Command{
		Use:   "redial",
		Short: "Confirm what a Socket.IO chat does when the connection breaks",
		Long: `redial breaks the connection of a Socket.IO chat in every way that its catalogue
knows, and says which messages were lost, duplicated or reordered.

Exit status: 0 pass, 1 fail, 2 inconclusive, 3 wrong usage or a server that never came up,
130 interrupted.`,
		Example: `  redial check --step 7                            one of the kit's steps
  redial check --url http://127.0.0.1:3000         a server that runs already
  redial check --level recovery -- node server.js  a server that redial starts`,
		Args:               cobra.ArbitraryArgs,
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableSuggestions: true,
		RunE: func(c *cobra.Command, arguments []string) error {
			if len(arguments) > 0 {
				return fmt.Errorf("there is no command %q; there are %s", arguments[0], subcommands(c))
			}
			*code = report.ExitUsage
			c.SetOut(os.Stderr)
			return c.Help()
		},
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if errors.Is(err, pflag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w; `%s --help` lists the flags", err, c.CommandPath())
	})
	root.AddCommand(
		newCheck(code), newMatrix(code), newList(), newReplay(code), newSoak(code), newFidelity(code), newVersion(),
	)
	return root
}

func subcommands(root *cobra.Command) string {
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return strings.Join(names, ", ")
}

// noArguments refuses what is neither a flag nor asked for.
func noArguments(c *cobra.Command, arguments []string) error {
	if len(arguments) > 0 {
		return fmt.Errorf("%s takes no arguments but its flags, and was given %q; `%s --help` lists the flags", c.Name(), arguments[0], c.CommandPath())
	}
	return nil
}

// noneEmpty refuses a flag that was given an empty text.
func noneEmpty(c *cobra.Command) (err error) {
	c.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.String() == "" {
			err = fmt.Errorf("--%s is empty", f.Name)
		}
	})
	return err
}
