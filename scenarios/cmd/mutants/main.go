// Command mutants is mutation testing of the checker, the steps and the session recovery. It
// changes one place at a time and runs the tests that should detect the change: first the
// package's own, then scenarios and sweeps. It prints each mutant that survives all of them,
// unless the package's mutants.md explains why no test can detect it.
//
// Read targets for the mutated packages, then mutate for the changes. All mutants of a
// package are compiled at once, with an overlay, and the variable MUTANT enables one; the
// source files stay unchanged. The command must not import the packages that it changes.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A target is a package to mutate, and the checks that should detect its mutants, the
// fastest first.
type target struct {
	folder string
	files  string // a glob pattern
	checks []check
}

// A check is a test of the package, or a call of the command redial, with its arguments. The
// race detector sees a lock that is missing where a test alone would need luck.
type check struct {
	folder, arguments string
	race              bool
}

const (
	redial     = "scenarios/cmd/redial"
	scenarios  = "check --quiet --lab virtual --seed 1 --step "
	sweep      = " --sweep single --points 100"
	testFlags  = "-test.failfast -test.timeout 0"
	drawn      = " -rapid.seed=1 -rapid.nofailfile -rapid.checks=" // a failure file of one mutant would kill the next one
	ofAllSteps = " -test.run ^Test(EveryStepServesItsPage|AHistoryOfLongMessages|APageThatTakesNothingIsCutOff)$/^%s$"
	// A check that hangs also kills its mutant. The limit is a multiple of the check's time
	// without a mutant, because other work slows the machine down.
	timesTooLong = 5
	notTooLong   = 30 * time.Second
	withoutOne   = 10 * time.Minute
)

var targets = []target{
	{"harness/check", "*.go", []check{
		{folder: "harness/check", arguments: testFlags + drawn + "100"},
		{folder: "harness/check", arguments: testFlags + drawn + "2000"},
	}},
	step("6"), step("7"), step("8"), step("9"), step("10"),
	{"steps/cures/recovery", "*.go", slices.Concat([]check{
		{folder: "steps/cures/recovery", arguments: testFlags},
		{folder: "steps/cures/recovery", arguments: testFlags, race: true},
	}, played("6"), played("7"))},
}

func step(number string) target {
	folder := "steps/step" + number
	own := []check{
		{folder: folder, arguments: testFlags + " -test.short"},
		{folder: folder, arguments: testFlags},
		{folder: "steps/lessons", arguments: testFlags + fmt.Sprintf(ofAllSteps, number)},
	}
	return target{folder, "chat.go", slices.Concat(own, played(number))}
}

func played(number string) []check {
	return []check{{folder: redial, arguments: scenarios + number}, {folder: redial, arguments: scenarios + number + sweep}}
}

func main() {
	only := flag.String("only", ".", "try only the mutants that match this regular expression, such as ^chat.go:12")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: mutants [-only REGEXP] [FOLDER …]")
		flag.PrintDefaults()
	}
	flag.Parse()
	match, err := regexp.Compile(*only)
	unexplained := 0
	for _, t := range targets {
		if err == nil && (flag.NArg() == 0 || slices.Contains(flag.Args(), t.folder)) {
			var n int
			n, err = t.run(match)
			unexplained += n
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	}
	if unexplained > 0 {
		os.Exit(1)
	}
}

