package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	verdict "redial/harness/check"
	"redial/harness/contract"
	"redial/harness/lab"
	"redial/harness/plan"
	"redial/scenarios/catalogue"
	"redial/scenarios/peers/goclient"
	"redial/scenarios/runner"
	"redial/scenarios/servers"
)

// itself is the test's executable, which the tests run as the command, as a step, or as a
// hostile server.
var itself = func() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}()

// testCommand begins the environment variable that makes the test's executable the command.
const testCommand = "REDIAL_TEST_COMMAND="

// testAnswerBound begins the one that has that command wait for an answer no longer than so.
const testAnswerBound = "REDIAL_TEST_ANSWER_BOUND="

func TestMain(m *testing.M) {
	becomeHostile()
	servers.BecomeStep()
	goclient.Become()
	if os.Getenv(strings.TrimSuffix(testCommand, "=")) != "" {
		if bound, err := time.ParseDuration(os.Getenv(strings.TrimSuffix(testAnswerBound, "="))); err == nil {
			runner.AnswerWithin = bound
		}
		main()
	}
	os.Exit(m.Run())
}

type outcome struct {
	stdout, stderr string
	code           int
	took           time.Duration
}

// errors are the lines on stderr but those of progress.
func (o outcome) errors() string {
	return regexp.MustCompile(`(?m)^… .*\n`).ReplaceAllString(o.stderr, "")
}

// command is the command redial in a folder of its own, to which it may write. The links
// there lead to the client library, which npm would fetch otherwise, and to the exercises.
func command(t testing.TB, arguments ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(itself, arguments...)
	c.Dir = t.TempDir()
	for _, name := range []string{"go.mod", "steps"} {
		if err := os.Symlink(absolute(t, "../../../"+name), filepath.Join(c.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	folder := t.TempDir()
	c.Env = append(os.Environ(), testCommand+folder, "TMPDIR="+folder, "GITHUB_ACTIONS=")
	return c
}

func absolute(t testing.TB, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func redial(t *testing.T, arguments ...string) outcome {
	t.Helper()
	return run(t, command(t, arguments...))
}

// run runs the command to its end.
func run(t *testing.T, c *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	began := time.Now()
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	nothingLeft(t, c)
	return outcome{stdout.String(), stderr.String(), c.ProcessState.ExitCode(), time.Since(began)}
}

// nothingLeft fails when the command has left a child process or a temporary
// folder behind.
func nothingLeft(t *testing.T, c *exec.Cmd) {
	t.Helper()
	var folder, mine string
	for _, v := range c.Env {
		if after, ok := strings.CutPrefix(v, "TMPDIR="); ok {
			folder = after
		}
		if strings.HasPrefix(v, testCommand) {
			mine = v
		}
	}
	left, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	// Every child inherits this, which is the test's alone. Chromium has another TMPDIR.
	processes, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processes {
		text, err := os.ReadFile(p)
		if err == nil && bytes.Contains(text, []byte(mine+"\x00")) {
			t.Errorf("a process is left behind: %s", p)
		}
	}
}

func TestReplayFailsIfAnyRunFailsAndReportsTheRate(t *testing.T) {
	which, err := catalogue.Find([]string{"clean-drop"})
	if err != nil {
		t.Fatal(err)
	}
	played := which[0].Plan(1)
	unfired := played
	unfired.Faults = []plan.Fault{{Kind: plan.Cut, Client: "bob", At: plan.Frame{Number: 1_000_000}}}
	for _, c := range []struct {
		target, failed string
		plan           plan.Plan
		code           int
	}{
		{"step 5", "it failed in 3.", played, 1},
		{"step 7", "it failed in 0.", played, 0},
		{"step 7", "it failed in 0.", unfired, 2},
	} {
		saved, err := json.Marshal(runner.Saved{
			Target: c.target, Level: contract.ServerDelivery, Lab: lab.Virtual.String(), Plan: c.plan,
			Verdict: verdict.Verdict{Outcome: verdict.Fail, Level: contract.ServerDelivery, Reason: "another one"},
		})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "saved.json")
		write(t, file, string(saved))
		if o := redial(t, "replay", "--times", "3", file); o.code != c.code || !strings.Contains(o.stdout, "The same verdict in 0 of 3 runs; "+c.failed) {
			t.Errorf("%s: exit %d, want %d: %q, %q", c.target, o.code, c.code, o.stdout, o.stderr)
		}
	}
}

// The error names in one line, before any scenario, in which way the server does not speak as
// the tutorial's chat. The cases only wait for an answer, so they run all at once.
func TestCheckRefusesServersWithAnotherProtocol(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	defer all.Wait()
	for name, c := range map[string]struct {
		want    string
		handler func() http.Handler
	}{
		"no Socket.IO": {"no Socket.IO client can connect", func() http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "\x00garbage") })
		}},
		"another path": {"on the path /socket.io/", func() http.Handler {
			routes := http.NewServeMux()
			routes.Handle("/ws/", socket.NewServer(nil, nil).ServeHandler(nil))
			return routes
		}},
		"another namespace": {"to every other client in the namespace / ", func() http.Handler {
			server := socket.NewServer(nil, nil)
			_ = server.Of("/chat", nil).On("connection", func(clients ...any) {
				one := clients[0].(*socket.Socket)
				_ = one.On(contract.ChatEvent, func(args ...any) { _ = server.Of("/chat", nil).Emit(contract.ChatEvent, args[0]) })
			})
			return server.ServeHandler(nil)
		}},
		"no echo": {"did not send a message back to its sender", func() http.Handler {
			server := socket.NewServer(nil, nil)
			_ = server.On("connection", func(clients ...any) {
				one := clients[0].(*socket.Socket)
				_ = one.On(contract.ChatEvent, func(args ...any) { _ = one.Broadcast().Emit(contract.ChatEvent, args[0]) })
			})
			return server.ServeHandler(nil)
		}},
		"another event": {"another client did not receive it", func() http.Handler { return socket.NewServer(nil, nil).ServeHandler(nil) }},
	} {
		all.Go(func() {
			t.Run(name, func(t *testing.T) {
				routes := http.NewServeMux()
				routes.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
				routes.Handle("/", c.handler())
				server := httptest.NewServer(routes)
				defer server.Close()
				o := redial(t, "check", "--url", server.URL)
				if o.code != 3 || strings.Count(o.errors(), "\n") != 1 || !strings.Contains(o.stderr, c.want) || o.stdout != "" {
					t.Errorf("exit %d after %v: %q%q, want one line with %q", o.code, o.took, o.stderr, o.stdout, c.want)
				}
			})
		})
	}
}

