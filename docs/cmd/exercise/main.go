// Command exercise lets a reader change a copy of a step and find out what the copy
// still loses: `make start-exercise-7` and `make exercise-7`.
//
// Read check. The copy is a package of its own in steps/exercise7, which git ignores,
// with a small main beside it, so that the kit can start it as a process, with the
// copy's own page, in the scenarios that the step offers.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"go/format"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"redial/docs"
	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/harness/target"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
	"redial/steps/lessons"
)

const usage = `exercise start N          copy step N into steps/exerciseN
exercise check N          run the copy through the scenarios of the step
exercise check N LEVEL    the same, held to another promise
`

func main() {
	flag.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	flag.Parse()
	code, err := run(flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "exercise: "+err.Error())
	}
	os.Exit(code)
}

func run(arguments []string) (int, error) {
	if len(arguments) < 2 {
		flag.Usage()
		return report.ExitUsage, nil
	}
	root, err := docs.Root()
	if err != nil {
		return report.ExitUsage, err
	}
	lesson, err := lessons.Find(arguments[1])
	if err != nil {
		return report.ExitUsage, err
	}
	copied := exercise{lesson, root, filepath.Join(root, "steps", "exercise"+lesson.Number)}
	switch {
	case arguments[0] == "start" && len(arguments) == 2:
		if _, err := servers.Step(lesson.Number); err != nil {
			return report.ExitUsage, err
		}
		if err := copied.start(); err != nil {
			return report.ExitUsage, err
		}
		fmt.Printf("Your copy is in steps/exercise%s: change its chat.go and index.html, then run make exercise-%s\n", lesson.Number, lesson.Number)
		return 0, nil
	case arguments[0] == "check" && len(arguments) <= 3:
		level := ""
		if len(arguments) == 3 {
			level = arguments[2]
		}
		return copied.check(level)
	}
	flag.Usage()
	return report.ExitUsage, nil
}

type exercise struct {
	lesson       lessons.Lesson
	root, folder string
}

// start copies the step. A copy that is there is somebody's work, and is left alone.
func (e exercise) start() error {
	if _, err := os.Stat(e.folder); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("steps/exercise%s is there already: go on with it, or remove it to begin again", e.lesson.Number)
	}
	step := filepath.Join(e.root, "steps", "step"+e.lesson.Number)
	files := map[string][]byte{}
	for _, name := range []string{"chat.go", "index.html"} {
		text, err := os.ReadFile(filepath.Join(step, name))
		if err != nil {
			return err
		}
		files[name] = bytes.ReplaceAll(text, []byte("package step"+e.lesson.Number), []byte("package exercise"+e.lesson.Number))
	}
	files["chat.go"] = bytes.Replace(files["chat.go"], []byte("// Package step"+e.lesson.Number), []byte("// Package exercise"+e.lesson.Number), 1)
	program, err := format.Source([]byte(strings.NewReplacer("NUMBER", e.lesson.Number, "TITLE", "your "+e.lesson.Title).Replace(server)))
	if err != nil {
		return err
	}
	files["serve/main.go"] = program
	for name, text := range files {
		file := filepath.Join(e.folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// server is the copy's main: it is the only step that this program knows.
const server = `// Command serve runs the copy: go run ./steps/exerciseNUMBER/serve
package main

import (
	"os"

	exercise "redial/steps/exerciseNUMBER"
	"redial/steps/lessons"
)

func main() {
	lessons.All = []lessons.Lesson{{Number: "NUMBER", Title: "TITLE", New: exercise.New, Page: exercise.Page}}
	os.Exit(lessons.Main([]string{"NUMBER"}))
}
`

// check builds the copy and plays on it what its step offers.
func (e exercise) check(level string) (int, error) {
	if _, err := os.Stat(e.folder); err != nil {
		return report.ExitUsage, fmt.Errorf("there is no copy of step %s yet: run make start-exercise-%s", e.lesson.Number, e.lesson.Number)
	}
	subject, err := servers.Step(e.lesson.Number)
	if err != nil {
		return report.ExitUsage, err
	}
	if level != "" {
		if subject.Level, err = contract.ParseLevel(level); err != nil {
			return report.ExitUsage, err
		}
	}
	folder, err := os.MkdirTemp("", "redial-exercise-")
	if err != nil {
		return report.ExitUsage, err
	}
	defer os.RemoveAll(folder)
	program := filepath.Join(folder, "exercise")
	build := exec.Command("go", "build", "-o", program, "./steps/exercise"+e.lesson.Number+"/serve")
	build.Dir = e.root
	if output, err := build.CombinedOutput(); err != nil {
		return report.ExitFail, fmt.Errorf("your copy does not build:\n%s", output)
	}
	subject.Name = "your step " + e.lesson.Number
	subject.Server.Handler, subject.ShownBound = nil, 0
	subject.Server.Target = func(tuning plan.Tuning) (target.Target, error) {
		command := target.CommandOptions{Command: []string{program}, Name: subject.Name, Tuning: tuning}
		if len(subject.Nodes) > 0 {
			return target.NewCluster(target.ClusterOptions{Nodes: subject.Nodes, Command: command})
		}
		return target.NewCommand(command)
	}
	return judge(subject, e.offered())
}

// offered are the scenarios that make sense for the step.
func (e exercise) offered() []catalogue.Scenario {
	var offered []catalogue.Scenario
	for _, s := range catalogue.All {
		if expected, ok := s.Expect[e.lesson.Number]; ok && expected != catalogue.DoesNotApply {
			offered = append(offered, s)
		}
	}
	return offered
}

// runs is how often a scenario is played: a race does not go wrong every time.
const runs = 3

func judge(subject servers.Subject, which []catalogue.Scenario) (int, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	results, err := runner.Run(ctx, []servers.Subject{subject}, which, runner.Options{Seed: 1, Runs: runs, Artifacts: "out"})
	if err != nil {
		return report.ExitUsage, err
	}
	for i := range results {
		results[i].Replay = "" // the command that replays a step does not know the copy
	}
	r := report.Report{Target: subject.Name, Level: subject.Level, Seed: 1, Lab: "real", Results: results, Took: time.Since(began)}
	if err := report.Text(os.Stdout, r, report.Style{Color: os.Getenv("NO_COLOR") == "" && terminal()}); err != nil {
		return report.ExitUsage, err
	}
	return r.ExitCode(), still(os.Stdout, results)
}

// still says in a line what a page would miss with this copy, promised or not.
func still(out io.Writer, results []report.Result) error {
	var wrong []string
	for _, r := range results {
		if seen := askedForAll(r.Events).Observed(""); seen != catalogue.ExactlyOnce {
			wrong = append(wrong, fmt.Sprintf("  %s: %s", r.ID, seen))
		}
	}
	if len(wrong) == 0 {
		_, err := fmt.Fprintln(out, "\nNothing is lost any more.")
		return err
	}
	_, err := fmt.Fprintf(out, "\nStill lost, repeated or out of order:\n%s\n", strings.Join(wrong, "\n"))
	return err
}

// askedForAll judges a run as if everything that a page can want had been promised.
func askedForAll(events []history.Event) check.Verdict {
	events = slices.Clone(events)
	for i := range events {
		if events[i].Kind == history.Began {
			events[i].Level = contract.DurableDelivery
		}
	}
	return check.Judge(events)
}

func terminal() bool {
	info, err := os.Stdout.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
