package main

import (
	"context"
	"strings"
	"testing"

	"redial/scenarios/servers"
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
	plays := func(_ int, printed string) bool { return strings.Contains(printed, "\n") }
	o = ctrlC(t, command(t, "soak", "--steps", "7"), plays)
	if o.code != 0 && o.code != 2 || !strings.Contains(o.stdout, "step 7 ") {
		t.Errorf("exit %d after Ctrl-C, want 2 for nothing shown, or 0 if a run was over:\n%s", o.code, o.stdout)
	}
	o = ctrlC(t, command(t, "soak", "--steps", "7", "--runs", "100000"), plays)
	if o.code != 130 || !strings.Contains(o.stdout, " of 100000 runs\n") {
		t.Errorf("exit %d, want 130, since it was to play 100000 runs:\n%s", o.code, o.stdout)
	}
}

// An interrupt does not hide the failures that a soak has saved. A round of the command, which
// has 500 runs of each step, would be long.
func TestSoakShowsItsFailuresOnInterrupt(t *testing.T) {
	t.Parallel()
	server, err := servers.Step("published-6")
	if err != nil {
		t.Fatal(err)
	}
	s := soaking{steps: []servers.Server{server}, seed: 1, folder: t.TempDir(), progress: newProgress(true), sums: make([]soakSum, 1)}
	ctx, interrupt := context.WithCancel(t.Context())
	for seed := s.seed; len(s.sums[0].saved) == 0; seed++ {
		if err := s.playStep(ctx, 0, 1, seed); err != nil || seed == 100 {
			t.Fatalf("no failure in %d runs: %v", seed, err)
		}
	}
	interrupt()
	err = s.play(ctx)
	saved := s.sums[0].saved
	if code := s.sumUp(); err != nil || code != 1 || len(saved) == 0 || len(saved[0].Artifacts) != 1 || !strings.Contains(saved[0].Replay, " replay ") {
		t.Errorf("exit %d, %v: %+v", code, err, saved)
	}
}