func TestCheckRefusesAnAddressWithoutAServer(t *testing.T) {
	t.Parallel()
	o := redial(t, "check", "--url", "http://127.0.0.1:1")
	if o.code != 3 || strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, "nothing answers at http://127.0.0.1:1: connection refused") {
		t.Errorf("exit %d after %v: %s", o.code, o.took, o.stderr)
	}
}

// A failure of the real lab is saved with the server's output, and can be replayed, both of
// a step and of a server by its command.
func TestReplayOfARealFailureComesToTheSavedVerdict(t *testing.T) {
	t.Parallel()
	for name, server := range map[string][]string{
		"step":    {"--step", "5", "--level", "server-delivery"},
		"command": {"--", itself, servers.ServeStep, "5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			o := redial(t, append([]string{"check", "--scenario", "clean-drop", "--report", folder}, server...)...)
			saved, err := filepath.Glob(filepath.Join(folder, "*", "clean-drop-*.json"))
			if o.code != 1 || err != nil || len(saved) != 1 {
				t.Fatalf("exit %d, saved %v, %v: %s%s", o.code, saved, err, o.stdout, o.stderr)
			}
			for _, want := range []string{"no-loss", "bob is offline 1"} {
				if !strings.Contains(o.stdout, want) {
					t.Errorf("the report does not name %q:\n%s", want, o.stdout)
				}
			}
			failure, err := runner.ReadSaved(saved[0])
			if err != nil || failure.Output == "" || len(failure.Events) == 0 {
				t.Errorf("%v, output %q, %d events", err, failure.Output, len(failure.Events))
			}
			o = redial(t, "replay", saved[0])
			if o.code != 1 || !strings.Contains(o.stdout, "The verdict is the saved one.") {
				t.Errorf("replayed: exit %d: %s%s", o.code, o.stdout, o.stderr)
			}
		})
	}
}

