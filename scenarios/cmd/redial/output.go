package main

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"redial/harness/report"
)

// outputs are the files that a report is written to.
type outputs struct {
	json, junit, reportDir string
	badge, summary         string        // check's
	next                   string        // for the summary: why the next level does not hold, in one line
	above                  report.Report // on that level, if a row of it did not pass
}

func (o *outputs) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.json, "json", "", "write the verdicts to `FILE`")
	f.StringVar(&o.junit, "junit", "", "write JUnit XML to `FILE`")
	f.StringVar(&o.reportDir, "report", "", "write an HTML report, and the files of failing runs, into `DIR`")
	_ = c.MarkFlagFilename("json", "json")
	_ = c.MarkFlagFilename("junit", "xml")
	_ = c.MarkFlagDirname("report")
}

// An output is a file that a flag names.
type output struct {
	flag, path string
	write      func(io.Writer, report.Report) error
}

// named are those whose flags are set.
func (o outputs) named() []output {
	all := []output{{"json", o.json, report.JSON}, {"junit", o.junit, report.JUnit}}
	if o.reportDir != "" {
		all = append(all, output{"report", filepath.Join(o.reportDir, "index.html"), report.HTML})
	}
	all = append(all, output{"badge", o.badge, writeBadge}, output{"summary", o.summary, o.writeSummary})
	return slices.DeleteFunc(all, func(f output) bool { return f.path == "" })
}

// try finds out before a long run whether its files can be written, each to a place of its own.
func (o outputs) try() error {
	flagOf := map[string]string{}
	for _, f := range o.named() {
		path, err := filepath.Abs(f.path)
		if err != nil {
			return err
		}
		if other := flagOf[path]; other != "" {
			return fmt.Errorf("--%s and --%s would both write %s: name two files", other, f.flag, f.path)
		}
		flagOf[path] = f.flag
	}
	for _, f := range o.named() {
		var err error
		if f.flag == "report" {
			err = tryFolder(o.reportDir) // an empty page would look like a report
		} else {
			err = writeFile(f.path, os.O_APPEND, func(io.Writer) error { return nil })
		}
		if err != nil {
			return fmt.Errorf("--%s: %w", f.flag, err)
		}
	}
	return nil
}

// tryFolder finds out whether a file can be written into the folder, and leaves none there.
func tryFolder(path string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(path, ".redial-")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// finish writes the files and prints the report, and then the annotations in GitHub Actions.
// The files come first, because SIGPIPE ends the process when it prints to a closed stdout.
func (o outputs) finish(r report.Report, print func() error) error {
	written := o.write(r)
	resume := stopCommands(os.Stdout)
	printed := print()
	resume()
	if inGitHubActions() {
		printed = errors.Join(printed, report.GitHubAnnotations(os.Stdout, r))
	}
	return errors.Join(written, printed)
}

// write writes the files that the flags name, and in GitHub Actions the summary. One that cannot
// be written does not prevent the others.
func (o outputs) write(r report.Report) error {
	r.Next = o.next
	var failed []error
	if o.reportDir != "" && o.above.Level != "" {
		r.NextPage = string(o.above.Level) + ".html"
		page := output{path: filepath.Join(o.reportDir, r.NextPage), write: report.HTML}
		failed = append(failed, page.put(o.above, os.O_TRUNC))
	}
	for _, f := range o.named() {
		failed = append(failed, f.put(r, os.O_TRUNC))
	}
	if path := os.Getenv("GITHUB_STEP_SUMMARY"); path != "" {
		failed = append(failed, output{path: path, write: report.GitHubSummary}.put(r, os.O_APPEND))
	}
	return errors.Join(failed...)
}

func (f output) put(r report.Report, mode int) error {
	return writeFile(f.path, mode, func(w io.Writer) error { return f.write(w, r) })
}

func inGitHubActions() bool { return os.Getenv("GITHUB_ACTIONS") == "true" }

// stopCommands keeps a GitHub runner, which reads workflow commands from every line that a step
// prints, from obeying the text of a server, up to a call of resume. No server can guess the
// token that ends it.
func stopCommands(w io.Writer) (resume func()) {
	if !inGitHubActions() {
		return func() {}
	}
	token := rand.Text()
	fmt.Fprintf(w, "::stop-commands::%s\n", token)
	return func() { fmt.Fprintf(w, "::%s::\n", token) }
}

func writeFile(path string, mode int, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("the folder for %s: %w", path, err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|mode, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

// saveJSON writes the value to the file, if a flag has named one.
func saveJSON(path string, value any) error {
	if path == "" {
		return nil
	}
	return writeFile(path, os.O_TRUNC, func(w io.Writer) error { return writeJSON(w, value) })
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// lanesWidth is the width from which failures are drawn in a terminal.
const lanesWidth = 80

// terminal returns the style of reports in the file: with colours and drawings if it is a
// terminal.
func terminal(file *os.File) report.Style {
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return report.Style{}
	}
	return report.Style{
		Color: os.Getenv("NO_COLOR") == "", Width: width, Lanes: width >= lanesWidth && showsUTF8(os.Getenv),
	}
}

// showsUTF8 tells by the environment whether the terminal shows box-drawing characters. POSIX
// gives the first of these three variables that is set precedence.
func showsUTF8(env func(string) string) bool {
	locale := strings.ToLower(cmp.Or(env("LC_ALL"), env("LC_CTYPE"), env("LANG")))
	return env("TERM") != "dumb" && (strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8"))
}

func isTerminal(file *os.File) bool { return term.IsTerminal(int(file.Fd())) }
