package lessons

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"redial/harness/target/ports"
	"redial/steps/internal/rawclient"
	"redial/steps/stores/backends"
)

// A process is a step that runs as a process of its own.
type process struct {
	t       *testing.T
	command *exec.Cmd
	url     string
	stderr  *bytes.Buffer
	exited  chan error
}

func command(t *testing.T, env []string, arguments ...string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(binary, arguments...)
	c.Dir = t.TempDir()
	// The step finds the client library in the module's folder steps, as it does for a learner.
	steps, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(steps, filepath.Join(c.Dir, "steps")); err != nil {
		t.Fatal(err)
	}
	// By default the race detector sleeps for a second before the process ends.
	c.Env = append(append(os.Environ(), asStep+"=1", "PORT=0", "GORACE=atexit_sleep_ms=0"), env...)
	return c
}

// runStep starts the step and returns when it has printed its URL.
func runStep(t *testing.T, step string, env ...string) *process {
	t.Helper()
	p := &process{t: t, command: command(t, env, step), stderr: &bytes.Buffer{}, exited: make(chan error, 1)}
	p.command.Stderr = p.stderr
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		ready <- line
		_, _ = io.Copy(io.Discard, stdout)
		p.exited <- p.command.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		<-p.exited
	})
	select {
	case line := <-ready:
		match := regexp.MustCompile(`^Step ` + step + ` \([a-z ]+\) is at (http://localhost:\d+) \(process (\d+)\) - Ctrl-C stops it\n$`).FindStringSubmatch(line)
		if match == nil || match[2] != strconv.Itoa(p.command.Process.Pid) {
			t.Fatalf("process %d printed %q and %q", p.command.Process.Pid, line, p.stderr)
		}
		p.url = match[1]
	case <-time.After(patience):
		t.Fatal("the step did not get ready")
	}
	return p
}

// end sends the signal and returns how long the process took to end, and how.
func (p *process) end(signal os.Signal) (time.Duration, error) {
	p.t.Helper()
	began := time.Now()
	if err := p.command.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
	select {
	case err := <-p.exited:
		return time.Since(began), err
	case <-time.After(patience):
		p.t.Fatalf("%v did not end the step", signal)
		return 0, nil
	}
}

func TestSignalEndsEveryStepWhilePagesAreConnected(t *testing.T) {
	for i, lesson := range All {
		signal := []os.Signal{os.Interrupt, syscall.SIGTERM}[i%2]
		p := runStep(t, lesson.Number)
		var pages []*rawclient.Client
		if strings.Contains(string(lesson.Page), "socket.io.js") {
			for range 5 {
				pages = append(pages, rawclient.Connect(t, p.url, nil))
			}
		}
		took, err := p.end(signal)
		if err != nil || took > 20*time.Second {
			t.Errorf("step %s ended after %v with %v and %q, want 0 before the heartbeat would end the connections", lesson.Number, took, err, p.stderr)
		}
		for _, page := range pages {
			page.Ended()
		}
	}
}

