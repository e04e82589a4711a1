package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"redial/harness/report"
	"redial/scenarios/exercises"
)

func newLearn(code *int) *cobra.Command {
	c := &cobra.Command{
		Use:   "learn",
		Short: "Do the tutorial's exercises, and list their state",
		Long: `learn lists the exercises of the tutorial with their state. Its commands start one, check
your copy, and show hints and the solution on request. They work in Redial's own folder,
where "make start-exercise-7", "make exercise-7", "make serve-exercise-7", "make hint-7"
and "make solution-7" do the same.`,
		Example: "  redial learn\n  redial learn start 7\n  redial learn check 7",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			l, err := newLearner()
			if err != nil {
				return err
			}
			return l.list()
		},
	}
	var reset bool
	start := exerciseCommand("start STEP", "Copy the code that an exercise starts from into steps/exerciseSTEP", func(l *learner, e exercises.Copy) error { return l.start(e, reset) })
	start.Flags().BoolVar(&reset, "reset", false, "replace a copy that is there, without asking")
	var answer string
	check := exerciseCommand("check STEP", "Play the exercise's scenarios on your copy", func(l *learner, e exercises.Copy) error { return l.check(e, answer, code) })
	check.Flags().StringVar(&answer, "answer", "", "your prediction, `a, b or c`, where it cannot be asked for")
	c.AddCommand(start, check,
		exerciseCommand("serve STEP", "Serve your copy at PORT (default 3000)", func(l *learner, e exercises.Copy) error { return l.serve(e, code) }),
		exerciseCommand("hint STEP", "Show the next hint", (*learner).hint),
		exerciseCommand("solution STEP", "Show the solution, as a diff from where the exercise starts", (*learner).solution),
	)
	return c
}

// exerciseCommand makes a subcommand that takes the step of an exercise.
func exerciseCommand(use, short string, do func(*learner, exercises.Copy) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short,
		ValidArgsFunction: func(*cobra.Command, []string, string) (steps []string, _ cobra.ShellCompDirective) {
			all, _ := exercises.All() // without the exercises there is no completion
			for _, e := range all {
				steps = append(steps, e.Step+"\t"+e.En.Title)
			}
			return steps, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, arguments []string) error {
			if len(arguments) != 1 {
				return fmt.Errorf("%s takes the number of a step, such as 7: redial learn %[1]s 7", c.Name())
			}
			l, err := newLearner()
			if err != nil {
				return err
			}
			e, err := exercises.Find(arguments[0])
			if err != nil {
				return err
			}
			return do(l, exercises.CopyOf(l.root, e))
		},
	}
}

// A learner reads a page of output in one language, and works in a clone of the kit.
type learner struct {
	page
	root string
}

func newLearner() (*learner, error) {
	root, err := exercises.Root()
	if err != nil {
		return nil, err
	}
	return &learner{newPage(), root}, nil
}

// language is that of the locale. POSIX gives the first of these variables that is set
// precedence.
func language(env func(string) string) string {
	if strings.HasPrefix(cmp.Or(env("LC_ALL"), env("LC_MESSAGES"), env("LANG")), "ko") {
		return "ko"
	}
	return "en"
}

func (l *learner) list() error {
	all, err := exercises.All()
	if err != nil {
		return err
	}
	solved := 0
	for _, e := range all {
		c := exercises.CopyOf(l.root, e)
		state, passed, err := c.State()
		if err != nil {
			return err
		}
		text, color := l.say("not started"), faint
		switch state {
		case exercises.Started:
			text, color = l.say("started"), ""
		case exercises.Checked:
			text, color = l.say("k of n", passed, len(e.Scenarios)), yellow
		case exercises.Solved:
			text, color = l.say("solved"), green
			solved++
		}
		l.print("%3s  %s  %s\n", e.Step, padRight(e.In(l.language).Title, 44), l.paint(color, text))
	}
	l.print("\n")
	l.paragraph("", l.say("list", solved, len(all)))
	return nil
}

