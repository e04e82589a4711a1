package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"redial/harness/report"
)

// An expected failure does not fail the run, and an expected failure that passes does.
func TestExpectKnownFailures(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "known.txt")
	for _, c := range []struct {
		known, want string
		code        int
	}{
		{"network-switch # the server has not noticed\n", "Known failures", 0},
		{"", "FAIL", 1},
		{"network-switch\nfive-drops\n", "take it out", 1},
		{"network-switch\n\nfive-dropps\n", "line 3: there is no scenario", 3},
	} {
		write(t, file, c.known)
		o := redial(t, "check", "--step", "published-6", "--lab", "virtual", "--scenario", "network-switch,five-drops", "--seed", "1", "--expect", file)
		if o.code != c.code || !strings.Contains(o.stdout+o.stderr, c.want) {
			t.Errorf("%q: exit %d, want %d and %q:\n%s%s", c.known, o.code, c.code, c.want, o.stdout, o.stderr)
		}
	}
}

// An inconclusive run ends with 2, unless --fail-on is fail.
func TestFailOnDecidesTheExitStatus(t *testing.T) {
	t.Parallel()
	for outcome, code := range map[string]int{"fail": 0, "inconclusive": 2} {
		o := redial(t, "check", "--step", "7", "--lab", "virtual", "--scenario", "node-dies", "--fail-on", outcome)
		if o.code != code {
			t.Errorf("--fail-on %s: exit %d, want %d:\n%s%s", outcome, o.code, code, o.stdout, o.stderr)
		}
	}
}

// The workflow's command merges the shards into the results of the whole run, and refuses them
// if one is missing.
func TestMergedShardsEqualTheWholeRun(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	check := func(file string, more ...string) outcome {
		return redial(t, append([]string{"check", "--step", "published-6", "--lab", "virtual", "--scenario", "1,2,3,4", "--seed", "1",
			"--json", filepath.Join(folder, file)}, more...)...)
	}
	whole := check("whole.json")
	var parts []string
	for i := range 3 {
		file := fmt.Sprintf("reports/report-%d/verdicts.json", i)
		check(file, "--shard", fmt.Sprint(i+1, "/3"))
		parts = append(parts, filepath.Join(folder, file))
	}
	merged := redial(t, append([]string{"merge", "--json", filepath.Join(folder, "merged.json")}, parts...)...)
	if merged.code != whole.code || !strings.Contains(merged.stdout, "failed") {
		t.Errorf("exit %d of the parts and %d of the whole:\n%s%s", merged.code, whole.code, merged.stdout, merged.stderr)
	}
	if a, b := verdicts(t, filepath.Join(folder, "whole.json")), verdicts(t, filepath.Join(folder, "merged.json")); len(a) != 4 || fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("the whole is %v, and the parts together %v", a, b)
	}
	_, script, _ := strings.Cut(read(t, "../../../.github/workflows/redial.yml"), "      - run: ./redial merge")
	if err := os.Symlink(itself, filepath.Join(folder, "redial")); err != nil {
		t.Fatal(err)
	}
	workflow := func() outcome {
		c := command(t)
		c.Path, c.Args, c.Dir = "/bin/sh", []string{"sh", "-e", "-c", "exec ./redial merge" + script}, folder
		return run(t, c)
	}
	if o := workflow(); o.code != whole.code || o.stdout != merged.stdout {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	check("others.json", "--scenario", "1,2,3,5", "--shard", "2/3")
	if o := redial(t, "merge", parts[0], filepath.Join(folder, "others.json"), parts[2]); o.code != 3 || o.stdout != "" || !strings.Contains(o.stderr, "others.json is a part of other scenarios") {
		t.Errorf("exit %d with a part of other rows: %s%s", o.code, o.stdout, o.stderr)
	}
	if err := os.Remove(parts[1]); err != nil {
		t.Fatal(err)
	}
	if o := workflow(); o.code != 3 || o.stdout != "" || o.stderr != "redial: shard 2/3 is missing: 2 of 3 were given\n" {
		t.Errorf("exit %d without a part: %s%s", o.code, o.stdout, o.stderr)
	}
}

// An inconclusive part does not fail the merge where it did not fail its own check.
func TestMergeFailsOnWhatCheckFailsOn(t *testing.T) {
	t.Parallel()
	part := filepath.Join(t.TempDir(), "part.json")
	redial(t, "check", "--step", "7", "--lab", "virtual", "--scenario", "node-dies", "--seed", "1", "--shard", "1/1", "--json", part)
	for outcome, code := range map[string]int{"fail": 0, "inconclusive": 2} {
		if o := redial(t, "merge", "--fail-on", outcome, part); o.code != code {
			t.Errorf("--fail-on %s: exit %d, want %d:\n%s%s", outcome, o.code, code, o.stdout, o.stderr)
		}
	}
}

