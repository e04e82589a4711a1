// Package report presents verdicts: in the terminal, as a matrix, as one HTML file, and in the
// formats that CI systems read.
//
// Read [Result] and [Report] first, then [Text]. Every writer ([Text], [Matrix], [HTML],
// [JUnit], [JSON], [GitHubSummary]) takes an io.Writer and a Report. The writers agree with
// each other because each takes its outcomes and reasons from the Report. [Scene] draws one
// history and can be used without a report.
//
// This package judges nothing: an outcome comes from package check, and is compared with the
// expectation if there is one. A scenario that was never played is not a pass. The package
// must not import labs, clients or networks. Text from a server or a page is printed as text
// only: control characters are made visible, and markup is escaped.
//
// Libraries: html/template escapes by context, encoding/xml keeps JUnit well-formed, and
// golang.org/x/text/width knows which characters take two columns of a terminal.
package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/history"
)

// The exit codes of a command that reports.
const (
	ExitPass         = 0 // at least one scenario passed, and none failed or was inconclusive
	ExitFail         = 1 // at least one scenario failed
	ExitInconclusive = 2 // none failed, but one was inconclusive or none passed
	ExitUsage        = 3 // the command was called wrongly; nothing was run
	// ExitInterrupted means that the run was interrupted (128 + SIGINT, as in a shell). The
	// results up to then are reported.
	ExitInterrupted = 130
)

// A Result is one scenario played against one target, over all its runs.
type Result struct {
	// ID is the scenario's stable name, for instance "clean-drop"; Title describes the
	// scenario in a sentence, and Row is its number in the catalogue, or 0 if it has none.
	ID    string
	Title string
	Row   int
	// Column names the target in a matrix, for instance "step 7".
	Column string
	// Verdict is that of the worst run, as package check gave it.
	Verdict check.Verdict
	// Official is the outcome of the same plan and seed with the official client, if another
	// client played the scenario and did not pass; otherwise empty. The Verdict stays that of
	// the other client.
	Official check.Outcome
	// Expected is the outcome that the matrix of known outcomes has; "" for no expectation.
	// Met is true if every run had that outcome, or if any run had a failure that is known.
	Expected check.Expectation
	Met      bool
	// Beyond is the verdict at a level above the target's own, for a run that keeps the
	// target's promise but not that level's. It is shown as a should and fails nothing.
	// Without such a level it has no outcome.
	Beyond check.Verdict
	check.Tally
	// Points counts the places at which a sweep injected a fault, 0 for no sweep. AllPoints
	// counts the places that exist, 0 if that is unknown.
	Points, AllPoints int
	// StoodFor counts the places that those of Points represent, if a sweep plays only one of
	// several that cannot differ. Zero means that each place represents itself.
	StoodFor int
	// Artifacts are the saved files, and Replay is the command that plays the worst run again.
	// Unsaved gives the reason why files are missing; "" if none are.
	Artifacts []string
	Unsaved   string
	Replay    string
	// Events is the history of the worst run; it may be nil. Abridged replaces a history that
	// is too long to hold; see Abridge.
	Events   []history.Event
	Abridged Abridged
}

// A Report is the result of one command.
type Report struct {
	// Target is the server as its owner knows it: a command line or a URL.
	Target string
	Level  contract.Level
	Seed   uint64
	// Shard is the part of a divided run that this is, such as "2/5"; empty for a whole run.
	Shard string
	// Selection identifies the scenarios that were divided, and Repeats is how often each of them
	// was to be played. Both are of a Shard only.
	Selection string
	Repeats   int
	// Lab is "virtual" or "real".
	Lab string
	// Client is the client that took the place of the pages; empty for the official one.
	Client  string
	Results []Result
	// Next says in one line why the level above is not known to hold, where that was played, too.
	// NextPage is the name of the file with that level's own report, beside this one's HTML.
	Next, NextPage string
	// Tolerant means that an inconclusive result does not change the exit status.
	Tolerant bool
	Began    time.Time
	Took     time.Duration
}

// known lists the failures that were expected and occurred.
func (r Report) known() []Result {
	return r.those(func(one Result) bool { return one.Outcome() == check.Pass && one.Expected == check.Fails })
}

// Summary counts the results by outcome.
func (r Report) Summary() (pass, fail, inconclusive, unsupported int) {
	count := func(outcome check.Outcome) int { return len(r.with(outcome)) }
	return count(check.Pass), count(check.Fail), count(check.Inconclusive), count(check.Unsupported)
}

// Outcome is the outcome of the whole report. A report in which nothing passed and nothing
// failed has shown nothing, and so is inconclusive.
func (r Report) Outcome() check.Outcome {
	pass, fail, inconclusive, _ := r.Summary()
	switch {
	case fail > 0:
		return check.Fail
	case inconclusive > 0 || pass == 0:
		return check.Inconclusive
	}
	return check.Pass
}

