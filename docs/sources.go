package docs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"redial/docs/internal/markdown"
	"redial/docs/internal/picture"
	"redial/harness/check"
	"redial/harness/history"
	"redial/harness/lab"
	"redial/harness/report"
	"redial/scenarios/catalogue"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// Sources produces the generated text. It runs each command only once, so that both
// languages show the same run.
type Sources struct {
	Root string
	done sync.Map // what once has made
}

// commandBound is the time limit of a command on a page.
const commandBound = 3 * time.Minute

// once calls make only the first time for a key, and returns that result again afterwards.
func once[T any](s *Sources, key string, make func() (T, error)) (T, error) {
	made, _ := s.done.LoadOrStore(key, sync.OnceValues(make))
	return made.(func() (T, error))()
}

// masks replaces what differs from run to run; STYLE.md lists the rules.
var masks = []struct {
	pattern *regexp.Regexp
	shown   string
}{
	// The room for a scenario's sentence depends on the length of the time beside it.
	{regexp.MustCompile(`^(\S \S+ +)(?:\S.* )?(\d+ runs?(?:, \d+ \w+)*), [\d.µnmsh]+s$`), "$1$2, …s"},
	{regexp.MustCompile(`\b(unsupported, in) [\d.µnmsh]+s$`), "$1 …s"},
	// The time of a test, and the mark of a cached result, differ from run to run.
	{regexp.MustCompile(`^( *--- (?:PASS|FAIL|SKIP): \S+) \([\d.]+s\)$`), "$1 (…s)"},
	{regexp.MustCompile(`^(ok|FAIL)( *\t\S+\t)(?:[\d.]+s|\(cached\))$`), "$1$2…s"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d-\d{6}\b`), "…"},
	{regexp.MustCompile(`^(The process of \S+ is) \d+:`), "$1 …:"},
	{regexp.MustCompile(`^(Step .* is at \S+ \(process) \d+\) `), "$1 …) "},
}

var localAddress = regexp.MustCompile(`http://localhost:\d+`)

// progress matches a line that only slow machines print.
var progress = regexp.MustCompile(`(?m)^ +\d+ s +\d+ of \d+.*\n`)

// mask hides measured times, dates, process numbers and ports.
func mask(output string) string {
	shown := map[string]string{}
	output = progress.ReplaceAllString(output, "")
	output = localAddress.ReplaceAllStringFunc(output, func(address string) string {
		if shown[address] == "" {
			shown[address] = fmt.Sprintf("http://localhost:%d", 3000+len(shown))
		}
		return shown[address]
	})
	lines := strings.Split(output, "\n")
	for i, line := range lines {
		for _, m := range masks {
			line = m.pattern.ReplaceAllString(line, m.shown)
		}
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

// run shows a command, and its stdout and stderr combined as in a terminal.
func (p pageWriter) run(d markdown.Directive) (string, error) {
	if d.Body == "" {
		return "", errors.New("run needs a command, on the lines below it")
	}
	output, err := once(p.Sources, "run "+d.Body, func() (string, error) { return p.execute(d.Body) })
	if err != nil {
		return "", err
	}
	if output, err = without(output, d.Arguments); err != nil {
		return "", err
	}
	return fence("console", "$ "+d.Body+"\n"+output), nil
}

// goRun is how the pages run the kit's command.
const goRun = "go run ./scenarios/cmd/redial"

// asGoRun is a function of the shell that runs the program after it and ends as go run does.
const asGoRun = `as_go_run() { "$@" || { echo "exit status $?" >&2; return 1; }; }; `

// execute runs a command of a page. The command of the kit is built once, because go run
// loads all its packages each time.
func (s *Sources) execute(command string) (string, error) {
	if !strings.Contains(command, goRun) {
		return s.shell(command)
	}
	redial, err := s.program("redial")
	if err != nil {
		return "", err
	}
	return s.shell(asGoRun + strings.ReplaceAll(command, goRun, "as_go_run '"+redial+"'"))
}

// program builds the kit's command and the server of the steps, and returns the path of one of
// them. A program in a folder of this name calls itself go run.
func (s *Sources) program(name string) (string, error) {
	folder, err := once(s, "build", func() (string, error) {
		folder := s.path("out/docs/go-build")
		build := exec.Command("go", "build", "-ldflags=-s -w", "-o", folder+string(filepath.Separator), "./scenarios/cmd/redial", "./steps")
		build.Dir = s.Root
		if output, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building what the pages run: %w: %s", err, output)
		}
		return folder, nil
	})
	return filepath.Join(folder, name), err
}

// shell runs a command in the module's folder. An exit status other than 0 is not an error
// here: the page may be about a command that fails.
func (s *Sources) shell(command string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandBound)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", "-c", command)
	c.Dir = s.Root
	c.Env = append(os.Environ(), "NO_COLOR=1", "GITHUB_STEP_SUMMARY=", "GITHUB_ACTIONS=")
	output, err := c.CombinedOutput()
	var exit *exec.ExitError
	if ctx.Err() != nil {
		return "", fmt.Errorf("the command was not done within %s", commandBound)
	}
	if err != nil && !errors.As(err, &exit) {
		return "", err
	}
	return mask(string(output)), nil
}

// without removes the lines from the one that begins with the words after "without" up to,
// but not including, the one that begins with the words after "to".
func without(output string, arguments []string) (string, error) {
	if len(arguments) == 0 {
		return output, nil
	}
	if len(arguments) != 4 || arguments[0] != "without" || arguments[2] != "to" {
		return "", errors.New(`run takes: without "FROM" to "TO"`)
	}
	var kept []string
	leaving, left := false, false
	for _, line := range strings.Split(output, "\n") {
		begins := strings.TrimSpace(line)
		switch {
		case !left && strings.HasPrefix(begins, arguments[1]):
			kept = append(kept, "  …")
			leaving, left = true, true
		case leaving && strings.HasPrefix(begins, arguments[3]):
			leaving = false
		}
		if !leaving {
			kept = append(kept, line)
		}
	}
	if !left || leaving {
		return "", fmt.Errorf("no lines from %q to %q", arguments[1], arguments[3])
	}
	return strings.Join(kept, "\n"), nil
}

// serve shows the output of a step's start.
func (p pageWriter) serve(d markdown.Directive) (string, error) {
	number := d.Arguments[0]
	said, err := once(p.Sources, "serve "+number, func() (string, error) { return p.start(d.Arguments) })
	if err != nil {
		return "", err
	}
	return fence("console", "$ make step-"+number+"\n"+said), nil
}

// start starts the step on a free port, reads its output, and stops it. A server prints one
// line; for several servers, the program that starts them prints one more line for each.
func (s *Sources) start(arguments []string) (string, error) {
	number, lines := arguments[0], 1
	if len(arguments) > 1 {
		servers, err := strconv.Atoi(arguments[1])
		if err != nil {
			return "", fmt.Errorf("how many servers is %q?", arguments[1])
		}
		lines = 2 * servers
	}
	folder, err := os.MkdirTemp("", "redial-docs-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(folder)
	program, err := s.program("steps")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandBound)
	defer cancel()
	c := exec.CommandContext(ctx, program, arguments...)
	c.Dir = s.Root
	c.Env = append(os.Environ(), "PORT=0", "DATA_DIR="+folder)
	var complaint bytes.Buffer
	c.Stderr = &complaint
	out, err := c.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := c.Start(); err != nil {
		return "", err
	}
	said, readErr := read(bufio.NewReader(out), lines)
	_ = c.Process.Signal(syscall.SIGINT) // the process may have ended already; Wait reports that
	if err := errors.Join(readErr, c.Wait()); err != nil {
		return "", fmt.Errorf("step %s: %w: %s", number, err, complaint.String())
	}
	return complaint.String() + said, nil
}

// read reads the given number of lines. Several servers print in random order, so their
// lines are sorted by port, after the lines of the program that starts them.
func read(from *bufio.Reader, count int) (string, error) {
	var ofStarter, ofServers []string
	for range count {
		line, err := from.ReadString('\n')
		if err != nil {
			return "", err
		}
		if strings.HasPrefix(line, "The process of ") {
			ofStarter = append(ofStarter, line)
		} else {
			ofServers = append(ofServers, line)
		}
	}
	lines := strings.SplitAfter(mask(strings.Join(slices.Concat(ofStarter, ofServers), "")), "\n")
	slices.Sort(lines[len(ofStarter):count])
	return strings.Join(lines, ""), nil
}

// picture draws a run of a scenario: in the virtual lab with seed 1, where every run is the
// same, or from a recorded history.
func (p pageWriter) picture(d markdown.Directive) (string, error) {
	scenario, server, alt := d.Arguments[0], d.Arguments[1], d.Arguments[2]
	title, events, findings, err := p.drawn(scenario, server)
	if err != nil {
		return "", err
	}
	name := p.pictureName(scenario + "-" + server)
	p.after[name] = picture.Sequence(report.Language(languageOf(p.page)), title, events, findings)
	return p.image(name, alt), nil
}

// pictureName returns the file name of a picture in the language of the page.
func (p pageWriter) pictureName(stem string) string {
	if languageOf(p.page) == korean {
		stem += koreanPicture
	}
	return pictures + "/" + stem + ".svg"
}

// koreanPicture is the suffix of a picture with Korean words.
const koreanPicture = "-ko"

func (p pageWriter) image(name, alt string) string {
	relative, err := filepath.Rel(filepath.Dir(p.page), name)
	if err != nil {
		panic(err) // both paths are relative to the root
	}
	return fmt.Sprintf("![%s](%s)", alt, filepath.ToSlash(relative))
}

// drawn returns the run that a picture is of, judged by the highest level, and the picture's
// title. Both languages draw the same run.
func (p pageWriter) drawn(scenario, server string) (title string, events []history.Event, findings []check.Finding, err error) {
	if text := p.before[recorded(scenario, server)]; text != "" {
		if events, err = history.Read(strings.NewReader(text)); err != nil {
			err = fmt.Errorf("%s: %w", recorded(scenario, server), err)
		}
		return scenario + ", step " + server, events, check.Judge(events).Findings, err
	}
	r, err := once(p.Sources, "play "+scenario+" "+server, func() (report.Result, error) {
		return play(lab.Virtual, scenario, server)
	})
	return scenario + ", " + r.Column, r.Events, r.Verdict.Findings, err
}

func play(in lab.Lab, scenario, name string) (r report.Result, err error) {
	which, err := catalogue.Find([]string{scenario})
	if err != nil {
		return r, err
	}
	server, err := servers.Step(name)
	if err != nil {
		return r, err
	}
	results, err := runner.Run(context.Background(), []servers.Server{server}, which, runner.Options{Seed: 1, Golden: true, Lab: in})
	if err != nil {
		return r, err
	}
	r = results[0]
	if r.Verdict.Outcome == check.Inconclusive || len(r.Events) == 0 {
		return r, fmt.Errorf("the run of %s on %s shows nothing: %s", scenario, name, r.Reason())
	}
	return r, nil
}

// recorded returns the path of a recorded history. The virtual lab has only one server, so
// it cannot play a scenario that needs several.
func recorded(scenario, server string) string {
	return histories + "/" + scenario + "-" + server + ".jsonl"
}

// Record plays a scenario in the real lab, and saves its history for the pictures.
func Record(t Tree, scenario, server string) (Tree, error) {
	r, err := play(lab.Real, scenario, server)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	if err := history.Write(&text, r.Events); err != nil {
		return nil, err
	}
	after := maps.Clone(t)
	after[recorded(scenario, server)] = text.String()
	return after, nil
}
