package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"

	"redial/harness/check"
	"redial/harness/contract"
	"redial/harness/internal/words"
)

// Text writes the terminal report: a line for each scenario, the failures, the inconclusive
// results with their reasons, and a summary line.
func Text(w io.Writer, r Report, s Style) error {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, s.paint(bold, Visible(r.Target)))
	about := "level " + orNone(string(r.Level))
	if r.Lab != "" { // without a lab, the origin of the history is unknown
		if r.Client != "" {
			about += ", client " + Visible(r.Client)
		}
		about += fmt.Sprintf(", %s lab, seed %d", Visible(r.Lab), r.Seed)
	}
	for _, line := range Wrap(about, s.columns()) {
		fmt.Fprintln(out, line)
	}
	writeLines(out, r, s)
	writeUnproved(out, r, s)
	writeReasons(out, r, s, check.Unsupported, "Unsupported")
	writeKnown(out, r, s)
	writeUnpromised(out, r, s)
	if len(r.Results) == 0 {
		fmt.Fprintf(out, "\n%s\n", r.headline())
	}
	fmt.Fprintf(out, "\n%s\n", s.paintOutcome(r.Outcome(), r.summarySentence()))
	return out.Flush()
}

// Unproved writes the part of the terminal report about what did not pass: the failures, and the
// inconclusive results with their reasons.
func Unproved(w io.Writer, r Report, s Style) error {
	out := bufio.NewWriter(w)
	writeUnproved(out, r, s)
	return out.Flush()
}

func writeUnproved(out io.Writer, r Report, s Style) {
	writeFailures(out, r, s)
	writeReasons(out, r, s, check.Inconclusive, "Inconclusive")
}

// failuresInFull is how many failures of one rule are explained in full. Further ones mostly
// have the same cause, and would hide failures of other rules.
const failuresInFull = 3

// writeFailures writes the first failures of each rule in full, and then the others in brief.
func writeFailures(out io.Writer, r Report, s Style) {
	told := map[contract.RuleID]int{}
	var more []Result
	for _, result := range r.with(check.Fail) {
		if f := result.offence(); f != nil && f.Observed != "" {
			if told[f.Rule]++; told[f.Rule] > failuresInFull {
				more = append(more, result)
				continue
			}
		}
		fmt.Fprintf(out, "\n%s %s\n", s.paint(red, "FAIL"), s.paint(bold, r.label(result)))
		for _, line := range explain(result, s) {
			fmt.Fprintln(out, line)
		}
	}
	for _, rule := range contract.Rules {
		if told[rule.ID] <= failuresInFull {
			continue
		}
		fmt.Fprintf(out, "\n%s %s\n", s.paint(red, "FAIL"), s.paint(bold, fmt.Sprintf("%d more by the rule %s", told[rule.ID]-failuresInFull, rule.ID)))
		for _, result := range more {
			if f := result.offence(); f.Rule == rule.ID {
				writeItem(out, s, fmt.Sprintf("%s: %s: %s, in %s", r.label(result), Visible(result.Title), cmp.Or(result.harm(), words.Count(result.Verdict.Counts[f.Rule], "time")), place(*f)))
				if result.Replay != "" {
					writeItem(out, s, "  replay: "+Visible(result.Replay))
				}
			}
		}
	}
}

func writeLines(out io.Writer, r Report, s Style) {
	if len(r.Results) > 0 {
		fmt.Fprintln(out)
	}
	names, tails := 0, 0
	for _, result := range r.Results {
		names = max(names, min(32, textWidth(r.label(result))))
		tails = max(tails, textWidth(tail(result)))
	}
	names = max(12, min(names, s.columns()-tails-4))
	// The title gets the remaining columns, if a useful part of it fits.
	room := s.columns() - names - tails - 6
	for _, result := range r.Results {
		outcome := result.Outcome()
		line := fmt.Sprintf("%s %s  ", s.paintOutcome(outcome, result.sign()),
			pad(Clip(r.label(result), names), names))
		if room >= 16 {
			line += pad(Clip(Visible(result.Title), room), room) + "  "
		}
		fmt.Fprintln(out, line+s.paint(faint, tail(result)))
	}
}

// tail is the end of a scenario's line: runs, harm, time.
func tail(r Result) string {
	if r.Outcome() == check.Unsupported {
		return "unsupported"
	}
	parts := []string{words.Count(r.Runs, "run")}
	if r.Points > 0 {
		parts = []string{words.Count(r.Points, "point")}
		switch {
		case r.StoodFor > r.Points:
			parts[0] = fmt.Sprintf("%s for %d of %s", words.Count(r.Points, "run"), r.StoodFor, words.Count(r.AllPoints, "point"))
		case r.AllPoints > r.Points+r.Unfired+r.Undecided:
			parts[0] = fmt.Sprintf("%d of %s", r.Points, words.Count(r.AllPoints, "point"))
		}
	}
	if r.Unfired > 0 {
		parts = append(parts, fmt.Sprintf("%d more whose fault never fired", r.Unfired))
	}
	if harm := r.harm(); harm != "" {
		parts = append(parts, harm)
	}
	return join(", ", append(parts, took(r.Took))...)
}