func (l *learner) start(c exercises.Copy, reset bool) error {
	exists, err := c.Exists()
	if err != nil {
		return err
	}
	if exists && !reset {
		if !isTerminal(os.Stdin) {
			return errors.New(l.say("exists", c.Path(), c.Step))
		}
		l.print("%s", l.say("reset?", c.Path()))
		switch strings.ToLower(strings.TrimSpace(readLine())) {
		case "y", "yes":
		default:
			l.paragraph("", l.say("left alone"))
			return nil
		}
	}
	if err := c.Start(); err != nil {
		return err
	}
	l.heading(c)
	l.print("\n")
	l.paragraph("", l.say("copy", c.Path()))
	l.print("\n")
	for _, target := range []string{"exercise-", "serve-exercise-", "hint-", "solution-"} {
		l.print("  make %s  %s\n", padRight(target+c.Step, 17), l.say(target))
	}
	return nil
}

// heading prints the exercise's title and goal.
func (l *learner) heading(c exercises.Copy) {
	text := c.In(l.language)
	l.print("%s\n\n", l.paint(bold, l.say("exercise", c.Step, text.Title)))
	l.paragraph(l.say("goal"), text.Goal)
}

func (l *learner) hint(c exercises.Copy) error {
	p, err := l.progressOf(c)
	if err != nil {
		return err
	}
	hints := c.In(l.language).Hints
	p.Hints = min(p.Hints+1, len(hints))
	for n, hint := range hints[:p.Hints] {
		l.paragraph(l.say("hint n", n+1, len(hints)), hint)
	}
	l.print("\n")
	if p.Hints < len(hints) {
		l.paragraph("", l.say("next hint", c.Step))
	} else {
		l.paragraph("", l.say("no more hints", c.Step))
	}
	return c.Save(p)
}

func (l *learner) solution(c exercises.Copy) error {
	diff, err := c.Diff()
	if err != nil {
		return err
	}
	l.heading(c)
	l.paragraph(l.say("solution"), c.In(l.language).Solution)
	l.print("\n%s", l.coloredDiff(diff))
	l.print("\n")
	l.paragraph("", l.say("whole files", c.Solution))
	return nil
}

// progressOf is the progress of an exercise; one that was not started is an error.
func (l *learner) progressOf(c exercises.Copy) (exercises.Progress, error) {
	exists, err := c.Exists()
	if err == nil && !exists {
		err = errors.New(l.say("no copy", c.Step))
	}
	if err != nil {
		return exercises.Progress{}, err
	}
	return c.Progress()
}

// serve builds the copy and runs it until Ctrl-C, which the terminal sends to both processes.
func (l *learner) serve(c exercises.Copy, code *int) error {
	if _, err := l.progressOf(c); err != nil {
		return err
	}
	return l.built(c, code, func(ctx context.Context, program string) error {
		// Step 9 is served by two processes, as make step-9 does.
		arguments := []string{c.Step}
		if c.Step == "9" {
			arguments = append(arguments, "2")
		}
		server := exec.Command(program, arguments...)
		server.Dir = l.root
		server.Stdout, server.Stderr = os.Stdout, os.Stderr
		if os.Getenv("DATA_DIR") == "" {
			server.Env = append(os.Environ(), "DATA_DIR=out/exercise-"+c.Step)
		}
		if err := server.Start(); err != nil {
			return err
		}
		// A signal to this process alone is passed on.
		defer context.AfterFunc(ctx, func() { _ = server.Process.Signal(syscall.SIGTERM) })()
		if err := server.Wait(); err != nil && ctx.Err() == nil {
			*code = report.ExitFail // the server has printed the reason on stderr
		}
		return nil
	})
}

// built compiles the copy, and calls do with the program. If the copy does not compile, it prints
// the compiler's errors. Ctrl-C ends the context, and with it every process that was started.
func (l *learner) built(c exercises.Copy, code *int, do func(ctx context.Context, program string) error) error {
	ctx, stop := interruptible()
	defer stop()
	folder, err := os.MkdirTemp("", "redial-exercise-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	program, err := c.Build(ctx, folder)
	var wrong exercises.BuildError
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case err == nil:
		return do(ctx, program)
	}
	*code = report.ExitFail
	if !errors.As(err, &wrong) {
		return err
	}
	l.print("%s\n", l.paint(red, l.say("does not compile")))
	for _, line := range wrong.Lines {
		l.print("  %s\n", line)
	}
	if wrong.More > 0 {
		l.print("  %s\n", l.say("more lines", wrong.More))
	}
	return nil
}

// readLine reads a line from the terminal; "" at its end. Ctrl-C ends the process here.
func readLine() string {
	line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	return line
}