// A number stands for all scenarios of its row, and a user's own scenarios can be listed.
func TestKnownFailuresAreAmongTheRowsThatArePlayed(t *testing.T) {
	t.Parallel()
	p := play{own: absolute(t, "../../examples"), expect: filepath.Join(t.TempDir(), "known.txt")}
	write(t, p.expect, "24\nidle-proxy # of our own\n")
	rows, err := p.rows()
	if err != nil {
		t.Fatal(err)
	}
	ids, err := knownFailures(p.expect, rows)
	if err != nil || strings.Join(ids, " ") != "refresh long-history idle-proxy" {
		t.Errorf("%v, %v", ids, err)
	}
}

func verdicts(t *testing.T, file string) map[string]string {
	t.Helper()
	var r struct {
		Scenarios []struct{ ID, Verdict, Reason string }
	}
	if err := json.Unmarshal([]byte(read(t, file)), &r); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, s := range r.Scenarios {
		all[s.ID] = s.Verdict + " " + s.Reason
	}
	return all
}

func TestFailuresAreAnnotatedInGitHubActions(t *testing.T) {
	t.Parallel()
	c := command(t, "check", "--step", "published-6", "--lab", "virtual", "--scenario", "network-switch", "--seed", "1")
	c.Env = append(c.Env, "GITHUB_ACTIONS=true")
	if o := run(t, c); o.code != 1 || !strings.Contains(o.stdout, "\n::error title=redial%3A network-switch::A page shows every message") {
		t.Errorf("exit %d without an annotation:\n%s", o.code, o.stdout)
	}
}

// What a server sends stands between a stop of the workflow commands and their resumption, so that
// the runner does not obey it. The annotations stand behind.
func TestServersTextIsNoCommandInGitHubActions(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	history, part := filepath.Join(folder, "hostile.jsonl"), filepath.Join(folder, "part.json")
	write(t, history, strings.ReplaceAll(byHand+bobShows, `"message":"hi"`, `"message":"##[stop-commands]x"`)+
		`{"kind":"shown","client":"bob","message":"##[add-mask]e"}`)
	for _, arguments := range [][]string{
		{"check", "--step", "published-6", "--lab", "virtual", "--scenario", "network-switch", "--seed", "1", "--json", part},
		{"merge", part},
		{"recheck", history},
		{"recheck", "##[add-mask]e"},
	} {
		if arguments[0] == "merge" {
			write(t, part, strings.ReplaceAll(read(t, part), "A page shows every", "##[stop-commands]every"))
		}
		c := command(t, arguments...)
		c.Env = append(c.Env, "GITHUB_ACTIONS=true")
		o := run(t, c)
		stopped, annotations := "", 0
		for line := range strings.Lines(o.stdout + o.stderr) {
			line = strings.TrimSpace(line)
			switch {
			case stopped == "" && strings.HasPrefix(line, "::stop-commands::"):
				stopped = "::" + strings.TrimPrefix(line, "::stop-commands::") + "::"
			case stopped != "" && line == stopped:
				stopped = ""
			case strings.HasPrefix(line, "::error "):
				annotations++
				fallthrough
			case strings.Contains(line, "##[") || strings.Contains(line, "no-loss"):
				if (stopped == "") != strings.HasPrefix(line, "::error ") {
					t.Errorf("%s: the runner stopped: %t, at %s", arguments, stopped != "", line)
				}
			}
		}
		if want := map[string]int{"check": 1, "merge": 1}[arguments[0]]; stopped != "" || annotations != want || o.code == 0 {
			t.Errorf("%s: exit %d, %d annotations, %q left:\n%s", arguments, o.code, annotations, stopped, o.stdout+o.stderr)
		}
	}
}

