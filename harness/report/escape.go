package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"

	"redial/harness/check"
	"redial/harness/internal/words"
)

// Visible makes text safe to print in one line: control and formatting characters, and bytes
// that are not UTF-8, are escaped as in Go.
func Visible(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case strconv.IsGraphic(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		s = s[size:]
	}
	return b.String()
}

// quoted is a message in quotation marks, visible and clipped. A clipped message has its
// length behind it.
func quoted(message string, columns int) string {
	shown := Visible(message)
	if textWidth(shown) <= columns {
		return `"` + shown + `"`
	}
	return fmt.Sprintf(`"%s" (%d characters)`, Clip(shown, columns), utf8.RuneCountInString(message))
}

// textWidth counts the columns that s takes in a terminal: East Asian wide characters take
// two, combining ones none (Unicode Standard Annex #11).
func textWidth(s string) int {
	columns := 0
	for _, r := range s {
		columns += runeWidth(r)
	}
	return columns
}

func runeWidth(r rune) int {
	// Decomposed Hangul vowels and finals join the letter before them.
	joins := r >= 0x1160 && r <= 0x11FF
	if joins || unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Clip shortens a text to that many terminal columns, with an ellipsis.
func Clip(s string, columns int) string {
	if textWidth(s) <= columns {
		return s
	}
	used := 0
	for i, r := range s {
		if used += runeWidth(r); used > columns-1 {
			return strings.TrimRight(s[:i], " ") + "…"
		}
	}
	return s
}

func pad(s string, columns int) string {
	return s + strings.Repeat(" ", max(0, columns-textWidth(s)))
}

// Wrap breaks a text into lines of at most that many terminal columns, in which a Hangul syllable
// takes two, at spaces where there are any.
func Wrap(text string, columns int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && textWidth(line)+1+textWidth(word) > columns {
			lines = append(lines, line)
			line = ""
		}
		for textWidth(word) > columns {
			head := splitAt(word, columns)
			lines = append(lines, word[:head])
			word = word[head:]
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" || len(lines) == 0 {
		lines = append(lines, line)
	}
	return lines
}

func splitAt(s string, columns int) int {
	used := 0
	for i, r := range s {
		if used += runeWidth(r); used > columns && i > 0 {
			return i
		}
	}
	return len(s)
}

// took rounds a duration to about three digits. It is "" for none, as in a merged report, whose
// parts do not have their times.
func took(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// harm is such as "2 lost, 1 duplicated", or "" if no message was affected.
func (r Result) harm() string {
	var parts []string
	for _, part := range []struct {
		n    int
		word string
	}{{r.Lost, "lost"}, {r.Duplicated, "duplicated"}, {r.Reordered, "reordered"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.word))
		}
	}
	return strings.Join(parts, ", ")
}

// summarySentence is the last line of a report: its outcome and the counts.
func (r Report) summarySentence() string {
	pass, fail, inconclusive, unsupported := r.Summary()
	known := ""
	if n := len(r.known()); n > 0 {
		known = fmt.Sprintf(" (%d as they are known to fail)", n)
	}
	return join(", in ", fmt.Sprintf("%s: %d passed%s, %d failed, %d inconclusive, %d unsupported",
		strings.ToUpper(string(r.Outcome())), pass, known, fail, inconclusive, unsupported), took(r.Took))
}

// headline gives the outcome of the report in one sentence.
func (r Report) headline() string {
	pass, fail, inconclusive, unsupported := r.Summary()
	total := len(r.Results)
	switch {
	case total == 0:
		return "No scenario was selected, so nothing was shown."
	case fail > 0:
		return fmt.Sprintf("%d of %s failed.", fail, words.Count(total, "scenario"))
	case inconclusive > 0:
		return fmt.Sprintf("None failed, but %d of %s came to no conclusion.", inconclusive, words.Count(total, "scenario"))
	case pass == 0:
		return "Every scenario is unsupported by this target, so nothing was shown."
	case unsupported > 0:
		return fmt.Sprintf("All %d that apply passed; %d do not apply to this target.", pass, unsupported)
	}
	return fmt.Sprintf("All %d passed.", pass)
}

// place names the list in which a finding was observed.
func place(f check.Finding) string {
	switch {
	case f.Client == "" || f.Anomaly == check.Unstored:
		return "the server's log"
	case f.View > 1:
		return fmt.Sprintf("%s's page, view %d", Visible(f.Client), f.View)
	}
	return Visible(f.Client) + "'s page"
}
