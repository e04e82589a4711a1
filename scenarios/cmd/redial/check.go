package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/formatter"

	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/report"
	"redial/scenarios"
)

// settings are the flags of check and matrix.
type settings struct {
	step, url, level, scenario string
	labName, sweep             string
	lab                        lab.Lab
	command                    []string
	seed                       uint64
	runs, parallel             int
	json, junit, reportDir     string
	quiet                      bool
}

func newFlags(name string) (*flag.FlagSet, *settings) {
	s := &settings{}
	f := flag.NewFlagSet("redial "+name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	if name == "check" {
		f.StringVar(&s.step, "step", "", "check the kit's step `N`")
		f.StringVar(&s.url, "url", "", "check the server at `URL`, such as http://127.0.0.1:3000")
		f.StringVar(&s.level, "level", "", fmt.Sprintf("the promise to hold it to: %s (default: the step's own; else server-delivery)", levelNames()))
	}
	f.StringVar(&s.scenario, "scenario", "", "only these `IDs` or row numbers, separated by commas")
	f.StringVar(&s.labName, "lab", lab.Real.String(), "the lab: real (processes and TCP) or virtual (a fake clock; the kit's steps only)")
	f.StringVar(&s.sweep, "sweep", "", "in the virtual lab, break stories instead of playing scenarios: `KIND` is single, pairs or random")
	f.Uint64Var(&s.seed, "seed", 0, "the seed of the first run (default: drawn, and printed)")
	f.IntVar(&s.runs, "runs", 0, "how often to run each scenario, each with the next seed (default 1); in a sweep of pairs or random plans, how many (default 1000)")
	f.IntVar(&s.parallel, "parallel", 0, "how many runs are under way at once (default 6; in the virtual lab one for each core)")
	f.StringVar(&s.json, "json", "", "write the verdicts to `FILE`")
	f.StringVar(&s.junit, "junit", "", "write JUnit XML to `FILE`")
	f.StringVar(&s.reportDir, "report", "", "write an HTML report, and what failing runs left, into `DIR`")
	f.BoolVar(&s.quiet, "quiet", false, "print no progress")
	return f, s
}

// levelNames lists the promises, from the weakest on.
func levelNames() string {
	var names []string
	for _, level := range contract.Levels {
		names = append(names, string(level))
	}
	return strings.Join(names, ", ")
}

// read parses the flags and says in one line what is wrong with them.
func read(name string, arguments []string) (*settings, error) {
	f, s := newFlags(name)
	for i, a := range arguments {
		if a == "--" {
			arguments, s.command = arguments[:i], arguments[i+1:]
			if len(s.command) == 0 || name != "check" {
				return nil, fmt.Errorf("after -- comes the command that starts the server, for check")
			}
			break
		}
	}
	if err := f.Parse(arguments); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("what is %q? A command to start goes after --", f.Arg(0))
	}
	seeded, empty, counts := false, "", []int{}
	f.Visit(func(given *flag.Flag) {
		seeded = seeded || given.Name == "seed"
		switch given.Name {
		case "runs":
			counts = append(counts, s.runs)
		case "parallel":
			counts = append(counts, s.parallel)
		}
		if given.Value.String() == "" {
			empty = given.Name
		}
	})
	if empty != "" {
		return nil, fmt.Errorf("--%s is empty", empty)
	}
	const most = 1_000_000
	for _, n := range counts {
		if n < 1 || n > most {
			return nil, fmt.Errorf("--runs and --parallel are whole numbers from 1 to %d", most)
		}
	}
	if !seeded {
		s.seed = uint64(rand.Uint32())
	}
	return s, s.checkLab()
}

