package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"redial/harness/client/browser"
	"redial/harness/lab/race"
	"redial/scenarios/servers"
)

const (
	// hostileTime and hostileMemory (in MB) bound a check of any hostile server. The slowest takes
	// half a minute of an idle machine.
	hostileTime   = 5 * time.Minute
	hostileMemory = 400
	// doublingMemory (in MB) bounds a check of a server whose script allocates without end:
	// see mostMemory.
	doublingMemory = 2200
	// hostileAtOnce is how many checks run at once: most of them only wait.
	hostileAtOnce = 10
	// answerBound is the runner's bound of 15 s on an answer in the cases that reach it, so that
	// floods last no longer; one case has the real bound. startBound is that of 20 s on a start.
	answerBound = 3 * time.Second
	startBound  = "3s"
)

// A hostility is a hostile server, and the expected outcome of a check of it.
type hostility struct {
	server, scenario string
	code             int
	want             string // in the output; alternatives are separated by |
}

const cleanDrop, passes = "clean-drop", "PASS: 1 passed"

// Where these are wanted, the bounds above hold. On a busy machine an earlier answer may be the
// one that is not in time.
const (
	notReady = "the server did not answer at http"
	waited   = "waited 3s"
	noClient = "no Socket.IO client can connect on the path /socket.io/ and the namespace / (" + waited
	notOpen  = "it was not loaded within 3s|" + waited
)

// hostilities are in the order of their time: the slowest begin first.
var hostilities = []hostility{
	{"large messages for the second page", cleanDrop, 2, "the run was given up"},
	{"ignores SIGTERM", "server-restarted", 2, "the server ends when it is asked to"},
	{"closes at once", cleanDrop, 3, notReady},
	{"says nothing", cleanDrop, 3, notReady},
	{"is not HTTP", cleanDrop, 3, notReady},
	{"endless headers", cleanDrop, 3, notReady},
	{"prints only garbage", cleanDrop, 3, notReady},
	{"a log without end", cleanDrop, 2, "The log was not read to its end"},
	{"huge polls", "polling", 2, "no client got a connection"},

	{"right", cleanDrop, 0, passes},
	{"prints endlessly", cleanDrop, 0, passes},
	{"leaves its session", cleanDrop, 0, passes},
	{"endless page", cleanDrop, 0, passes},
	{"library that redirects", cleanDrop, 0, passes},
	{"pingInterval of a week", cleanDrop, 0, passes},
	{"fills the disk", cleanDrop, 3, "the server ended before it was ready"},

	{"alerts without end", cleanDrop, 3, "one dialog after the other"},
	{"alerts again and again", "idle", 2, "one dialog after the other"},
	{"endless library", cleanDrop, 3, "answers more than"},
	{"silent library", cleanDrop, 3, "it was not loaded within 15s"},
	{"library that loops", cleanDrop, 3, notOpen},
	{"library that is deep", cleanDrop, 3, "nested more than"},
	{"library that fills up", cleanDrop, 3, notOpen + "|more than 512 MB of memory"},
	{"library that doubles", cleanDrop, 3, notOpen + "|more than 512 MB of memory"},
	{"redirects to itself", cleanDrop, 3, noClient},
	{"upgrade without end", cleanDrop, 3, noClient},
	{"garbage frames", cleanDrop, 3, noClient},
	{"compressed bombs", cleanDrop, 3, noClient},
	{"huge message", cleanDrop, 3, noClient},
	{"message without end", cleanDrop, 3, waited},
	{"ping frames without end", cleanDrop, 3, waited},
	{"garbage packets", cleanDrop, 3, noClient},
	{"pings without end", cleanDrop, 3, noClient},
	{"answers no CONNECT", cleanDrop, 3, noClient},
	{"attachments that never come", cleanDrop, 3, waited},
	{"pingInterval of 0", cleanDrop, 3, "a pingInterval of 0 ms"},
	{"pingInterval below 0", cleanDrop, 3, "a pingInterval of -1 ms"},
	{"pingInterval of ages", cleanDrop, 3, "a pingInterval of 9223372036854775807 ms"},
	{"huge message for pages", cleanDrop, 3, "a message of more than 8 MB"},
	{"deeply nested JSON", cleanDrop, 2, "the run was given up"},

	{"huge message for the second page", cleanDrop, 2, "the run was given up"},
	{"a million events", cleanDrop, 3, waited},
	{"a million events for the second page", cleanDrop, 2, "the run was given up"},
}

// otherwise has other right answers: the machine's speed decides which comes first.
var otherwise = map[string][]hostility{
	"a million events":       {{code: 2, want: "the run was given up"}},
	"alerts again and again": {{code: 3, want: "one dialog after the other"}},
	"deeply nested JSON":     {{code: 1, want: "expected to be connected when the run ends"}, {code: 0, want: passes}},
	// The preflight's own message may be shown in the moment before the huge one begins.
	"huge message for pages": {{code: 2, want: "a message of more than 8 MB"}},
}

func (h hostility) is(code int, answer string) bool {
	return code == h.code && slices.ContainsFunc(strings.Split(h.want, "|"), func(want string) bool { return strings.Contains(answer, want) })
}

// Whatever a server does, redial ends in time with an error of one line, takes little memory
// and leaves neither processes nor files behind.
func TestHostileServers(t *testing.T) {
	if race.Enabled {
		t.Skip("takes five times the memory: make test plays it without the race detector")
	}
	t.Parallel()
	slots := make(chan struct{}, hostileAtOnce)
	var all sync.WaitGroup
	for _, h := range hostilities {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			t.Run(h.server, func(t *testing.T) { h.check(t) })
		})
	}
	all.Wait()
}

