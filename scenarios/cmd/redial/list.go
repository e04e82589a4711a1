package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"redial/harness/plan"
	"redial/scenarios/catalogue"
	"redial/scenarios/config"
	"redial/scenarios/runner"
)

func newList() *cobra.Command {
	var p play
	var file string
	c := &cobra.Command{
		Use:   "list [ID]...",
		Short: "List the scenarios, or explain some",
		Long: `list prints the scenarios, each with its row in the catalogue and the weakest level whose
promise covers it. With IDs or row numbers it explains those: what decides the outcome, and
what happens. With --config it marks the scenarios that cannot be played on an application.`,
		Example: "  redial list\n  redial list clean-drop 24\n  redial list --scenarios scenarios/examples --config redial.yaml",
		RunE: func(_ *cobra.Command, ids []string) error {
			rows, err := p.rows()
			if err != nil {
				return err
			}
			which, err := catalogue.FindIn(rows, ids)
			if err != nil {
				return err
			}
			unplayable := func(catalogue.Scenario) string { return "" }
			if file != "" {
				if unplayable, err = unplayableOn(file); err != nil {
					return err
				}
			}
			list(os.Stdout, which, len(ids) > 0, unplayable)
			return nil
		},
	}
	c.Flags().StringVar(&p.own, "scenarios", "", "list the scenarios in this `FOLDER`, too")
	c.Flags().StringVar(&file, "config", "", "mark the scenarios that cannot be played on the application that the `FILE` describes")
	return c
}

// unplayableOn returns a function that tells why a scenario cannot be played on the
// application of the file; "" if it can.
func unplayableOn(file string) (func(catalogue.Scenario) string, error) {
	server, err := config.Application{Config: file}.Server("")
	return func(s catalogue.Scenario) string { return runner.Unplayable(s, server) }, err
}

func list(w io.Writer, rows []catalogue.Scenario, explained bool, unplayable func(catalogue.Scenario) string) {
	for i, s := range rows {
		if explained && i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%-25s row %-3d from level %-16s %s\n", s.ID, s.Row, s.Promised(), s.Title)
		if why := unplayable(s); why != "" {
			fmt.Fprintf(w, "%25s not played: %s\n", "", why)
		}
		if explained {
			fmt.Fprintf(w, "\nWhat decides: %s.\nPromised from level %s on: %s.\n", s.Why, s.Promised(), s.Promised().Promise())
			if s.From != s.Promised() {
				fmt.Fprintf(w, "Played from level %s on: what goes wrong below %s is shown, and does not fail.\n", s.From, s.Promised())
			}
			fmt.Fprintf(w, "\n%s", plan.Story(s.Plan(1)))
		}
	}
}
