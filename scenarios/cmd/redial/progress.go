package main

import (
	"fmt"
	"os"

	"redial/harness/report"
)

// progress shows, on a terminal, how far a long run has come; elsewhere it says
// nothing, so that a log holds results only.
type progress struct{ on bool }

func newProgress(quiet bool) *progress {
	return &progress{on: !quiet && isTerminal(os.Stderr)}
}

func (p *progress) show(finished, all int, r report.Result) {
	if p.on {
		fmt.Fprintf(os.Stderr, "\r\x1b[K%d of %d   %s   %s   %s", finished, all, r.Column, r.ID, r.Verdict.Outcome)
	}
}

// swept shows how far a sweep has come; not every run, for there are hundreds a second.
func (p *progress) swept(column, story string, ended, failed int) {
	if p.on && ended%16 == 0 {
		fmt.Fprintf(os.Stderr, "\r\x1b[K%s   %s   %d runs   %d fail", column, story, ended, failed)
	}
}

func (p *progress) end() {
	if p.on {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}
