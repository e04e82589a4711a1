package report

import "redial/harness/check"

// A Style is how text is set. The zero value is plain text, 100 columns wide, with the marks ✓
// ✗ ? –.
type Style struct {
	// Color adds ANSI colours. Leave it unset if the output is not a terminal or the
	// environment has NO_COLOR.
	Color bool
	// ASCII restricts the report's own marks to ASCII; messages are unchanged.
	ASCII bool
	// Lanes adds a drawing of each failure's events, with a lane for each page and for the
	// server.
	Lanes bool
	// Width is the number of columns; 0 means 100, and the minimum is 72.
	Width int
}

func (s Style) columns() int {
	if s.Width == 0 {
		return 100
	}
	return max(72, s.Width)
}

// marks are the signs for outcomes, for a should, and for a cell that was not run.
type marks struct{ pass, fail, inconclusive, unsupported, should, notRun string }

func (s Style) marks() marks {
	if s.ASCII {
		return marks{pass: "ok", fail: "FAIL", inconclusive: "?", unsupported: "-", should: "~", notRun: "."}
	}
	return unicodeMarks
}

var unicodeMarks = marks{pass: "✓", fail: "✗", inconclusive: "?", unsupported: "–", should: "~", notRun: "·"}

func (m marks) of(outcome check.Outcome) string {
	switch outcome {
	case check.Pass:
		return m.pass
	case check.Fail:
		return m.fail
	case check.Unsupported:
		return m.unsupported
	}
	return m.inconclusive
}

// ANSI colours (ECMA-48, "select graphic rendition").
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	faint  = "2"
	bold   = "1"
)

func (s Style) paint(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s Style) paintOutcome(outcome check.Outcome, text string) string {
	switch outcome {
	case check.Pass:
		return s.paint(green, text)
	case check.Fail:
		return s.paint(red, text)
	case check.Unsupported:
		return s.paint(faint, text)
	}
	return s.paint(yellow, text)
}
