package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"redial/harness/contract"
	"redial/harness/report"
	"redial/scenarios/config"
	"redial/scenarios/doctor"
	"redial/scenarios/servers"
)

// An application is named by the flags of init and doctor: one of them, or a command after --.
type application struct{ config.Application }

func newDoctor(code *int) *cobra.Command {
	a, asJSON := &application{}, false
	c := &cobra.Command{
		Use:   "doctor [--config FILE | --url URL | -- COMMAND …]",
		Short: "Examine an application before it is checked: what it offers, and what is missing",
		Long: `doctor connects to an application, sends it a few messages and cuts one connection. It prints
what it found, within about half a minute, what to do about what is missing, and which level
the application seems to be ready for. It leaves messages that begin with "redial doctor"
in the application's log.

The application is what a redial.yaml describes (the one in the current folder where nothing
else is named), a server that runs already, or a command after --. A redial.yaml with a page
and no socket is refused: doctor examines events, and check reads the page.

Exit status: 0 where the application can be checked, 1 where it cannot.`,
		Example:           "  redial doctor\n  redial doctor --url http://127.0.0.1:3000\n  redial doctor -- node server.js",
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault),
		RunE: func(c *cobra.Command, arguments []string) (err error) {
			if err = a.read(c, arguments); err == nil {
				*code, err = a.examine(asJSON)
			}
			return err
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&a.Config, "config", "", "look at the application that the `FILE` describes (default: redial.yaml, where nothing else is named)")
	f.StringVar(&a.URL, "url", "", "look at the server at the `URL`, such as http://127.0.0.1:3000")
	f.BoolVar(&asJSON, "json", false, "print the report as JSON")
	return c
}

// read validates the flags and the command after --.
func (a *application) read(c *cobra.Command, arguments []string) error {
	if err := afterDash(c, arguments); err != nil {
		return err
	}
	a.Command = arguments
	if a.named() > 1 {
		return fmt.Errorf("%s looks at one application: name one of --config FILE, --url URL, or -- COMMAND", c.Name())
	}
	return nil
}

// named counts the ways in which the application is named.
func (a *application) named() int { return count(a.Config != "", a.URL != "", len(a.Command) > 0) }

// inThisFolder names the redial.yaml of this folder, if there is one.
func (a *application) inThisFolder() bool {
	if _, err := os.Stat(config.FileName); err != nil {
		return false
	}
	a.Config = config.FileName
	return true
}

// count returns how many of the conditions are met.
func count(conditions ...bool) (n int) {
	for _, met := range conditions {
		if met {
			n++
		}
	}
	return n
}

func (a *application) examine(asJSON bool) (int, error) {
	if a.named() == 0 && !a.inThisFolder() {
		return 0, errors.New("doctor needs one of --config FILE, --url URL, or -- COMMAND; `redial init` writes a redial.yaml")
	}
	server, err := a.Server("")
	if err != nil {
		return 0, err
	}
	if server.Protocol == nil && server.NewPage != nil {
		return 0, fmt.Errorf("%s describes a page and no socket: doctor examines a server's events, and `redial check` reads the page", server.File)
	}
	defer watchMemory()()
	ctx, stop := interruptible()
	defer stop()
	slow := &slowSteps{to: os.Stderr}
	options := doctor.Options{Doing: slow.begin}
	if !asJSON {
		defer stopCommands(os.Stdout)()
		options.Found = func(f doctor.Finding) {
			slow.end()
			printFinding(os.Stdout, f)
		}
	}
	found, err := doctor.Examine(ctx, server, options)
	slow.end()
	if err := unlessInterrupted(ctx, err); err != nil {
		return 0, err
	}
	if !asJSON {
		fmt.Print("\n" + a.advice(found, server))
	} else if err := writeJSON(os.Stdout, found); err != nil {
		return 0, err
	}
	if found.Ready == "" {
		return report.ExitFail, nil
	}
	return report.ExitPass, nil
}

var signs = map[doctor.Mark]string{doctor.Good: "✓", doctor.Lacking: "!", doctor.Bad: "✗"}

// printFinding prints the finding in one line, and its fix in another.
func printFinding(w io.Writer, f doctor.Finding) {
	fmt.Fprintf(w, "%s %s\n", signs[f.Mark], f.Text)
	if f.Fix != "" {
		fmt.Fprintf(w, "    → %s\n", f.Fix)
	}
}

// advice tells which level the application is ready for, and what the next one needs.
func (a *application) advice(r doctor.Report, s servers.Server) string {
	var missing []string
	for _, id := range r.Missing {
		if f, ok := r.Find(id); ok { // an earlier finding may have prevented the search for it
			missing = append(missing, f.Text)
		}
	}
	var b strings.Builder
	switch {
	case r.Ready == "":
		fmt.Fprintf(&b, "It cannot be checked yet: %s.\n", strings.Join(missing, "; "))
		return b.String()
	case r.Next == contract.DurableDelivery:
		fmt.Fprintf(&b, "It seems ready for %s. %s needs nothing more of the server, but an outbox in the page.\n", r.Ready, r.Next)
	default:
		fmt.Fprintf(&b, "It seems ready for %s. What keeps it from %s: %s.\n", r.Ready, r.Next, strings.Join(missing, "; "))
	}
	if s.File != "" && !r.Ready.AtLeast(s.Level) {
		fmt.Fprintf(&b, "redial.yaml claims %s, which is more.\n", s.Level)
	}
	fmt.Fprintf(&b, "Next: redial check --level %s%s\n", r.Ready, a.again())
	return b.String()
}

// again names the application in a command line.
func (a *application) again() string {
	switch {
	case a.URL != "":
		return " --url " + servers.CommandLine(a.URL)
	case len(a.Command) > 0:
		return " -- " + servers.CommandLine(a.Command...)
	case a.Config != config.FileName:
		return " --config " + servers.CommandLine(a.Config)
	}
	return ""
}

// slowSteps prints the name of a step that takes long.
type slowSteps struct {
	to io.Writer

	mu    sync.Mutex
	timer *time.Timer
}

// slowAfter is how long a step takes before its name is printed.
const slowAfter = 2 * time.Second

func (s *slowSteps) begin(step string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timer = time.AfterFunc(slowAfter, func() { fmt.Fprintf(s.to, "… %s\n", step) })
}

func (s *slowSteps) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
}