// Outside of a clone, npm fetches the client library once, into the user's cache.
func TestCheckWorksInAnyFolder(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	for n, want := range []string{"fetching socket.io-client 4.8.4 with npm into " + cache, ""} {
		c := command(t, "check", "--step", "5", "--lab", "virtual", "--scenario", "clean-drop", "--seed", "1", "--quiet")
		c.Dir = t.TempDir() // without a link to steps
		c.Env = append(c.Env, "XDG_CACHE_HOME="+cache, "HOME="+cache)
		o := run(t, c)
		if o.code != 0 || !strings.Contains(o.stdout, "1 passed") {
			t.Fatalf("run %d: exit %d: %s%s", n+1, o.code, o.stdout, o.stderr)
		}
		if want == "" && o.stderr != "" || !strings.HasPrefix(o.stderr, want) || strings.Count(o.stderr, "\n") > 1 {
			t.Errorf("run %d prints %q, want one line with %q", n+1, o.stderr, want)
		}
	}
}

// The scenarios run twice, with the same seed, on one server that keeps its log: no run counts
// the messages of another, whatever the level.
func TestRunsOnAServerThatKeepsItsLogDoNotMix(t *testing.T) {
	t.Parallel()
	server := command(t, servers.ServeStep, "7")
	server.Env = append(server.Env, "PORT=0", "DATA_DIR="+t.TempDir())
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := regexp.MustCompile(`http://[^ ]+`).FindString(line)
	for _, level := range []string{"server-delivery", "basic"} {
		o := redial(t, "check", "--url", url, "--level", level, "--scenario", "clean-drop,own-disconnect,server-killed", "--seed", "7")
		if o.code != 0 || !strings.Contains(o.stdout, "2 passed") || !strings.Contains(o.stdout, "1 unsupported") {
			t.Fatalf("exit %d:\n%s%s", o.code, o.stdout, o.stderr)
		}
	}
}

// A scenario that is not played within the limit is listed as inconclusive, and one that was
// played has its verdict: clean-drop, where the machine is not too busy.
func TestTimeLimitEndsTheCheck(t *testing.T) {
	t.Parallel()
	o := redial(t, "check", "--step", "8", "--scenario", "clean-drop,database-unavailable", "--time-limit", "5s")
	if o.code != 2 || !strings.Contains(o.stdout, "database-unavailable: not played: the time limit of 5s was exceeded") ||
		!strings.Contains(o.stdout, "✓ clean-drop") && !strings.Contains(o.stdout, "clean-drop: not played: the time limit of 5s") {
		t.Errorf("exit %d after %s: %s%s", o.code, o.took, o.stdout, o.stderr)
	}
	o = redial(t, "check", "--step", "7", "--lab", "virtual", "--scenario", "clean-drop", "--runs", "6000", "--time-limit", "3s")
	if o.code != 2 || !strings.Contains(o.stdout, "clean-drop: the time limit of 3s was exceeded after ") || !strings.Contains(o.stdout, " of 6000 runs") {
		t.Errorf("exit %d after %s: %s%s", o.code, o.took, o.stdout, o.stderr)
	}
}

// A run that does not end within the limit is given up, and the others are played. On a busy
// machine they may be given up, too.
func TestRunLimitEndsOneRun(t *testing.T) {
	t.Parallel()
	o := redial(t, "check", "--step", "8", "--scenario", "clean-drop,database-unavailable", "--run-limit", "5s")
	const givenUp = ": the run was given up: it had not ended after 5s"
	if o.code != 2 || !strings.Contains(o.stdout, "database-unavailable"+givenUp) || !strings.Contains(o.stdout, "✓ clean-drop") && !strings.Contains(o.stdout, "clean-drop"+givenUp) {
		t.Errorf("exit %d after %s: %s%s", o.code, o.took, o.stdout, o.stderr)
	}
}

func waitFor(t *testing.T, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(hostileTime); !met(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the condition was not met within %s", hostileTime)
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
