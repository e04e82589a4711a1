package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"redial/harness/plan"
)

func TestStartPassesTuningInTheEnvironment(t *testing.T) {
	c := started(t, "server", func(o *CommandOptions) {
		o.Tuning = plan.Tuning{PingInterval: plan.Duration(1500 * time.Millisecond), PingTimeout: plan.Duration(time.Microsecond)}
		o.Env = append(o.Env, "EXTRA=yes")
	})
	want := "PING_INTERVAL=1500\nPING_TIMEOUT=1\nMAX_DISCONNECTION_DURATION=\nDATA_DIR=" + c.DataDir() + "\nEXTRA=yes\n"
	if got := get(t, c, "/environment"); got != want {
		t.Errorf("environment:\n%s\nwant:\n%s", got, want)
	}
	if pid := get(t, c, "/"); pid != strconv.Itoa(c.process.group) {
		t.Errorf("process %s answers; want the leader of its own group, %d", pid, c.process.group)
	}
	if !strings.Contains(c.Output(), "serving as") {
		t.Errorf("output %q", c.Output())
	}
	if err := c.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "running already") {
		t.Errorf("a second Start: %v", err)
	}
}

func TestServerThatNeverListensIsNotReady(t *testing.T) {
	c := command(t, "never-listens")
	err := c.Start(within(t, 5*time.Second)) // time enough to print, also on a busy machine
	if err == nil || !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), ": I listen on nothing") {
		t.Fatalf("error %v", err)
	}
	awaitGone(t, c.process.group)
}

// A Socket.IO server without a page accepts connections but never answers GET /.
func TestAdviceDependsOnWhetherTheServerListens(t *testing.T) {
	for role, want := range map[string]string{"never-answers": "write `ready: port`", "never-listens": "does it listen on PORT, or does it need longer (`readyWithin`"} {
		c := command(t, role)
		err := c.Start(within(t, 5*time.Second))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", role, err)
		}
	}
}

func TestAdviceNamesThePortOfAServerThatIgnoresPORT(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("which ports a process listens on is known on Linux only")
	}
	c := command(t, "ignores-port")
	err := c.Start(within(t, 5*time.Second))
	if err == nil {
		t.Fatal("a server on another port counts as ready")
	}
	ports := regexp.MustCompile(`listens on port (\d+) and not on PORT: write .port: (\d+).*I listen on 127.0.0.1:(\d+)$`).FindStringSubmatch(err.Error())
	if ports == nil || ports[1] != ports[3] || ports[2] != ports[3] {
		t.Error(err)
	}
}

func TestServerThatEndsBeforeItIsReady(t *testing.T) {
	c := command(t, "exits-at-start")
	began := time.Now()
	err := c.Start(within(t, time.Minute))
	want := "the server ended before it was ready (exit status 1): no such table: messages"
	if err == nil || err.Error() != want {
		t.Fatalf("error %q\n want %q", err, want)
	}
	if time.Since(began) > 30*time.Second {
		t.Error("the early end was not noticed at once")
	}
}

func TestCannotStart(t *testing.T) {
	for name, test := range map[string]struct {
		options CommandOptions
		want    string
	}{
		"no such program": {CommandOptions{Command: []string{"redial-no-such-program"}}, `the command "redial-no-such-program" cannot be started: executable file not found in $PATH`},
		"no such folder":  {CommandOptions{Command: []string{"true"}, Dir: "/no/such/folder"}, `the folder to run the command in: stat /no/such/folder: no such file or directory`},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := NewCommand(test.options)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.Start(t.Context()); err == nil || err.Error() != test.want {
				t.Errorf("error %q\n want %q", err, test.want)
			}
		})
	}
	if _, err := NewCommand(CommandOptions{}); err == nil {
		t.Error("an empty command was accepted")
	}
	if _, err := NewCommand(CommandOptions{Command: []string{"true"}, Port: 70000}); err == nil {
		t.Error("port 70000 was accepted")
	}
}

func TestPortInUse(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	port := other.Listener.Addr().(*net.TCPAddr).Port
	c := command(t, "server", func(o *CommandOptions) { o.Port = port })
	want := fmt.Sprintf("port %d is in use by something else: stop it, or choose another port", port)
	if err := c.Start(t.Context()); err == nil || err.Error() != want {
		t.Fatalf("error %q\n want %q", err, want)
	}
}

