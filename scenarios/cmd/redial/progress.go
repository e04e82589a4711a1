package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"redial/harness/report"
)

// lineEvery is how often a line of progress is printed if stderr is not a terminal.
const lineEvery = 10 * time.Second

// progress prints the progress of a long run on stderr: in a terminal as a bar on one line
// that changes, at least each second, elsewhere, such as in CI, a line every ten seconds. Its
// methods may be called from several goroutines.
type progress struct {
	to              io.Writer
	terminal, quiet bool
	began           time.Time

	mu         sync.Mutex
	ended, all int
	text       string
	timer      *time.Timer // draws again; nil before begin and after end
}

func newProgress(quiet bool) *progress {
	return &progress{to: os.Stderr, terminal: isTerminal(os.Stderr), quiet: quiet, began: time.Now()}
}

// begin prints that nothing of all has ended yet.
func (p *progress) begin(all int) { p.tell(0, all, fmt.Sprintf("0 of %d", all)) }

// show prints that a scenario has ended.
func (p *progress) show(finished, all int, r report.Result) {
	p.tell(finished, all, fmt.Sprintf("%d of %d   %s   %s   %s", finished, all, r.Column, r.ID, r.Verdict.Outcome))
}

// swept prints the progress of a sweep, at every 16th run of hundreds a second.
func (p *progress) swept(column, story string, ended, all, failed int) {
	if ended%16 == 0 {
		p.tell(ended, all, fmt.Sprintf("%s   %s   %d of %d runs   %d fail", column, story, ended, all, failed))
	}
}

func (p *progress) tell(ended, all int, text string) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended, p.all, p.text = ended, all, text
	if p.terminal {
		p.draw()
	}
	if p.timer == nil {
		p.timer = time.AfterFunc(p.every(), p.again)
	}
}

func (p *progress) every() time.Duration {
	if p.terminal {
		return time.Second
	}
	return lineEvery
}

// again draws the same progress with the time that has passed.
func (p *progress) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.draw()
		p.timer.Reset(p.every())
	}
}

func (p *progress) draw() {
	text := fmt.Sprintf("%4.0f s   %s", time.Since(p.began).Seconds(), p.text)
	if p.terminal {
		fmt.Fprintf(p.to, "\r\x1b[K%s", bar(terminal(os.Stderr).Width, p.ended, p.all, text))
	} else {
		fmt.Fprintln(p.to, text)
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
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	if p.terminal && !p.quiet {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
