package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"redial/harness/contract"
	"redial/harness/report"
	"redial/scenarios/config"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// peersAtOnce is how many applications are played at the same time, and runsAtOnce how many
// runs of each isolated one. Most runs only wait.
const peersAtOnce, runsAtOnce = 3, 3

func newConformance(code *int) *cobra.Command {
	p := &play{}
	c := &cobra.Command{
		Use:   "conformance FILE...",
		Short: "Compare applications: the level that each keeps, and the share of messages that survive a disconnection",
		Long: `conformance plays the scenarios on the application of each redial.yaml, at the level that
it claims, at higher ones as long as they hold, or at lower ones until one does. It also
measures the share of a steady stream that arrives at a client which is disconnected for
two seconds. It prints a table in Markdown, in which an application that does not start is
"not played", with the reason.`,
		Example: "  redial conformance scenarios/peers/*/redial.yaml\n  redial conformance --runs 3 --json conformance.json mine/redial.yaml",
		RunE: func(c *cobra.Command, files []string) (err error) {
			if err = p.read(c); err != nil {
				return err
			}
			if len(files) == 0 {
				return errors.New("conformance needs the redial.yaml of each application to compare")
			}
			*code, err = p.conformance(files)
			return err
		},
	}
	p.commonFlags(c)
	p.ownFlag(c)
	_ = c.Flags().Lookup("runs").Value.Set("2")
	c.Flags().Lookup("runs").DefValue = "2"
	c.Flags().StringVar(&p.files.json, "json", "", "write the table's data to `FILE`")
	return c
}

// A table is what `redial conformance --json` writes.
type table struct {
	Date string `json:"date"`
	// Versions are those of redial and of what its verdicts depend on, a line each.
	Versions string `json:"versions"`
	Seed     uint64 `json:"seed"`
	// Scenarios are those that were played, where not all were.
	Scenarios string        `json:"scenarios,omitempty"`
	Runs      int           `json:"runs"`
	Peers     []runner.Peer `json:"peers"`
}

func (p *play) conformance(files []string) (int, error) {
	rows, err := p.scenarios()
	if err != nil {
		return 0, err
	}
	peers, at, err := readPeers(files)
	if err != nil {
		return 0, err
	}
	if err := p.files.try(); err != nil {
		return 0, err
	}
	defer watchMemory()()
	ctx, stop := interruptible()
	defer stop()
	progress := newProgress(p.quiet)
	progress.begin(len(rows))
	slots, failed := make(chan struct{}, peersAtOnce), make([]error, len(peers))
	var all sync.WaitGroup
	for i := range peers {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			options := runner.Options{Seed: p.seed, Runs: p.runs, Parallel: runsAtOnce, Done: progress.show}
			peers[i], failed[i] = runner.ConformPeer(ctx, peers[i], at[i], rows, options)
		})
	}
	all.Wait()
	progress.end()
	interrupted := unlessInterrupted(ctx, errors.Join(failed...))
	t := table{Date: time.Now().Format(time.DateOnly), Seed: p.seed, Scenarios: p.scenario, Runs: p.runs, Peers: peers}
	if info, ok := debug.ReadBuildInfo(); ok {
		t.Versions = versions(info)
	}
	unsaved := saveJSON(p.files.json, t)
	fmt.Print(t.markdown())
	return report.ExitPass, cmp.Or(unsaved, interrupted)
}

// readPeers reads the files, and returns for each a function that makes its server at a level.
func readPeers(files []string) (peers []runner.Peer, at []func(contract.Level) (servers.Server, error), err error) {
	for _, file := range files {
		application := config.Application{Config: file}
		server, err := application.Server("")
		if err != nil {
			return nil, nil, err
		}
		peers = append(peers, runner.Peer{Name: server.Name, Config: filepath.ToSlash(file), Claims: server.Level})
		at = append(at, application.Server)
	}
	return peers, at, nil
}

// conformancePreface explains the table in scenarios/conformance.md.
const conformancePreface = `# Reconnect conformance

Which promise each application keeps when connections break, on %s with the seeds %d to %d, and what fails each time with the next ones. ✓: all scenarios of the level pass, in every run, or those of a higher level do. ✗: so many fail; without a number, the level is above the one that the application claims, and was given up at the first scenario that failed. race: so many of them failed in some of the runs only. ?: so many had no verdict, so that it is not known whether the level holds. –: the application has no such level, for want of an offset or a key. not played: its server did not start, or not as its file says; the reason stands below. The last column is the share of a steady stream of messages that arrived at a client which was disconnected for two seconds in the middle of six, one figure for each run. "make peers" writes this file; [how to add yours](/README.md#compare-applications).

`

