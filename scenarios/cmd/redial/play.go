package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/formatter"
	"github.com/spf13/cobra"

	"redial/harness/lab"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/peers"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
	"redial/scenarios/suite"
)

// A play holds the flags of the subcommands that play scenarios: first those that they have
// in common, then those of one or two of them.
type play struct {
	seed           uint64
	runs, parallel int
	scenario, own  string
	quiet          bool

	timeLimit time.Duration
	runLimit  time.Duration
	failOn    string
	shard     string // "2/5", or empty for all
	selection string // of the rows that are divided into shards
	expect    string // check's: a file of known failures
	known     []string

	labName string
	lab     lab.Lab
	sweep   string       // check's only
	points  int          // check's: of a story that a single sweep plays
	whole   bool         // check's: a single sweep plays every point with every client a page
	client  peers.Client // check's
	golden  bool         // matrix's
	sample  int          // matrix's: how many of the rows that the virtual lab can play
	files   outputs
}

// commonFlags defines the flags that choose the runs.
func (p *play) commonFlags(c *cobra.Command) {
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&p.scenario, "scenario", "", "only these `IDs` or row numbers, separated by commas (default all; see redial list)")
	f.Uint64Var(&p.seed, "seed", 0, "the `SEED` of the first run (default: drawn, and printed)")
	f.IntVar(&p.runs, "runs", 1, "run each scenario `N` times, each with the next seed")
	f.BoolVar(&p.quiet, "quiet", false, "print no progress")
	_ = c.RegisterFlagCompletionFunc("scenario", func(*cobra.Command, []string, string) (ids []string, _ cobra.ShellCompDirective) {
		for _, s := range catalogue.All {
			ids = append(ids, s.ID+"\t"+s.Title)
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	})
}

// ownFlag defines the flag for the user's own scenarios.
func (p *play) ownFlag(c *cobra.Command) {
	c.Flags().StringVar(&p.own, "scenarios", "", "a `FOLDER` with scenarios of your own, which are played after the catalogue's (see scenarios/examples)")
}

// labFlags defines the flags that choose the lab, its limits and the output.
func (p *play) labFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&p.labName, "lab", lab.Real.String(), "the `LAB`: real (processes and TCP) or virtual (a fake clock; the kit's steps only)")
	f.IntVar(&p.parallel, "parallel", 0, "how many runs (`N`) run at once (default 6; in the virtual lab one for each core)")
	f.DurationVar(&p.timeLimit, "time-limit", 0, "end after `TIME`, such as 90s or 10m; scenarios not played by then are inconclusive, and a single sweep reports how many of its points it played (default: no limit)")
	f.DurationVar(&p.runLimit, "run-limit", 0, "end a run in the real lab after `TIME`; it is inconclusive then (default 10m, plus the time that the heartbeat takes)")
	f.StringVar(&p.shard, "shard", "", "play one part of the scenarios, such as `2/5` for the second of five; give every part the same --seed, and see redial merge")
	p.failOnFlag(c)
	p.files.flags(c)
	_ = c.RegisterFlagCompletionFunc("lab", cobra.FixedCompletions([]string{lab.Real.String(), lab.Virtual.String()}, cobra.ShellCompDirectiveNoFileComp))
}

func (p *play) failOnFlag(c *cobra.Command) {
	c.Flags().StringVar(&p.failOn, "fail-on", inconclusive, "the `OUTCOME` that gives an exit status other than 0: fail, or inconclusive, which includes fail")
	_ = c.RegisterFlagCompletionFunc("fail-on", cobra.FixedCompletions([]string{"fail", inconclusive}, cobra.ShellCompDirectiveNoFileComp))
}

func (p *play) readFailOn(c *cobra.Command) error {
	if c.Flags().Changed("fail-on") && p.failOn != "fail" && p.failOn != inconclusive {
		return fmt.Errorf("--fail-on is fail or inconclusive, not %q", p.failOn)
	}
	return nil
}

