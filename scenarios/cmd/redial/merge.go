package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"redial/harness/report"
)

func newMerge(code *int) *cobra.Command {
	var p play
	c := &cobra.Command{
		Use:     "merge FILE...",
		Short:   "Merge the reports of several shards",
		Long:    "merge reads the --json file of each part of a run that was divided with --shard, prints one\nreport, and ends with the exit status of the whole. Every part has to be there, once.",
		Example: "  redial check --step 7 --seed 1 --shard 1/2 --json 1.json\n  redial check --step 7 --seed 1 --shard 2/2 --json 2.json\n  redial merge 1.json 2.json --junit all.xml",
		RunE: func(c *cobra.Command, files []string) (err error) {
			if err = p.readFailOn(c); err == nil {
				*code, err = p.merge(files)
			}
			return err
		},
	}
	c.Flags().SortFlags = false
	p.failOnFlag(c)
	p.files.flags(c)
	return c
}

func (p *play) merge(files []string) (int, error) {
	if len(files) == 0 {
		return 0, errors.New("merge needs the files that the parts of one run have written with --json")
	}
	var whole report.Merged
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		if err := whole.Add(data); err != nil {
			return 0, fmt.Errorf("%s %w", path, err)
		}
	}
	if err := whole.Complete(); err != nil {
		return 0, err
	}
	if err := p.files.try(); err != nil {
		return 0, err
	}
	r := whole.Report()
	r.Tolerant = p.failOn == "fail"
	var failed error
	if p.files.json != "" {
		failed = writeFile(p.files.json, os.O_TRUNC, whole.JSON)
		p.files.json = ""
	}
	failed = errors.Join(failed, p.files.finish(r, func() error { return report.Text(os.Stdout, r, terminal(os.Stdout)) }))
	return r.ExitCode(), failed
}