// ExitCode is the exit code of a process for the Outcome: ExitPass, ExitFail or
// ExitInconclusive. With Tolerant, an inconclusive report has ExitPass.
func (r Report) ExitCode() int {
	switch outcome := r.Outcome(); {
	case outcome == check.Fail:
		return ExitFail
	case outcome == check.Inconclusive && !r.Tolerant:
		return ExitInconclusive
	}
	return ExitPass
}

// Unexpected lists the results that differ from their expectation; see Result.AsExpected.
func (r Report) Unexpected() []Result {
	return r.those(func(one Result) bool { return !one.AsExpected() })
}

// Outcome is the outcome that the result counts as: whether the expectation was met, if there
// is one, and otherwise the verdict's outcome. An unknown or missing outcome, and a pass
// without a run, count as inconclusive, because neither shows that the server is correct.
func (r Result) Outcome() check.Outcome {
	outcome := r.Verdict.Outcome
	if r.Expected != "" && (outcome == check.Pass || outcome == check.Fail) {
		outcome = check.Fail
		if r.Met {
			outcome = check.Pass
		}
	}
	switch {
	case outcome == check.Fail, outcome == check.Unsupported, outcome == check.Pass && r.Runs > 0:
		return outcome
	}
	return check.Inconclusive
}

// Reason explains the outcome in one line; "" for a pass.
func (r Result) Reason() string {
	reason := r.reason()
	if reason == "" {
		return ""
	}
	reason = r.blame() + reason
	if r.Unsaved != "" {
		reason += " (and what happened could not be saved: " + Visible(r.Unsaved) + ")"
	}
	return reason
}

// blame begins the reason with whether another client than the official one causes the
// failure.
func (r Result) blame() string {
	switch r.Official {
	case "":
		return ""
	case check.Pass:
		return "the client is at fault: the official client passes this. "
	}
	return fmt.Sprintf("the client is not the cause alone: with the official client the outcome is %s. ", r.Official)
}

func (r Result) reason() string {
	outcome, reason := r.Outcome(), Visible(r.Verdict.Reason)
	switch {
	case outcome == check.Pass:
		return ""
	case outcome == check.Fail && r.Expected == check.Fails:
		return "it passes, and is in the list of known failures: take it out"
	case outcome == check.Fail && r.Expected != "":
		return strings.TrimSpace(fmt.Sprintf("expected: %s; observed: %s. %s", r.expectedWords(), r.observedWords(), reason))
	case outcome != r.Verdict.Outcome && r.Runs == 0:
		return "it was not run once"
	case outcome != r.Verdict.Outcome:
		return "the run has no verdict"
	case reason != "":
		return reason
	}
	return "no reason was given"
}

// AsExpected reports whether the outcome is the expected one. Without an expectation, pass and
// unsupported are as expected. An inconclusive outcome never is.
func (r Result) AsExpected() bool {
	outcome := r.Outcome()
	if outcome == check.Inconclusive {
		return false
	}
	if r.Expected == "" {
		return outcome != check.Fail
	}
	return r.Met
}

// offence is the finding that the report shows: the first must-finding, which fails the run,
// and otherwise the first finding, which breaks nothing that the level promises. In a merged
// report it has only the rule; the Reason says the rest.
func (r Result) offence() *check.Finding {
	if len(r.Verdict.Findings) == 0 {
		return nil
	}
	must := slices.IndexFunc(r.Verdict.Findings, func(f check.Finding) bool { return f.Must })
	return &r.Verdict.Findings[max(0, must)]
}

// isShould reports whether the run broke a rule that the target's level does not promise. Such
// a result has a sign of its own and fails nothing.
func (r Result) isShould() bool {
	return r.Outcome() == check.Pass && (r.Beyond.Outcome == check.Fail || r.Expected == "" && r.offence() != nil)
}

func (r Result) sign() string {
	if r.isShould() {
		return shouldMark
	}
	return markOf(r.Outcome())
}

func (r Report) with(outcome check.Outcome) []Result {
	return r.those(func(one Result) bool { return one.Outcome() == outcome })
}

func (r Report) those(are func(Result) bool) (found []Result) {
	for _, result := range r.Results {
		if are(result) {
			found = append(found, result)
		}
	}
	return found
}

// columns lists the names of the targets. They are sorted by number if all of them end in one,
// so that step 10 follows step 9; otherwise they are in the order of their first results.
func (r Report) columns() []string {
	var names []string
	for _, result := range r.Results {
		if !slices.Contains(names, result.Column) {
			names = append(names, result.Column)
		}
	}
	if !slices.ContainsFunc(names, func(name string) bool { return lastNumber(name) < 0 }) {
		slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(lastNumber(a), lastNumber(b)) })
	}
	return names
}

// lastNumber returns the number in the last word of a name, or -1.
func lastNumber(name string) int {
	n, err := strconv.Atoi(name[strings.LastIndex(name, " ")+1:])
	if err != nil {
		return -1
	}
	return n
}

// label names a result by its scenario, and also by its column if there are several.
func (r Report) label(result Result) string {
	if len(r.columns()) > 1 && result.Column != "" {
		return Visible(result.ID + ", " + result.Column)
	}
	return Visible(result.ID)
}