// The server stores a message before it emits it.
func TestKilledServerHasStoredEveryEmittedMessage(t *testing.T) {
	data := t.TempDir()
	shown := map[int]string{}
	next := 1
	for restart := range 3 {
		p := runStep(t, "7", "DATA_DIR="+data)
		reader := rawclient.Connect(t, p.url, map[string]any{"serverOffset": 0})
		for id := 1; id < next; id++ {
			got := reader.Next()
			if got.Args[1] != float64(id) || shown[id] != "" && got.Args[0] != shown[id] {
				t.Fatalf("after restart %d the replay has %+v, want id %d, %q", restart, got, id, shown[id])
			}
			shown[id] = got.Args[0].(string)
		}
		var writers sync.WaitGroup
		for w := range 3 {
			writer := rawclient.Connect(t, p.url, nil)
			writers.Go(func() {
				for i := 0; ; i++ {
					if writer.Emit("chat message", fmt.Sprintf("restart %d, writer %d, %d", restart, w, i)) != nil {
						return
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		for range 40 {
			note(shown, reader.Next())
		}
		if _, err := p.end(syscall.SIGKILL); err == nil {
			t.Error("the killed process reports success")
		}
		// The reader still receives the events that were sent before the kill.
		for event := range reader.Events {
			note(shown, event)
		}
		writers.Wait()
		for id := range shown {
			next = max(next, id+1)
		}
	}
	if next < 3*40 {
		t.Errorf("only %d messages were shown", next)
	}
}

func note(shown map[int]string, event rawclient.Event) {
	id, _ := event.Args[1].(float64)
	shown[int(id)] = event.Args[0].(string)
}

func TestErrorIsOneLine(t *testing.T) {
	const host = "127.0.0.2"
	before, err := ports.Take(2)
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(before + 1)
	taken, err := net.Listen("tcp", host+":"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		arguments []string
		env       string
		code      int
		stderr    string
	}{
		"no step":           {nil, "", 3, "which step"},
		"two steps":         {[]string{"7", "8"}, "", 3, "which step"},
		"too many servers":  {[]string{"9", "10"}, "", 3, "number of servers"},
		"second port taken": {[]string{"9", "2"}, fmt.Sprint("PORT=", before), 1, "something else listens on " + host + ":" + port},
		"unknown backend":   {[]string{"9"}, "BACKEND=redis", 3, "BACKEND"},
		"no database":       {[]string{"9"}, "BACKEND=postgres", 3, "DATABASE_URL"},
		"unknown step":      {[]string{"77"}, "", 3, "1, 2, 3"},
		"no second port":    {[]string{"9", "2"}, "PORT=65535", 3, "2 servers need the ports from 65535 to 65536"},
		"port taken":        {[]string{"7"}, "PORT=" + port, 1, "something else listens on " + host + ":" + port},
		"port no number":    {[]string{"7"}, "PORT=http", 3, `PORT is "http"`},
		"port too high":     {[]string{"7"}, "PORT=65536", 3, "PORT"},
		"no such host":      {[]string{"7"}, "HOST=256.1.1.1", 1, "cannot listen on 256.1.1.1"},
		"interval":          {[]string{"7"}, "PING_INTERVAL=25s", 3, `PING_INTERVAL is "25s"`},
		"timeout":           {[]string{"7"}, "PING_TIMEOUT=-1", 3, "PING_TIMEOUT"},
		"disconnection":     {[]string{"7"}, "MAX_DISCONNECTION_DURATION=NaN", 3, "MAX_DISCONNECTION_DURATION"},
		"folder is a file":  {[]string{"7"}, "DATA_DIR=" + file, 1, "DATA_DIR"},
		"folder in a file":  {[]string{"7a"}, "DATA_DIR=" + filepath.Join(file, "below"), 1, "DATA_DIR"},
		"folder of nothing": {[]string{"7"}, "DATA_DIR=/proc/nowhere", 1, "DATA_DIR"},
	} {
		t.Run(name, func(t *testing.T) {
			p := command(t, []string{"HOST=" + host, c.env}, c.arguments...)
			var stdout, stderr bytes.Buffer
			p.Stdout, p.Stderr = &stdout, &stderr
			err := runWithin(p)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != c.code {
				t.Errorf("ended with %v, want exit status %d", err, c.code)
			}
			if line := stderr.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, c.stderr) {
				t.Errorf("stderr has %q, want one line with %q", line, c.stderr)
			}
			if stdout.Len() != 0 {
				t.Errorf("stdout has %q, want nothing", &stdout)
			}
		})
	}
}

func runWithin(c *exec.Cmd) error {
	if err := c.Start(); err != nil {
		return err
	}
	timer := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
	defer timer.Stop()
	return c.Wait()
}

func TestHeartbeatIsReadFromTheEnvironment(t *testing.T) {
	p := runStep(t, "5", "PING_INTERVAL=1234", "PING_TIMEOUT=567")
	_, open := get(t, p.url+"/socket.io/?EIO=4&transport=polling")
	if !strings.Contains(open, `"pingInterval":1234`) || !strings.Contains(open, `"pingTimeout":567`) {
		t.Errorf("the open packet is %s", open)
	}
}

// One of two servers is killed. The other one has its messages, and Ctrl-C ends all processes.
func TestStep9WithSeveralServers(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			if backend == "postgres" {
				if s, err := backends.StartPostgres(t.Context()); errors.Is(err, backends.ErrMissing) {
					t.Skip(err)
				} else if err != nil || s.Close() != nil {
					t.Fatal(err)
				}
			}
			temporary := t.TempDir()
			if err := os.Chmod(filepath.Dir(temporary), 0o755); err != nil { // PostgreSQL runs as another user
				t.Fatal(err)
			}
			p := command(t, []string{"BACKEND=" + backend, "DATA_DIR=" + t.TempDir(), "TMPDIR=" + temporary}, "9", "2")
			var stderr bytes.Buffer
			p.Stderr = &stderr
			stdout, err := p.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() })
			timer := time.AfterFunc(2*patience, func() { _ = p.Process.Kill() })
			defer timer.Stop()
			lines := bufio.NewScanner(stdout)
			urls, pids := map[string]bool{}, map[string]int{}
			for len(urls) < 2 || len(pids) < 2 {
				if !lines.Scan() {
					t.Fatalf("the command ended with %q", &stderr)
				}
				line := lines.Text()
				if words := regexp.MustCompile(`^Step 9 .* is at (\S+) \(process \d+\) - Ctrl-C`).FindStringSubmatch(line); words != nil {
					urls[words[1]] = true
				}
				if words := regexp.MustCompile(`^The process of (\S+) is (\d+):`).FindStringSubmatch(line); words != nil {
					pids[words[1]], _ = strconv.Atoi(words[2])
				}
			}
			var nodes []string
			for url := range urls {
				nodes = append(nodes, url)
			}
			ann := rawclient.Connect(t, nodes[0], map[string]any{"serverOffset": 0})
			if got := ann.Next(); got.Name != "nodes" || len(got.Args[0].([]any)) != 2 {
				t.Errorf("a page receives %v first, want the addresses of the servers", got)
			}
			if answer, err := ann.Ask("chat message", "hello", "key"); err != nil || answer["error"] != nil {
				t.Fatal(answer, err)
			}
			if err := syscall.Kill(pids[nodes[0]], syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			ann.Ended()
			for again := ""; !strings.Contains(again, "go run ./steps 9"); again = lines.Text() {
				if !lines.Scan() {
					t.Fatal("the command ended while one server was running")
				}
			}
			bob := rawclient.Connect(t, nodes[1], map[string]any{"serverOffset": 0})
			for _, name := range []string{"nodes", "chat message"} {
				if got := bob.Next(); got.Name != name {
					t.Errorf("on the other server a page receives %v, want %s", got, name)
				}
			}
			if err := p.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			for lines.Scan() {
			}
			if err := p.Wait(); err != nil {
				t.Errorf("Ctrl-C ended it with %v and %q", err, &stderr)
			}
			if syscall.Kill(pids[nodes[1]], 0) == nil {
				t.Error("a server is still running")
			}
			if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
				t.Errorf("these files are left: %v, %v", left, err)
			}
		})
	}
}
