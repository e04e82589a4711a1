package main

import (
	"strings"
	"testing"
	"time"
)

// In the middle of a check, a start that takes too long makes its run inconclusive, and the next
// scenario is played.
func TestCheckGoesOnAfterAStartThatFails(t *testing.T) {
	t.Parallel()
	o := redial(t, "check", "--config", hostileTarget(t, "never starts again", "isolated: true, readyWithin: 8s", ""), "--seed", "1", "--parallel", "1", "--scenario", "server-killed,clean-drop")
	for _, want := range []string{"INCONCLUSIVE: 1 passed, 0 failed, 1 inconclusive", "did not answer at", "readyWithin"} {
		if !strings.Contains(strings.Join(strings.Fields(o.stdout), " "), want) {
			t.Errorf("it lacks %q", want)
		}
	}
	if o.code != 2 || t.Failed() {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
}

func TestCheckOfATargetThatNeverCameUpNamesTheKey(t *testing.T) {
	t.Parallel()
	refused(t, "or does it need longer (`readyWithin` under target in redial.yaml)?", "check", "--config", hostileTarget(t, "never starts", "isolated: true, readyWithin: 2s", ""))
}

// readyWithin allows a start that is longer than the default of 20 s.
func TestCheckWaitsForASlowStart(t *testing.T) {
	t.Parallel()
	o := redial(t, "check", "--config", hostileTarget(t, "starts slowly again", "isolated: true, readyWithin: 1m", ""), "--seed", "1", "--scenario", "server-killed")
	if o.code != 0 || o.took < slowStart || slowStart < 20*time.Second {
		t.Errorf("exit %d after %s: %s%s", o.code, o.took, o.stdout, o.stderr)
	}
}
