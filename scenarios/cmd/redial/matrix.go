package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"redial/harness/report"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

func newMatrix(code *int) *cobra.Command {
	p := &play{golden: true}
	c := &cobra.Command{
		Use:     "matrix",
		Short:   "Play every scenario on every step, against what the catalogue expects",
		Long:    "matrix plays the scenarios on steps 3 to 10 and prints one table. A cell that differs from\nwhat the catalogue expects of that step fails, whether it is worse or better.",
		Example: "  redial matrix\n  redial matrix --lab virtual --scenario 24,26 --seed 1",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := p.read(c); err != nil {
				return err
			}
			if c.Flags().Changed("sample") && (p.sample < 1 || p.scenario != "") {
				return errors.New("--sample is a whole number from 1, and draws the rows itself: leave out --scenario or --sample")
			}
			which, err := p.scenarios()
			if err != nil {
				return err
			}
			tested, err := matrixServers()
			if err != nil {
				return err
			}
			r := report.Report{Target: "steps " + strings.Join(servers.MatrixSteps, ", "), Level: runner.GoldenLevel}
			ctx, stop := runner.Within(context.Background(), p.timeLimit)
			defer stop()
			*code, err = p.run(ctx, r, tested, which)
			return err
		},
	}
	p.commonFlags(c)
	p.labFlags(c)
	c.Flags().IntVar(&p.sample, "sample", 0, "play only `N` rows, drawn with the seed, and those that only the real lab can show (default all)")
	return c
}

func matrixServers() ([]servers.Server, error) {
	var tested []servers.Server
	for _, number := range servers.MatrixSteps {
		server, err := servers.Step(number)
		if err != nil {
			return nil, err
		}
		tested = append(tested, server)
	}
	return tested, nil
}
