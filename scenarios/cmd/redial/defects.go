package main

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"redial/harness/defect"
	"redial/harness/report"
	"redial/scenarios/runner"
)

// defectsPreface explains the table in scenarios/defects.md.
//
//go:embed defects.txt
var defectsPreface string

func newDefects(code *int) *cobra.Command {
	p := &play{}
	var list, markdown bool
	c := &cobra.Command{
		Use:     "defects [NAME]...",
		Short:   "Play servers and pages with a deliberate defect, and print the rule that catches each",
		Long:    "defects plays each server and each page that has a deliberate defect, in the scenario that\nshows the defect. It fails unless the expected rule catches the defect, before any other rule.",
		Example: "  redial defects --lab virtual\n  redial defects --list\n  redial defects no-unique skips --json kills.json",
		RunE: func(c *cobra.Command, names []string) error {
			if err := p.read(c); err != nil {
				return err
			}
			if list && c.Flags().NFlag() > 1 {
				return errors.New("--list plays no run: leave out the other flags")
			}
			which, err := chosen(names)
			if err != nil {
				return err
			}
			if list {
				for _, d := range which {
					fmt.Printf("%-32s %-30s %-12s %s\n", d.Name, d.Scenario, d.Rule, d.Sentence)
				}
				return nil
			}
			*code, err = p.defects(which, markdown)
			return err
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&list, "list", false, "only list the defects, each with its scenario, its rule and a sentence")
	f.Uint64Var(&p.seed, "seed", 0, "the `SEED` of the runs (default: drawn, and printed)")
	f.StringVar(&p.labName, "lab", "virtual", "the `LAB`: virtual (a fake clock) or real (processes and TCP; without the defects that only the virtual one shows in every run, with those of several servers)")
	f.IntVar(&p.parallel, "parallel", 0, "how many runs (`N`) run at once (default 6; in the virtual lab one for each core)")
	f.StringVar(&p.files.json, "json", "", "write the result of each to `FILE`")
	f.BoolVar(&markdown, "markdown", false, "print a table in Markdown, of defects and rules")
	f.BoolVar(&p.quiet, "quiet", false, "print no progress")
	p.runs = 1
	return c
}

func chosen(names []string) ([]defect.Defect, error) {
	if len(names) == 0 {
		return defect.All, nil
	}
	var which []defect.Defect
	for _, name := range names {
		d, err := defect.Find(name)
		if err != nil {
			return nil, err
		}
		which = append(which, d)
	}
	return which, nil
}

func (p *play) defects(which []defect.Defect, markdown bool) (int, error) {
	if err := p.files.try(); err != nil {
		return 0, err
	}
	prepare(p.lab)
	ctx, stop := interruptible()
	defer stop()
	progress := newProgress(p.quiet)
	progress.begin(len(which))
	kills, err := runner.Defects(ctx, which, runner.Options{Seed: p.seed, Parallel: p.parallel, Lab: p.lab, Done: progress.show})
	progress.end()
	interrupted := unlessInterrupted(ctx, err)
	if interrupted != nil && !errors.Is(interrupted, errInterrupted) {
		return 0, err
	}
	unsaved := saveJSON(p.files.json, runner.DefectReportOf(kills, p.lab, p.seed))
	if markdown && interrupted == nil {
		fmt.Print(defectsPreface + runner.DefectTable(kills))
	} else {
		printKills(kills, p.seed)
	}
	if err := cmp.Or(unsaved, interrupted); err != nil {
		return 0, err
	}
	for _, k := range kills {
		if !k.Caught() {
			return report.ExitFail, nil
		}
	}
	return report.ExitPass, nil
}

func printKills(kills []runner.Kill, seed uint64) {
	caught := 0
	for _, k := range kills {
		if k.Caught() {
			caught++
			fmt.Printf("✓ %-32s %-12s %s\n", k.Defect.Name, k.Defect.Rule, k.Defect.Scenario)
			continue
		}
		if k.Result.Verdict.Reason == runner.Interrupted {
			fmt.Printf("? %-32s %-12s %s   %s\n", k.Defect.Name, k.Defect.Rule, k.Defect.Scenario, runner.Interrupted)
			continue
		}
		fmt.Printf("✗ %-32s %-12s %s\n    %s\n    It came to: %s. %s\n", k.Defect.Name, k.Defect.Rule, k.Defect.Scenario,
			k.Defect.Sentence, k.Result.Outcome(), k.Result.Verdict.Reason)
	}
	fmt.Printf("\n%d of %d caught by the expected rule (seed %d)\n", caught, len(kills), seed)
}
