// Package report presents the verdicts: in the terminal, as a matrix, as one HTML file, and
// in the formats that CI systems read.
//
// Read [Result] and [Report] first, then [Text]. Every writer ([Text], [Matrix], [HTML],
// [JUnit], [JSON], [GitHubSummary]) takes an io.Writer and a Report. They all agree, because
// each takes its answers from the Report. [Timeline] draws one history and can be used
// without a report.
//
// report judges nothing: an outcome comes from package check, from the history or from the
// expectation where there is one. A scenario that was never played is not a pass. The
// package must not know labs, clients or networks. Text from a server or a page is printed
// as text only: control characters are made visible, and markup is escaped.
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

// What a command that reports ends with.
const (
	ExitPass         = 0 // at least one scenario passed, and none failed or was inconclusive
	ExitFail         = 1 // at least one scenario failed
	ExitInconclusive = 2 // none failed, but one was inconclusive or none passed
	ExitUsage        = 3 // the command was called wrongly; nothing was run
	// ExitInterrupted: the run was broken off (128 and SIGINT, as a shell has it). What is
	// known by then is reported.
	ExitInterrupted = 130
)

// A Result is one scenario played against one target, over all its runs.
type Result struct {
	// ID is the scenario's stable name, for instance "clean-drop"; Title is it as
	// a sentence, and Row its number in the catalogue, 0 for none.
	ID    string
	Title string
	Row   int
	// Column names the target in a matrix, for instance "step 7".
	Column string
	// Verdict is that of the worst run, as package check gave it.
	Verdict check.Verdict
	// Official is what the same plan, with the same seed, came to with the official client,
	// where it was played with another client and did not pass; empty elsewhere. The
	// Verdict stays that of the other client.
	Official check.Outcome
	// Expected is what a matrix of known outcomes expects; "" for no expectation. Met
	// tells that every run came to it.
	Expected check.Expectation
	Met      bool
	// Beyond is the verdict at a level above the target's own, where the run keeps the
	// promise of that and not of this one: what is seen and does not fail, a should. It has
	// no outcome where there is no such level.
	Beyond check.Verdict
	Tally
	// Points counts the places where a sweep has broken something, 0 for no sweep, and
	// AllPoints those that there were, 0 where that is not known.
	Points, AllPoints int
	// StoodFor counts the places that those of Points stand for, where a sweep plays one of
	// several that cannot differ. Zero: each for itself.
	StoodFor int
	// Artifacts are the files that it left, Replay the command that plays the
	// worst run again. Unsaved says why files are missing; "" where none are.
	Artifacts []string
	Unsaved   string
	Replay    string
	// Events is the history of the worst run; it may be nil. Abridged stands in its place
	// where it is too long to hold; see Abridge.
	Events   []history.Event
	Abridged Abridged
}

// A Tally sums up runs.
type Tally struct {
	// Runs counts them. Unfired are those whose planned fault never came to its frame,
	// which show nothing; Undecided those that came to no verdict for another reason.
	Runs, Unfired, Undecided int
	// FaultsFired counts the faults in all runs.
	FaultsFired int
	// Lost, Duplicated and Reordered count messages over all runs.
	Lost, Duplicated, Reordered int
	// Took is our time, Virtual the virtual lab's.
	Took, Virtual time.Duration
}

// Add takes in the sums of other runs.
func (t *Tally) Add(other Tally) {
	t.Runs += other.Runs
	t.Unfired += other.Unfired
	t.Undecided += other.Undecided
	t.FaultsFired += other.FaultsFired
	t.Lost += other.Lost
	t.Duplicated += other.Duplicated
	t.Reordered += other.Reordered
	t.Took += other.Took
	t.Virtual += other.Virtual
}

// A Report is what one command found.
type Report struct {
	// Target is the server as its owner knows it: a command line or a URL.
	Target string
	Level  contract.Level
	Seed   uint64
	// Lab is "virtual" or "real".
	Lab string
	// Client is the client that played the part of the pages; empty for the official one.
	Client  string
	Results []Result
	// Tolerant has what is inconclusive not change the exit status.
	Tolerant bool
	Began    time.Time
	Took     time.Duration
}

// known lists the failures that were known, and came.
func (r Report) known() (known []Result) {
	for _, result := range r.with(check.Pass) {
		if result.Expected == check.Fails {
			known = append(known, result)
		}
	}
	return known
}

