package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"redial/harness/check"
)

// failuresInSummary limits the size of a job summary, which GitHub refuses above 1 MiB.
const failuresInSummary = 25

// GitHubSummary writes Markdown for the file that $GITHUB_STEP_SUMMARY names.
func GitHubSummary(w io.Writer, r Report) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "## %s %s\n\n", markOf(r.Outcome()), r.headline())
	fmt.Fprintln(out, join(", ", fmt.Sprintf("%s, level %s, %s lab, seed %d", markdown(r.named()),
		markdown(orNone(string(r.Level))), markdown(orNone(r.Lab)), r.Seed), took(r.Took)))
	if len(r.Results) > 0 {
		fmt.Fprint(out, "\n| | Scenario | | Runs | Faults | What went wrong | Time |\n|---|---|---|---:|---:|---|---:|\n")
	}
	for _, result := range r.Results {
		fmt.Fprintf(out, "| %s | `%s` | %s | %d | %d | %s | %s |\n",
			markdown(result.sign()), codeSpan(r.label(result)), markdown(Visible(result.Title)),
			result.Runs, result.FaultsFired, markdown(wrongInBrief(result)), took(result.Took))
	}
	failed := r.with(check.Fail)
	for i, result := range failed {
		if i == failuresInSummary {
			fmt.Fprintf(out, "\n%d more failed; the whole report has them.\n", len(failed)-i)
			break
		}
		writeDetails(out, r, result)
	}
	pass, fail, inconclusive, unsupported := r.Summary()
	fmt.Fprintf(out, "\n%d passed, %d failed, %d inconclusive, %d unsupported.\n", pass, fail, inconclusive, unsupported)
	return out.Flush()
}

func wrongInBrief(r Result) string {
	switch {
	case r.isShould() && r.Beyond.Outcome == check.Fail:
		return strings.TrimSpace(fmt.Sprintf("%s (a failure from level %s on)", r.harm(), r.Beyond.Level))
	case r.Outcome() == check.Pass:
		return r.harm()
	case r.Outcome() != check.Fail, r.offence() == nil:
		return r.Reason()
	}
	return strings.TrimSuffix(fmt.Sprintf("%s: %s", r.offence().Rule, r.harm()), ": ")
}

func writeDetails(out io.Writer, r Report, result Result) {
	text := strings.Join(explain(result, Style{}), "\n")
	// A fence must be longer than any run of backticks that it encloses.
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	fmt.Fprintf(out, "\n<details><summary>%s %s</summary>\n\n%stext\n%s\n%s\n\n</details>\n",
		failMark, markdown(r.label(result)), fence, text, fence)
}

var forMarkdown = strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;",
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "|", `\|`,
	"#", `\#`, "~", `\~`, "!", `\!`, "@", `\@`, "$", `\$`)

// markdown escapes text for a paragraph or a table cell.
func markdown(s string) string { return forMarkdown.Replace(s) }

// codeSpan escapes text for backticks in a table.
func codeSpan(s string) string {
	return strings.NewReplacer("`", "'", "|", `\|`).Replace(s)
}

// annotationsOfAKind is how many annotations of a kind GitHub shows for a step.
const annotationsOfAKind = 10

// GitHubAnnotations writes a workflow command for each failure, and a warning for each
// inconclusive scenario, which GitHub shows beside the run. (Workflow commands:
// docs.github.com, "Workflow commands for GitHub Actions".)
func GitHubAnnotations(w io.Writer, r Report) error {
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	message := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	for _, kind := range []struct {
		command string
		outcome check.Outcome
	}{{"error", check.Fail}, {"warning", check.Inconclusive}} {
		for i, result := range r.with(kind.outcome) {
			if i == annotationsOfAKind {
				break
			}
			text := result.Reason()
			if result.Replay != "" {
				text += "\nTo play it again: " + Visible(result.Replay)
			}
			if _, err := fmt.Fprintf(w, "::%s title=%s::%s\n", kind.command, property.Replace("redial: "+r.label(result)), message.Replace(text)); err != nil {
				return err
			}
		}
	}
	return nil
}