func TestServerOutsideTheProcessGroupIsRefused(t *testing.T) {
	c := command(t, "outside")
	err := c.Start(within(t, time.Minute))
	if err == nil || !strings.Contains(err.Error(), "is served by something else") {
		t.Errorf("error %v", err)
	}
	var pid int
	if _, err := fmt.Sscanf(c.Output(), "outside %d", &pid); err != nil {
		t.Fatalf("output %q: %v", c.Output(), err)
	}
	syscall.Kill(pid, syscall.SIGKILL)
	awaitGone(t, pid)
}

func TestStopIsGraceful(t *testing.T) {
	c := started(t, "server")
	exited := c.Exited()
	if err := c.Stop(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(c.Output(), "stopped cleanly\n") {
		t.Errorf("output %q", c.Output())
	}
	if isClosed(exited) {
		t.Error("Exited is closed although the server was asked to end")
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
}

func TestStopFallsBackToKill(t *testing.T) {
	c := started(t, "ignores-sigterm")
	err := c.Stop(within(t, 300*time.Millisecond))
	if err == nil || !strings.Contains(err.Error(), "had to be killed") {
		t.Errorf("error %v", err)
	}
	awaitGone(t, c.process.group)
}

// The group's leader may end first, as npm does; its children still get their time to stop.
func TestStopWaitsForTheWholeGroup(t *testing.T) {
	c := started(t, "leader-ends")
	if err := c.Stop(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(c.DataDir(), "finished")); err != nil {
		t.Errorf("the child of the server was killed before it had stopped: %v", err)
	}
}

func TestKillEndsGrandchildren(t *testing.T) {
	c := started(t, "grandchild")
	text, err := os.ReadFile(filepath.Join(c.DataDir(), "grandchild"))
	if err != nil {
		t.Fatal(err)
	}
	grandchild, _ := strconv.Atoi(string(text))
	if group, err := syscall.Getpgid(grandchild); group != c.process.group {
		t.Fatalf("the grandchild is in group %d (%v) before Kill; want %d", group, err, c.process.group)
	}
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if groupAlive(c.process.group) {
		t.Error("a process of the group still runs after Kill")
	}
}

func TestRestartsOnTheSamePortAndData(t *testing.T) {
	c := started(t, "server")
	address, first := c.Address(), get(t, c, "/")
	kept := filepath.Join(c.DataDir(), "kept")
	if err := os.WriteFile(kept, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := c.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := c.Start(within(t, time.Minute)); err != nil {
			t.Fatalf("start %d: %v", i+2, err)
		}
		if c.Address() != address || get(t, c, "/") == first {
			t.Fatalf("start %d: %s is served by %s", i+2, c.Address(), get(t, c, "/"))
		}
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("a file in the data folder is gone after the restarts: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.DataDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Close left the temporary folder: %v", err)
	}
	if err := c.Start(t.Context()); err == nil {
		t.Error("a closed target was started")
	}
}

func TestExitedIsClosedByACrash(t *testing.T) {
	c := started(t, "exits-when-asked")
	exited := c.Exited()
	if isClosed(exited) {
		t.Fatal("Exited is closed while the server runs")
	}
	http.Get("http://" + c.Address() + "/exit") // fails, because the server crashes
	select {
	case <-exited:
	case <-time.After(time.Minute):
		t.Fatal("the crash was not noticed")
	}
	if err := c.Start(within(t, time.Minute)); err != nil {
		t.Fatalf("start after a crash: %v", err)
	}
	if isClosed(c.Exited()) {
		t.Error("Start did not make a new channel for Exited")
	}
}

func TestGivenDataFolderIsKept(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	c := started(t, "server", func(o *CommandOptions) { o.DataDir = folder })
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); err != nil {
		t.Errorf("Close removed a folder that it did not make: %v", err)
	}
}

// SIGINT ends the harness too, because it has no handler for it.
func TestKilledHarnessLeavesNoProcessAndNoFolder(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			harness, group, folder := startHarness(t, "grandchild")
			if !groupAlive(group) {
				t.Fatal("the target does not run before the harness is killed")
			}
			harness.Process.Signal(sig)
			harness.Wait()
			awaitGone(t, group)
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
				if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s is still there", folder)
				}
			}
		})
	}
}

