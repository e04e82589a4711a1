//go:build !race

package peers_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"redial/harness/protocol"
	"redial/harness/target/ports"
	"redial/scenarios/config"
)

const (
	shapeBound = time.Minute     // the limit of every wait, on busy cores
	endBound   = 5 * time.Second // from SIGTERM to the end of the process
)

// An application is a running process that a redial.yaml describes.
type application struct {
	t        *testing.T
	file     *config.File
	protocol protocol.Protocol
	folder   string
	env      []string
	port     int
	process  *exec.Cmd
	output   lockedBuffer
	clients  []*shapeClient
}

// lockedBuffer holds the output of the process, which a failing test prints while the
// process still writes.
type lockedBuffer struct {
	mu   sync.Mutex
	text []byte
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	return len(p), nil
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}

// startApplication starts the application of scenarios/peers/FOLDER/redial.yaml, or skips
// the test if the application's language is not installed.
func startApplication(t *testing.T, folder string, env ...string) *application {
	t.Helper()
	if _, err := nodePeer(); err != nil {
		t.Skip(err) // the clients need Node.js, too
	}
	if strings.HasPrefix(folder, "python/") {
		if _, err := pythonWithSocketIO(); err != nil {
			t.Skip(err)
		}
	}
	file, err := config.Read(filepath.Join(folder, config.FileName))
	if err != nil {
		t.Fatal(err)
	}
	server, err := file.Server("")
	if err != nil {
		t.Fatal(err)
	}
	port, err := ports.Take(2) // balanced has two nodes
	if err != nil {
		t.Fatal(err)
	}
	a := &application{t: t, file: file, folder: folder, protocol: protocol.Tutorial(), port: port}
	if server.Protocol != nil {
		a.protocol = *server.Protocol
	}
	a.env = append(env, "DATA_DIR="+t.TempDir(), "PORT="+strconv.Itoa(a.port))
	t.Cleanup(func() {
		a.kill()
		if t.Failed() {
			t.Logf("%s printed:\n%s", folder, a.output.String())
		}
	})
	a.start()
	return a
}

func (a *application) start() {
	a.t.Helper()
	command := a.file.Target.Command
	a.process = exec.Command(command[0], command[1:]...)
	a.process.Dir = a.folder
	a.process.Env = append(os.Environ(), a.env...)
	a.process.Stdout, a.process.Stderr = &a.output, &a.output
	a.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := a.process.Start(); err != nil {
		a.t.Fatal(err)
	}
	for at := range a.nodes() {
		a.eventually(a.url(at)+" to answer", func() bool {
			response, err := http.Get(a.url(at))
			if err == nil {
				response.Body.Close()
			}
			return err == nil
		})
	}
}

// nodes returns the number of ports between which clients may choose.
func (a *application) nodes() int {
	if a.folder == "node/tutorial/step9" {
		return 2
	}
	return 1
}

func (a *application) url(node int) string {
	return fmt.Sprintf("http://127.0.0.1:%d", a.port+node)
}

func (a *application) eventually(what string, is func() bool) {
	a.t.Helper()
	for deadline := time.Now().Add(shapeBound); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			a.t.Fatalf("%s: still waiting for %s", a.folder, what)
		}
	}
}

// kill sends SIGKILL to the process group.
func (a *application) kill() {
	if a.process == nil {
		return
	}
	_ = syscall.Kill(-a.process.Process.Pid, syscall.SIGKILL) // it may have ended already
	_ = a.process.Wait()                                      // the error is the kill
	a.process = nil
}

// ends checks that SIGTERM to the first process ends the whole process group in time, while
// clients are connected.
func (a *application) ends() {
	a.t.Helper()
	process := a.process
	if err := process.Process.Signal(syscall.SIGTERM); err != nil {
		a.t.Fatal(err)
	}
	late := time.AfterFunc(endBound, a.processKiller(process.Process.Pid))
	err := process.Wait()
	inTime := late.Stop()
	a.process = nil
	state := process.ProcessState
	status, _ := state.Sys().(syscall.WaitStatus)
	bySignal := status.Signaled() && status.Signal() == syscall.SIGTERM
	if !inTime || (state.ExitCode() != 0 && state.ExitCode() != 143 && !bySignal) {
		a.t.Errorf("%s: after SIGTERM: %v (%v), in time: %v", a.folder, state, err, inTime)
	}
	if err := syscall.Kill(-process.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
		a.t.Errorf("%s: a process of it is there still: %v", a.folder, err)
		a.processKiller(process.Process.Pid)()
	}
}

func (a *application) processKiller(group int) func() {
	return func() { _ = syscall.Kill(-group, syscall.SIGKILL) }
}
