package main

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"redial/harness/check"
	"redial/harness/report"
)

// badgeColors have enough contrast with the white letters on them, whatever the page's
// background is.
var badgeColors = map[check.Outcome]string{check.Pass: "#1a7f37", check.Fail: "#b62324"}

// writeBadge writes "redial | server-delivery", in green where the level holds.
func writeBadge(w io.Writer, r report.Report) error {
	right, color := string(r.Level), badgeColors[r.Outcome()]
	if r.Outcome() != check.Pass {
		right += ": " + string(r.Outcome())
	}
	color = cmp.Or(color, "#7a4e00")
	const left, letter, margin = "redial", 7, 8
	leftWidth := len(left)*letter + 2*margin
	rightWidth := utf8.RuneCountInString(right)*letter + 2*margin
	title := html.EscapeString(left + ": " + right)
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="20" role="img" aria-label="%[2]s">
<title>%[2]s</title>
<clipPath id="r"><rect width="%[1]d" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)"><rect width="%[3]d" height="20" fill="#424a53"/><rect x="%[3]d" width="%[4]d" height="20" fill="%[5]s"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="%[6]d" y="14" textLength="%[7]d">%[8]s</text>
<text x="%[9]d" y="14" textLength="%[10]d">%[11]s</text>
</g>
</svg>
`, leftWidth+rightWidth, title, leftWidth, rightWidth, color,
		leftWidth/2, leftWidth-2*margin, left,
		leftWidth+rightWidth/2, rightWidth-2*margin, html.EscapeString(right))
	return err
}

// writeSummary writes what the badge stands for, and with which seed and versions the check
// can be repeated.
func (o outputs) writeSummary(w io.Writer, r report.Report) error {
	pass, fail, inconclusive, unsupported := r.Summary()
	var b strings.Builder
	fmt.Fprintf(&b, "# Redial: %s, %s\n\n", r.Level, r.Outcome())
	fmt.Fprintf(&b, "| | |\n|---|---|\n| Application | %s |\n| Date | %s |\n| Level | %s |\n| Verdict | %s |\n", code(r.Target), r.Began.UTC().Format("2006-01-02"), r.Level, r.Outcome())
	fmt.Fprintf(&b, "| Rows | %d pass, %d fail, %d inconclusive, %d unsupported |\n| Seed | %d |\n| Lab | %s |\n", pass, fail, inconclusive, unsupported, r.Seed, r.Lab)
	if r.Client != "" {
		fmt.Fprintf(&b, "| Client | %s |\n", code(r.Client))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		fmt.Fprintf(&b, "| Versions | %s |\n", strings.ReplaceAll(strings.TrimSpace(versions(info)), "\n", "<br>"))
	}
	if o.next != "" {
		fmt.Fprintf(&b, "\n%s\n", code(o.next))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// code quotes a text as Markdown code in one line, for texts that the application's author
// has written.
func code(text string) string {
	text = strings.NewReplacer("`", "'", "|", "¦").Replace(strings.Join(strings.Fields(text), " "))
	return "`" + text + "`"
}