// checkLab says what does not go together.
func (s *settings) checkLab() (err error) {
	s.lab, err = lab.Named(s.labName)
	switch {
	case err != nil:
		return err
	case s.lab == lab.Virtual && (s.url != "" || len(s.command) > 0):
		return fmt.Errorf("the virtual lab needs a server in its own process: a step of the kit here, your own Go server in its own test (see the package doc of redial/harness/lab)")
	case s.sweep == "":
		return nil
	case !slices.Contains(scenarios.SweepKinds, s.sweep):
		return fmt.Errorf("there is no sweep %q; there are %s", s.sweep, strings.Join(scenarios.SweepKinds, ", "))
	case s.lab != lab.Virtual:
		return fmt.Errorf("--sweep is for the virtual lab: add --lab virtual")
	case s.scenario != "":
		return fmt.Errorf("a sweep breaks stories, and has no scenarios to choose from: leave out --scenario or --sweep")
	}
	return nil
}

func check(arguments []string) (int, error) {
	s, err := read("check", arguments)
	if err != nil {
		return 0, err
	}
	subject, err := s.subject()
	if err != nil {
		return 0, err
	}
	which, err := s.scenarios()
	if err != nil {
		return 0, err
	}
	if subject.Server.Target == nil && s.lab == lab.Real {
		return 0, fmt.Errorf("%s is for the virtual lab: add --lab virtual", subject.Name)
	}
	r := report.Report{Target: subject.Name, Level: subject.Level}
	return s.run(r, []scenarios.Subject{subject}, which, false)
}

func matrix(arguments []string) (int, error) {
	s, err := read("matrix", arguments)
	if err != nil {
		return 0, err
	}
	which, err := s.scenarios()
	if err != nil {
		return 0, err
	}
	subjects, err := matrixSubjects()
	if err != nil {
		return 0, err
	}
	r := report.Report{Target: "steps " + strings.Join(scenarios.MatrixSteps, ", "), Level: contract.ClientDelivery}
	return s.run(r, subjects, which, true)
}

// matrixSubjects are the steps that the matrix has columns for.
func matrixSubjects() ([]scenarios.Subject, error) {
	var subjects []scenarios.Subject
	for _, number := range scenarios.MatrixSteps {
		subject, err := scenarios.Step(number)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, subject)
	}
	return subjects, nil
}

// subject makes the server to test out of the flags: exactly one must be named.
func (s *settings) subject() (scenarios.Subject, error) {
	named := 0
	for _, given := range []bool{s.step != "", s.url != "", len(s.command) > 0} {
		if given {
			named++
		}
	}
	if named != 1 {
		return scenarios.Subject{}, fmt.Errorf("check needs one of --step N, --url URL, or -- COMMAND")
	}
	level := contract.ServerDelivery
	if s.level != "" {
		parsed, err := contract.ParseLevel(s.level)
		if err != nil {
			return scenarios.Subject{}, err
		}
		level = parsed
	}
	switch {
	case s.url != "":
		subject, err := scenarios.URL(s.url, level)
		if err != nil {
			return subject, err
		}
		if err := scenarios.Reachable(s.url); err != nil {
			return subject, fmt.Errorf("nothing answers at %s: %w", s.url, cause(err))
		}
		return subject, nil
	case len(s.command) > 0:
		return scenarios.Command(s.command, level)
	}
	subject, err := scenarios.Step(s.step)
	if err == nil && s.level != "" {
		subject.Level = level
	}
	return subject, err
}

// cause cuts what an HTTP client wraps around the reason.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func (s *settings) scenarios() ([]scenarios.Scenario, error) {
	if s.scenario == "" {
		return scenarios.Find(nil)
	}
	return scenarios.Find(strings.Split(s.scenario, ","))
}

// run plays everything through Ginkgo and writes the reports.
func (s *settings) run(r report.Report, subjects []scenarios.Subject, which []scenarios.Scenario, golden bool) (int, error) {
	artifacts := s.reportDir
	if artifacts == "" {
		artifacts = filepath.Join("out", time.Now().Format("2006-01-02-150405"))
	}
	if err := s.tryFiles(); err != nil {
		return 0, err
	}
	r.Seed, r.Lab, r.Began = s.seed, s.lab.String(), time.Now()
	results, err := s.play(subjects, which, golden, artifacts)
	if err != nil {
		return 0, err
	}
	r.Took = time.Since(r.Began)
	r.Results = results
	if err := s.write(r, golden, artifacts); err != nil {
		return 0, err
	}
	return r.ExitCode(), nil
}

