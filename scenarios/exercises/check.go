package exercises

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/harness/report"
	"redial/harness/target"
	"redial/scenarios/catalogue"
	"redial/scenarios/config"
	"redial/scenarios/inprocess"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
	"redial/steps/lessons"
)

// ErrNoGo reports that the copy cannot be built because Go is not installed.
var ErrNoGo = errors.New("go is missing: install Go (https://go.dev/dl), then try again")

// A BuildError reports that the copy does not compile. Its text is the compiler's first
// lines, each with the file and the line number.
type BuildError struct {
	Lines []string
	// More is the number of lines that are left out.
	More int
}

func (e BuildError) Error() string { return strings.Join(e.Lines, "\n") }

// compilerLines limits the compiler's output, because later errors mostly follow from the
// first one.
const compilerLines = 6

// Build compiles the copy into the folder, and returns the path of the program.
func (c Copy) Build(ctx context.Context, folder string) (string, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", ErrNoGo
	}
	program := filepath.Join(folder, "exercise")
	build := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", program, "./"+c.Path()+"/serve")
	build.Dir = c.Root
	output, err := build.CombinedOutput()
	if err == nil || ctx.Err() != nil {
		return program, ctx.Err()
	}
	var wrong BuildError
	for line := range strings.Lines(string(output)) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "#") || line == "":
		case len(wrong.Lines) < compilerLines:
			wrong.Lines = append(wrong.Lines, line)
		default:
			wrong.More++
		}
	}
	if len(wrong.Lines) == 0 {
		return "", fmt.Errorf("go build: %w", err)
	}
	return "", wrong
}

// longestPause limits the pauses of a copy's database during a check.
const longestPause = 4 * time.Millisecond

// These limits bound the wait for a message to be shown. They are short, because a message
// that the copy loses never arrives. At steps 3 and 4 it loses all of them.
const (
	shownWithin     = 6 * time.Second
	shownWithinSoon = 2 * time.Second
)

// server returns the exercise's server under test, without a way to start it.
func (e Exercise) server() (servers.Server, error) {
	number := e.Step
	if number == "7a" {
		number = "7" // both make the same promise
	}
	s, err := servers.Step(number)
	if err != nil {
		return s, err
	}
	s.Name = "your step " + e.Step
	s.ShownBound = shownWithin
	if e.Step == "3" || e.Step == "4" {
		s.ShownBound = shownWithinSoon
	}
	if e.Step == "7a" {
		// The log cannot be read from its server.
		log := config.Log{SQL: "SELECT id, content FROM messages ORDER BY id", File: "{{data}}/chat.db"}
		s.ReadLog = log.Reader("", false)
	}
	return s, nil
}

func (e Exercise) scenarios() ([]catalogue.Scenario, error) {
	var ids []string
	for _, s := range e.Scenarios {
		ids = append(ids, s.ID)
	}
	return catalogue.Find(ids)
}

// runs is the number of runs of a scenario: a race condition does not appear in every run.
const runs = 2

// Check plays the scenarios on the program that Build has made, and calls done after each of
// them.
func (e Exercise) Check(ctx context.Context, program string, done func(finished, all int, result report.Result)) (report.Report, error) {
	return e.play(ctx, runner.Options{Runs: runs, Done: done}, func(s *servers.Server) {
		s.Server = lab.Server{Target: func(tuning plan.Tuning) (target.Target, error) {
			command := target.CommandOptions{
				Command: []string{program}, Name: s.Name, Tuning: tuning, Env: []string{pauses + "=" + longestPause.String()},
			}
			if len(s.Nodes) > 0 {
				return target.NewCluster(target.ClusterOptions{Nodes: s.Nodes, Command: command})
			}
			return target.NewCommand(command)
		}}
	})
}

// CheckInProcess is Check in the virtual lab, for code that is part of this program. Only
// the kit's tests use it; the comment on program gives the reason.
func (e Exercise) CheckInProcess(ctx context.Context, code lessons.Lesson) (report.Report, error) {
	return e.play(ctx, runner.Options{Lab: lab.Virtual}, func(s *servers.Server) {
		s.Server = lab.Server{Handler: inprocess.Lesson(code)}
		s.ShownBound = 0
		// The code may use the library's recovery, with which only one run at a time can be
		// played.
		s.OwnRecovery = e.Step != "6"
	})
}

// play plays the scenarios on the server that start sets up.
func (e Exercise) play(ctx context.Context, options runner.Options, start func(*servers.Server)) (report.Report, error) {
	s, err := e.server()
	if err != nil {
		return report.Report{}, err
	}
	which, err := e.scenarios()
	if err != nil {
		return report.Report{}, err
	}
	start(&s)
	if options.Lab == lab.Virtual && s.Level.AtLeast(contract.ServerDelivery) {
		which = paused(which)
	}
	options.Seed = 1
	r := report.Report{Target: s.Name, Level: s.Level, Seed: options.Seed, Lab: "real", Began: time.Now()}
	if options.Lab != nil {
		r.Lab = options.Lab.String()
	}
	r.Results, err = runner.Run(ctx, []servers.Server{s}, which, options)
	for i := range r.Results {
		r.Results[i].Replay = "" // the command that replays a step cannot replay the copy
	}
	r.Took = time.Since(r.Began)
	return r, err
}

// paused adds database pauses to the scenarios in the virtual lab; in the real lab the
// copy's program makes these pauses.
func paused(which []catalogue.Scenario) (all []catalogue.Scenario) {
	for _, s := range which {
		original := s.Plan
		s.Plan = func(seed uint64) plan.Plan {
			p := original(seed)
			p.Seams = plan.Duration(longestPause)
			return p
		}
		all = append(all, s)
	}
	return all
}
