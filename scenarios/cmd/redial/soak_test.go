package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// soak plays the given number of runs of each step, and on Ctrl-C sums up the runs so far.
func TestSoakSumsUpAtTheEndAndOnInterrupt(t *testing.T) {
	t.Parallel()
	o := redial(t, "soak", "--steps", "6,7", "--runs", "20", "--seed", "1")
	if o.code != 0 || strings.Count(o.stdout, " 20 runs, ") != 4 || !strings.Contains(o.stdout, "seeds from 1 on") {
		t.Errorf("exit %d:\n%s%s", o.code, o.stdout, o.stderr)
	}
	// In 16 of the 20 runs a fault fired.
	for _, want := range []string{"situations, new ones in each 1,000 runs: ", "; rising, ", "that 1 run in 5 shows", " 98.4 % for 1 run in 1000,"} {
		if strings.Count(o.stdout, want) != 2 {
			t.Errorf("the sum does not have %q for each step:\n%s", want, o.stdout)
		}
	}
	code, stdout := interrupted(t, time.Second, "--steps", "7")
	if code != 0 && code != 2 || !strings.Contains(stdout, "step 7 ") {
		t.Errorf("exit %d after Ctrl-C, want 2 for nothing shown, or 0 if a run was over:\n%s", code, stdout)
	}
	code, stdout = interrupted(t, time.Second, "--steps", "7", "--runs", "100000")
	if code != 130 || !strings.Contains(stdout, " of 100000 runs\n") {
		t.Errorf("exit %d, want 130, since it was to play 100000 runs:\n%s", code, stdout)
	}
}

// An interrupt does not hide a failure that a soak has saved.
func TestInterruptedSoakShowsItsFailures(t *testing.T) {
	t.Parallel()
	code, stdout := interrupted(t, 0, "--steps", "published-6", "--seed", "1")
	if code != 1 || !strings.Contains(stdout, " replay ") || strings.Contains(stdout, "  0 runs") {
		t.Errorf("exit %d:\n%s", code, stdout)
	}
}

// interrupted plays a soak for so long, or until it has saved a failure if after is 0.
func interrupted(t *testing.T, after time.Duration, arguments ...string) (code int, printed string) {
	t.Helper()
	c := command(t, append([]string{"soak"}, arguments...)...)
	var stdout bytes.Buffer
	c.Stdout = &stdout
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	waitFor(t, func() bool {
		saved, _ := filepath.Glob(filepath.Join(c.Dir, "out", "soak-*", "*", "*.json"))
		return len(saved) > 0 || after > 0 && time.Since(began) >= after
	})
	_ = c.Process.Signal(os.Interrupt)
	_ = c.Wait()
	return c.ProcessState.ExitCode(), stdout.String()
}
