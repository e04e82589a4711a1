package report

import (
	"cmp"

	"redial/harness/check"
)

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

// looks has the mark and the colour of each outcome that is known. Any other looks inconclusive.
var looks = map[check.Outcome]struct{ mark, color string }{
	check.Pass: {passMark, green}, check.Fail: {failMark, red}, check.Unsupported: {unsupportedMark, faint},
}

func markOf(outcome check.Outcome) string { return cmp.Or(looks[outcome].mark, inconclusiveMark) }

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
	return s.paint(cmp.Or(looks[outcome].color, yellow), text)
}