func (t table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, conformancePreface, t.Date, t.Seed, t.Seed+uint64(t.Runs)-1)
	if t.Scenarios != "" {
		fmt.Fprintf(&b, "Only these scenarios were played: %s.\n\n", strings.ReplaceAll(t.Scenarios, ",", ", "))
	}
	b.WriteString("| application | claims |")
	for _, level := range contract.Levels {
		fmt.Fprintf(&b, " %s |", level)
	}
	b.WriteString(" delivered over a 2 s drop |\n|---|---|" + strings.Repeat(":-:|", len(contract.Levels)+1) + "\n")
	for _, p := range t.Peers {
		fmt.Fprintf(&b, "| [%s](/%s) | %s |", p.Name, p.Config, p.Claims)
		for _, level := range contract.Levels {
			fmt.Fprintf(&b, " %s |", cellOf(p, level))
		}
		fmt.Fprintf(&b, " %s |\n", strings.Join(deliveredOf(p), ", "))
	}
	fmt.Fprintf(&b, "\n```text\n%s```\n", t.Versions)
	for _, p := range t.Peers {
		if p.NotPlayed != "" {
			fmt.Fprintf(&b, "\n**%s** was not played: %s\n", p.Name, p.NotPlayed)
		}
		if p.NotMeasured != "" {
			fmt.Fprintf(&b, "\n**%s**: the stream over a 2 s drop was not measured: %s\n", p.Name, p.NotMeasured)
		}
		for _, l := range p.Levels {
			writeLevel(&b, p.Name, l)
		}
	}
	return b.String()
}

// deliveredOf is what was measured, and what could not be.
func deliveredOf(p runner.Peer) []string {
	switch {
	case p.NotPlayed != "":
		return []string{"not played"}
	case p.NotMeasured != "":
		return append(p.Delivered[:len(p.Delivered):len(p.Delivered)], "not measured")
	}
	return p.Delivered
}

// writeLevel writes what did not pass at a level.
func writeLevel(b *strings.Builder, name string, l runner.LevelResult) {
	list := func(scenarios []runner.Failure) {
		for _, f := range scenarios {
			fmt.Fprintf(b, "\n- `%s`, %s (%d of %d runs): %s\n", f.Scenario, f.Title, f.Times, f.Of, f.Reason)
		}
	}
	if l.Stopped {
		fmt.Fprintf(b, "\n### %s, at %s: given up at what failed first\n", name, l.Level)
	} else if len(l.Failures) > 0 {
		fmt.Fprintf(b, "\n### %s, at %s: %d of %d scenarios fail\n", name, l.Level, l.Failed, l.Played())
	}
	list(l.Failures)
	if len(l.Failures) > 0 {
		fmt.Fprintf(b, "\nThe story of the first:\n\n```text\n%s\n```\n", strings.TrimSpace(l.Failures[0].Story))
	}
	if len(l.Inconclusive) > 0 {
		fmt.Fprintf(b, "\n### %s, at %s: %d of %d scenarios have no verdict\n", name, l.Level, len(l.Inconclusive), l.Played())
	}
	list(l.Inconclusive)
}

// cellOf is the outcome at a level. It is ✓ also if a higher level holds, since the promise of
// a level includes those of the lower ones.
func cellOf(p runner.Peer, level contract.Level) string {
	if p.Holds.AtLeast(level) {
		return "✓"
	}
	for _, l := range p.Levels {
		switch {
		case l.NotPlayed != "" && level.AtLeast(l.Level):
			return "–"
		case l.Level == level:
			return counted(l)
		}
	}
	if p.NotPlayed != "" {
		return "not played"
	}
	return "✗"
}

// counted is the outcome of a level that does not hold: what failed, what failed in some runs
// only, and what had no verdict.
func counted(l runner.LevelResult) string {
	var signs []string
	of := func(sign string, n int) {
		if n > 0 {
			signs = append(signs, fmt.Sprintf("%s %d of %d", sign, n, l.Played()))
		}
	}
	if l.Stopped {
		signs = append(signs, "✗")
	} else {
		of("✗", l.Failed-l.Races())
		of("race:", l.Races())
	}
	of("?", len(l.Inconclusive))
	return cmp.Or(strings.Join(signs, ", "), "–")
}