// Summary counts the results by outcome.
func (r Report) Summary() (pass, fail, inconclusive, unsupported int) {
	for _, result := range r.Results {
		switch result.Outcome() {
		case check.Pass:
			pass++
		case check.Fail:
			fail++
		case check.Unsupported:
			unsupported++
		default:
			inconclusive++
		}
	}
	return pass, fail, inconclusive, unsupported
}

// Points counts the places of all sweeps.
func (r Report) Points() (points int) {
	for _, result := range r.Results {
		points += result.Points
	}
	return points
}

// RunsPerSecond is how many virtual runs were played in a second of ours.
func (r Report) RunsPerSecond() float64 {
	runs, took := 0, r.Took
	for _, result := range r.Results {
		if result.Virtual > 0 {
			runs += result.Runs
		}
	}
	if took <= 0 {
		return 0
	}
	return float64(runs) / took.Seconds()
}

// VirtualSeconds is the time that passed in the virtual lab.
func (r Report) VirtualSeconds() float64 {
	var sum time.Duration
	for _, result := range r.Results {
		sum += result.Virtual
	}
	return sum.Seconds()
}

// Outcome is what the whole report comes to. A report in which nothing passed
// and nothing failed has shown nothing, and so is inconclusive.
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

// ExitCode is the Outcome as a process exit code: ExitPass, ExitFail or
// ExitInconclusive.
func (r Report) ExitCode() int {
	switch outcome := r.Outcome(); {
	case outcome == check.Fail:
		return ExitFail
	case outcome == check.Inconclusive && !r.Tolerant:
		return ExitInconclusive
	}
	return ExitPass
}

// Unexpected lists the results that are not as expected: see Result.AsExpected.
func (r Report) Unexpected() []Result {
	var unexpected []Result
	for _, result := range r.Results {
		if !result.AsExpected() {
			unexpected = append(unexpected, result)
		}
	}
	return unexpected
}

// Outcome is what the result counts as: whether the expectation was met, where there is
// one, or else the verdict's outcome. An outcome that is unknown or missing, and a pass
// without a run, are inconclusive, to be cautious.
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

// Reason says in one line why the outcome is what it is; "" for a pass.
func (r Result) Reason() string {
	reason := r.blame() + r.reason()
	if reason != "" && r.Unsaved != "" {
		reason += " (and what happened could not be saved: " + visible(r.Unsaved) + ")"
	}
	return reason
}

// blame says whose fault a failure with another client is, as the beginning of a reason.
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
	outcome, reason := r.Outcome(), visible(r.Verdict.Reason)
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

// AsExpected tells whether what was observed is what Expected says. With no
// expectation a pass is as expected, and so is what does not apply. What is
// inconclusive never is.
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

// offence is the finding that a report is about: the first that fails the run,
// or else the first there is, which the level does not promise against.
func (r Result) offence() *check.Finding {
	for i, f := range r.Verdict.Findings {
		if f.Must {
			return &r.Verdict.Findings[i]
		}
	}
	if len(r.Verdict.Findings) > 0 {
		return &r.Verdict.Findings[0]
	}
	return nil
}

// isShould tells whether something went wrong that the target's level does not promise
// against: it is shown with a sign of its own, and fails nothing.
func (r Result) isShould() bool {
	return r.Outcome() == check.Pass && (r.Beyond.Outcome == check.Fail || r.Expected == "" && r.offence() != nil)
}

// sign is the mark of the result's outcome, or of a should.
func (r Result) sign(m marks) string {
	if r.isShould() {
		return m.should
	}
	return m.of(r.Outcome())
}

// with lists the results of one outcome.
func (r Report) with(outcome check.Outcome) []Result {
	var found []Result
	for _, result := range r.Results {
		if result.Outcome() == outcome {
			found = append(found, result)
		}
	}
	return found
}

// columns lists the names of the targets: by number where all of them end in one
// ("step 7"), or else in the order of their first results.
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

// lastNumber is the number in the last word of a name, or -1.
func lastNumber(name string) int {
	n, err := strconv.Atoi(name[strings.LastIndex(name, " ")+1:])
	if err != nil {
		return -1
	}
	return n
}

// label names a result: by its scenario, and by its column where there are more.
func (r Report) label(result Result) string {
	if len(r.columns()) > 1 && result.Column != "" {
		return visible(result.ID + ", " + result.Column)
	}
	return visible(result.ID)
}

// ruleSentence is the sentence of a rule of the contract.
func ruleSentence(id contract.RuleID) string {
	for _, rule := range contract.Rules {
		if rule.ID == id {
			return rule.Sentence
		}
	}
	return "this rule is not in the contract"
}
