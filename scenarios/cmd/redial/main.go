// Command redial puts a Socket.IO chat server to the test: it breaks the
// connection in every way that the catalogue knows, and says which messages were
// lost, duplicated or reordered.
//
// Read main, then check.go: the command only reads flags, has package scenarios play
// its Ginkgo tree or its sweeps, and hands what it finds to package report.
package main

import (
	"fmt"
	"os"

	"redial/harness/report"
	"redial/scenarios"
)

const usage = `redial confirms what a Socket.IO chat does when the connection breaks.

  redial check --step N              one of the kit's steps, from 3 on; 9-postgres for row 41;
                                     habits and habits-published for the rows that no step is about;
                                     with --lab virtual also published-6, -7 and -8
  redial check --url URL             a server that runs already (it is not restarted)
  redial check [flags] -- COMMAND …  a server that redial starts, on the PORT it is given
  redial matrix                      all steps, all scenarios, against what is expected
  redial soak [--runs N]             random plans on steps 6 to 10 in the virtual lab, until
                                     as many of each are done or Ctrl-C; --steps, --seed
  redial replay [--times N] FILE     a failure that was saved, once more, or how often it comes
                                     again: what rests on a race has a rate
  redial fidelity                    every scenario in both labs, side by side
  redial list                        the scenarios

Flags of check, and of matrix but for -step, -url and -level:
`

func main() {
	scenarios.BecomeStep()
	os.Exit(run(os.Args[1:]))
}

func run(arguments []string) int {
	if len(arguments) == 0 {
		help(os.Stderr)
		return report.ExitUsage
	}
	if asksForHelp(arguments) {
		help(os.Stdout)
		return report.ExitPass
	}
	var err error
	code := 0
	switch arguments[0] {
	case "check":
		code, err = check(arguments[1:])
	case "matrix":
		code, err = matrix(arguments[1:])
	case "replay":
		code, err = replay(arguments[1:])
	case "fidelity":
		code, err = fidelity(arguments[1:])
	case "soak":
		code, err = soak(arguments[1:])
	case "list":
		err = list(arguments[1:])
	default:
		err = fmt.Errorf("there is no command %q; there are check, matrix, soak, replay, fidelity and list", arguments[0])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "redial: "+err.Error())
		return report.ExitUsage
	}
	return code
}

// asksForHelp tells whether redial itself, and not the command after --, is asked.
func asksForHelp(arguments []string) bool {
	if arguments[0] == "help" {
		return true
	}
	for _, a := range arguments {
		switch a {
		case "--":
			return false
		case "-h", "-help", "--help":
			return true
		}
	}
	return false
}

func help(to *os.File) {
	fmt.Fprint(to, usage)
	flags, _ := newFlags("check")
	flags.SetOutput(to)
	flags.PrintDefaults()
	fmt.Fprint(to, `
Exit status: 0 pass, 1 fail, 2 inconclusive, 3 wrong usage or the target never came up.
`)
}

func list(arguments []string) error {
	if len(arguments) > 0 {
		return fmt.Errorf("list takes no arguments")
	}
	for _, s := range scenarios.Catalogue {
		fmt.Printf("%-25s row %-3d from level %-16s %s\n", s.ID, s.Row, s.From, s.Title)
	}
	return nil
}
