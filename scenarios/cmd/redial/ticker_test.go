package main

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"redial/harness/report"
)

// A scenario may take a minute, and a line still comes every ten seconds, until the end.
func TestProgressIsPrintedWhileNoScenarioEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var printed bytes.Buffer
		p := newProgress(false)
		p.to, p.terminal = &printed, false
		p.begin(8)
		time.Sleep(25 * time.Second)
		p.show(1, 8, report.Result{Column: "step 8", ID: "idle"})
		time.Sleep(6 * time.Second)
		p.end()
		time.Sleep(time.Minute)
		if want := "  10 s   0 of 8\n  20 s   0 of 8\n  30 s   1 of 8   step 8   idle   \n"; printed.String() != want {
			t.Errorf("%q, want %q", printed.String(), want)
		}
	})
}
