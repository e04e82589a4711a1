package report

import "redial/harness/check"

// A Style is how text is set. The zero value is plain text, 100 columns wide, with the marks ✓
// ✗ ? –.
type Style struct {
	// Color adds ANSI colours. Leave it unset if the output is not a terminal or the
	// environment has NO_COLOR.
	Color bool
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

// The marks of outcomes, of a should, and of a cell that was not run.
const (
	passMark         = "✓"
	failMark         = "✗"
	inconclusiveMark = "?"
	unsupportedMark  = "–"
	shouldMark       = "~"
	notRunMark       = "·"
)

func markOf(outcome check.Outcome) string {
	switch outcome {
	case check.Pass:
		return passMark
	case check.Fail:
		return failMark
	case check.Unsupported:
		return unsupportedMark
	}
	return inconclusiveMark
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