// The script of the GitHub action runs here as it would on a runner of GitHub.
func TestScriptOfTheActionChecksAServer(t *testing.T) {
	t.Parallel()
	_, script, _ := strings.Cut(read(t, "../../../.github/actions/redial/action.yml"), "      run: |\n")
	if strings.Contains(script, "${{") || !strings.Contains(script, "redial\" check") {
		t.Fatalf("this is not the script, or it has an expression of GitHub:\n%s", script)
	}
	folder := t.TempDir()
	if err := os.Symlink(itself, filepath.Join(folder, "redial")); err != nil {
		t.Fatal(err)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	play := func(where, start, url string) outcome {
		c := command(t)
		c.Path, c.Args, c.Dir = bash, []string{"bash", "-e", "-c", script}, where
		c.Env = append(c.Env, "RUNNER_TEMP="+folder, "REDIAL_COMMAND="+start, "REDIAL_URL="+url,
			"REDIAL_LEVEL=", "REDIAL_ARGUMENTS=--scenario clean-drop --seed 1", "REDIAL_REPORT="+filepath.Join(where, "out"))
		return run(t, c)
	}
	configured := t.TempDir()
	if err := os.WriteFile(filepath.Join(configured, "redial.yaml"), []byte("target: {command: "+itself+" serve-step 7}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for where, start := range map[string]string{t.TempDir(): "cd / && " + itself + " serve-step 7", configured: ""} {
		if o := play(where, start, ""); o.code != 0 || !strings.Contains(o.stdout, "level server-delivery") {
			t.Fatalf("%q: exit %d: %s%s", start, o.code, o.stdout, o.stderr)
		}
		for _, file := range []string{"verdicts.json", "junit.xml", "index.html"} {
			if _, err := os.Stat(filepath.Join(where, "out", file)); err != nil {
				t.Error(err)
			}
		}
	}
	if o := play(folder, "true", "http://localhost:1"); o.code != 3 || !strings.Contains(o.stderr, "check needs one of") {
		t.Errorf("a command and an address: exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
}

func TestCheckWritesJSONJUnitAndHTML(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	o := redial(t, "check", "--step", "7", "--lab", "virtual", "--scenario", "clean-drop, refresh", "--seed", "5", "--runs", "2",
		"--json", filepath.Join(folder, "v.json"), "--junit", filepath.Join(folder, "deeper", "v.xml"), "--report", folder)
	if o.code != 0 || o.stderr != "" {
		t.Fatalf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	text := read(t, filepath.Join(folder, "v.json"))
	var v struct {
		Target, Level string
		Seed          uint64
		Scenarios     []struct {
			ID, Verdict string
			Runs        int
			FaultsFired int `json:"faults_fired"`
		}
		Summary map[string]int
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	if v.Target != "step 7" || v.Level != "server-delivery" || v.Seed != 5 || len(v.Scenarios) != 2 || v.Summary["pass"] != 2 {
		t.Errorf("%s", text)
	}
	if first := v.Scenarios[0]; first.ID != "clean-drop" || first.Verdict != "pass" || first.Runs != 2 || first.FaultsFired < 4 {
		t.Errorf("%+v", first)
	}
	for _, name := range []string{"deeper/v.xml", "index.html"} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A closed stdout, as in `redial check | true`, loses no file.
func TestFilesAreWrittenIfStdoutIsClosed(t *testing.T) {
	t.Parallel()
	for _, arguments := range [][]string{
		{"check", "--step", "7", "--lab", "virtual", "--scenario", "clean-drop"},
		{"check", "--step", "7", "--lab", "virtual", "--scenario", "clean-drop", "--level", "auto"},
		{"defects", "no-unique"},
	} {
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		reader.Close()
		file := filepath.Join(t.TempDir(), "result.json")
		c := command(t, append(arguments, "--json", file)...)
		c.Stdout = writer
		_ = c.Run() // SIGPIPE ends it
		writer.Close()
		if text := read(t, file); !strings.HasPrefix(text, "{") {
			t.Errorf("%q wrote %q", arguments, text)
		}
	}
}

// A file that cannot be written prevents no other, and a folder is tried before the runs.
func TestOneUnwritableFileDoesNotPreventTheOthers(t *testing.T) {
	t.Setenv("GITHUB_STEP_SUMMARY", "")
	folder := t.TempDir()
	blocked, junit := filepath.Join(folder, "file"), filepath.Join(folder, "junit.xml")
	write(t, blocked, "")
	if err := (outputs{json: filepath.Join(blocked, "result.json"), junit: junit}).write(report.Report{}); err == nil {
		t.Error("a file is in no folder")
	}
	if text := read(t, junit); !strings.Contains(text, "<testsuite") {
		t.Errorf("JUnit XML is %q", text)
	}
	if err := (outputs{reportDir: folder}).try(); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 2 {
		t.Errorf("the try has left a file: %v, %v", entries, err)
	}
	if err := (outputs{reportDir: "/proc/self"}).try(); err == nil { // in which root cannot write either
		t.Error("an unwritable folder was not noticed")
	}
}
