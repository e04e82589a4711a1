package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"redial/harness/defect"
	"redial/harness/report"
	"redial/scenarios/runner"
)

// defectsPreface explains the table in scenarios/defects.md.
const defectsPreface = `# What is broken on purpose, and what catches it

Each row is a server or a page that differs from a right one in a few lines, the scenario in which it shows, and the rule that catches it first. "make defects" writes this file, and a test plays all of it again.

## Not in the table, and why

A row has to fail in every run, with one server in one process. What cannot do that is shown elsewhere, or nowhere.

| fault | why it has no row | where it is shown |
|---|---|---|
| Memory: with recovery on, each replayed row is stored again; a closed connection leaves a goroutine; a client that does not read has an endless queue | No rule looks at memory: a verdict is about messages. | ` + "`TestLibraryMemory`, `TestSkipDirect` (steps/cures/recovery); `TestAClosedPageLeavesNothing`, `TestATimerStoppedAtOnceStays` (steps/cures/handshake); `TestWithoutALimitAllOfItWaits` (steps/cures/backpressure)" + ` |
| One of several servers crashes between INSERT and emit | The virtual lab has one server. ` + "`dies-before-emit`" + ` is what the pages of the other servers would see. | ` + "the scenario `crash-before-emit` on step 9, in the real lab" + ` |
| The cluster adapter never recovers; the Redis Streams adapter loses messages and orders them differently on each server | As above; and no server of the kit uses them. ` + "`never-recovers`" + ` is what a page sees of the first. | nowhere |
| The library's order: the log is appended to and the event sent without a lock around both, so two emitters swap | In the virtual lab one emit ends before the next begins. | ` + "`TestLibraryOrder` (steps/cures/recovery), `make probe`" + ` |
| A join that meets the last leave of its room | Two goroutines race within one call of the library, where no pause can be put: it is luck. | ` + "`TestJoinMeetsTheLastLeave` (steps/cures/recovery)" + ` |
| Emit, then Disconnect: the last event is lost | It is luck; and no level promises a message to a page that the server sends away. | nowhere |
| A recovered page's first events come before its handlers are attached | The library's connection handler races with its queue: it is luck. | nowhere |
| A handler of the page throws, and the event comes again | No level below server-delivery can promise more, and from there on the page drops it. | ` + "the scenario `handler-throws` on step 6" + ` |
| A lone surrogate | The text of a plan is UTF-8, which has none. | nowhere |
| A number over 2^53 | A message is a text, whose digits nobody rounds; as JSON, the page's own parser rounds it before it is sent. | ` + "offsets: `TestOffsetsAreWholeNumbers` (harness/protocol)" + ` |
| The key order of an object, which is no change (a positive control) | Such a server is right, and no rule may catch it. | ` + "`TestRightServersPass` (scenarios/runner); steps 5 and 6 in `payloads-drop`, since Go writes the keys in alphabetical order" + ` |
| Faults of the Go client: retries send nothing, a slow handler makes duplicates | The pages of the table run the official client. | ` + "`redial check --client go`" + ` |

## The table

`

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
	f.StringVar(&p.labName, "lab", "virtual", "the `LAB`: virtual (a fake clock) or real (processes and TCP; without the defects that only the virtual one shows in every run)")
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
	if markdown && interrupted == nil {
		fmt.Print(defectsPreface + runner.DefectTable(kills))
	} else {
		printKills(kills, p.seed)
	}
	if p.files.json != "" {
		written := runner.DefectReportOf(kills, p.lab, p.seed)
		if err := writeFile(p.files.json, os.O_TRUNC, func(w io.Writer) error { return writeJSON(w, written) }); err != nil {
			return 0, err
		}
	}
	if interrupted != nil {
		return 0, interrupted
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
