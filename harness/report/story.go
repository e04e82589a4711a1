package report

import (
	"bufio"
	"fmt"
	"io"
)

// Story writes one failure in full, as [Text] writes each of them: the rule, what was
// expected and observed, and the events that matter.
func Story(w io.Writer, r Result, s Style) error {
	out := bufio.NewWriter(w)
	for _, line := range explain(r, s) {
		fmt.Fprintln(out, line)
	}
	return out.Flush()
}

// Wrap breaks a text into lines of so many columns of a terminal, in which Hangul takes two.
func Wrap(text string, columns int) []string { return wrap(text, columns) }

// Clip cuts a text to so many columns, with an ellipsis.
func Clip(text string, columns int) string { return clip(text, columns) }
