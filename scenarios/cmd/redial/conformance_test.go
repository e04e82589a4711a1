package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redial/harness/contract"
	"redial/scenarios/runner"
)

// A cell shows what failed, what did so in some runs only, and what had no verdict; the reason
// of each stands under the table.
func TestConformanceTableCountsEachOutcome(t *testing.T) {
	t.Parallel()
	always, race := runner.Failure{Scenario: "always", Times: 2, Of: 2}, runner.Failure{Scenario: "race", Times: 1, Of: 2}
	open := runner.Failure{Scenario: "open", Reason: "the browser did not start", Times: 1, Of: 2}
	failed := func(l runner.LevelResult, failures ...runner.Failure) runner.LevelResult {
		l.Failures, l.Failed = failures, len(failures)
		return l
	}
	for want, c := range map[string]struct {
		level runner.LevelResult
		holds bool
	}{
		"✓":                            {runner.LevelResult{Passed: 3}, true},
		"? 1 of 3":                     {runner.LevelResult{Passed: 2, Inconclusive: []runner.Failure{open}}, false},
		"? 1 of 1":                     {runner.LevelResult{Inconclusive: []runner.Failure{open}}, false},
		"race: 1 of 2":                 {failed(runner.LevelResult{Passed: 1}, race), false},
		"✗ 1 of 3, race: 1 of 3":       {failed(runner.LevelResult{Passed: 1}, always, race), false},
		"✗ 1 of 2, ? 1 of 2":           {failed(runner.LevelResult{Inconclusive: []runner.Failure{open}}, always), false},
		"✗":                            {failed(runner.LevelResult{Passed: 5, Stopped: true}, always), false},
		"–":                            {runner.LevelResult{NotPlayed: "there is no key"}, false},
		"– (none of it can be played)": {runner.LevelResult{}, false},
	} {
		c.level.Level = contract.Recovery
		p := runner.Peer{Name: "chat", Claims: contract.Recovery, Levels: []runner.LevelResult{c.level}}
		if c.holds {
			p.Holds = contract.Recovery
		}
		want, _, _ = strings.Cut(want, " (")
		if got := cellOf(p, contract.Recovery); got != want {
			t.Errorf("%+v is shown as %q, want %q", c.level, got, want)
		}
		text := table{Peers: []runner.Peer{p}}.markdown()
		if strings.Contains(text, "`open`") != (len(c.level.Inconclusive) > 0) || strings.Contains(text, open.Reason) != (len(c.level.Inconclusive) > 0) {
			t.Errorf("%s: it does not say what had no verdict, and why: %s", want, text)
		}
	}
}

// An application that does not start is in the table, with the reason, and keeps no other out
// of it.
func TestConformanceNamesWhatDoesNotStart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	start := func(name, command string) string {
		path := filepath.Join(folder, name+".yaml")
		write(t, path, fmt.Sprintf("name: %s\ntarget: {command: %s, isolated: true}\nlevel: recovery\nsocket: {receive: {event: chat message}}\n", name, command))
		return path
	}
	data := filepath.Join(folder, "table.json")
	o := redial(t, "conformance", "--seed", "1", "--runs", "1", "--scenario", "clean-drop", "--json", data,
		start("missing", `[redial-has-no-such-tool]`), start("exits", `[sh, -c, "echo no database; exit 1"]`), described(t, "6", "level: recovery\n"+tutorial))
	for _, want := range []string{
		"| recovery | not played | not played | not played | not played | not played | not played |",
		"\n**missing** was not played: ", "redial-has-no-such-tool", "\n**exits** was not played: ", "no database",
		"| recovery | ✓ | ✓ |", "100.0 %",
	} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	if o.code != 0 || strings.Count(o.stdout, "| not played |\n") != 2 || t.Failed() {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	var written table
	if err := json.Unmarshal([]byte(read(t, data)), &written); err != nil || len(written.Peers) != 3 || written.Peers[0].NotPlayed == "" || written.Peers[2].Holds != contract.Recovery {
		t.Errorf("%v, %+v", err, written)
	}
}

// What had ended before Ctrl-C is in the table and in the file.
func TestInterruptedConformanceReportsWhatHadEnded(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "redial.yaml")
	write(t, missing, "name: missing\ntarget: {command: [redial-has-no-such-tool], isolated: true}\nlevel: recovery\n")
	data := filepath.Join(t.TempDir(), "table.json")
	o := ctrlC(t, command(t, "conformance", "--seed", "1", "--json", data, missing, hostileTarget(t, "says nothing", "isolated: true, readyWithin: 5m", "")), hasServer)
	for _, want := range []string{"\n**missing** was not played: ", "redial-has-no-such-tool", "\n**hostile** was not played: interrupted\n"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	if o.code != 130 || t.Failed() {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	var written table
	if err := json.Unmarshal([]byte(read(t, data)), &written); err != nil || len(written.Peers) != 2 || written.Peers[1].NotPlayed != "interrupted" {
		t.Errorf("%v, %+v", err, written)
	}
}

// The virtual lab has ended before Ctrl-C in the real one.
func TestInterruptedFidelityReportsWhatHadEnded(t *testing.T) {
	t.Parallel()
	o := ctrlC(t, command(t, "fidelity", "--seed", "1", "--scenario", "clean-drop"), hasServer)
	if o.code != 130 || !strings.Contains(o.stdout, "# The two labs, side by side\n") || !strings.Contains(o.stdout, "| 1 | clean-drop | ") || !strings.Contains(o.stdout, " / L |") {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
}

// ctrlC runs the command until when holds for its process and what it has printed, and then sends it
// Ctrl-C.
func ctrlC(t *testing.T, c *exec.Cmd, when func(pid int, printed string) bool) outcome {
	t.Helper()
	stdout, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	var stderr bytes.Buffer
	c.Stdout, c.Stderr = stdout, &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	waitFor(t, func() bool { return when(c.Process.Pid, read(t, stdout.Name())) })
	began := time.Now()
	_ = c.Process.Signal(os.Interrupt)
	limit := time.AfterFunc(hostileTime, func() { _ = c.Process.Kill() })
	_ = c.Wait()
	limit.Stop()
	nothingLeft(t, c)
	return outcome{read(t, stdout.Name()), stderr.String(), c.ProcessState.ExitCode(), time.Since(began)}
}

func hasServer(pid int, _ string) bool { return serverOf(pid) != "" }