// inconclusive is --fail-on's default.
const inconclusive = "inconclusive"

// mostRuns bounds the counts that a slice is made for.
const mostRuns = 1_000_000

// read validates the parsed flags. An error is one line.
func (p *play) read(c *cobra.Command) (err error) {
	f := c.Flags()
	if p.runs < 1 || p.runs > mostRuns || f.Changed("parallel") && (p.parallel < 1 || p.parallel > mostRuns) {
		return fmt.Errorf("--runs and --parallel are whole numbers from 1 to %d", mostRuns)
	}
	if f.Changed("time-limit") && p.timeLimit < time.Second {
		return errors.New("--time-limit is a time of at least 1s, such as 90s or 10m")
	}
	if f.Changed("run-limit") && p.runLimit < time.Second {
		return errors.New("--run-limit is a time of at least 1s, such as 90s or 10m")
	}
	if err := p.readFailOn(c); err != nil {
		return err
	}
	if f.Changed("shard") && !f.Changed("seed") {
		return errors.New("--shard needs --seed N, the same for every part, so that they are parts of one run")
	}
	if !f.Changed("seed") {
		p.seed = uint64(rand.Uint32())
	}
	if f.Lookup("lab") != nil {
		p.lab, err = lab.Named(p.labName)
	}
	if err == nil && p.runLimit > 0 && p.lab == lab.Virtual {
		err = errors.New("--run-limit is for the real lab: leave it out, or leave out --lab")
	}
	return err
}

// rows returns the catalogue's scenarios and the user's own.
func (p *play) rows() ([]catalogue.Scenario, error) {
	if p.own == "" {
		return catalogue.All, nil
	}
	own, err := catalogue.ReadOwn(p.own)
	return slices.Concat(catalogue.All, own), err
}

// scenarios returns those that the flags choose, and reads which of them are known to fail.
func (p *play) scenarios() (which []catalogue.Scenario, err error) {
	if p.sample > 0 {
		which = catalogue.Sample(p.seed, p.sample)
	} else if which, err = p.rows(); err != nil {
		return nil, err
	}
	if p.known, err = knownFailures(p.expect, which); err != nil {
		return nil, err
	}
	if p.scenario != "" {
		if which, err = catalogue.FindIn(which, strings.Split(p.scenario, ",")); err != nil {
			return nil, err
		}
	}
	if p.shard == "" {
		return which, nil
	}
	p.selection = selection(which)
	return part(which, p.shard)
}