// explain writes a failure in full, each line indented by two.
func explain(r Result, s Style) []string {
	var lines []string
	entry := func(name, text string) {
		for i, line := range Wrap(text, s.columns()-13) {
			if i > 0 {
				name = ""
			}
			lines = append(lines, fmt.Sprintf("  %-9s  %s", name, line))
		}
	}
	entry("scenario", Visible(r.Title))
	if r.Official != "" {
		entry("client", strings.TrimSpace(r.blame()))
	}
	f := r.offence()
	if f != nil {
		entry("rule", fmt.Sprintf("%s: %s", f.Rule, f.Rule.Sentence()))
	}
	if f == nil || f.Observed == "" {
		entry("reason", r.reason())
	} else {
		if f.Message != "" {
			entry("message", quoted(f.Message, 160))
		}
		entry("seen in", place(*f))
		entry("expected", Visible(f.Expected))
		entry("observed", Visible(f.Observed))
		for _, other := range otherCounts(r, f.Rule) {
			entry("also", other)
		}
	}
	if harm := r.harm(); harm != "" {
		entry("in all", fmt.Sprintf("%s over %s", harm, words.Count(r.Runs, "run")))
	}
	if x := newExcerpt(r); len(x.chosen) > 0 {
		lines = append(lines, x.list(s)...)
		if s.Lanes {
			lines = append(lines, x.lanes(s)...)
		}
	}
	if r.Replay != "" {
		entry("replay", Visible(r.Replay))
	}
	for i, path := range r.Artifacts {
		name := ""
		if i == 0 {
			name = "files"
		}
		entry(name, Visible(path))
	}
	if r.Unsaved != "" {
		entry("files", "not saved: "+Visible(r.Unsaved))
	}
	return lines
}

// otherCounts lists the other rules that the worst run broke, and how often.
func otherCounts(r Result, told contract.RuleID) []string {
	var others []string
	for _, rule := range contract.Rules {
		n := r.Verdict.Counts[rule.ID]
		if rule.ID == told {
			n--
		}
		if n > 0 {
			others = append(others, fmt.Sprintf("%s, %s in this run", rule.ID, words.Count(n, "time")))
			if rule.ID == told {
				others[len(others)-1] = fmt.Sprintf("%s, %s more in this run", rule.ID, words.Count(n, "time"))
			}
		}
	}
	return others
}

func writeReasons(out io.Writer, r Report, s Style, outcome check.Outcome, title string) {
	results := r.with(outcome)
	if len(results) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s\n", s.paintOutcome(outcome, title))
	for _, result := range results {
		writeItem(out, s, r.label(result)+": "+result.Reason())
		if result.Replay != "" && outcome == check.Inconclusive {
			writeItem(out, s, "  replay: "+Visible(result.Replay))
		}
	}
}

// writeKnown lists the expected failures and their reasons.
func writeKnown(out io.Writer, r Report, s Style) {
	for i, result := range r.known() {
		if i == 0 {
			fmt.Fprint(out, "\nKnown failures\n")
		}
		writeItem(out, s, r.label(result)+": "+Visible(result.Verdict.Reason))
	}
}

// writeUnpromised lists the broken rules that the level does not promise.
func writeUnpromised(out io.Writer, r Report, s Style) {
	title := fmt.Sprintf("\n%s Seen, and not promised at level %s\n", shouldMark, r.Level)
	broken := map[contract.Level][]string{}
	for _, result := range r.with(check.Pass) {
		if !result.isShould() {
			continue
		}
		fmt.Fprint(out, title)
		title = ""
		if result.Beyond.Outcome == check.Fail {
			broken[result.Beyond.Level] = append(broken[result.Beyond.Level], r.label(result))
		} else if f := result.offence(); f != nil {
			writeItem(out, s, fmt.Sprintf("%s: %s: expected %s, but %s",
				r.label(result), f.Rule, Visible(f.Expected), Visible(f.Observed)))
		}
	}
	for _, level := range contract.Levels {
		if len(broken[level]) > 0 {
			writeItem(out, s, fmt.Sprintf("a failure from level %s on: %s", level, strings.Join(broken[level], ", ")))
		}
	}
}

// writeItem indents the text by two, and its further lines by four.
func writeItem(out io.Writer, s Style, text string) {
	indent := len(text) - len(strings.TrimLeft(text, " "))
	for i, line := range Wrap(text, s.columns()-4-indent) {
		fmt.Fprintf(out, "%s%s\n", strings.Repeat(" ", 2+indent+2*min(i, 1)), line)
	}
}

// named is the target, and the client that took the place of the pages.
func (r Report) named() string {
	if r.Client == "" {
		return orNone(r.Target)
	}
	return orNone(r.Target) + ", client " + Visible(r.Client)
}

func orNone(s string) string { return Visible(cmp.Or(s, "(not given)")) }