// run tests each mutant of the target, and returns the number of survivors without an
// explanation.
func (t target) run(match *regexp.Regexp) (unexplained int, err error) {
	folder, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	mutants, err := t.build(folder)
	if err != nil {
		return 0, err
	}
	mutants = slices.DeleteFunc(mutants, func(m mutant) bool {
		return !match.MatchString(fmt.Sprintf("%s:%d %s", m.file, m.line, m.name()))
	})
	// A check that fails without a mutant would kill every mutant.
	var limits []time.Duration
	for _, c := range t.checks {
		began := time.Now()
		if output, err := c.run(folder, 0, withoutOne); err != nil {
			return 0, fmt.Errorf("%s %s fails without a mutant:\n%s", c.folder, c.arguments, output)
		}
		limits = append(limits, max(notTooLong, timesTooLong*time.Since(began)))
	}
	explained, _ := os.ReadFile(filepath.Join(t.folder, "mutants.md")) // the file is optional
	var (
		lock    sync.Mutex
		workers sync.WaitGroup
		killed  = make([]int, len(t.checks))
		known   = 0
		jobs    = make(chan mutant)
		tried   = 0
		said    = time.Now()
	)
	for range 2 * runtime.GOMAXPROCS(0) { // most tests wait, and those of a mutant that hangs only wait
		workers.Go(func() {
			for m := range jobs {
				by := t.try(folder, limits, m.number)
				lock.Lock()
				switch {
				case by >= 0:
					killed[by]++
				case bytes.Contains(explained, []byte("| "+m.name()+" |")):
					known++
				default:
					unexplained++
					fmt.Printf("%s:%d | %s |\n", filepath.Join(t.folder, m.file), m.line, m.name())
				}
				if tried++; time.Since(said) > 10*time.Second {
					said = time.Now()
					fmt.Fprintf(os.Stderr, "%s: %d of %d mutants tried\n", t.folder, tried, len(mutants))
				}
				lock.Unlock()
			}
		})
	}
	for _, m := range mutants {
		jobs <- m
	}
	close(jobs)
	workers.Wait()
	fmt.Printf("%s: %d mutants, %d explained, %d survive unexplained; killed by", t.folder, len(mutants), known, unexplained)
	for i, c := range t.checks {
		with := ""
		if c.race {
			with = " with the race detector"
		}
		fmt.Printf("\n%6d  %s %s%s", killed[i], c.folder, strings.TrimPrefix(c.arguments, testFlags), with)
	}
	fmt.Println()
	return unexplained, nil
}

// build compiles the programs of the checks with all mutants of the target.
func (t target) build(folder string) ([]mutant, error) {
	paths, err := filepath.Glob(filepath.Join(t.folder, t.files))
	if err != nil {
		return nil, err
	}
	var mutants []mutant
	var name string
	replace := map[string]string{}
	write := func(original, source string) error {
		absolute, err := filepath.Abs(original)
		replace[absolute] = filepath.Join(folder, filepath.Base(original))
		if err != nil {
			return err
		}
		return os.WriteFile(replace[absolute], []byte(source), 0o600)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var mutated string
		mutated, name, mutants, err = mutate(filepath.Base(path), string(source), mutants)
		if err != nil {
			return nil, err
		}
		if err := write(path, mutated); err != nil {
			return nil, err
		}
	}
	if err := write(filepath.Join(t.folder, "mutants_switches.go"), fmt.Sprintf(switches, name)); err != nil {
		return nil, err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(folder, "overlay.json"), overlay, 0o600); err != nil {
		return nil, err
	}
	for _, c := range t.checks {
		arguments := []string{"test", "-c", "-vet=off"}
		if c.folder == redial {
			arguments = []string{"build"}
		}
		if c.race {
			arguments = append(arguments, "-race")
		}
		arguments = append(arguments, "-overlay", filepath.Join(folder, "overlay.json"), "-o", c.program(folder), "./"+c.folder)
		if output, err := exec.Command("go", arguments...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s with its mutants: %w\n%s", c.folder, err, output)
		}
	}
	return mutants, nil
}

func (c check) program(folder string) string {
	return filepath.Join(folder, fmt.Sprintf("%s-race-%t.out", strings.ReplaceAll(c.folder, "/", "-"), c.race))
}

// try returns the index of the first check that detects the mutant, or -1.
func (t target) try(folder string, limits []time.Duration, number int) (by int) {
	for i, c := range t.checks {
		if _, err := c.run(folder, number, limits[i]); err != nil {
			return i
		}
	}
	return -1
}

// run runs the check's program with a mutant, within the limit. An error means that the
// check detected the mutant.
func (c check) run(folder string, number int, limit time.Duration) (output string, err error) {
	ctx, stop := context.WithTimeout(context.Background(), limit)
	defer stop()
	command := exec.CommandContext(ctx, c.program(folder), strings.Fields(c.arguments)...)
	if c.folder != redial {
		command.Dir = c.folder
	}
	command.Env = append(os.Environ(), "MUTANT="+strconv.Itoa(number))
	// The process group lets the limit end the processes that the check has started, too.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = time.Second
	out, err := command.CombinedOutput()
	return string(out), err
}
