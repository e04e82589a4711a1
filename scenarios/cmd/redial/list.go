package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"redial/scenarios/catalogue"
)

func newList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the scenarios",
		Long:    "list names the scenarios, with their row in the catalogue and the weakest level\nthat each makes sense at.",
		Example: "  redial list\n  redial list | grep offline",
		Args:    noArguments,
		Run: func(*cobra.Command, []string) {
			for _, s := range catalogue.All {
				fmt.Printf("%-25s row %-3d from level %-16s %s\n", s.ID, s.Row, s.From, s.Title)
			}
		},
	}
}
