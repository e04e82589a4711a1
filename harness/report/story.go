package report

import (
	"bufio"
	"fmt"
	"io"
)

// Story writes one failure in full, in the same form as [Text]: the rule, what was expected
// and observed, and the events that explain it.
func Story(w io.Writer, r Result, s Style) error {
	out := bufio.NewWriter(w)
	for _, line := range explain(r, s) {
		fmt.Fprintln(out, line)
	}
	return out.Flush()
}