func TestOutputIsBounded(t *testing.T) {
	o := NewBoundedOutput(10)
	for i := range 100 {
		fmt.Fprintf(o, "%04d\n", i)
	}
	if got, want := o.String(), "0000\n0001\n\n… 480 bytes left out …\n0098\n0099\n"; got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	mark := o.Written()
	if line := o.LastLine(mark); line != "" {
		t.Errorf("last line %q of no output", line)
	}
	fmt.Fprintf(o, "end\n\n")
	if line := o.LastLine(mark); line != "end" {
		t.Errorf("last line %q", line)
	}
}

func TestURLCanBeNeitherStartedTwiceNorStopped(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	u, err := NewURL(server.URL+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"Start": u.Start(t.Context()), "Stop": u.Stop(t.Context()), "Kill": u.Kill()} {
		if !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if u.String() != server.URL || u.Address() != server.Listener.Addr().String() {
		t.Errorf("URL %v at %s", u, u.Address())
	}
}

func TestURLThatDoesNotAnswer(t *testing.T) {
	u, err := NewURL("http://127.0.0.1:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "nothing answers at http://127.0.0.1:1: connection refused"
	if err := u.Start(t.Context()); err == nil || err.Error() != want {
		t.Errorf("error %q\n want %q", err, want)
	}

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	u, _ = NewURL("http://"+silent.Addr().String(), nil)
	err = u.Start(within(t, 100*time.Millisecond))
	if err == nil || !strings.HasPrefix(err.Error(), "nothing answers at http://127.0.0.1:") || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	// A server without a page is no different at GET /. Whether it speaks Socket.IO is asked later.
	if err := u.Start(t.Context()); err != nil {
		t.Errorf("a server that accepts connections: %v", err)
	}
}

func TestURLThatDoesNotSpeakHTTP(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		fmt.Fprint(conn, "SSH-2.0-OpenSSH\r\n")
		conn.Close()
	}))
	defer other.Close()
	u, _ := NewURL(other.URL, nil)
	if err := u.Start(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "what answers at "+other.URL+" is not HTTP: ") {
		t.Errorf("error %v", err)
	}
}

func TestNewURLTakesOnlyAnAddress(t *testing.T) {
	for _, raw := range []string{"", "localhost:3000", "ftp://127.0.0.1", "http://127.0.0.1/chat", "http://:3000", "http://127.0.0.1?x=1", "http://a b"} {
		if _, err := NewURL(raw, nil); err == nil {
			t.Errorf("%q was accepted", raw)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: more than one line: %v", raw, err)
		}
	}
	if u, err := NewURL("http://localhost", nil); err != nil || u.Address() != "localhost:80" {
		t.Errorf("%v, %v", u, err)
	}
}

var (
	_ Target = (*Command)(nil)
	_ Target = (*URL)(nil)
)

func TestLastLineIsTheErrorAboveAStackTrace(t *testing.T) {
	for text, want := range map[string]string{
		"listening\nstopped\n": "stopped",
		"x\nError: Cannot find module 'y'\n  at z\n\nNode.js v20": "Error: Cannot find module 'y'",
		"Traceback\n  File\nsqlite3.OperationalError: locked\n":   "sqlite3.OperationalError: locked",
		"TypeError [ERR_X]: no\n    at a\n  code: 'ERR_X'\n}":     "TypeError [ERR_X]: no",
		// A module whose binary is missing: the files that were tried stand there twice.
		"Error: old\nError: Could not locate the bindings file. Tried:\n" + strings.Repeat(" → /a/b.node\n", 30) + "    at c\n  tries: [\n" +
			strings.Repeat("    '/a/b.node',\n", 30) + "  ]\n}\n\nNode.js v20.20.2\n": "Error: Could not locate the bindings file. Tried:",
		// Without the end of Node.js, an error further up is an older one.
		"Error: old\n" + strings.Repeat("listening\n", 60) + "stopped\n": "stopped",
	} {
		o := NewBoundedOutput(2000)
		_, _ = o.Write([]byte(text))
		if got := o.LastLine(0); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