// selection identifies the rows, so that parts of different runs are not merged.
func selection(rows []catalogue.Scenario) string {
	h := fnv.New64a()
	for _, s := range rows {
		fmt.Fprintln(h, s.ID)
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// part returns the i-th of n parts of the rows, for the shard "i/n". It takes every n-th row,
// so that the parts take about the same time.
func part(rows []catalogue.Scenario, shard string) (some []catalogue.Scenario, err error) {
	first, of, _ := strings.Cut(shard, "/")
	i, errI := strconv.Atoi(first)
	n, errN := strconv.Atoi(of)
	if errI != nil || errN != nil || i < 1 || i > n || n > len(rows) {
		return nil, fmt.Errorf("--shard is one part of several, such as 2/5, with no more parts than the %d scenarios; it is not %q", len(rows), shard)
	}
	for at := i - 1; at < len(rows); at += n {
		some = append(some, rows[at])
	}
	return some, nil
}

// knownFailures reads which of the rows are known to fail: an ID or a number on a line; # begins
// a comment. Rows that this run does not play may be among them.
func knownFailures(path string, rows []catalogue.Scenario) (ids []string, err error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--expect: %w", err)
	}
	for n, line := range strings.Split(string(text), "\n") {
		id, _, _ := strings.Cut(line, "#")
		if id = strings.TrimSpace(id); id == "" {
			continue
		}
		found, err := catalogue.FindIn(rows, []string{id})
		if err != nil {
			return nil, fmt.Errorf("--expect: %s, line %d: %w", path, n+1, err)
		}
		for _, s := range found {
			ids = append(ids, s.ID)
		}
	}
	return ids, nil
}

// run plays everything until ctx ends, prints and writes the reports, and returns the exit status.
func (p *play) run(ctx context.Context, r report.Report, tested []servers.Server, which []catalogue.Scenario) (int, error) {
	r.Tolerant = p.failOn == "fail"
	err := p.files.try()
	if err != nil {
		return 0, err
	}
	artifacts := p.artifacts()
	r.Seed, r.Lab, r.Client, r.Began = p.seed, p.lab.String(), p.client.Name, time.Now()
	if p.shard != "" {
		r.Shard, r.Selection, r.Repeats = p.shard, p.selection, p.runs
	}
	if p.sweep != "" {
		r.Results, err = p.playSweep(tested[0], artifacts)
	} else {
		r.Results, err = p.playScenarios(ctx, p.lab, tested, which, artifacts)
	}
	interrupted := err
	if err != nil && !errors.Is(err, errInterrupted) {
		return 0, err
	}
	r.Took = time.Since(r.Began)
	form := report.Text
	if p.golden {
		form = report.Matrix
	}
	failed := p.files.finish(r, func() error { return form(os.Stdout, r, terminal(os.Stdout)) })
	return r.ExitCode(), cmp.Or(failed, interrupted)
}

// artifacts is the folder in which failing runs are saved.
func (p *play) artifacts() string {
	return cmp.Or(p.files.reportDir, filepath.Join("out", time.Now().Format("2006-01-02-150405")))
}

// prepare sets up this process for the virtual lab, which runs the servers in it: their log
// lines are dropped, and fewer garbage collections make the runs faster.
func prepare(l lab.Lab) {
	if l != lab.Virtual {
		return
	}
	log.SetOutput(io.Discard)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// playScenarios plays the scenarios as Ginkgo specs. Ginkgo prints nothing, since package
// report shows the histories, too.
func (p *play) playScenarios(ctx context.Context, in lab.Lab, tested []servers.Server, which []catalogue.Scenario, artifacts string) ([]report.Result, error) {
	prepare(in)
	progress := newProgress(p.quiet)
	progress.begin(len(tested) * len(which))
	specs := suite.Define(tested, which, runner.Options{
		Seed: p.seed, Runs: p.runs, Parallel: p.parallel, Golden: p.golden, Known: p.known, Limit: p.runLimit, Artifacts: artifacts, Lab: in, Client: p.client, Done: progress.show,
	})
	ctx, stop := interruptibleIn(ctx) // Ginkgo has its own handler, and only during RunSpecs
	defer stop()
	formatter.ColorableStdOut = io.Discard
	suiteConfig, reporterConfig := ginkgo.GinkgoConfiguration()
	suiteConfig.Timeout = 0 // Ginkgo's own is an hour
	specs.Run(ctx, ginkgoTest{}, suiteConfig, reporterConfig)
	progress.end()
	results, err := specs.Results()
	if ctx.Err() == nil {
		return results, err
	}
	results = append(results, specs.Unplayed(ctx)...)
	if _, limit := context.Cause(ctx).(runner.TimeLimit); limit {
		return results, nil
	}
	return results, errInterrupted
}

// A ginkgoTest ignores that a spec failed: the results show it.
type ginkgoTest struct{}

func (ginkgoTest) Fail() {}

func (p *play) playSweep(server servers.Server, artifacts string) ([]report.Result, error) {
	prepare(lab.Virtual)
	ctx, stop := interruptible()
	defer stop()
	progress := newProgress(p.quiet)
	defer progress.end()
	results, err := runner.Sweep(ctx, server, runner.SweepOptions{
		Kind: p.sweep, Seed: p.seed, Runs: p.runs, Points: p.points, Limit: p.timeLimit, Whole: p.whole, Artifacts: artifacts, Done: progress.swept,
	})
	return results, unlessInterrupted(ctx, err)
}