func (h hostility) check(t *testing.T) {
	arguments := []string{"check", "--scenario", h.scenario, "--seed", "1", "--quiet", "--report", t.TempDir()}
	switch {
	case strings.HasPrefix(h.server, "alerts"):
		if _, err := browser.Find(); err != nil {
			t.Skip(err)
		}
		arguments = append(arguments, "--config", hostileTarget(t, h.server, "isolated: true", stepPage))
	case h.want == notReady && h.server != "says nothing": // this has the real bound
		arguments = append(arguments, "--config", hostileTarget(t, h.server, "isolated: true, readyWithin: "+startBound, ""))
	default:
		arguments = append(arguments, "--", os.Args[0], hostileServer, h.server)
	}
	c := command(t, arguments...)
	if strings.Contains(h.want, waited) {
		c.Env = append(c.Env, testAnswerBound+answerBound.String())
	}
	if h.server == "fills the disk" {
		c.Env = append(c.Env, "TMPDIR="+smallDisk(t))
	}
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	began := time.Now()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(hostileTime, func() { _ = c.Process.Kill() })
	_ = c.Wait()
	limit.Stop()
	took, code := time.Since(began), c.ProcessState.ExitCode()
	megabytes := c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
	answer := strings.Join(strings.Fields(stdout.String()+stderr.String()), " ")
	busy := c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	t.Logf("exit %d after %.1f s, %.1f s of processor time, %d MB: %.600q", code, took.Seconds(), busy.Seconds(), megabytes, answer)
	right := append([]hostility{h}, otherwise[h.server]...)
	if !slices.ContainsFunc(right, func(h hostility) bool { return h.is(code, answer) }) {
		t.Errorf("exit %d, want %d with %q", code, h.code, h.want)
	}
	if code == 3 && (strings.Count(stderr.String(), "\n") != 1 || stderr.Len() > 1000) {
		t.Errorf("the error is not one line: %.2000q", stderr.String())
	}
	if unprintable.MatchString(stdout.String()+stderr.String()) || strings.Contains(answer, "goroutine ") || len(answer) > 20_000 {
		t.Errorf("control characters, a stack trace, or %d characters: %.2000q", len(answer), answer)
	}
	memory := int64(hostileMemory)
	if strings.Contains(h.want, "of memory") {
		memory = doublingMemory
	}
	if took >= hostileTime || megabytes > memory {
		t.Errorf("it took %s and %d MB", took, megabytes)
	}
	nothingLeft(t, c)
}

// hostileTarget writes the redial.yaml of a hostile server, with more under target and below it.
func hostileTarget(t *testing.T, server, more, below string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "redial.yaml")
	write(t, path, fmt.Sprintf("name: hostile\ntarget: {command: [%q, %s, %q], %s}\n%s", itself, hostileServer, server, more, below))
	return path
}

var unprintable = regexp.MustCompile(`[\x00-\x08\x0b-\x1f\x7f]`)

// smallDisk mounts a file system of 1 MB.
func smallDisk(t *testing.T) string {
	folder := t.TempDir()
	if err := syscall.Mount("redial", folder, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small file system needs root: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(folder, 0) })
	return folder
}

func TestReportOnAFullDiskIsAnError(t *testing.T) {
	t.Parallel()
	folder := smallDisk(t)
	if err := os.WriteFile(folder+"/full", make([]byte, 2<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	o := redial(t, "check", "--scenario", cleanDrop, "--seed", "1", "--report", folder, "--json", folder+"/verdict.json", "--", os.Args[0], hostileServer, "right")
	t.Logf("%d %q %q", o.code, o.stdout, o.stderr)
	if o.code != 3 || strings.Count(o.stderr, "\n") != 2 || strings.Count(o.stderr, "no space left on device") != 2 { // a line for each file
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
}

// Ctrl-C during a run ends redial and every process that it has started.
func TestInterruptEndsTheServers(t *testing.T) {
	t.Parallel()
	step := []string{"--step", "7", "--runs", "20"}
	for _, server := range []string{"says nothing", "leaves its session", "ignores SIGTERM", "a million events for the second page", "step 7"} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			arguments := []string{"--", itself, hostileServer, server}
			if server == "step 7" {
				arguments = step
			}
			verdict := filepath.Join(t.TempDir(), "verdict.json")
			c := command(t, append([]string{"check", "--quiet", "--json", verdict}, arguments...)...)
			when, preflight := hasServer, ""
			if server != "says nothing" && server != "step 7" { // these have no run, or no preflight
				when = func(pid int, _ string) bool {
					now := serverOf(pid)
					preflight = cmp.Or(preflight, now)
					return now != preflight && now != ""
				}
			}
			if o := ctrlC(t, c, when); o.code != 130 || !strings.Contains(o.stderr, "interrupted") {
				t.Errorf("exit %d %s after Ctrl-C: %s", o.code, o.took, o.stderr)
			}
			if server != "says nothing" { // this does not pass the preflight
				if written := read(t, verdict); !strings.Contains(written, `"reason": "not played: interrupted"`) || conforms(t, "report.schema.json", []byte(written)) != nil {
					t.Errorf("the file does not name what was not played: %s", written)
				}
			}
		})
	}
}

// serverOf is the process ID of a server that redial has started, or "".
func serverOf(redial int) string {
	out, _ := exec.Command("ps", "-o", "pid=,args=", "--ppid", strconv.Itoa(redial)).Output()
	for line := range strings.Lines(string(out)) {
		if pid, arguments, _ := strings.Cut(strings.TrimSpace(line), " "); strings.Contains(arguments, " "+hostileServer+" ") || strings.Contains(arguments, " "+servers.ServeStep+" ") {
			return pid
		}
	}
	return ""
}
