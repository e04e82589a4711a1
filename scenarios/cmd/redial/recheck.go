package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"redial/harness/contract"
	"redial/harness/report"
	"redial/scenarios/runner"
)

func newRecheck(code *int) *cobra.Command {
	level := ""
	c := &cobra.Command{
		Use:   "recheck FILE",
		Short: "Judge a saved history again",
		Long: `recheck judges a history without playing a run: the history of a saved failure, or a file with
an event of JSON a line (see redial/harness/history), also gzipped. It may be written by
hand; times, page loads and the events "began" and "ended" may be left out.

A history may be long: the memory grows with the distinct messages, by about 350 bytes
each, and with the page loads, not with the events.`,
		Example: `  redial recheck out/2026-11-28-101500/step-5/clean-drop-1.json
  redial recheck --level recovery docs/histories/by-hand/lost.jsonl`,
		ValidArgsFunction: cobra.FixedCompletions([]string{"json", "jsonl", "gz"}, cobra.ShellCompDirectiveFilterFileExt),
		RunE: func(_ *cobra.Command, files []string) (err error) {
			if len(files) != 1 {
				return errors.New("recheck takes one file: redial recheck [--level LEVEL] FILE")
			}
			*code, err = recheck(files[0], level)
			return err
		},
	}
	c.Flags().StringVar(&level, "level", "", "the `LEVEL` whose promise is tested (default: that of the run; else server-delivery)")
	_ = c.RegisterFlagCompletionFunc("level", cobra.FixedCompletions(contract.LevelNames(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func recheck(file, levelName string) (int, error) {
	level, err := levelOf(levelName)
	if err != nil {
		return 0, err
	}
	// The judge keeps nearly everything that it allocates, so frequent collections cost a
	// tenth more time and save a third of the peak.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(25)
	}
	slow := &slowSteps{to: os.Stderr}
	slow.begin("judging " + file)
	r, saved, err := runner.Recheck(file, level)
	slow.end()
	if err != nil {
		return 0, err
	}
	defer stopCommands(os.Stdout)()
	if err := report.Text(os.Stdout, r, terminal(os.Stdout)); err != nil {
		return 0, err
	}
	v := r.Results[0].Verdict
	switch {
	case saved.Outcome == "":
	case saved.Level == v.Level && saved.Outcome == v.Outcome && saved.Reason == v.Reason:
		fmt.Println("The verdict is the saved one.")
	default:
		fmt.Println(report.Visible(fmt.Sprintf("The saved verdict, at level %s, was %s (%s).", saved.Level, saved.Outcome, saved.Reason)))
	}
	return r.ExitCode(), nil
}
