package main

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"strings"

	"golang.org/x/text/width"

	"redial/harness/report"
)

// ANSI colours (ECMA-48, "select graphic rendition").
const (
	bold, faint, red, green, yellow = "1", "2", "31", "32", "33"
)

// A page prints to stdout in one language, with or without colours.
type page struct {
	language string
	columns  int
	color    bool
	live     bool // stdout is a terminal, so a status line can be replaced
}

// mostColumns keeps paragraphs readable on a wide terminal.
const mostColumns = 100

func newPage() page {
	s := terminal(os.Stdout)
	return page{language(os.Getenv), min(cmp.Or(s.Width, mostColumns), mostColumns), s.Color, s.Width > 0}
}

func (p page) print(format string, values ...any) { fmt.Printf(format, values...) }

// say returns one of the learnWords in the page's language.
func (p page) say(key string, values ...any) string {
	words := learnWords[key]
	text := words.en
	if p.language == "ko" {
		text = words.ko
	}
	return fmt.Sprintf(text, values...)
}

func (p page) paint(color, text string) string {
	if !p.color || color == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// status prints a line that the next output replaces. It prints nothing into a pipe.
func (p page) status(text string) {
	if p.live {
		p.print("\r\x1b[K%s", text)
	}
}

// paragraph prints a text with a label before it, wrapped to the terminal.
func (p page) paragraph(name, text string) {
	indent := ""
	if name != "" {
		name += strings.Repeat(" ", max(1, 11-columnsOf(name)))
		indent = strings.Repeat(" ", columnsOf(name))
	}
	for n, line := range report.Wrap(text, p.columns-len(indent)) {
		if n == 0 {
			line = name + line
		} else {
			line = indent + line
		}
		p.print("%s\n", line)
	}
}

// coloredDiff colours the lines of a diff.
func (p page) coloredDiff(diff string) string {
	var all strings.Builder
	for line := range strings.Lines(diff) {
		color := ""
		switch line[0] {
		case '+':
			color = green
		case '-':
			color = red
		case '@', 'd':
			color = faint
		}
		all.WriteString(p.paint(color, strings.TrimSuffix(line, "\n")) + "\n")
	}
	return all.String()
}

// painted is what paint adds to a text.
var painted = regexp.MustCompile(`\x1b\[[^m]*m`)

// columnsOf is the width of a text in a terminal: colours take no column, and a Hangul
// syllable takes two.
func columnsOf(text string) (columns int) {
	for _, r := range painted.ReplaceAllString(text, "") {
		columns++
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			columns++
		}
	}
	return columns
}

func padRight(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-columnsOf(text)))
}
