package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"redial/harness/check"
	"redial/harness/report"
	"redial/scenarios/exercises"
)

// check asks for a prediction, plays the scenarios on the copy, prints the first failure, and
// saves the progress.
func (l *learner) check(c exercises.Copy, answer string, code *int) error {
	p, err := l.progressOf(c)
	if err != nil {
		return err
	}
	choices := c.In(l.language).Choices
	if answer != "" && choiceOf(answer, choices) == "" {
		return fmt.Errorf("--answer is the letter of a choice, from a to %s, and not %q", exercises.Choice(len(choices)-1), answer)
	}
	l.heading(c)
	asked := p.Answer == ""
	if asked {
		p.Answer = l.predict(c, answer) // saved with the outcomes: until then it can be given again
	}
	l.print("\n")

	l.status(l.say("building", c.Path()))
	return l.built(c, code, func(ctx context.Context, program string) error {
		l.status(l.say("playing", 0, len(c.Scenarios)))
		r, err := c.Check(ctx, program, func(finished, all int, result report.Result) {
			l.outcome(result)
			if finished < all {
				l.status(l.say("playing", finished, all))
			}
		})
		l.status("")
		if err := unlessInterrupted(ctx, err); err != nil {
			return err
		}
		p.Record(r.Results)
		if err := c.Save(p); err != nil {
			return err
		}
		if asked && p.Answer != "" {
			l.print("\n")
			l.judge(c, p.Answer)
		}
		if !slices.ContainsFunc(r.Results, func(r report.Result) bool { return r.Verdict.Outcome != check.Pass }) {
			l.print("\n%s\n\n", l.paint(green, l.say("all solved", len(r.Results))))
			l.paragraph("", l.say("after", c.Step))
			return nil
		}
		*code = report.ExitFail
		return l.unsolved(c, r)
	})
}

// predict prints the question, and asks for a prediction if the command runs in a terminal.
func (l *learner) predict(c exercises.Copy, answer string) string {
	text := c.In(l.language)
	l.print("\n")
	l.paragraph(l.say("predict"), text.Question)
	for n, choice := range text.Choices {
		l.paragraph("    "+exercises.Choice(n)+")", choice)
	}
	if answer != "" {
		return choiceOf(answer, text.Choices)
	}
	if !isTerminal(os.Stdin) {
		l.paragraph("", l.say("answer later", c.Step))
		return ""
	}
	for {
		l.print("%s", l.say("answer?", exercises.Choice(len(text.Choices)-1)))
		line := strings.TrimSpace(readLine())
		if line == "" {
			return ""
		}
		if chosen := choiceOf(line, text.Choices); chosen != "" {
			return chosen
		}
	}
}

// choiceOf is the letter of the choice that the answer names, or "".
func choiceOf(answer string, choices []string) string {
	answer = strings.ToLower(strings.Trim(answer, " )."))
	for n := range choices {
		if answer == exercises.Choice(n) {
			return answer
		}
	}
	return ""
}

// judge prints whether the prediction was right, and why.
func (l *learner) judge(c exercises.Copy, answer string) {
	if answer == c.Answer {
		l.paragraph(l.paint(green, l.say("predicted")), l.say("right", answer)+" "+c.In(l.language).Why)
		return
	}
	l.paragraph(l.paint(yellow, l.say("predicted")), l.say("not right", answer, c.Answer)+" "+c.In(l.language).Why)
}

// outcome prints a line with the outcome of a scenario.
func (l *learner) outcome(r report.Result) {
	l.status("")
	mark, color := "✓", green
	switch {
	case r.Verdict.Outcome == check.Fail:
		mark, color = "✗", red
	case r.Verdict.Outcome != check.Pass:
		mark, color = "?", yellow
	}
	room := l.columns - 32
	l.print("%s %s  %s\n", l.paint(color, mark), padRight(r.ID, 26), l.paint(faint, report.Clip(r.Title, room)))
}

// unsolved prints the first failure, writes a picture of it, and lists which scenarios pass
// and which do not.
func (l *learner) unsolved(c exercises.Copy, r report.Report) error {
	var solved, unsolved []string
	failed, first := r, -1
	failed.Results = nil
	for n, result := range r.Results {
		if result.Verdict.Outcome == check.Pass {
			solved = append(solved, result.ID)
			continue
		}
		unsolved = append(unsolved, result.ID)
		failed.Results = append(failed.Results, result)
		if first < 0 && result.Verdict.Outcome == check.Fail {
			first = n
		}
	}
	if first < 0 {
		first = slices.IndexFunc(r.Results, func(r report.Result) bool { return r.Verdict.Outcome != check.Pass })
	}
	l.print("\n%s\n", l.paint(bold, l.say("the story", r.Results[first].ID)))
	// report.Story prints English only.
	if rule := r.Results[first].Verdict.Rule(); rule != "" && l.language != "en" {
		l.paragraph(padRight("  "+l.say("rule"), 12), report.Language(l.language).Rule(rule))
	}
	if err := report.Story(os.Stdout, r.Results[first], terminal(os.Stdout)); err != nil {
		return err
	}
	picture := filepath.Join("out", "exercise-"+c.Step+".html")
	if err := writeFile(filepath.Join(l.root, picture), os.O_TRUNC, func(w io.Writer) error { return report.HTML(w, failed) }); err != nil {
		return err
	}
	l.print("\n")
	l.paragraph(l.say("picture"), picture)
	if len(solved) > 0 {
		l.paragraph(l.paint(green, l.say("solved so far")), strings.Join(solved, ", "))
	}
	l.paragraph(l.paint(red, l.say("not yet")), strings.Join(unsolved, ", "))
	l.print("\n")
	l.paragraph("", l.say("go on", c.Path(), c.Step))
	l.paragraph("", l.say("stuck", c.Step))
	return nil
}
