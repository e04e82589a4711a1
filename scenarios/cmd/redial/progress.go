package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"redial/harness/report"
)

// lineEvery is how often a line of progress is printed if stderr is not a terminal.
const lineEvery = 10 * time.Second

// progress prints the progress of a long run on stderr: in a terminal as a bar on one line
// that changes, elsewhere, such as in CI, a line every ten seconds. Its methods may be called
// from several goroutines.
type progress struct {
	terminal, quiet bool

	mu          sync.Mutex
	began, last time.Time
}

func newProgress(quiet bool) *progress {
	now := time.Now()
	return &progress{terminal: isTerminal(os.Stderr), quiet: quiet, began: now, last: now}
}

// show prints that a scenario has ended.
func (p *progress) show(finished, all int, r report.Result) {
	p.tell(true, finished, all, func() string {
		return fmt.Sprintf("%d of %d   %s   %s   %s", finished, all, r.Column, r.ID, r.Verdict.Outcome)
	})
}

// swept prints the progress of a sweep, at every 16th run of hundreds a second.
func (p *progress) swept(column, story string, ended, all, failed int) {
	p.tell(ended%16 == 0, ended, all, func() string {
		return fmt.Sprintf("%s   %s   %d of %d runs   %d fail", column, story, ended, all, failed)
	})
}

func (p *progress) tell(now bool, ended, all int, text func() string) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.terminal && now:
		fmt.Fprintf(os.Stderr, "\r\x1b[K%s", bar(terminal(os.Stderr).Width, ended, all, text()))
	case !p.terminal && time.Since(p.last) >= lineEvery:
		p.last = time.Now()
		fmt.Fprintf(os.Stderr, "%4.0f s   %s\n", time.Since(p.began).Seconds(), text())
	}
}

// bar draws which part has ended before the text, on a line of so many columns. The last column
// stays free, because a terminal may wrap the line there.
func bar(columns, ended, all int, text string) string {
	width := min(24, columns/3)
	full := width * min(ended, all) / max(1, all)
	return report.Clip("["+strings.Repeat("#", full)+strings.Repeat(".", width-full)+"] "+text, max(1, columns-1))
}

func (p *progress) end() {
	if p.terminal && !p.quiet {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}
