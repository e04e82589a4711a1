package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"redial/harness/report"
)

// lineEvery is how often a line of progress is printed if stderr is not a terminal.
const lineEvery = 10 * time.Second

// progress prints the progress of a long run on stderr: in a terminal on one line that
// changes, elsewhere, such as in CI, a line every ten seconds. Its methods may be called
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
	p.tell(true, func() string {
		return fmt.Sprintf("%d of %d   %s   %s   %s", finished, all, r.Column, r.ID, r.Verdict.Outcome)
	})
}

// swept prints the progress of a sweep, at every 16th run of hundreds a second.
func (p *progress) swept(column, story string, ended, failed int) {
	p.tell(ended%16 == 0, func() string {
		return fmt.Sprintf("%s   %s   %d runs   %d fail", column, story, ended, failed)
	})
}

func (p *progress) tell(now bool, text func() string) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.terminal && now:
		fmt.Fprintf(os.Stderr, "\r\x1b[K%s", text())
	case !p.terminal && time.Since(p.last) >= lineEvery:
		p.last = time.Now()
		fmt.Fprintf(os.Stderr, "%4.0f s   %s\n", time.Since(p.began).Seconds(), text())
	}
}

func (p *progress) end() {
	if p.terminal && !p.quiet {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}