// play plays what was asked for, in the lab that was asked for.
func (s *settings) play(subjects []scenarios.Subject, which []scenarios.Scenario, golden bool, artifacts string) ([]report.Result, error) {
	if s.sweep != "" {
		return s.playSweep(subjects, artifacts)
	}
	return s.playScenarios(s.lab, subjects, which, golden, artifacts)
}

// prepare makes this process fit for the lab. The virtual one has its servers in this
// process: their own log lines are nobody's, and memory is there to be used.
func prepare(l lab.Lab) {
	if l != lab.Virtual {
		return
	}
	log.SetOutput(io.Discard)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

func (s *settings) playScenarios(in lab.Lab, subjects []scenarios.Subject, which []scenarios.Scenario, golden bool, artifacts string) ([]report.Result, error) {
	prepare(in)
	progress := newProgress(s.quiet)
	suite := scenarios.Define(subjects, which, scenarios.Options{
		Seed: s.seed, Runs: s.runs, Parallel: s.parallel, Golden: golden, Artifacts: artifacts, Lab: in, Done: progress.show,
	})
	interrupted := runSpecs()
	progress.end()
	if interrupted() {
		return nil, errInterrupted
	}
	return suite.Results()
}

var errInterrupted = errors.New("interrupted; everything that was started has been stopped")

func (s *settings) playSweep(subjects []scenarios.Subject, artifacts string) ([]report.Result, error) {
	prepare(lab.Virtual)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	progress := newProgress(s.quiet)
	defer progress.end()
	var results []report.Result
	for _, subject := range subjects {
		told, err := scenarios.Sweep(ctx, subject, scenarios.SweepOptions{
			Kind: s.sweep, Seed: s.seed, Runs: s.runs, Artifacts: artifacts, Done: progress.swept,
		})
		if ctx.Err() != nil {
			return nil, errInterrupted
		}
		if err != nil {
			return nil, err
		}
		results = append(results, told...)
	}
	return results, nil
}

// failure is what Ginkgo tells of a spec that failed; the results say it better.
type failure struct{}

func (failure) Fail() {}

// runSpecs runs the Ginkgo tree without Ginkgo's own report. The function that it
// returns tells whether it was interrupted.
func runSpecs() (interrupted func() bool) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	formatter.ColorableStdOut = io.Discard
	ginkgo.RunSpecs(failure{}, "redial")
	return func() bool { return len(signals) > 0 }
}

// write prints the report and writes the files that were asked for.
func (s *settings) write(r report.Report, golden bool, artifacts string) error {
	color := isTerminal(os.Stdout) && os.Getenv("NO_COLOR") == ""
	show := report.Text
	if golden && s.sweep == "" {
		show = report.Matrix
	}
	if err := show(os.Stdout, r, report.Style{Color: color}); err != nil {
		return err
	}
	files := []struct {
		path  string
		write func(io.Writer, report.Report) error
	}{{s.json, report.JSON}, {s.junit, report.JUnit}}
	if s.reportDir != "" {
		files = append(files, struct {
			path  string
			write func(io.Writer, report.Report) error
		}{filepath.Join(s.reportDir, "index.html"), report.HTML})
	}
	for _, f := range files {
		if f.path == "" {
			continue
		}
		if err := writeFile(f.path, os.O_TRUNC, r, f.write); err != nil {
			return err
		}
	}
	if summary := os.Getenv("GITHUB_STEP_SUMMARY"); summary != "" {
		return writeFile(summary, os.O_APPEND, r, report.GitHubSummary)
	}
	return nil
}

// tryFiles finds out before a long run whether what it is to write can be written.
func (s *settings) tryFiles() error {
	if s.reportDir != "" {
		if err := os.MkdirAll(s.reportDir, 0o755); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}
	for _, path := range []string{s.json, s.junit} {
		if path == "" {
			continue
		}
		nothing := func(io.Writer, report.Report) error { return nil }
		if err := writeFile(path, os.O_APPEND, report.Report{}, nothing); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path string, mode int, r report.Report, write func(io.Writer, report.Report) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("the folder for %s: %w", path, err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|mode, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(write(file, r), file.Close())
}
